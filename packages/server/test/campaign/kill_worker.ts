/**
 * A process of `pnpm campaign kill`: runs series of kills of the real server and reports on standard output, one JSON
 * value a line, as `scripts/campaign.ts` expects it: `{"counts"}` added since the last such line, `{"violation"}`, and
 * `{"done"}` at its end. When its input ends, it ends after the cycle it is in.
 *
 * A seed is a series of ten cycles on one directory. The seed decides the workload and the plan of kills; the moment at
 * which the server is struck is never quite the same.
 */
import {cleanUp} from '../command.ts';
import {type KillCounts, runSeries} from './kill_series.ts';

const WORKLOAD = 'kills';
/** As `cyclesPerSeed` of the campaign says (`scripts/campaign/campaigns.ts`). */
const CYCLES = 10;

interface Order {
  readonly first: number;
  readonly index: number;
  readonly step: number;
  /** Seeds of all processes together; null for no bound. */
  readonly count: number | null;
  readonly milliseconds: number | null;
}

function report(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Reports what was added since it was last told. */
function reporter(): (counts: KillCounts) => void {
  let reported: Partial<KillCounts> = {};
  return counts => {
    const names = Object.keys(counts) as (keyof KillCounts)[];
    report({counts: {[WORKLOAD]: Object.fromEntries(names.map(name => [name, counts[name] - (reported[name] ?? 0)]))}});
    reported = {...counts};
  };
}

async function main(): Promise<void> {
  const {first, index, step, count, milliseconds} = JSON.parse(process.argv[2] ?? '') as Order;
  let stops = false;
  process.stdin.on('end', () => {
    stops = true;
  });
  process.stdin.resume();
  // An interrupt reaches the whole group; who gave the order ends this process, with its last counts.
  process.on('SIGINT', () => undefined);
  const started = performance.now();
  for (let turn = index; count === null || turn < count; turn += step) {
    if (stops || (milliseconds !== null && performance.now() - started >= milliseconds)) break;
    const seed = first + turn;
    try {
      const onProgress = reporter();
      await runSeries(seed, {cycles: CYCLES, keeps: true, isOver: () => stops, onProgress});
    } catch (error) {
      report({violation: {workload: WORKLOAD, seed, message: (error as Error).message}});
    }
    await cleanUp();
  }
  report({done: true});
  process.stdin.destroy();
}

await main();
