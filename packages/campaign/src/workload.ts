/**
 * What a workload of a campaign is: it takes a seed, counts what it did, and throws where a promise broke. The seed
 * decides what is done, so that whatever broke can be run again.
 *
 * No vitest here, nor in what a workload imports: it runs in a campaign and in a test.
 */

/** How often what happened, by name. */
export type Counts = Record<string, number>;

export interface Workload {
  readonly name: string;
  /** Its part of the time, beside the weights of the others. */
  readonly weight: number;
  /** How many seeds there are, from 1 on, each run once; null for as many as there is time for. */
  readonly seeds: number | null;
  /** What its counts come to when all seeds were run, where that is known. */
  readonly totals?: Readonly<Counts>;
  /** Runs one seed and returns what is counted for it; throws where a promise broke, and the next seed is run. */
  readonly run: (seed: number, context: SeedContext) => Counts | Promise<Counts>;
}

/** For a workload whose seeds take long; the others need nothing of it. */
export interface SeedContext {
  /** Whether the process was told to end. A seed that only computes never hears of it: the event loop must turn. */
  readonly isOver: () => boolean;
  /** Adds to the counts and reports them at once, whatever becomes of the seed. What `run` returns is added to them. */
  readonly report: (counts: Readonly<Counts>) => void;
  /** Says a line that counts cannot: it is printed as it is. */
  readonly note: (text: string) => void;
}

/** Adds up, name by name. */
export function addCounts(total: Counts, more: Readonly<Counts>): void {
  for (const [name, count] of Object.entries(more)) total[name] = (total[name] ?? 0) + count;
}
