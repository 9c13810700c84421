/**
 * A reader of changes beside the writers, in a process of its own: `feed_tail_program.js PORT read|stall`. It says on stderr
 * from which lsn it reads, as one line of JSON. Then it reads to the end of the log, whatever is added, until a line on its
 * standard input names the last lsn that will be; when it has come so far it prints a line of JSON about what it has read.
 *
 * With `stall` it asks for the whole log and reads nothing of it, until it is killed.
 */
import {performance} from 'node:perf_hooks';
import {createInterface} from 'node:readline';
import {endWithStandardInput} from './ends_with_parent.ts';
import {FeedSocket} from './feed_socket.ts';

async function main(port: number, stalls: boolean): Promise<void> {
  const last = new Promise<number>(resolve => {
    createInterface({input: process.stdin}).once('line', line => resolve(Number(line)));
  });
  endWithStandardInput();
  const feed = new FeedSocket(port, stalls ? 1 : null, stalls);
  const first = await feed.orFailure(feed.subscribed);
  process.stderr.write(`${JSON.stringify({event: 'following', from: first})}\n`);
  if (stalls) return;
  const [beganMs, cpu] = [performance.now(), process.cpuUsage()];
  const until = await feed.orFailure(last);
  // What it had read when the writers had finished.
  const [changes, millis] = [feed.changes, performance.now() - beganMs];
  await feed.reach(until);
  const {user, system} = process.cpuUsage(cpu);
  const found = {first, last: feed.lastLsn, changes: feed.changes, bytes: feed.bytes};
  const own = {behind: until - first + 1 - changes, millis, cpuMillis: (user + system) / 1000};
  process.stdout.write(`${JSON.stringify({...found, ...own})}\n`, () => process.exit(0));
}

const [, , port, way] = process.argv;
if (port === undefined || (way !== 'read' && way !== 'stall')) {
  throw new RangeError('usage: feed_tail_program PORT read|stall');
}
await main(Number(port), way === 'stall');
