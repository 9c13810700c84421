/**
 * What a workload of a campaign is, and the loop of a process that runs several of them.
 *
 * A workload takes a seed, counts what it did, and throws where a promise broke. The seed decides everything, so
 * whatever broke breaks again. No vitest here and in what this imports: a workload runs in a campaign and in a test.
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
  readonly totals?: Counts;
  readonly run: (seed: number) => Counts | Promise<Counts>;
}

/** Adds up, name by name. */
export function addCounts(total: Counts, more: Readonly<Counts>): void {
  for (const [name, count] of Object.entries(more)) total[name] = (total[name] ?? 0) + count;
}

/** What a process is asked to do; see `wal_worker.ts`. */
interface Order {
  /** Names of workloads; null for all. */
  readonly only: readonly string[] | null;
  readonly first: number;
  /** The seeds of a workload that has a last one are counted from this one instead. */
  readonly index: number;
  readonly step: number;
  /** Seeds of each workload; null for no bound. */
  readonly count: number | null;
  /** Milliseconds to run for; null for no bound. */
  readonly milliseconds: number | null;
}

interface Progress {
  readonly workload: Workload;
  seed: number;
  left: number;
  spentMs: number;
}

const REPORT_MS = 500;

export async function runWorker(workloads: readonly Workload[]): Promise<void> {
  const order: Order = JSON.parse(process.argv[2] ?? '');
  const chosen = workloads.filter(({name}) => order.only?.includes(name) ?? true);
  let stops = false;
  process.stdin.on('end', () => {
    stops = true;
  });
  process.stdin.resume();
  // An interrupt reaches the whole group; the process that gave the order ends this one, with its last counts.
  process.on('SIGINT', () => {});
  for (const {totals} of chosen) if (totals !== undefined && order.index === 0) report({totals});
  const all = chosen.map(workload => progressOf(workload, order));
  const started = performance.now();
  let reported = started;
  const counts: Record<string, Counts> = {};
  for (;;) {
    const next = leastServed(all);
    const now = performance.now();
    if (next === null || stops || (order.milliseconds !== null && now - started >= order.milliseconds)) break;
    await runSeed(next, counts, order.step);
    next.spentMs += performance.now() - now;
    if (now - reported < REPORT_MS) continue;
    reported = now;
    flush(counts);
    // A turn of the event loop, so that the end of the input is heard.
    await new Promise(resolve => setTimeout(resolve, 0));
  }
  flush(counts);
  report({done: true});
  process.stdin.destroy();
}

function progressOf(workload: Workload, {first, index, step, count}: Order): Progress {
  const {seeds} = workload;
  // Where every seed is to be run once, all begin at 1 unless a few are asked for by number.
  const from = seeds === null || count !== null ? first + index : 1 + index;
  const inRange = seeds === null ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil((seeds - from + 1) / step));
  const asked = count === null ? Number.POSITIVE_INFINITY : Math.ceil((count - index) / step);
  return {workload, seed: from, left: Math.min(inRange, asked), spentMs: 0};
}

function leastServed(all: readonly Progress[]): Progress | null {
  let best: Progress | null = null;
  for (const one of all) {
    if (one.left <= 0) continue;
    if (best === null || one.spentMs / one.workload.weight < best.spentMs / best.workload.weight) best = one;
  }
  return best;
}

async function runSeed(progress: Progress, counts: Record<string, Counts>, step: number): Promise<void> {
  const {workload, seed} = progress;
  const {name} = workload;
  progress.seed += step;
  progress.left--;
  try {
    counts[name] ??= {};
    addCounts(counts[name], await workload.run(seed));
  } catch (error) {
    report({violation: {workload: name, seed, message: messageOf(error)}});
  }
}

/** The message and where it came from, through all causes. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${messageOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function flush(counts: Record<string, Counts>): void {
  if (Object.keys(counts).length > 0) report({counts});
  for (const name of Object.keys(counts)) delete counts[name];
}

function report(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
