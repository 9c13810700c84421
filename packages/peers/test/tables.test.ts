/**
 * The tables: ratios of the same round, medians with their spread, targets where there are any.
 */
import {formatReport} from '@allocdb/bench';
import {expect, test} from 'vitest';
import type {ContestantRun} from '../src/contestants.ts';
import {Latencies} from '../src/latencies.ts';
import {best, cyclesTable, type Pairing, ratesTable} from '../src/tables.ts';

function runs(rates: readonly number[], connections: number, outstanding: number): ContestantRun[] {
  return rates.map(answersPerSecond => ({
    answersPerSecond,
    p50Micros: 100,
    p99Micros: 900,
    shape: {connections, outstanding},
    about: 'x',
  }));
}

const PAIRINGS: readonly Pairing[] = [
  {
    peer: 'Redis',
    ownOutstanding: 64,
    outstanding: 64,
    own: runs([200_000, 240_000], 1, 64),
    other: runs([50_000, 40_000], 1, 64),
  },
  {
    peer: 'Redis',
    ownOutstanding: 256,
    outstanding: 256,
    own: runs([100_000, 120_000], 1, 256),
    other: runs([60_000, 60_000], 4, 64),
  },
  {peer: 'SQLite', ownOutstanding: 1, outstanding: 1, own: runs([3000], 1, 1), other: runs([6000], 1, 1)},
];

function textOf(table: ReturnType<typeof ratesTable>): string {
  return `\n${formatReport({scenario: 'x', report: {tables: [table], notes: [], failures: []}})
    .slice(3, -1)
    .join('\n')}\n`;
}

test('rates, waits, the ratio of each round, and targets', () => {
  expect(textOf(ratesTable(PAIRINGS))).toMatchInlineSnapshot(`
    "
    peer    outstanding  load                   peer/s  p50 us  p99 us  AllocDB load             AllocDB/s  AllocDB p50 us  AllocDB p99 us              ratio  target
    ------  -----------  ----  -----------------------  ------  ------  ------------  --------------------  --------------  --------------  -----------------  ------
    Redis            64  1x64  45.0 k (40.0 k..50.0 k)     100     900  1x64          220 k (200 k..240 k)             100             900  5.00 (4.00..6.00)    4.00
    Redis           256  4x64  60.0 k (60.0 k..60.0 k)     100     900  1x256         110 k (100 k..120 k)             100             900  1.83 (1.67..2.00)       -
    SQLite            1  1x1                    6.00 k     100     900  1x1                         3.00 k             100             900               0.50       -
    "
  `);
});

test('full cycles: three of ten commands, the ratio of the same round, each side at a number of its own', () => {
  const chosen = {peer: 'Redis', ownOutstanding: 64, outstanding: 256};
  const [redis, sqlite] = [PAIRINGS[0], PAIRINGS[2]] as [Pairing, Pairing];
  expect(
    textOf(cyclesTable([{...redis, ...chosen, other: runs([60_000, 30_000], 4, 64)}, sqlite])),
  ).toMatchInlineSnapshot(`
    "
    peer    outstanding                 cycles/s  AllocDB outstanding         AllocDB cycles/s              ratio  target
    ------  -----------  -----------------------  -------------------  -----------------------  -----------------  ------
    Redis           256  13.5 k (9.00 k..18.0 k)                   64  66.0 k (60.0 k..72.0 k)  5.67 (3.33..8.00)   10.00
    SQLite            1                   1.80 k                    1                      900               0.50       -
    "
  `);
});

test('the best number is that of the largest median, of each side for itself', () => {
  const redis = PAIRINGS.slice(0, 2);
  expect([best(redis, 'own')?.ownOutstanding, best(redis, 'other')?.outstanding]).toEqual([64, 256]);
  expect(best([], 'own')).toBeUndefined();
});

test('waits are those between answers of the same lane, from the beginning to the end of what is measured', () => {
  const latencies = new Latencies(16);
  expect(latencies.percentile(0.5)).toBeNaN();
  latencies.answered(0, 1);
  latencies.answered(0, 5);
  latencies.begin();
  latencies.answered(0, 7);
  latencies.answered(1, 7);
  latencies.answered(1, 8);
  latencies.answered(2, 7);
  latencies.answered(2, 8);
  latencies.end();
  latencies.answered(0, 100);
  expect([latencies.percentile(0.5), latencies.percentile(1)]).toEqual([1000, 2000]);
});
