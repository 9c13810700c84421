/**
 * A process of `pnpm campaign kill`: series of kills of the real server. A seed is a series of ten cycles on one directory;
 * its counts are told after each cycle, and when the process is told to end, it ends after the cycle it is in.
 *
 * The seed decides the workload and the plan of kills; the moment at which the server is struck is never quite the same.
 * Not here: the loop over seeds (`@allocdb/campaign`), and what a series is (`kill_series.ts`).
 */
import {type Counts, runWorker, type SeedContext} from '@allocdb/campaign';
import {cleanUp} from '../command.ts';
import {type KillCounts, runSeries} from './kill_series.ts';

/** As `cyclesPerSeed` of the campaign says (`scripts/campaign/campaigns.ts`). */
const CYCLES = 10;

/** Passes on what was added since it was last told. */
function additions(report: SeedContext['report']): (counts: KillCounts) => void {
  let told: Partial<KillCounts> = {};
  return counts => {
    const names = Object.keys(counts) as (keyof KillCounts)[];
    report(Object.fromEntries(names.map(name => [name, counts[name] - (told[name] ?? 0)])));
    told = {...counts};
  };
}

async function runKills(seed: number, {isOver, report}: SeedContext): Promise<Counts> {
  try {
    await runSeries(seed, {cycles: CYCLES, keeps: true, isOver, onProgress: additions(report)});
  } finally {
    await cleanUp();
  }
  // Everything was told on the way.
  return {};
}

await runWorker([{name: 'kills', weight: 1, seeds: null, run: runKills}]);
