/**
 * The loop of a campaign's process for workloads of this package: takes one order as JSON, runs seeds of the workloads that
 * were asked for, and answers in lines of JSON, as `scripts/campaign.ts` expects it: `{"counts"}` added since the last such
 * line, `{"totals"}`, `{"violation"}`, and `{"done"}` at its end. When its input ends, it ends.
 *
 * A workload takes a seed, counts what it did, and throws where a promise broke; the seed decides everything.
 */

export type Counts = Record<string, number>;

export interface Workload {
  readonly name: string;
  /** Its part of the time, beside the weights of the others. */
  readonly weight: number;
  /** How many seeds there are, from 1 on, each run once; null for as many as there is time for. */
  readonly seeds: number | null;
  /** What its counts come to when all seeds were run. */
  readonly totals?: Counts;
  readonly run: (seed: number) => Counts | Promise<Counts>;
}

interface Order {
  readonly only: readonly string[] | null;
  readonly first: number;
  readonly index: number;
  readonly step: number;
  readonly count: number | null;
  readonly milliseconds: number | null;
}

interface Progress {
  readonly workload: Workload;
  seed: number;
  left: number;
  spentMs: number;
  counts: Counts;
}

const REPORT_MS = 500;

export function addCounts(total: Counts, more: Readonly<Counts>): void {
  for (const [name, count] of Object.entries(more)) total[name] = (total[name] ?? 0) + count;
}

export async function runWorker(workloads: readonly Workload[]): Promise<void> {
  const order: Order = JSON.parse(process.argv[2] ?? '');
  let stops = false;
  process.stdin.on('end', () => {
    stops = true;
  });
  process.stdin.resume();
  // An interrupt reaches the whole group; who gave the order ends this process, with its last counts.
  process.on('SIGINT', () => undefined);
  const all = workloads.filter(({name}) => order.only?.includes(name) ?? true).map(each => progressOf(each, order));
  for (const {workload} of all)
    if (workload.totals !== undefined && order.index === 0) report({totals: workload.totals});
  const started = performance.now();
  let reported = started;
  for (;;) {
    const next = leastServed(all);
    const now = performance.now();
    if (next === null || stops || (order.milliseconds !== null && now - started >= order.milliseconds)) break;
    await runSeed(next, order.step);
    next.spentMs += performance.now() - now;
    if (now - reported < REPORT_MS) continue;
    reported = now;
    flush(all);
    // A turn of the event loop, so that the end of the input is heard.
    await new Promise(resolve => setTimeout(resolve, 0));
  }
  flush(all);
  report({done: true});
  process.stdin.destroy();
}

function progressOf(workload: Workload, {first, index, step, count}: Order): Progress {
  const {seeds} = workload;
  // Where every seed is to be run once, all begin at 1 unless a few are asked for by number.
  const seed = seeds === null || count !== null ? first + index : 1 + index;
  const inRange = seeds === null ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil((seeds - seed + 1) / step));
  const asked = count === null ? Number.POSITIVE_INFINITY : Math.ceil((count - index) / step);
  return {workload, seed, left: Math.min(inRange, asked), spentMs: 0, counts: {}};
}

function leastServed(all: readonly Progress[]): Progress | null {
  const share = ({spentMs, workload}: Progress): number => spentMs / workload.weight;
  const open = all.filter(({left}) => left > 0);
  return open.reduce<Progress | null>((best, one) => (best === null || share(one) < share(best) ? one : best), null);
}

async function runSeed(progress: Progress, step: number): Promise<void> {
  const {workload, seed} = progress;
  progress.seed += step;
  progress.left--;
  try {
    addCounts(progress.counts, await workload.run(seed));
  } catch (error) {
    report({violation: {workload: workload.name, seed, message: messageOf(error)}});
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${messageOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function flush(all: readonly Progress[]): void {
  for (const progress of all) {
    if (Object.keys(progress.counts).length > 0) report({counts: {[progress.workload.name]: progress.counts}});
    progress.counts = {};
  }
}

function report(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
