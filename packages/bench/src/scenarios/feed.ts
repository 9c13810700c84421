/**
 * The change feed: what a reader costs the writers, whether it reads or has stopped, and how fast a log is read from its
 * beginning, by every way there is. References are the writers without a reader, and the log's own cursor, in the same run.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {probeDisk, probeLine} from '../disk_probe.ts';
import {catchUpTable} from '../feed_catch_up.ts';
import {writersTable} from '../feed_writers.ts';
import {type BenchOptions, Expectations, type Scenario, type ScenarioReport} from '../scenario.ts';

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'feed');
  mkdirSync(dir, {recursive: true});
  const expectations = new Expectations();
  const context = {options, dir, expectations};
  try {
    const probe = probeDisk(dir, Math.min(1000, options.seconds * 200));
    const writers = await writersTable(context);
    const catchUp = await catchUpTable(context);
    return {
      tables: [writers, catchUp],
      notes: [
        probeLine(probe),
        'writers, client and reader are three processes: with two cores the reader takes from the writers’ client, too',
        'server cpu of reading is over the seconds of reading, and has what the server does while the reader starts',
      ],
      failures: expectations.failures,
    };
  } finally {
    rmSync(dir, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
  }
}

export const FEED: Scenario = {
  name: 'feed',
  about: 'what readers of changes cost the writers, and changes per second from the beginning of a log',
  isLarge: true,
  run,
};
