/**
 * The time-series example as its users would see it: run as a process, killed in the middle, reopened; and a reader that
 * is too slow.
 */

import {spawn} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {isCoordinatorError} from '@allocdb/wal';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {TimeSeriesStore} from '../../examples/time_series/time_series_store.ts';

const MAIN = fileURLToPath(new URL('../../examples/time_series/main.ts', import.meta.url));
const CHANNELS = ['cpu', 'disk'];
const FOREVER = Number.POSITIVE_INFINITY;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'time-series-'));
});

afterEach(() => {
  rmSync(dir, {recursive: true, force: true});
});

interface Outcome {
  readonly lines: string[];
  readonly code: number | null;
  readonly signal: string | null;
}

/** Runs the example; with `killAfter`, kills it when it has printed so many `durable` lines. */
async function run(count: number, killAfter = FOREVER): Promise<Outcome> {
  const args = ['--conditions=@allocdb/source', '--import', 'tsx', MAIN, dir, `${count}`];
  const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'inherit']});
  const exit = new Promise<[number | null, string | null]>(resolve => {
    child.on('exit', (code, signal) => resolve([code, signal]));
  });
  const lines: string[] = [];
  for await (const line of createInterface({input: child.stdout})) {
    lines.push(line);
    if (durableTimes(lines).length === killAfter) child.kill('SIGKILL');
  }
  const [code, signal] = await exit;
  return {lines, code, signal};
}

function durableTimes(lines: readonly string[]): number[] {
  return lines.filter(line => line.startsWith('durable ')).map(line => Number(line.slice('durable '.length)));
}

function openStore(): Promise<TimeSeriesStore> {
  return TimeSeriesStore.open({dir, channels: CHANNELS, flushBytes: 256});
}

/** The times of both series, which must be 1, 2, 3 and so on. */
async function lengthOf(store: TimeSeriesStore): Promise<number> {
  const lengths: number[] = [];
  for (const series of CHANNELS) {
    const times = (await store.query(series, 0, FOREVER)).map(({time}) => time);
    expect(times).toEqual(times.map((_, index) => index + 1));
    lengths.push(times.length);
  }
  return Math.min(...lengths);
}

test('it runs to its end and says what happened', async () => {
  const {lines, code} = await run(1000);
  expect(code).toBe(0);
  expect(durableTimes(lines)).toHaveLength(20);
  expect(lines.filter(line => !line.startsWith('durable '))).toEqual([
    'found 0 points a series in 0 files',
    'refused with apply_failed',
    'the slow reader has lost views and subscribes again',
    'the slow reader sees 1000 points',
  ]);
  const short = await run(1);
  expect(short.lines.at(-1)).toBe('the slow reader sees 1001 points');
  expect(short.lines).not.toContain('the slow reader has lost views and subscribes again');
});

test('killed in the middle, again and again: everything reported durable is there', async () => {
  for (const killAfter of [1, 3, 7]) {
    const {lines, signal} = await run(1_000_000, killAfter);
    expect(signal).toBe('SIGKILL');
    const durable = durableTimes(lines).at(-1) ?? 0;
    const store = await openStore();
    expect(await lengthOf(store)).toBeGreaterThanOrEqual(durable);
    await store.close();
  }
});

test('what was written and never durable is removed at the next opening', async () => {
  const store = await openStore();
  await store.append('cpu', {series: 'cpu', points: [{time: 1, value: 1}]});
  await store.close();
  writeFileSync(join(dir, 'points-000000000002.json'), '[["cpu",[{"time":2,"value":2}]]]');
  writeFileSync(join(dir, 'points-000000000003.json.tmp'), '[["cp');
  const again = await openStore();
  expect(await again.query('cpu', 0, FOREVER)).toEqual([{time: 1, value: 1}]);
  expect(readdirSync(dir).sort()).toEqual(['MANIFEST', 'points-000000000001.json']);
  await again.close();
});

test('a query answers from files, frozen deltas and memory alike, and a view stays what it was', async () => {
  await using store = await openStore();
  const append = (time: number) => store.append('cpu', {series: 'cpu', points: [{time, value: time}]});
  for (let time = 1; time <= 100; time++) await append(time);
  const last = await append(101);
  await last.wait('applied');
  const view = store.view();
  for (let time = 102; time <= 150; time++) await append(time);
  await store.sync();
  const times = async (from: number, to: number, ofView = store.view()) =>
    (await store.query('cpu', from, to, ofView)).map(({time}) => time);
  expect(await times(0, FOREVER, view)).toEqual(Array.from({length: 101}, (_, index) => index + 1));
  expect(await times(40, 43)).toEqual([40, 41, 42]);
  expect(await times(149, FOREVER)).toEqual([149, 150]);
  expect(await store.query('disk', 0, FOREVER)).toEqual([]);
});

test('a lagging subscriber gets message_lost, subscribes again and is consistent', async () => {
  await using store = await openStore();
  const lagging = store.watch();
  const append = async (time: number): Promise<void> => {
    await store.append('disk', {series: 'disk', points: [{time, value: 0}]});
    await store.sync();
  };
  for (let time = 1; time <= 20; time++) await append(time);
  const error: unknown = await lagging.next().catch((thrown: unknown) => thrown);
  expect(isCoordinatorError(error) && error.code).toBe('message_lost');

  await using again = store.watch();
  await again.next();
  let shown = (await store.query('disk', 0, FOREVER, again.first)).length;
  expect(shown).toBe(20);
  for (let time = 21; time <= 25; time++) {
    await append(time);
    for (let views = 0; views < 2; views++) {
      const {value} = await again.next();
      shown = (await store.query('disk', 0, FOREVER, value)).length;
      expect(shown).toBe(time);
    }
  }
});
