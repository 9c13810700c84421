/**
 * `restore`, `replay`, `reconfigure`, and `backup` of a stopped directory, on real directories: what they make and print in
 * both forms, that digests agree with each other and with `verify`, and what they refuse and then leave as it was.
 */
import {existsSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {PassThrough} from 'node:stream';
import {encodeClientRequest, idToBigint, operationIdFrom, resourceIdFrom} from '@allocdb/api';
import {configOfLimits, configToJson, memoryBytesOf, readDirectoryConfig, SingleNodeEngine} from '@allocdb/node';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ALL_COMMANDS} from '../src/all_commands.ts';
import {Interrupted} from '../src/interrupt.ts';
import {Output} from '../src/output.ts';
import {run} from '../src/program.ts';
import {Session} from '../src/session.ts';
import {cleanUp, objectOf, tempDir, tempFile} from './command.ts';
import {runHere} from './in_process.ts';

afterAll(cleanUp);

const LIMITS = {maxResources: 100, maxReservations: 100, maxOperations: 1000, maxTtlSlots: 600};
const CONFIG = configOfLimits(LIMITS, 100);

/** A stopped database of eight resources, with a snapshot in the middle. */
async function makeDirectory({slotMs = 100 as number | null} = {}): Promise<string> {
  const dir = join(tempDir(), 'data');
  const engine = SingleNodeEngine.open({
    dir,
    config: CONFIG,
    ...(slotMs === null ? {} : {slotMs}),
    segmentBytes: 1 << 20,
  });
  for (let at = 1; at <= 8; at++) {
    const name = `seat-${at}`;
    const payload = encodeClientRequest({
      operationId: idToBigint(operationIdFrom(name)),
      clientId: 1n,
      command: {kind: 'create_resource', resourceId: idToBigint(resourceIdFrom(name))},
    });
    engine.handleApiRequest({type: 'submit', requestSlot: 20n, payload});
    if (at === 5) await engine.checkpoint();
  }
  await engine.close();
  return dir;
}

let dir: string;
beforeAll(async () => {
  dir = await makeDirectory();
});

/** The JSON that a command answers with, which must succeed. */
async function answerOf(...words: readonly string[]): Promise<Record<string, unknown>> {
  const {code, stdout, stderr} = await runHere([...words, '--json']);
  expect([words.join(' '), code, stderr]).toEqual([words.join(' '), 0, '']);
  return objectOf(stdout);
}

describe('replay', () => {
  test('tells the state at the end and at an lsn, with the digest that verify finds', async () => {
    const end = await answerOf('replay', dir);
    expect(end).toEqual({
      result: 'replayed',
      lsn: '8',
      slot: '20',
      digest: (await answerOf('verify', dir))['digest'],
      resources: 8,
      reservations: 0,
      operations: 8,
      records: 3,
      durationMs: expect.any(Number),
    });
    const {code, stdout, stderr} = await runHere(['replay', dir, '--until', '5']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^replayed {2}lsn=5 slot=20 digest=[0-9a-f]{32} resources=5 reservations=0 operations=5 /);
    expect(stdout).not.toContain(String(end['digest']));
  });

  test('refuses an lsn that is not kept, saying which are, and what is no database', async () => {
    const {code, stdout, stderr} = await runHere(['replay', dir, '--until', '9']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe(
      `allocdb: lsn_out_of_range: ${dir} has no state at lsn 9: what is kept reaches from lsn 0 to 8\n`,
    );
    const empty = await runHere(['replay', tempDir(), '--json']);
    expect([empty.code, objectOf(empty.stderr)]).toMatchObject([1, {error: {code: 'missing_config'}}]);
  });

  test('refuses beside a process that has the directory', async () => {
    const own = await makeDirectory();
    const engine = SingleNodeEngine.open({dir: own, config: null, slotMs: 100});
    for (const words of [
      ['replay', own],
      ['restore', own, `${own}2`],
      ['reconfigure', own, '--max-resources', '200'],
    ]) {
      const {code, stderr} = await runHere(words);
      expect([code, stderr]).toEqual([1, `allocdb: locked: ${own} is in use by process ${process.pid}\n`]);
    }
    expect(existsSync(`${own}2`)).toBe(false);
    await engine.close();
  });
});

describe('restore', () => {
  test('the whole: the same state in a directory that opens', async () => {
    const to = join(tempDir(), 'restored');
    const {code, stdout, stderr} = await runHere(['restore', dir, to]);
    expect([code, stderr]).toEqual([0, '']);
    const {digest} = await answerOf('replay', dir);
    expect(stdout).toMatch(
      new RegExp(`^restored {2}dir=${to} lsn=8 slot=20 digest=${digest} snapshotLsn=5 records=8 `),
    );
    expect(await answerOf('verify', to)).toMatchObject({ok: true, lsn: '8', digest});
  });

  test('as it was at an lsn: nothing behind it is there', async () => {
    const to = join(tempDir(), 'before');
    const made = await answerOf('restore', dir, to, '--at-lsn', '3');
    const {digest} = await answerOf('replay', dir, '--until', '3');
    expect(made).toMatchObject({result: 'restored', dir: to, lsn: '3', digest, snapshotLsn: null, records: 3});
    expect(await answerOf('verify', to)).toMatchObject({lsn: '3', digest, resources: 3});
  });

  test.each([
    [
      'a target that holds something',
      () => tempFile('kept', '').replace(/\/kept$/, ''),
      'not_empty',
      'is not empty: kept',
    ],
    ['a target inside a database', () => join(dir, 'inside'), 'not_empty', 'lies inside the data directory'],
    ['a target below nothing', () => join(tempDir(), 'no', 'where'), 'io', 'is not there; make it, or mount it'],
  ])('refuses %s and leaves it', async (_what, place, errorCode, said) => {
    const to = place();
    const before = existsSync(to) ? readdirSync(to) : null;
    const {code, stdout, stderr} = await runHere(['restore', dir, to]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr.startsWith(`allocdb: ${errorCode}: ${to}`)).toBe(true);
    expect(stderr).toContain(said);
    expect(existsSync(to) ? readdirSync(to) : null).toEqual(before);
  });

  test('refuses an lsn that is not kept, and what is no backup, and leaves nothing', async () => {
    const to = join(tempDir(), 'restored');
    for (const [words, code] of [
      [['restore', dir, to, '--at-lsn', '9'], 'lsn_out_of_range'],
      [['restore', tempDir(), to], 'missing_config'],
    ] as const) {
      const failed = await runHere([...words, '--json']);
      expect([failed.code, failed.stdout, objectOf(failed.stderr)]).toMatchObject([1, '', {error: {code}}]);
      expect(existsSync(to)).toBe(false);
    }
  });
});

describe('backup of a stopped directory', () => {
  test('copies it, with the same digest', async () => {
    const to = join(tempDir(), 'copy');
    const {digest} = await answerOf('replay', dir);
    expect(await answerOf('backup', dir, to)).toMatchObject({
      result: 'backed_up',
      dir: to,
      lsn: '8',
      digest,
      records: 8,
    });
    const {stdout} = await runHere(['backup', to, `${to}2`]);
    expect(stdout).toMatch(new RegExp(`^backed_up {2}dir=${to}2 lsn=8 slot=20 digest=${digest} `));
    const again = await runHere(['backup', dir, to]);
    expect([again.code, again.stderr.startsWith('allocdb: not_empty: ')]).toEqual([1, true]);
  });
});

describe('reconfigure', () => {
  test('by sizes: says what changes, what follows, memory, and where the old files are; the state stays', async () => {
    const own = await makeDirectory();
    const {digest} = await answerOf('replay', own);
    const sizes = ['--max-resources', '5000', '--max-reservations', '2000', '--max-bundle-size', '300'];
    const {code, stdout, stderr} = await runHere([
      'reconfigure',
      own,
      ...sizes,
      '--max-hold',
      '90s',
      '--remember',
      '2m',
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const after = readDirectoryConfig(own).config;
    expect(stdout.split('\n')).toEqual([
      `reconfigured  dir=${JSON.stringify(own)} lsn=8 digest=${digest}`,
      '  core.max_resources: 100 -> 5,000',
      '  core.max_reservations: 100 -> 2,000',
      '  core.max_bundle_size: 16 -> 300',
      '  core.max_ttl_slots: 600 -> 901',
      '  core.max_expiration_bucket_len: 100 -> 2,000',
      '  core.operation_window_slots: 600 -> 1,200',
      '  engine.max_command_bytes: 4,096 -> 4,864',
      expect.stringMatching(/^ {2}memory of the tables: \d+ KiB -> [\d.]+ MiB$/),
      `  the old log, snapshots and CONFIG are kept in ${own}/before-8: remove them when they are not needed any more`,
      '',
    ]);
    expect(existsSync(join(own, 'before-8', 'CONFIG'))).toBe(true);
    expect(after?.core).toMatchObject({maxResources: 5000, maxTtlSlots: 901n, operationWindowSlots: 1200n});
    expect(await answerOf('verify', own)).toMatchObject({ok: true, lsn: '8', digest, resources: 8});
  });

  test('by a file, with --json: every change, old and new', async () => {
    const own = await makeDirectory();
    const config = configOfLimits({...LIMITS, maxOperations: 3000}, 100);
    const file = tempFile('config.json', JSON.stringify(configToJson(config)));
    expect(await answerOf('reconfigure', own, '--config', file)).toEqual({
      result: 'reconfigured',
      dir: own,
      lsn: '8',
      digest: (await answerOf('replay', own))['digest'],
      kept: 'before-8',
      changes: [{field: 'core.max_operations', from: 1000, to: 3000}],
      memoryBytes: memoryBytesOf(config.core),
      memoryBytesBefore: memoryBytesOf(CONFIG.core),
      durationMs: expect.any(Number),
    });
  });

  test('what it is already is no change; limits of the engine alone move no files', async () => {
    const own = await makeDirectory();
    expect(await answerOf('reconfigure', own, '--max-resources', '100')).toMatchObject({
      ...{result: 'unchanged', lsn: null, digest: null, kept: null, changes: []},
    });
    const config = {core: CONFIG.core, engine: {...CONFIG.engine, maxSubmissionQueue: 7}};
    const file = tempFile('config.json', JSON.stringify(configToJson(config)));
    const {code, stdout} = await runHere(['reconfigure', own, '--config', file]);
    expect(code).toBe(0);
    expect(stdout).toContain('\n  engine.max_submission_queue: 65,536 -> 7\n');
    expect(stdout).toContain('\n  log and snapshots stay as they are\n');
    expect(readdirSync(own).filter(name => name.startsWith('before'))).toEqual([]);
    expect((await runHere(['reconfigure', own, '--max-resources', '100'])).stdout).toMatch(
      /^unchanged {2}.*\n.*already\n$/,
    );
  });

  test('refuses what cannot be, and then nothing has changed', async () => {
    const own = await makeDirectory();
    const before = await answerOf('replay', own);
    for (const [flags, said] of [
      [['--max-resources', '99'], 'core.max_resources: created with 100, given 99: it can only grow'],
      [['--max-bundle-size', '101'], 'core.max_bundle_size: out_of_range'],
      [['--config', tempFile('config.json', '{}')], 'core: must be an object'],
    ] as const) {
      const {code, stdout, stderr} = await runHere(['reconfigure', own, ...flags]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`\n  ${said}`);
    }
    expect(readDirectoryConfig(own).config).toEqual(CONFIG);
    expect({...(await answerOf('replay', own)), durationMs: 0}).toEqual({...before, durationMs: 0});
  });

  test('a directory that does not know its slots takes times by a file only; a damaged CONFIG is said', async () => {
    const own = await makeDirectory({slotMs: null});
    const {code, stderr} = await runHere(['reconfigure', own, '--max-hold', '10m']);
    expect([code, stderr]).toEqual([
      1,
      `allocdb: ${own} does not say how long its slots are: instead of --max-hold, give slots by --config\n`,
    ]);
    expect(await answerOf('reconfigure', own, '--max-resources', '200')).toMatchObject({result: 'reconfigured'});
    writeFileSync(join(own, 'CONFIG'), 'damaged');
    const damaged = await runHere(['reconfigure', own, '--max-resources', '300']);
    expect([damaged.code, damaged.stderr]).toEqual([1, expect.stringContaining('CONFIG')]);
    const none = await runHere(['reconfigure', tempDir(), '--max-resources', '300', '--json']);
    expect([none.code, objectOf(none.stderr)]).toMatchObject([1, {error: {code: 'missing_config'}}]);
  });
});

test('interrupted, restore leaves nothing and reconfigure changes nothing', async () => {
  const own = await makeDirectory();
  const to = join(tempDir(), 'restored');
  for (const words of [
    ['restore', own, to],
    ['reconfigure', own, '--max-resources', '300'],
  ]) {
    const stderr = new PassThrough({encoding: 'utf8'});
    const output = new Output(new PassThrough(), stderr);
    const interrupt = {signal: AbortSignal.abort(new Interrupted('SIGINT'))};
    const session = new Session({output, interrupt, client: null, invocation: 'allocdb '});
    expect(await run(words, session, ALL_COMMANDS)).toBe(1);
    expect(stderr.read()).toBe('allocdb: aborted: interrupted by SIGINT\n');
  }
  expect(existsSync(to)).toBe(false);
  expect(readDirectoryConfig(own).config).toEqual(CONFIG);
  expect(readdirSync(own).sort()).toEqual(['CONFIG', 'LOCK', 'snapshots', 'wal']);
});
