/**
 * The process of a campaign: one order in, lines out, until nothing is left to do, the time is up or its input ends.
 *
 * The order is the program's argument, as JSON (`Order` in `turns.ts`). The answer is one JSON value a line on standard
 * output: `{"counts": {<workload>: {<name>: n}}}`, what was added since the last such line; `{"totals": {<name>: n}}`, from
 * the first process, what a count comes to when all seeds were run; `{"note": text}`, a line to be printed; `{"violation": {workload, seed, message}}`, after which
 * the next seed is run; and `{"done": true}` at its end. Whoever gave the order ends the process by ending its input, or
 * by being gone.
 */
import {type Order, type Turn, Turns} from './turns.ts';
import {addCounts, type Counts, type SeedContext, type Workload} from './workload.ts';

const REPORT_MS = 500;

/** Runs seeds of the workloads as the program's argument orders. Resolves at the end; then nothing holds the process. */
export async function runWorker(workloads: readonly Workload[]): Promise<void> {
  const order: Order = JSON.parse(process.argv[2] ?? '');
  let isOver = false;
  const stop = (): void => {
    isOver = true;
  };
  process.stdin.on('end', stop);
  process.stdin.resume();
  // Nobody reads any more: whoever gave the order is gone, and what the workloads have made is still to be removed.
  process.stdout.on('error', stop);
  // Where an interrupt reaches this process too, the one that gave the order still ends it, with its last counts.
  process.on('SIGINT', () => undefined);
  const turns = new Turns(workloads, order);
  for (const {totals} of turns.workloads) if (totals !== undefined && order.index === 0) writeLine({totals});
  const counted = new Counted();
  const limitMs = order.milliseconds ?? Number.POSITIVE_INFINITY;
  const started = performance.now();
  let reported = started;
  for (let begun = started; !isOver && begun - started < limitMs; begun = performance.now()) {
    const turn = turns.next();
    if (turn === null) break;
    await runTurn(turn, counted, () => isOver);
    const now = performance.now();
    turns.spent(turn, now - begun);
    if (now - reported < REPORT_MS) continue;
    reported = now;
    counted.report();
    // A turn of the event loop, so that the end of the input is heard.
    await new Promise(resolve => setTimeout(resolve, 0));
  }
  counted.report();
  writeLine({done: true});
  process.stdin.destroy();
}

async function runTurn({workload, seed}: Turn, counted: Counted, isOver: () => boolean): Promise<void> {
  const {name} = workload;
  const context: SeedContext = {
    isOver,
    report: counts => {
      counted.add(name, counts);
      counted.report();
    },
    note: text => writeLine({note: text}),
  };
  // Counts appear with the first seed, also where it fails.
  counted.add(name, {});
  try {
    counted.add(name, await workload.run(seed, context));
  } catch (error) {
    writeLine({violation: {workload: name, seed, message: messageOf(error)}});
  }
}

/** What is counted and not yet reported, by workload. */
class Counted {
  readonly #counts: Map<string, Counts> = new Map();

  add(workload: string, counts: Readonly<Counts>): void {
    const sums = this.#counts.get(workload) ?? {};
    this.#counts.set(workload, sums);
    addCounts(sums, counts);
  }

  report(): void {
    if (this.#counts.size > 0) writeLine({counts: Object.fromEntries(this.#counts)});
    this.#counts.clear();
  }
}

/** The message and where it came from, through all causes. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${messageOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function writeLine(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
