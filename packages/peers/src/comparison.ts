/**
 * The comparison: at each number of commands outstanding, AllocDB and the peers take turns, each run on a fresh directory,
 * and who begins changes from round to round. A ratio is one of the same round, because machines change by the hour. For
 * full cycles each side's best number is chosen from those runs, and the two chosen take turns once more.
 *
 * A run that fails ends the turns of whoever failed at that number; what was found stays, and the failure is named.
 * SQLite lives in its caller's process and is compared with the engine in process; servers with `allocdb serve`.
 */
import type {Table} from '@allocdb/bench';
import {
  ALLOCDB,
  type Contestant,
  type ContestantRun,
  EMBEDDED,
  POSTGRES,
  POSTGRES_BATCHED,
  REDIS,
  runDirectory,
  SQLITE,
} from './contestants.ts';
import type {RunTimes} from './measure.ts';
import {best, cyclesTable, type Pairing, ratesTable} from './tables.ts';

/** What can be left out or asked for alone. */
export const PEER_NAMES = ['redis', 'postgres', 'sqlite'] as const;
/** One of {@link PEER_NAMES}. */
export type PeerName = (typeof PEER_NAMES)[number];

/** A peer at the numbers of commands outstanding at which it is compared. */
export interface Entry {
  readonly group: PeerName;
  readonly contestant: Contestant;
  readonly against: Contestant;
  readonly outstanding: readonly number[];
}

const ENTRIES: readonly Entry[] = [
  {group: 'redis', contestant: REDIS, against: ALLOCDB, outstanding: [1, 16, 64, 256, 1024]},
  {group: 'postgres', contestant: POSTGRES, against: ALLOCDB, outstanding: [1, 64, 256]},
  {group: 'postgres', contestant: POSTGRES_BATCHED, against: ALLOCDB, outstanding: [64, 256, 1024]},
  {group: 'sqlite', contestant: SQLITE, against: EMBEDDED, outstanding: [1, 64, 256]},
];

/** How much is compared, where, and for how long. */
export interface ComparisonOptions extends RunTimes {
  readonly repeat: number;
  readonly only: readonly PeerName[];
  /** Commands outstanding; null for all that there are. */
  readonly outstanding: readonly number[] | null;
  /** Existing directory for data, which every run removes again. */
  readonly dir: string;
  readonly progress: (line: string) => void;
}

/** What was found. */
export interface Comparison {
  readonly tables: readonly Table[];
  /** Versions and settings, a line each. */
  readonly about: readonly string[];
  /** Runs that failed: whose, with how many outstanding, and why. */
  readonly failures: readonly string[];
}

/** A contestant with so many commands outstanding. */
interface Turn {
  readonly contestant: Contestant;
  readonly outstanding: number;
}

/** Runs everything that was asked for; what fails is in the failures. */
export async function compare(options: ComparisonOptions, all: readonly Entry[] = ENTRIES): Promise<Comparison> {
  const entries = all.filter(({group}) => options.only.includes(group));
  const failures: string[] = [];
  const pairings: Pairing[] = [];
  for (const against of new Set(entries.map(entry => entry.against))) {
    const others = entries.filter(entry => entry.against === against);
    for (const outstanding of numbersOf(others, options.outstanding)) {
      const at = others.filter(entry => entry.outstanding.includes(outstanding));
      const turns = at.map(({contestant}) => ({contestant, outstanding}));
      pairings.push(...(await rounds({contestant: against, outstanding}, turns, options, failures)));
    }
  }
  const cycles = await bestOfBoth(entries, pairings, options, failures);
  const about = new Set([...pairings, ...cycles].flatMap(({own, other}) => [...own, ...other].map(run => run.about)));
  return {tables: [ratesTable(sorted(pairings, entries)), cyclesTable(cycles)], about: [...about], failures};
}

function numbersOf(entries: readonly Entry[], wanted: readonly number[] | null): number[] {
  const all = new Set(entries.flatMap(({outstanding}) => outstanding));
  return [...all].filter(number => wanted === null || wanted.includes(number)).sort((a, b) => a - b);
}

/** Turns of all in every round, until too few are left to be compared. */
async function rounds(
  against: Turn,
  others: readonly Turn[],
  options: ComparisonOptions,
  failures: string[],
): Promise<Pairing[]> {
  const all = [against, ...others];
  const runs = new Map<Turn, ContestantRun[]>(all.map(each => [each, []]));
  const failed = new Set<Turn>();
  for (let round = 0; round < options.repeat; round++) {
    for (let i = 0; i < all.length; i++) {
      const turn = all[(i + round) % all.length] as Turn;
      if (failed.has(turn) || failed.has(against) || failed.size === others.length) continue;
      const what = `${turn.contestant.name}, ${turn.outstanding} outstanding, run ${round + 1} of ${options.repeat}`;
      try {
        const run = await turn.contestant.run(runDirectory(options.dir, turn.contestant), turn.outstanding, options);
        runs.get(turn)?.push(run);
        options.progress(`${what}: ${Math.round(run.answersPerSecond)}/s`);
      } catch (error) {
        failed.add(turn);
        failures.push(`${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        options.progress(`${what}: failed`);
      }
    }
  }
  const own = runs.get(against) ?? [];
  return others.flatMap(({contestant, outstanding}, i): Pairing[] => {
    const other = runs.get(others[i] as Turn) ?? [];
    // Whoever failed has the first rounds only.
    const whole = Math.min(own.length, other.length);
    const pairing = {peer: contestant.name, ownOutstanding: against.outstanding, outstanding};
    return whole === 0 ? [] : [{...pairing, own: own.slice(0, whole), other: other.slice(0, whole)}];
  });
}

/**
 * Each peer and AllocDB, both at the number that suits them best, in turns of their own: runs of two pairings are not of
 * the same round, and those by which a number was chosen are the lucky ones. Where nothing is to be chosen the runs that
 * are there will do.
 */
async function bestOfBoth(
  entries: readonly Entry[],
  pairings: readonly Pairing[],
  options: ComparisonOptions,
  failures: string[],
): Promise<Pairing[]> {
  const found: Pairing[] = [];
  for (const {contestant, against} of entries) {
    const of = pairings.filter(({peer}) => peer === contestant.name);
    const [own, other] = [best(of, 'own'), best(of, 'other')];
    if (own === undefined || other === undefined) continue;
    if (of.length === 1) {
      found.push(own);
      continue;
    }
    options.progress(`full cycles: ${contestant.name} at ${other.outstanding}, AllocDB at ${own.ownOutstanding}`);
    const turn = {contestant, outstanding: other.outstanding};
    found.push(...(await rounds({contestant: against, outstanding: own.ownOutstanding}, [turn], options, failures)));
  }
  return found;
}

/** By peer, then by number, as they are read. */
function sorted(pairings: readonly Pairing[], entries: readonly Entry[]): Pairing[] {
  const place = (pairing: Pairing): number => entries.findIndex(({contestant}) => contestant.name === pairing.peer);
  return pairings.toSorted((a, b) => place(a) - place(b) || a.outstanding - b.outstanding);
}
