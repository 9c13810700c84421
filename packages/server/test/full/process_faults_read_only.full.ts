/**
 * The real command on a real read-only file system, a small tmpfs of the test's own (`process_faults_small_disk.ts`):
 * whoever would write is refused with a message, `allocdb verify` looks at the directory all the same, and neither
 * touches it. Beside a running server `verify` is refused, also where it sees the server's files read-only.
 */
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {historyHeaderLine} from '@allocdb/node/history';
import {afterEach, expect, test, vi} from 'vitest';
import {type CommandResult, cleanUp, fingerprintOf, runCommand, ServeProcess, tempFile} from '../command.ts';
import {Peer} from '../peer.ts';
import {faultConfigFile} from '../process_faults_config.ts';
import {closeSmallDisks, SmallDisk} from '../process_faults_small_disk.ts';
import {create, reserve} from '../requests.ts';

vi.setConfig({testTimeout: 300_000});

afterEach(async () => {
  await cleanUp();
  await closeSmallDisks();
});

const DISK_MIB = 220;

function expectRefused({code, stdout, stderr}: CommandResult, why: RegExp): void {
  expect(stderr).toMatch(why);
  expect(stderr).not.toMatch(/\n {4}at /);
  expect(stdout.toString()).toBe('');
  expect(code).toBe(1);
}

/** What clients were told, when they were told nothing. */
function emptyHistory(): string {
  return tempFile('history.jsonl', `${historyHeaderLine({begins: 'unknown', core: null})}\n`);
}

/** Every file, LOCK too. */
function filesOf(dir: string): Record<string, string> {
  const lock = join(dir, 'LOCK');
  return {...fingerprintOf(dir), LOCK: existsSync(lock) ? readFileSync(lock, 'utf8') : 'absent'};
}

test('a read-only directory is refused with a message and exit 1, and not touched', async context => {
  const disk = await SmallDisk.openFor(context, DISK_MIB);
  const dir = join(disk.root, 'data');
  const config = faultConfigFile(100);
  const server = await ServeProcess.start(dir, '--config', config);
  const peer = await Peer.open(server.port);
  const told = await peer.ask(create(1n), create(2n));
  expect(await server.signal('SIGTERM')).toEqual({code: 0, signal: null});
  const before = filesOf(dir);
  await disk.makeReadOnly();
  expect(() => writeFileSync(join(dir, 'x'), '')).toThrow(/EROFS/);
  const refused = await Promise.all([
    runCommand(['serve', dir, '--listen', '127.0.0.1:0']),
    runCommand(['serve', join(disk.root, 'another'), '--listen', '127.0.0.1:0']),
    runCommand(['api', dir, '--config', config]),
  ]);
  for (const each of refused) {
    expectRefused(each, /read-only file system/);
    expect(each.stderr).toContain(disk.root);
  }
  expect(filesOf(dir)).toEqual(before);
  await disk.makeWritable();
  const again = await ServeProcess.start(dir);
  const other = await Peer.open(again.port);
  expect(await other.ask(create(1n), create(2n))).toEqual(told.map(answer => ({...answer, fromRetryCache: true})));
  await other.close();
});

test('verify says the same of a directory that cannot be written, with and without its LOCK', async context => {
  const disk = await SmallDisk.openFor(context, DISK_MIB);
  const dir = join(disk.root, 'data');
  const server = await ServeProcess.start(dir, '--config', faultConfigFile(100));
  const peer = await Peer.open(server.port);
  await peer.ask(create(1n), create(2n), reserve(1000n, 1n, 10_000n));
  // The lock of a killed server still names it.
  await server.kill();
  await disk.makeReadOnly();
  const before = filesOf(dir);
  expect(before['LOCK']).toBe(`${server.pid}\n`);
  const history = emptyHistory();
  const commands = [
    ['verify', dir],
    ['verify', dir, '--json'],
    ['verify', dir, '--history', history],
  ];
  const readOnly = await Promise.all(commands.map(command => runCommand(command)));
  for (const {code, stderr} of readOnly) expect({code, stderr}).toEqual({code: 0, stderr: ''});
  expect(readOnly[0]?.stdout.toString()).toMatch(/^ok {2}lsn=\d+ digest=[0-9a-f]{32} resources=2 reservations=1 /);
  expect(filesOf(dir)).toEqual(before);
  await disk.makeWritable();
  rmSync(join(dir, 'LOCK'));
  await disk.makeReadOnly();
  expect(await runCommand(['verify', dir])).toEqual(readOnly[0]);
  expect(filesOf(dir)).toEqual({...before, LOCK: 'absent'});
  await disk.makeWritable();
  for (const [i, command] of commands.entries()) expect(await runCommand(command)).toEqual(readOnly[i]);
  expect(filesOf(dir)).toEqual({...before, LOCK: ''});
});

test('verify is refused beside a running server whose files it sees read-only', async context => {
  const disk = await SmallDisk.openFor(context, DISK_MIB);
  const dir = join(disk.root, 'data');
  const view = join(await disk.readOnlyView(), 'data');
  const server = await ServeProcess.start(dir, '--config', faultConfigFile(100));
  const peer = await Peer.open(server.port);
  await peer.ask(create(1n), create(2n));
  expect(() => writeFileSync(join(view, 'x'), '')).toThrow(/EROFS/);
  const history = emptyHistory();
  for (const each of await Promise.all([
    runCommand(['verify', dir]),
    runCommand(['verify', view]),
    runCommand(['verify', view, '--history', history]),
  ])) {
    expectRefused(each, new RegExp(`in use by process ${server.pid}\\b`));
  }
  // The server has not noticed, and its end is the end of the lock.
  expect(await peer.ask(create(1n), create(3n))).toMatchObject([{fromRetryCache: true}, {fromRetryCache: false}]);
  await server.kill();
  const verified = await runCommand(['verify', view]);
  expect(verified).toMatchObject({code: 0, stderr: ''});
  expect(verified.stdout.toString()).toMatch(/^ok {2}lsn=\d+ digest=[0-9a-f]{32} resources=3 /);
  expect(await runCommand(['verify', dir])).toEqual(verified);
});
