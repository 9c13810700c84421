/**
 * Who takes turns with whom, and what is left when a run fails: with contestants of which every rate and failure is known.
 * The real ones are tried elsewhere.
 */
import {formatReport, type Spread} from '@allocdb/bench';
import {expect, test} from 'vitest';
import {type Comparison, type ComparisonOptions, compare, type Entry} from '../src/comparison.ts';
import type {Contestant, ContestantRun} from '../src/contestants.ts';

type Run = (outstanding: number, turn: number) => number;

/** What ran, in order. */
const ran: string[] = [];

/** Its rate in its n-th run, from 1 on; `run` may throw. */
function contestant(name: string, run: Run): Contestant {
  let turns = 0;
  const shapeOf = (outstanding: number) => ({connections: 1, outstanding});
  return {
    name,
    shapeOf,
    run(_dir, outstanding): Promise<ContestantRun> {
      ran.push(`${name} ${outstanding}`);
      return Promise.resolve().then(() => ({
        answersPerSecond: run(outstanding, ++turns),
        p50Micros: 1,
        p99Micros: 2,
        shape: shapeOf(outstanding),
        about: `about ${name}`,
      }));
    },
  };
}

function play(own: Run, redis: Run, sqlite: Run, changes: Partial<ComparisonOptions> = {}): Promise<Comparison> {
  ran.length = 0;
  const against = contestant('AllocDB', own);
  const entries: Entry[] = [
    {group: 'redis', contestant: contestant('Redis', redis), against, outstanding: [1, 64]},
    {group: 'sqlite', contestant: contestant('SQLite', sqlite), against, outstanding: [64]},
  ];
  const options: ComparisonOptions = {
    seconds: 1,
    warmUpSeconds: 0,
    repeat: 2,
    only: ['redis', 'sqlite'],
    outstanding: null,
    dir: '/nowhere',
    progress: () => undefined,
    ...changes,
  };
  return compare(options, entries);
}

/** Peer, number and ratios of every row. */
function rowsOf({tables}: Comparison, table: number): unknown[] {
  const ratio = table === 0 ? 10 : 5;
  return (tables[table]?.rows ?? []).map(row => [row[0], row[1], (row[ratio] as Spread).runs]);
}

const steady: Run = () => 100;
const failing: Run = () => {
  throw new Error('it broke');
};

test('all take turns, who begins changes, and the best of both sides take turns once more', async () => {
  const found = await play(
    outstanding => (outstanding === 64 ? 800 : 100),
    outstanding => (outstanding === 1 ? 50 : 20),
    steady,
  );
  expect(ran).toEqual([
    ...['AllocDB 1', 'Redis 1', 'Redis 1', 'AllocDB 1'],
    ...['AllocDB 64', 'Redis 64', 'SQLite 64', 'Redis 64', 'SQLite 64', 'AllocDB 64'],
    // Redis is best at 1 and AllocDB at 64; SQLite had one number only.
    ...['AllocDB 64', 'Redis 1', 'Redis 1', 'AllocDB 64'],
  ]);
  expect(found.failures).toEqual([]);
  expect(rowsOf(found, 0)).toEqual([
    ['Redis', 1, [2, 2]],
    ['Redis', 64, [40, 40]],
    ['SQLite', 64, [8, 8]],
  ]);
  expect(rowsOf(found, 1)).toEqual([
    ['Redis', 1, [16, 16]],
    ['SQLite', 64, [8, 8]],
  ]);
  expect(found.about).toEqual(['about AllocDB', 'about Redis', 'about SQLite']);
});

test('a run that fails costs nobody else anything, and rounds that were whole stay', async () => {
  // In the second round of the first number, and in the first of the second.
  const redis: Run = (_, turn) => (turn >= 2 ? failing(0, 0) : 50);
  const found = await play(steady, redis, steady);
  expect(rowsOf(found, 0)).toEqual([
    ['Redis', 1, [2]],
    ['SQLite', 64, [1, 1]],
  ]);
  expect(rowsOf(found, 1)).toEqual([
    ['Redis', 1, [2]],
    ['SQLite', 64, [1, 1]],
  ]);
  expect(found.failures.map(text => text.split('\n')[0])).toEqual([
    'Redis, 1 outstanding, run 2 of 2: Error: it broke',
    'Redis, 64 outstanding, run 1 of 2: Error: it broke',
  ]);
});

test('turns that fail in the end leave the first table whole', async () => {
  const redis: Run = (outstanding, turn) => (turn > 4 ? failing(0, 0) : outstanding);
  const found = await play(steady, redis, steady);
  expect(rowsOf(found, 0)).toHaveLength(3);
  expect(rowsOf(found, 1)).toEqual([['SQLite', 64, [1, 1]]]);
  expect(found.failures).toHaveLength(1);
});

test('nothing is compared with nothing: where AllocDB fails, or everybody else, the number is given up', async () => {
  const found = await play(failing, steady, steady, {repeat: 1});
  expect(ran).toEqual(['AllocDB 1', 'AllocDB 64']);
  expect([rowsOf(found, 0), rowsOf(found, 1)]).toEqual([[], []]);
  expect(found.failures).toHaveLength(2);
  expect(formatReport({scenario: 'peers', report: {...found, notes: []}}).join('\n')).toContain('FAILED: AllocDB, 1');
  await play(steady, failing, failing);
  expect(ran).toEqual(['AllocDB 1', 'Redis 1', 'AllocDB 64', 'Redis 64', 'SQLite 64']);
});
