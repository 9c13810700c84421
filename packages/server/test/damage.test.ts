/**
 * Directories that are not what they were: every opening is refused with a message that names the file or what is
 * missing, api exits 1 and prints no answer, and not a byte is changed; what is only unfinished, or has an older copy,
 * opens.
 */
import {cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {configToJson, verifyDirectory} from '@allocdb/node';
import {joinFrames} from '@allocdb/sim';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, fingerprintOf, runCommand, tempDir, tempFile} from './command.ts';
import {SMALL, startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS} from './requests.ts';

afterAll(async () => {
  await stopServers();
  await cleanUp();
});

/** The first frame of a segment stands behind its header block; this is inside its body. */
const IN_FIRST_FRAME = 4096 + 150;
const SNAPSHOT_BODY = 200;

/** A directory with two snapshots and a log behind them, cleanly closed. */
let sound = '';
let config = '';

beforeAll(async () => {
  config = tempFile('config.json', JSON.stringify(configToJson(SMALL)));
  const {server, dir, port} = await startServer();
  const peer = await Peer.open(port);
  for (let round = 0n; round < 3n; round++) {
    for (let i = 1n; i <= 20n; i++) await peer.ask(create(100n * round + i));
    if (round < 2n) await server.engine.checkpoint();
  }
  await peer.close();
  await server.stop();
  sound = dir;
});

function copyOf(dir: string): string {
  const copy = join(tempDir(), 'data');
  cpSync(dir, copy, {recursive: true});
  return copy;
}

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x40;
  writeFileSync(path, bytes);
}

function flipAll(paths: readonly string[]): void {
  for (const path of paths) flip(path, SNAPSHOT_BODY);
}

function removeAll(paths: readonly string[]): void {
  for (const path of paths) rmSync(path);
}

const inDirectory = (dir: string, name: string): string[] =>
  readdirSync(join(dir, name))
    .sort()
    .map(file => join(dir, name, file));
const segments = (dir: string): string[] => inDirectory(dir, 'wal').filter(path => path.endsWith('.seg'));
const snapshots = (dir: string): string[] => inDirectory(dir, 'snapshots');
const at = (paths: readonly string[], index: number): string => {
  const path = paths.at(index);
  if (path === undefined) throw new Error('the directory has fewer files than the test expects');
  return path;
};

/** What verify has to say against a directory, in one text. */
function problemsOf(dir: string): string {
  try {
    return verifyDirectory(dir).problems.join('\n');
  } catch (error) {
    return String(error);
  }
}

describe.concurrent('refused, exit 1, untouched', () => {
  test.each<[string, (dir: string) => void, RegExp]>([
    ['a byte of CONFIG changed', dir => flip(join(dir, 'CONFIG'), 60), /CONFIG .*checksum/],
    ['the head of CONFIG gone', dir => writeFileSync(join(dir, 'CONFIG'), '{}'), /CONFIG .*begin/],
    [
      'another format version',
      dir => {
        const text = readFileSync(join(dir, 'CONFIG'), 'utf8');
        writeFileSync(join(dir, 'CONFIG'), text.replace(/^allocdb config 1 /, 'allocdb config 2 '));
      },
      /format version 2, this program reads 1/,
    ],
    ['CONFIG gone', dir => rmSync(join(dir, 'CONFIG')), /CONFIG is gone|holds no database/],
    ['the log gone', dir => rmSync(join(dir, 'wal'), {recursive: true}), /lost its log|wal is not there/],
    ['every segment of the log gone', dir => removeAll(segments(dir)), /log .*is not complete|no log is in/],
    ['a byte of the log changed', dir => flip(at(segments(dir), -1), IN_FIRST_FRAME), /wal-\d{20}\.seg/],
    ['the log cut', dir => truncateSync(at(segments(dir), -1), 4096), /wal-\d{20}\.seg|log .*damaged/],
    ['every snapshot changed', dir => flipAll(snapshots(dir)), /snapshot-\d{20}\.snap: .*checksum/],
  ])('%s', async (_what, damage, said) => {
    const dir = copyOf(sound);
    damage(dir);
    const before = fingerprintOf(dir);
    const result = await runCommand(['api', dir, '--config', config], joinFrames([Uint8Array.of(9)]));
    expect(result.stderr).toMatch(said);
    expect(result.stderr).not.toMatch(/\n {4}at /);
    expect(result.code).toBe(1);
    expect(result.stdout.length).toBe(0);
    expect(fingerprintOf(dir)).toEqual(before);
    await expect(startServer({dir})).rejects.toThrow(said);
    expect(problemsOf(dir)).toMatch(said);
    expect(fingerprintOf(dir)).toEqual(before);
  });
});

test('without its snapshots a log that was cut behind them is refused, untouched', async () => {
  const {server, dir, port} = await startServer();
  const peer = await Peer.open(port);
  for (let round = 0n; round < 3n; round++) {
    for (let i = 0n; i < 13n; i++) await peer.ask(createMany(1000n * (13n * round + i), 1000));
    await server.engine.checkpoint();
  }
  await peer.close();
  await server.stop();
  expect(at(segments(dir), 0)).not.toContain('wal-00000000000000000001.seg');
  expect((await runCommand(['verify', dir])).code).toBe(0);
  removeAll(snapshots(dir));
  const before = fingerprintOf(dir);
  const refused = await runCommand(['serve', dir, '--listen', '127.0.0.1:0']);
  expect(refused.stderr).toMatch(/log .*is not complete/);
  expect(refused.code).toBe(1);
  const verified = await runCommand(['verify', dir]);
  expect(verified.code).toBe(1);
  expect(fingerprintOf(dir)).toEqual(before);
});

describe.concurrent('opened', () => {
  async function expectAll(dir: string): Promise<void> {
    const {server, port} = await startServer({dir, config: null});
    const peer = await Peer.open(port);
    const again = await peer.ask(...[1n, 120n, 220n].map(create));
    expect(again).toMatchObject([{appliedLsn: 1n}, {appliedLsn: 40n}, {appliedLsn: 60n}]);
    expect(again.every(answer => answer.type === 'submit_committed' && answer.fromRetryCache)).toBe(true);
    await server.stop();
  }

  test('as it was left', async () => {
    const verified = await runCommand(['verify', sound, '--json']);
    expect(JSON.parse(verified.stdout.toString())).toMatchObject({
      ok: true,
      lsn: '60',
      resources: 60,
      snapshots: [
        {lsn: '20', problem: null},
        {lsn: '40', problem: null, matchesReplay: true},
      ],
    });
    await expectAll(copyOf(sound));
    expect((await runCommand(['verify', sound])).stdout.toString()).toMatch(/^ok {2}lsn=60 digest=[0-9a-f]{32} /);
  });

  test('with the newest snapshot changed: a longer replay, and the file is set aside', async () => {
    const dir = copyOf(sound);
    const newest = at(snapshots(dir), -1);
    flip(newest, SNAPSHOT_BODY);
    const verified = await runCommand(['verify', dir]);
    expect(verified.code).toBe(1);
    expect(verified.stdout.toString()).toMatch(/snapshot-0*40\.snap: .*checksum/);
    await expectAll(dir);
    expect(existsSync(`${newest}.rotten`)).toBe(true);
    expect(existsSync(newest)).toBe(false);
    expect((await runCommand(['verify', dir])).code).toBe(0);
  });

  test('with every snapshot gone, where the log reaches back to its beginning', async () => {
    const dir = copyOf(sound);
    removeAll(snapshots(dir));
    await expectAll(dir);
  });

  test('with an unfinished snapshot, which is removed', async () => {
    const dir = copyOf(sound);
    const unfinished = join(dir, 'snapshots', 'snapshot-00000000000000000055.snap.tmp');
    writeFileSync(unfinished, 'half');
    await expectAll(dir);
    expect(existsSync(unfinished)).toBe(false);
  });

  test('after a creation that was interrupted before CONFIG was written', async () => {
    const dir = join(tempDir(), 'data');
    expect((await runCommand(['api', dir, '--config', config])).code).toBe(0);
    renameSync(join(dir, 'CONFIG'), join(dir, 'CONFIG.tmp'));
    const {server, port} = await startServer({dir});
    const peer = await Peer.open(port);
    expect(await peer.ask(GET_METRICS)).toMatchObject([{lastAppliedLsn: null}]);
    await server.stop();
    expect((await runCommand(['verify', dir])).code).toBe(0);
  });
});
