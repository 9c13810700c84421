/**
 * Runs the store: `main.ts <directory> [count]` appends that many points (1000) to two series and prints what happens.
 *
 * A line `durable <time>` is printed only when every point up to that time is durable, so that whoever kills the process
 * knows what must be there afterwards. Started again, it goes on where the store ends.
 */

import {isCoordinatorError} from '@allocdb/wal';
import {type SeriesView, TimeSeriesStore} from './time_series_store.ts';

const CHANNELS = ['cpu', 'disk'];
const SYNC_EVERY = 50;

const [dir, count = '1000'] = process.argv.slice(2);
if (dir === undefined || !(Number(count) > 0)) {
  process.stderr.write('usage: main.ts <directory> [count]\n');
  process.exit(64);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await using store = await TimeSeriesStore.open({dir, channels: CHANNELS, flushBytes: 1024});
const found = await store.query('cpu', 0, Number.POSITIVE_INFINITY);
const first = (found.at(-1)?.time ?? 0) + 1;
say(`found ${found.length} points a series in ${store.view().snapshot.value.length} files`);

const slow = store.watch();
const end = first + Number(count);
for (let time = first; time < end; time++) {
  for (const series of CHANNELS) await store.append(series, {series, points: [{time, value: Math.sqrt(time)}]});
  if (time % SYNC_EVERY !== 0 && time !== end - 1) continue;
  await store.sync();
  say(`durable ${time}`);
}

const refused = await store.append('cpu', {series: 'cpu', points: [{time: 1, value: 0}]});
try {
  await refused.wait('applied');
} catch (error) {
  if (!isCoordinatorError(error)) throw error;
  say(`refused with ${error.code}`);
}

/** The last view that a reader has seen; one that was too slow begins again from a whole view. */
async function catchUp(): Promise<SeriesView> {
  let last = slow.first;
  try {
    const {end: target} = store.view().snapshot.epochs;
    while (last.snapshot.epochs.end < target) last = (await slow.next()).value ?? last;
    return last;
  } catch (error) {
    if (!isCoordinatorError(error) || error.code !== 'message_lost') throw error;
    say('the slow reader has lost views and subscribes again');
    await using again = store.watch();
    return again.first;
  }
}

const seen = await store.query('cpu', 0, Number.POSITIVE_INFINITY, await catchUp());
say(`the slow reader sees ${seen.length} points`);
await slow.return();
