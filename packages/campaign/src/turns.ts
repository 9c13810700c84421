/**
 * Whose turn it is: which workload is run next, and with which of its seeds. Several processes share the seeds of a
 * campaign, each taking every `step`-th; within a process the workloads share the time by their weights.
 *
 * Data in, seeds out; the caller says how long each took. Not here: the clock, and the running itself (`worker.ts`).
 */
import type {Workload} from './workload.ts';

/** What a process is asked to do. */
export interface Order {
  /** Names of workloads; null for all. */
  readonly only: readonly string[] | null;
  /** The first seed of the campaign. Where every seed is run once, all begin at 1, unless a count asks for a few. */
  readonly first: number;
  /** Which of the processes this one is, from 0 on. */
  readonly index: number;
  /** How many processes there are. */
  readonly step: number;
  /** Seeds of each workload, of all processes together; null for no bound. */
  readonly count: number | null;
  /** Milliseconds to run for; null for no bound. */
  readonly milliseconds: number | null;
}

/** One seed to run. */
export interface Turn {
  readonly workload: Workload;
  readonly seed: number;
}

interface Progress {
  readonly workload: Workload;
  seed: number;
  left: number;
  spentMs: number;
}

export class Turns {
  readonly #step: number;
  readonly #all: ReadonlyMap<Workload, Progress>;

  constructor(workloads: readonly Workload[], order: Order) {
    const chosen = workloads.filter(({name}) => order.only?.includes(name) ?? true);
    this.#step = order.step;
    this.#all = new Map(chosen.map(workload => [workload, progressOf(workload, order)]));
  }

  /** The workloads that were asked for. */
  get workloads(): Workload[] {
    return [...this.#all.keys()];
  }

  /** Takes the next seed of the workload that has had least of its part of the time; null when none has a seed left. */
  next(): Turn | null {
    let least: Progress | null = null;
    for (const one of this.#all.values()) {
      if (one.left > 0 && (least === null || served(one) < served(least))) least = one;
    }
    if (least === null) return null;
    const {workload, seed} = least;
    least.seed += this.#step;
    least.left--;
    return {workload, seed};
  }

  /** Notes how long a turn took. */
  spent({workload}: Turn, milliseconds: number): void {
    const progress = this.#all.get(workload);
    if (progress !== undefined) progress.spentMs += milliseconds;
  }
}

function progressOf(workload: Workload, {first, index, step, count}: Order): Progress {
  const {seeds} = workload;
  const seed = seeds === null || count !== null ? first + index : 1 + index;
  const inRange = seeds === null ? Number.POSITIVE_INFINITY : Math.ceil((seeds - seed + 1) / step);
  const asked = count === null ? Number.POSITIVE_INFINITY : Math.ceil((count - index) / step);
  return {workload, seed, left: Math.min(inRange, asked), spentMs: 0};
}

function served({spentMs, workload}: Progress): number {
  return spentMs / workload.weight;
}
