/**
 * The log package alone: commits of many waiters beside bare loops of the same bytes, latency while segments change,
 * reading a log back, and what the raw path takes from the heap.
 *
 * The pairs and the commits come first, on an untouched directory; the disk is probed before them.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {probeDisk, probeLine} from '../disk_probe.ts';
import {commitTable, pairTable, rollTable} from '../log_commits.ts';
import {heapTable, measureHeap} from '../log_heap.ts';
import {replayTable} from '../log_replay.ts';
import {type BenchOptions, Expectations, type Scenario, type ScenarioReport} from '../scenario.ts';

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'log');
  mkdirSync(dir, {recursive: true});
  const expectations = new Expectations();
  const context = {options, dir, expectations};
  try {
    const probe = probeDisk(dir, Math.min(1000, options.seconds * 200));
    const pairs = await pairTable(context);
    const commits = await commitTable(context);
    const rolls = await rollTable(context);
    const replay = replayTable(options, dir, expectations);
    const heap = heapTable(await measureHeap(join(dir, 'heap')));
    return {
      tables: [pairs, commits, rolls, replay, heap],
      notes: [
        probeLine(probe),
        'bare: copy, and in setImmediate one CRC-32C, write and fdatasync for all waiters, who share a promise; no log',
        'latency is from append to durable; a run takes a fifth of --seconds (changes of segment: three fifths)',
      ],
      failures: expectations.failures,
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

export const LOG: Scenario = {
  name: 'log',
  about: 'the log alone: commits beside bare loops of the same bytes, changes of segment, replay, heap',
  run,
};
