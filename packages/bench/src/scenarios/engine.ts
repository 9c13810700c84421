/**
 * The engine in process: what the log, the state machine and the answers cost together, without sockets. See
 * `engine_rates.ts` for what is compared, and `engine_subjects.ts` for what the two sides do.
 *
 * The disk is probed before, on the directory that is measured.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {probeDisk, probeLine} from '../disk_probe.ts';
import {engineTable} from '../engine_rates.ts';
import type {BenchOptions, Scenario, ScenarioReport} from '../scenario.ts';

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'engine');
  mkdirSync(dir, {recursive: true});
  try {
    const probe = probeDisk(dir, Math.min(1000, options.seconds * 200));
    return {
      tables: [await engineTable({options, dir})],
      notes: [
        probeLine(probe),
        'bare: copy behind record headers, and in setImmediate one CRC-32C, write and fdatasync; answers of as many bytes',
        'making requests and checking answers is in every figure; a run takes a fifth of --seconds',
      ],
      failures: [],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

export const ENGINE: Scenario = {
  name: 'engine',
  about: 'durable commands per second in process, by bytes, calls and promises, beside the bare loop of the same bytes',
  run,
};
