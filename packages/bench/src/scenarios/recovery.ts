/**
 * Restarting: seconds until a directory is open, once from a log of ten million records and once from a snapshot of a
 * million resources, a million reservations and two million operations, with the parts of it beside. See
 * `recovery_runs.ts`.
 *
 * Both directories are made first, by the engine's own path, and are removed again: about 2 GB at a time.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {logTable, snapshotTable} from '../recovery_runs.ts';
import {type BenchOptions, Expectations, type Scenario, type ScenarioReport} from '../scenario.ts';

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'recovery');
  mkdirSync(dir, {recursive: true});
  const expectations = new Expectations();
  const context = {options, dir, expectations};
  try {
    const log = await logTable(context);
    const snapshot = await snapshotTable(context);
    return {
      tables: [log, snapshot],
      notes: ['each run is a process of its own, so compiling is in it; the page cache is warm'],
      failures: expectations.failures,
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

export const RECOVERY: Scenario = {
  name: 'recovery',
  about: 'opening from a log of 10 million records, and from a snapshot of 4 million rows',
  isLarge: true,
  run,
};
