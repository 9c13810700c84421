/**
 * The command line's refusals: which exit code, and that the message names what is wrong. Nothing is printed to stdout
 * and nothing is created where a flag or a configuration is at fault.
 */
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir, totalmem} from 'node:os';
import {join} from 'node:path';
import {configToJson, memoryBytesOf, parseConfig} from '@allocdb/node';
import {joinFrames} from '@allocdb/sim';
import {afterAll, describe, expect, test} from 'vitest';
import {
  cleanUp,
  fingerprintOf,
  INSTALLED_COMMAND,
  runCommand,
  ServeProcess,
  startCommand,
  tempDir,
  tempFile,
  withDeadline,
} from './command.ts';
import {SMALL} from './in_process.ts';
import {Peer} from './peer.ts';
import {create} from './requests.ts';

afterAll(cleanUp);

const CONFIG = JSON.stringify(configToJson(SMALL));
const LOOPBACK = ['--listen', '127.0.0.1:0'];

describe.concurrent('wrong usage exits 64 and names the flag', () => {
  test.each([
    [['frobnicate'], 'frobnicate'],
    [['serve'], 'dir'],
    [['serve', 'DIR', 'more'], 'too many arguments'],
    [['serve', 'DIR', '--frob'], '--frob'],
    [['serve', 'DIR', '--slot-ms', '0'], '--slot-ms'],
    [['serve', 'DIR', '--listen', 'nowhere'], '--listen'],
    [['serve', 'DIR', '--listen', '127.0.0.1:65536'], '--listen'],
    [['serve', 'DIR', '--max-connections', '1e3'], '--max-connections'],
    [['api', 'DIR'], '--config'],
    [['api', 'DIR', '--config', 'x', '--start-lsn', '18446744073709551616'], '--start-lsn'],
  ])('%j', async (args, said) => {
    const dir = join(tempDir(), 'data');
    const result = await runCommand(args.map(arg => (arg === 'DIR' ? dir : arg)));
    expect(result.stderr).toContain(said);
    expect(result.code).toBe(64);
    expect(result.stdout.length).toBe(0);
    expect(existsSync(dir)).toBe(false);
  });

  test('no command at all prints the usage', async () => {
    const result = await runCommand([]);
    expect(result.stderr).toContain('Usage: allocdb');
    expect(result.code).toBe(64);
  });

  test('the command works by a link, as package managers install it, and hands over arguments and exit code', async () => {
    const link = join(tempDir(), 'allocdb');
    symlinkSync(INSTALLED_COMMAND, link);
    const help = spawnSync(link, ['serve', '--help'], {encoding: 'utf8', cwd: tmpdir()});
    expect(help.stdout).toContain('Usage: allocdb serve');
    const refused = spawnSync(link, ['serve', 'a dir', '--slot-ms', '0'], {encoding: 'utf8', cwd: tmpdir()});
    expect([refused.status, refused.stderr.includes('--slot-ms')]).toEqual([64, true]);
  });

  test('help is an answer', async () => {
    const result = await runCommand(['serve', '--help']);
    expect(result.code).toBe(0);
    expect(result.stdout.toString()).toContain('--trust-client-slots');
  });
});

describe.concurrent('a configuration that cannot be used exits 1 and creates nothing', () => {
  const fields = configToJson(SMALL) as {core: Record<string, unknown>; engine: Record<string, unknown>};
  const changed = (core: object, engine: object = {}): string =>
    JSON.stringify({core: {...fields.core, ...core}, engine: {...fields.engine, ...engine}});

  test.each([
    ['not JSON', '{"core":', ['not JSON']],
    ['not an object', '[]', ['must be an object']],
    ['empty', '{}', ['core: must be an object', 'engine: must be an object']],
    ['unknown keys', changed({max_seats: 1}, {fast: true}), ['core.max_seats', 'engine.fast']],
    [
      'several bad fields',
      changed({max_resources: -1, max_ttl_slots: '1.5', shard_id: '18446744073709551616'}, {max_submission_queue: '4'}),
      ['core.max_resources', 'core.max_ttl_slots', 'core.shard_id', 'engine.max_submission_queue'],
    ],
    [
      'several bad values',
      changed({max_resources: 0, max_bundle_size: 70_000}, {max_command_bytes: 0}),
      ['core.max_resources', 'engine.max_command_bytes'],
    ],
    ['larger than possible', changed({max_operations: 0xffff_ffff}), ['core.max_operations', 'at most']],
  ])('%s', async (_what, text, said) => {
    const file = tempFile('database.json', text);
    const dir = join(tempDir(), 'data');
    const result = await runCommand(['serve', dir, '--config', file, ...LOOPBACK]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('database.json');
    for (const part of said) expect(result.stderr).toContain(part);
    expect(result.stderr).not.toMatch(/\n {4}at /);
    expect(result.stdout.length).toBe(0);
    expect(existsSync(dir)).toBe(false);
  });

  const huge = {max_resources: 268_000_000, max_operations: 134_000_000, max_reservations: 134_000_000};
  const hugeText = changed({...huge, max_bundle_size: 17});
  test.skipIf(memoryBytesOf(parseConfig(hugeText).core) <= totalmem())('larger than this machine', async () => {
    const dir = join(tempDir(), 'data');
    const result = await runCommand(['api', dir, '--config', tempFile('database.json', hugeText)]);
    expect(result.stderr).toMatch(/database\.json: the tables .* take \d+ MiB, this machine has \d+ MiB/);
    expect(result.code).toBe(1);
    expect(existsSync(dir)).toBe(false);
  });

  test('a missing file, and a token file that is missing, without an entry, or wrong', async () => {
    const dir = join(tempDir(), 'data');
    const absent = join(tempDir(), 'absent.json');
    const empty = tempFile('tokens', ' \n');
    const wrong = tempFile('tokens', 'web write S3cretS3cret\n');
    for (const [flag, file] of [
      ['--config', absent],
      ['--token-file', absent],
      ['--token-file', empty],
      ['--token-file', wrong],
    ] as const) {
      const result = await runCommand(['serve', dir, flag, file, ...LOOPBACK]);
      expect(result.stderr).toContain(file);
      expect(result.stderr).not.toContain('S3cret');
      expect(result.stderr).not.toMatch(/^\s+at /m);
      expect(result.code).toBe(1);
    }
    expect(existsSync(dir)).toBe(false);
  });
});

describe.concurrent('a directory that cannot be used exits 1', () => {
  test('a file in its place', async () => {
    const file = tempFile('data', 'precious');
    for (const args of [
      ['serve', file, ...LOOPBACK],
      ['api', file, '--config', tempFile('c.json', CONFIG)],
      ['verify', file],
    ]) {
      const result = await runCommand(args);
      expect(result.stderr).toContain(file);
      expect(result.code).toBe(1);
      expect(result.stdout.length).toBe(0);
    }
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  test('a place where nothing can be created', async () => {
    const dir = '/proc/self/allocdb';
    for (const args of [
      ['serve', dir, ...LOOPBACK],
      ['api', dir, '--config', tempFile('c.json', CONFIG)],
      ['verify', dir],
    ]) {
      const result = await runCommand(args);
      expect(result.stderr).toContain(dir);
      expect(result.code).toBe(1);
    }
  });

  test('one that holds something else', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'thesis.txt'), 'years of work');
    const config = tempFile('c.json', CONFIG);
    for (const args of [
      ['serve', dir, ...LOOPBACK],
      ['api', dir, '--config', config],
      ['api', dir, '--config', config, '--start-lsn', '5'],
      ['verify', dir],
    ]) {
      const result = await runCommand(args);
      expect(result.stderr).toContain(dir);
      expect(result.code).toBe(1);
      expect(result.stdout.length).toBe(0);
    }
    expect(readdirSync(dir).filter(name => name !== 'LOCK')).toEqual(['thesis.txt']);
  });

  test('one that is in use: the holder is named, and goes on undisturbed', async () => {
    const dir = tempDir();
    const config = tempFile('c.json', CONFIG);
    const server = await ServeProcess.start(dir, '--config', config);
    for (const args of [
      ['serve', dir, ...LOOPBACK],
      ['api', dir, '--config', config],
      ['api', dir, '--config', config, '--start-lsn', '5'],
      ['verify', dir],
    ]) {
      const result = await runCommand(args);
      expect(result.stderr).toContain(String(server.pid));
      expect(result.stderr).not.toMatch(/\n {4}at /);
      expect(result.code).toBe(1);
      expect(result.stdout.length).toBe(0);
    }
    const peer = await Peer.open(server.port);
    expect(await peer.ask(create(1n))).toMatchObject([{resultCode: 'ok'}]);
    expect(await server.signal('SIGTERM')).toMatchObject({code: 0});
    expect((await runCommand(['verify', dir])).code).toBe(0);
  });

  test('one that was created with another configuration: each field is named, nothing is changed', async () => {
    const dir = tempDir();
    expect((await runCommand(['api', dir, '--config', tempFile('c.json', CONFIG)])).code).toBe(0);
    const before = fingerprintOf(dir);
    const json = configToJson({
      ...SMALL,
      core: {...SMALL.core, maxResources: 11, maxBundleSize: 2, maxTtlSlots: 9999n},
    });
    const other = tempFile('other.json', JSON.stringify(json));
    for (const args of [
      ['serve', dir, '--config', other, ...LOOPBACK],
      ['api', dir, '--config', other],
    ]) {
      const result = await runCommand(args);
      expect(result.code).toBe(1);
      for (const field of ['max_resources', 'max_bundle_size', 'max_ttl_slots']) {
        expect(result.stderr).toMatch(new RegExp(`core\\.${field}: created with \\d+, given \\d+`));
      }
      expect(result.stderr).not.toContain('max_operations');
    }
    expect(fingerprintOf(dir)).toEqual(before);
  });

  test('a new database next to a port in use leaves a database that opens', async () => {
    const dir = tempDir();
    const taken = createServer();
    await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const args = ['serve', dir, '--config', tempFile('c.json', CONFIG), '--listen', `127.0.0.1:${port}`];
    const result = await runCommand(args);
    taken.close();
    expect(result.stderr).toContain(`127.0.0.1:${port} is in use`);
    expect(result.code).toBe(1);
    expect((await runCommand(['verify', dir])).code).toBe(0);
  });
});

describe.concurrent('api', () => {
  const frames = joinFrames([Uint8Array.of(9), Uint8Array.of(9)]);
  const prefix = (length: number): Uint8Array => new Uint8Array(new Uint32Array([length]).buffer);

  test.each([
    ['a cut length', Uint8Array.of(5), 'within a frame'],
    ['a cut frame', Buffer.concat([prefix(5), Uint8Array.of(1, 2)]), 'within a frame'],
    ['an announced giant', prefix(0xffff_ffff), '4294967295 bytes'],
  ])('input that ends with %s: what came before is answered, then exit 1', async (_what, tail, said) => {
    const dir = tempDir();
    const args = ['api', dir, '--config', tempFile('c.json', CONFIG)];
    const result = await runCommand(args, Buffer.concat([frames, tail]));
    expect(result.stdout).toEqual(Buffer.from(joinFrames([Uint8Array.of(0xe0, 2, 9), Uint8Array.of(0xe0, 2, 9)])));
    expect(result.stderr).toContain(said);
    expect(result.code).toBe(1);
    expect((await runCommand(['verify', dir])).code).toBe(0);
  });

  test('an announced giant ends it at once, without waiting for the bytes', async () => {
    const child = startCommand(['api', tempDir(), '--config', tempFile('c.json', CONFIG)]);
    const ended = new Promise(resolve => child.once('close', resolve));
    child.stdin.write(prefix(0x8000_0000));
    expect(await withDeadline(ended, 'api to end')).toBe(1);
  });

  test('takes a frame of many MiB', async () => {
    const giant = new Uint8Array(20 << 20).fill(1);
    const args = ['api', tempDir(), '--config', tempFile('c.json', CONFIG)];
    const result = await runCommand(args, Buffer.concat([joinFrames([giant]), frames]));
    expect(result.code).toBe(0);
    expect(result.stdout.subarray(-14)).toEqual(
      Buffer.from(joinFrames([Uint8Array.of(0xe0, 2, 9), Uint8Array.of(0xe0, 2, 9)])),
    );
  });

  test('refuses to begin elsewhere where a database is', async () => {
    const dir = join(tempDir(), 'data');
    mkdirSync(dir);
    const args = ['api', dir, '--config', tempFile('c.json', CONFIG), '--start-lsn', '100', '--start-slot', '7'];
    expect((await runCommand(args)).code).toBe(0);
    const before = fingerprintOf(dir);
    const again = await runCommand(args, frames);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('holds a database already');
    expect(again.stdout.length).toBe(0);
    expect(fingerprintOf(dir)).toEqual(before);
  });
});
