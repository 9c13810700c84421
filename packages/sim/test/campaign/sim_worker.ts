/**
 * A process of `pnpm campaign sim`: a seed is one run of the simulator, of a thousand events. A schedule that breaks a
 * promise is made smaller and written to a file in the system's temporary directory; the report names it.
 */
import {writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Counts, runWorker} from '@allocdb/campaign';
import {drawSchedule} from '../../src/simulator/draw_schedule.ts';
import {runSchedule} from '../../src/simulator/run.ts';
import {scheduleToJson} from '../../src/simulator/schedule.ts';
import {shrinkSchedule} from '../../src/simulator/shrink.ts';

const EVENTS = 1000;

async function runSeed(seed: number): Promise<Counts> {
  const schedule = drawSchedule(seed, EVENTS);
  const {violation, counts} = await runSchedule(schedule);
  if (violation !== null) {
    const shrunk = await shrinkSchedule(schedule);
    const path = join(tmpdir(), `allocdb-sim-${seed}.json`);
    const note = violation.message;
    writeFileSync(path, scheduleToJson(shrunk?.schedule ?? schedule, {kind: violation.kind, note}));
    throw new Error(`${note}\nagain: pnpm sim --seed ${seed} --events ${EVENTS}\nsmaller: pnpm sim --corpus ${path}`, {
      cause: violation,
    });
  }
  const {points, codes: _codes, ...rest} = counts;
  return {seeds: 1, ...rest, ...points};
}

await runWorker([{name: 'schedules', weight: 1, seeds: null, run: runSeed}]);
