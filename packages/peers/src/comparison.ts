/**
 * The comparison: at each number of commands outstanding, AllocDB and the peers take turns, each run on a fresh directory,
 * and who begins changes from round to round. A ratio is one of the same round, because machines change by the hour.
 *
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
import {cyclesTable, type Pairing, ratesTable} from './tables.ts';

/** What can be left out or asked for alone. */
export const PEER_NAMES = ['redis', 'postgres', 'sqlite'] as const;
/** One of {@link PEER_NAMES}. */
export type PeerName = (typeof PEER_NAMES)[number];

/** A peer at the numbers of commands outstanding at which it is compared. */
interface Entry {
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
}

/** Runs everything that was asked for. Rejects when a run fails or an answer is not as expected. */
export async function compare(options: ComparisonOptions): Promise<Comparison> {
  const entries = ENTRIES.filter(({group}) => options.only.includes(group));
  const pairings: Pairing[] = [];
  const about = new Set<string>();
  for (const against of [ALLOCDB, EMBEDDED]) {
    const others = entries.filter(entry => entry.against === against);
    for (const outstanding of numbersOf(others, options.outstanding)) {
      const found = await rounds(against, others, outstanding, options);
      pairings.push(...found);
      for (const {own, other} of found) for (const run of [...own, ...other]) about.add(run.about);
    }
  }
  return {tables: [ratesTable(sorted(pairings)), cyclesTable(pairings)], about: [...about]};
}

function numbersOf(entries: readonly Entry[], wanted: readonly number[] | null): number[] {
  const all = new Set(entries.flatMap(({outstanding}) => outstanding));
  return [...all].filter(number => wanted === null || wanted.includes(number)).sort((a, b) => a - b);
}

async function rounds(
  against: Contestant,
  entries: readonly Entry[],
  outstanding: number,
  options: ComparisonOptions,
): Promise<Pairing[]> {
  const others = entries.filter(entry => entry.outstanding.includes(outstanding)).map(({contestant}) => contestant);
  const all = [against, ...others];
  const runs = new Map<Contestant, ContestantRun[]>(all.map(each => [each, []]));
  for (let round = 0; round < options.repeat; round++) {
    for (let i = 0; i < all.length; i++) {
      const contestant = all[(i + round) % all.length] as Contestant;
      const run = await contestant.run(runDirectory(options.dir, contestant), outstanding, options);
      runs.get(contestant)?.push(run);
      const rate = `${Math.round(run.answersPerSecond)}/s`;
      options.progress(
        `${contestant.name}, ${outstanding} outstanding, run ${round + 1} of ${options.repeat}: ${rate}`,
      );
    }
  }
  const own = runs.get(against) ?? [];
  return others.map(other => ({peer: other.name, outstanding, own, other: runs.get(other) ?? []}));
}

/** By peer, then by number, as they are read. */
function sorted(pairings: readonly Pairing[]): Pairing[] {
  const place = (pairing: Pairing): number => ENTRIES.findIndex(({contestant}) => contestant.name === pairing.peer);
  return pairings.toSorted((a, b) => place(a) - place(b) || a.outstanding - b.outstanding);
}
