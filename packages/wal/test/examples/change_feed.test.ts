/**
 * The change feed example: run as it is, killed, and its parts put under what its comments promise.
 */

import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {afterAll, expect, test} from 'vitest';
import {KeyEngine} from '../../examples/change_feed/engine.ts';
import type {TableImage} from '../../examples/change_feed/key_table.ts';
import {Mirror} from '../../examples/change_feed/mirror.ts';

const MAIN = fileURLToPath(new URL('../../examples/change_feed/main.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'change-feed-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

function newDir(): string {
  return mkdtempSync(join(root, 'case-'));
}

function runMain(args: string[]): ChildProcess {
  return spawn(process.execPath, ['--conditions=@allocdb/source', '--import', 'tsx', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function setOf(count: number, ttlTicks: number): {kind: 'set'; key: string; value: string; ttlTicks: number}[] {
  return Array.from({length: count}, (_, i) => ({kind: 'set', key: `k${i}`, value: `v${i}`, ttlTicks}));
}

/** What a mirror has too: it does not hear of time that passes without a change. */
function stateOf({lsn, entries}: TableImage): Omit<TableImage, 'tick'> {
  return {lsn, entries};
}

test('the example runs as it is, and its mirror ends equal', async () => {
  const child = runMain([newDir()]);
  const lines: string[] = [];
  for await (const line of createInterface({input: child.stdout as NodeJS.ReadableStream})) lines.push(line);
  expect(lines[0]).toBe('opened at lsn 0 with 0 keys');
  expect(lines[1]).toMatch(/^the mirror applied (\d+) changes and is at lsn \1$/);
  expect(lines[2]).toMatch(/^a checkpoint gave up [1-9]\d* segments; the log begins at lsn [1-9]\d*$/);
  expect(lines[3]).toBe('the mirror started again 1 time and is equal');
});

test('killed at any moment, the engine opens with everything it acknowledged, and a mirror catches up with it', async () => {
  const dir = newDir();
  let mirrored = 0;
  for (const linesUntilKill of [60, 130, 25]) {
    const child = runMain([dir, 'forever']);
    let acknowledged = 0n;
    let lines = 0;
    for await (const line of createInterface({input: child.stdout as NodeJS.ReadableStream})) {
      if (line.startsWith('acknowledged ')) acknowledged = BigInt(line.slice('acknowledged '.length));
      if (++lines === linesUntilKill) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    const engine = KeyEngine.open(dir);
    expect(engine.table.lsn).toBeGreaterThanOrEqual(acknowledged);
    const mirror = new Mirror(join(dir, 'mirror.json'));
    const before = mirror.table.lsn;
    await mirror.catchUp(engine, engine.table.lsn);
    expect(stateOf(mirror.table.toImage())).toEqual(stateOf(engine.snapshot()));
    if (mirror.restarts === 0) expect(BigInt(mirror.applied)).toBe(engine.table.lsn - before);
    mirrored += mirror.applied;
    await engine.close();
  }
  expect(mirrored).toBeGreaterThan(0);
});

test('keys expire in the log, so that every replay expires them at the same place', async () => {
  const dir = newDir();
  const engine = KeyEngine.open(dir);
  await engine.submit(setOf(20, 3));
  await engine.submit(setOf(5, 10));
  await engine.advance(2);
  expect(engine.table.entries.size).toBe(20);
  await engine.advance(1);
  expect([...engine.table.entries.keys()]).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
  const kinds: string[] = [];
  for await (const {lsn, command} of engine.changes({from: 21n})) {
    kinds.push(command.kind);
    if (lsn === engine.table.lsn) break;
  }
  expect(kinds).toEqual([...Array(5).fill('set'), ...Array(15).fill('expire')]);
  const image = engine.snapshot();
  await engine.close();
  const again = KeyEngine.open(dir);
  expect(again.snapshot()).toEqual(image);
  await again.close();
});

test('a feed wakes up when something is durable, and a mirror that was passed starts again from the snapshot', async () => {
  const dir = newDir();
  const engine = KeyEngine.open(dir);
  const controller = new AbortController();
  const feed = engine.changes({from: 1n, signal: controller.signal});
  const first = feed.next();
  await engine.submit(setOf(1, 100));
  expect((await first).value).toMatchObject({lsn: 1n, command: {kind: 'set', key: 'k0'}});
  controller.abort();
  await expect(feed.next()).rejects.toMatchObject({name: 'AbortError'});
  const mirror = new Mirror(join(dir, 'mirror.json'));
  await mirror.catchUp(engine, 1n);
  for (let batch = 0; batch < 40; batch++) await engine.submit(setOf(50, 100));
  expect(engine.checkpoint()).toBeGreaterThan(0);
  await mirror.catchUp(engine, engine.table.lsn);
  expect([mirror.applied, mirror.restarts]).toEqual([1, 1]);
  await engine.submit(setOf(1, 7));
  await mirror.catchUp(engine, engine.table.lsn);
  expect([mirror.applied, mirror.restarts]).toEqual([2, 1]);
  expect(new Mirror(join(dir, 'mirror.json')).table.toImage()).toEqual(engine.snapshot());
  await engine.close();
});

test('a batch is logged as a whole or not at all, and the engine works on', async () => {
  const dir = newDir();
  const engine = KeyEngine.open(dir);
  await engine.submit(setOf(1, 100));
  const value = 'x'.repeat(7000);
  const large = (keys: string[]) => keys.map(key => ({kind: 'set', key, value, ttlTicks: 100}) as const);
  await expect(engine.submit(large(['a', 'b', 'c']))).rejects.toThrow('no room');
  expect([engine.wal.openRecords, engine.wal.nextLsn]).toEqual([0, 2n]);
  const both = await Promise.all([engine.submit(large(['d', 'e'])), engine.submit(large(['f', 'g']))]);
  expect(both).toEqual([3n, 5n]);
  expect([...engine.table.entries.keys()]).toEqual(['k0', 'd', 'e', 'f', 'g']);
  const image = engine.snapshot();
  await engine.close();
  const again = KeyEngine.open(dir);
  expect(again.snapshot()).toEqual(image);
  await again.close();
});

test('a batch that waits for room gets the time at which it is logged', async () => {
  const dir = newDir();
  const engine = KeyEngine.open(dir);
  const value = 'x'.repeat(7000);
  const large = (keys: string[]) => keys.map(key => ({kind: 'set', key, value, ttlTicks: 3}) as const);
  await Promise.all([engine.submit(large(['a', 'b'])), engine.submit(large(['c', 'd'])), engine.advance(2)]);
  expect([...engine.table.entries].map(([key, {expiresAt}]) => [key, expiresAt])).toEqual([
    ['a', 3n],
    ['b', 3n],
    ['c', 5n],
    ['d', 5n],
  ]);
  await engine.close();
});

test('time goes on behind a checkpoint, also time that passed without a change', async () => {
  const dir = newDir();
  const engine = KeyEngine.open(dir);
  await engine.submit(setOf(2, 5));
  await engine.advance(2);
  engine.checkpoint();
  await engine.advance(1);
  engine.checkpoint();
  await engine.close();
  const again = KeyEngine.open(dir);
  expect(again.snapshot().tick).toBe('3');
  await again.advance(1);
  expect(again.table.entries.size).toBe(2);
  await again.advance(1);
  expect(again.table.entries.size).toBe(0);
  await again.close();
});

test('only the snapshot that the log was told of is opened, or the newer one that a crash left without its marker', async () => {
  const dir = newDir();
  const path = join(dir, 'snapshot.json');
  const [older, newer] = [join(dir, 'older.json'), join(dir, 'newer.json')];
  const engine = KeyEngine.open(dir);
  await engine.submit(setOf(2, 5));
  engine.checkpoint();
  copyFileSync(path, older);
  await engine.submit(setOf(3, 5));
  engine.checkpoint();
  copyFileSync(path, newer);
  await engine.submit(setOf(4, 5));
  const image = engine.snapshot();
  await engine.close();
  const opened = async (): Promise<TableImage> => {
    const again = KeyEngine.open(dir);
    const found = again.snapshot();
    await again.close();
    return found;
  };
  writeFileSync(path, readFileSync(newer, 'utf8').replace('v0', 'v9'));
  await expect(opened()).rejects.toThrow('the snapshot at lsn 5 is not the one that the log notes at lsn 5');
  copyFileSync(older, path);
  await expect(opened()).rejects.toThrow('the snapshot at lsn 2 is not the one that the log notes at lsn 5');
  rmSync(path);
  await expect(opened()).rejects.toThrow('the snapshot at lsn 0 is not the one');
  copyFileSync(newer, path);
  expect(await opened()).toEqual(image);
  writeFileSync(path, JSON.stringify(image));
  expect(await opened()).toEqual(image);
});
