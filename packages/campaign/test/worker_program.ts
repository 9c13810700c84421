/**
 * The program that `worker.test.ts` starts: the loop as a campaign runs it, over workloads that do nothing but say which
 * seeds they were given, fail, or take long. Not here: what is expected of them.
 */
import {type Counts, runWorker, type SeedContext} from '../src/index.ts';

const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1));

async function named(seed: number): Promise<Counts> {
  await pause();
  return {runs: 1, [`seed ${seed}`]: 1};
}

async function failing(seed: number): Promise<Counts> {
  if (seed % 2 === 0) throw new Error(`seed ${seed} failed`, {cause: new RangeError('out of range')});
  return named(seed);
}

/** Computes only, so that nothing is heard while it runs. */
function busy(seed: number): Counts {
  const ends = performance.now() + 5;
  while (performance.now() < ends);
  return {runs: 1, [`seed ${seed}`]: 1};
}

/** Takes until the process is told to end, and tells every step on its way. */
async function long(_seed: number, {isOver, report}: SeedContext): Promise<Counts> {
  let steps = 0;
  while (!isOver()) {
    report({steps: 1});
    steps++;
    await pause();
  }
  return {runs: 1, stepsTold: steps};
}

async function toldThenFailed(seed: number, {report}: SeedContext): Promise<Counts> {
  report({begun: 1});
  await pause();
  throw new Error(`seed ${seed} failed`);
}

await runWorker([
  {name: 'endless', weight: 3, seeds: null, run: named},
  {name: 'busy', weight: 1, seeds: null, run: busy},
  {name: 'pieces', weight: 1, seeds: 5, totals: {runs: 5}, run: named},
  {name: 'failing', weight: 1, seeds: 4, run: failing},
  {name: 'long', weight: 1, seeds: null, run: long},
  {name: 'told_then_failed', weight: 1, seeds: 2, run: toldThenFailed},
]);
