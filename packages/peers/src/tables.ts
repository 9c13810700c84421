/**
 * The tables of the comparison, and its targets: rates and waits of both sides with the ratio of the same round, and full
 * cycles of reserve, confirm and release, each side at the number of commands outstanding that suits it best.
 *
 * Targets are for a machine that does nothing else; a table states them and judges nothing.
 */
import {type Cell, PERIOD, type Spread, shapeText, spreadOf, type Table} from '@allocdb/bench';
import type {ContestantRun} from './contestants.ts';

/** Runs of one peer and of AllocDB, round by round, at one number of commands outstanding. */
export interface Pairing {
  readonly peer: string;
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
function best(pairings: readonly Pairing[], side: 'own' | 'other'): Pairing | undefined {
  const median = (pairing: Pairing): number => spreadOf(ratesOf(pairing[side])).median;
  return pairings.toSorted((a, b) => median(b) - median(a))[0];
}

/** A row for every peer; both sides at their best. */
export function cyclesTable(pairings: readonly Pairing[]): Table {
  const peers = [...new Set(pairings.map(({peer}) => peer))];
  const rows = peers.flatMap((peer): Cell[][] => {
    const of = pairings.filter(pairing => pairing.peer === peer);
    const [own, other] = [best(of, 'own'), best(of, 'other')];
    if (own === undefined || other === undefined) return [];
    const ownCycles = ratesOf(own.own).map(rate => rate * CYCLES_PER_COMMAND);
    const otherCycles = ratesOf(other.other).map(rate => rate * CYCLES_PER_COMMAND);
    return [
      [
        peer,
        other.outstanding,
        spreadOf(otherCycles),
        own.outstanding,
        spreadOf(ownCycles),
        ratios(ownCycles, otherCycles),
        CYCLE_TARGETS.get(peer) ?? null,
      ],
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
