/**
 * What a checkpoint costs those who wait for answers: a server with a million resources, a million reservations and a
 * full table of ten million operations, under half of its highest rate, through several checkpoints. See
 * `checkpoint_plan.ts` for the sizes and `checkpoint_runs.ts` for the run.
 *
 * Takes about 2 GB of memory, and below --dir the snapshots and the log of the whole history, which grows by some 30 MB a
 * second while it is loaded; all of it is removed.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {measureCheckpoints} from '../checkpoint_runs.ts';
import {probeDisk, probeLine} from '../disk_probe.ts';
import {type BenchOptions, Expectations, type Scenario, type ScenarioReport} from '../scenario.ts';

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'checkpoint');
  mkdirSync(dir, {recursive: true});
  const expectations = new Expectations();
  try {
    const probe = probeDisk(dir, Math.min(1000, options.seconds * 200));
    const {tables, notes} = await measureCheckpoints({options, dir, expectations});
    return {tables, notes: [probeLine(probe), ...notes], failures: expectations.failures};
  } finally {
    rmSync(dir, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
  }
}

export const CHECKPOINT: Scenario = {
  name: 'checkpoint',
  about: 'answers before, during and after checkpoints of a full database under half load',
  isLarge: true,
  run,
};
