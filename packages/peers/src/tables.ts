/**
 * The tables of the comparison, and its targets: rates and waits of both sides with the ratio of the same round, and full
 * cycles of reserve, confirm and release, each side at the number of commands outstanding that suits it best. Every ratio
 * is one of two runs of the same round; who takes turns with whom is decided in `comparison.ts`.
 *
 * Targets are for a machine that does nothing else; a table states them and judges nothing.
 */
import {type Cell, PERIOD, type Spread, shapeText, spreadOf, type Table} from '@allocdb/bench';
import type {ContestantRun} from './contestants.ts';

/** Runs of one peer and of AllocDB in turns, as many of each; the i-th of both are of the same round. */
export interface Pairing {
  readonly peer: string;
  /** Commands outstanding at AllocDB, and at the peer. */
  readonly ownOutstanding: number;
  readonly outstanding: number;
  readonly own: readonly ContestantRun[];
  readonly other: readonly ContestantRun[];
}

/** Least ratio, by peer and number outstanding. */
const TARGETS: ReadonlyMap<string, number> = new Map([
  ['Redis 64', 4],
  ['Redis 1024', 12],
  ['PostgreSQL 64', 18],
  ['PostgreSQL batched 1024', 10],
  ['SQLite 256', 4],
]);
/** Least ratio of full cycles, by peer. */
const CYCLE_TARGETS: ReadonlyMap<string, number> = new Map([['Redis', 10]]);

/** Full cycles in a lane's period: all but one command, in threes. */
const CYCLES_PER_COMMAND: number = (PERIOD - 1) / 3 / PERIOD;

const ratesOf = (runs: readonly ContestantRun[]): number[] => runs.map(run => run.answersPerSecond);

const cyclesOf = (runs: readonly ContestantRun[]): number[] => ratesOf(runs).map(rate => rate * CYCLES_PER_COMMAND);

function ratios(own: readonly number[], other: readonly number[]): Spread {
  return spreadOf(own.map((rate, i) => rate / (other[i] ?? Number.NaN)));
}

function micros(runs: readonly ContestantRun[], of: (run: ContestantRun) => number): number {
  return spreadOf(runs.map(of)).median;
}

function loadText({shape}: ContestantRun): string {
  return shapeText(shape);
}

/** A row for every peer and number outstanding. */
export function ratesTable(pairings: readonly Pairing[]): Table {
  return {
    title: 'Durable answers per second, and waits in the closed loop; load as connections x outstanding on each',
    columns: [
      {name: 'peer', kind: 'text'},
      {name: 'outstanding', kind: 'count'},
      {name: 'load', kind: 'text'},
      {name: 'peer/s', kind: 'rate'},
      {name: 'p50 us', kind: 'micros'},
      {name: 'p99 us', kind: 'micros'},
      {name: 'AllocDB load', kind: 'text'},
      {name: 'AllocDB/s', kind: 'rate'},
      {name: 'AllocDB p50 us', kind: 'micros'},
      {name: 'AllocDB p99 us', kind: 'micros'},
      {name: 'ratio', kind: 'ratio'},
      {name: 'target', kind: 'ratio'},
    ],
    rows: pairings.map(({peer, outstanding, own, other}): Cell[] => [
      peer,
      outstanding,
      other.map(loadText)[0] ?? null,
      spreadOf(ratesOf(other)),
      micros(other, run => run.p50Micros),
      micros(other, run => run.p99Micros),
      own.map(loadText)[0] ?? null,
      spreadOf(ratesOf(own)),
      micros(own, run => run.p50Micros),
      micros(own, run => run.p99Micros),
      ratios(ratesOf(own), ratesOf(other)),
      TARGETS.get(`${peer} ${outstanding}`) ?? null,
    ]),
  };
}

/** The pairing in which one side is fastest, by the median. */
export function best(pairings: readonly Pairing[], side: 'own' | 'other'): Pairing | undefined {
  const median = (pairing: Pairing): number => spreadOf(ratesOf(pairing[side])).median;
  return pairings.toSorted((a, b) => median(b) - median(a))[0];
}

/** What is said of {@link cyclesTable}. */
export const CYCLES_NOTE: string =
  'full cycles: both numbers outstanding were chosen by the largest median above, and the chosen took turns once more; ' +
  'the larger of several medians is a lucky one, so of numbers that are close either may have been chosen';

/** A row for every peer; the pairings are of both sides at their best. */
export function cyclesTable(pairings: readonly Pairing[]): Table {
  const rows = pairings.map(({peer, outstanding, ownOutstanding, own, other}): Cell[] => {
    const [ownCycles, otherCycles] = [cyclesOf(own), cyclesOf(other)];
    return [
      peer,
      outstanding,
      spreadOf(otherCycles),
      ownOutstanding,
      spreadOf(ownCycles),
      ratios(ownCycles, otherCycles),
      CYCLE_TARGETS.get(peer) ?? null,
    ];
  });
  return {
    title: 'Full cycles of reserve, confirm and release per second, both sides at their best number outstanding',
    columns: [
      {name: 'peer', kind: 'text'},
      {name: 'outstanding', kind: 'count'},
      {name: 'cycles/s', kind: 'rate'},
      {name: 'AllocDB outstanding', kind: 'count'},
      {name: 'AllocDB cycles/s', kind: 'rate'},
      {name: 'ratio', kind: 'ratio'},
      {name: 'target', kind: 'ratio'},
    ],
    rows,
  };
}
