/**
 * One way to read the changes of a log from its beginning, timed, in a process of its own: `feed_read_program.js WAY WHERE
 * LAST`, where WHERE is a port or a data directory and LAST the last lsn of the log. Every lsn must follow the one before.
 * Prints a line of JSON: seconds from asking to the last change, how many they were, bytes where they are bytes, and
 * processor time.
 *
 *   tcp-objects  changes of a client         objects  changes of an embedded database
 *   tcp-frames   frames of a raw connection  frames   frames of the feed of an engine
 *   sse          events over HTTP            cursor   the log's own cursor: no feed, nothing is copied
 *
 * Connecting and opening a directory are not timed, but that a client opens a connection for its changes is.
 */
import {get, type IncomingMessage} from 'node:http';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {type Change, connect} from '@allocdb/client';
import {framesOf, openDb, SingleNodeEngine} from '@allocdb/node';
import {READ, readWal} from '@allocdb/wal';
import {EventScan} from './event_scan.ts';
import {FeedSocket} from './feed_socket.ts';
import {SLOT_MS} from './workload_config.ts';

/** What was read; bytes are null where there are only objects. */
interface Seen {
  readonly changes: number;
  readonly bytes: number | null;
}

/** Reads up to an lsn between two looks at the clock. */
type Timed = (read: () => Promise<Seen>) => Promise<void>;
type Way = (where: string, last: number, timed: Timed) => Promise<void>;

const HIGH_WORD = 0x1_0000_0000;
/** Where the lsn stands in a change frame. */
const LSN_AT = 1;

function expectNext(lsn: number, changes: number): void {
  if (lsn !== changes + 1) throw new Error(`lsn ${lsn} came behind ${changes}`);
}

async function countObjects(feed: AsyncIterable<Change>, last: number): Promise<Seen> {
  let changes = 0;
  for await (const {lsn} of feed) {
    expectNext(Number(lsn), changes);
    changes++;
    if (changes === last) break;
  }
  return {changes, bytes: null};
}

async function tcpObjects(port: string, last: number, timed: Timed): Promise<void> {
  await using client = await connect(`allocdb://127.0.0.1:${port}`);
  await timed(() => countObjects(client.changes({from: 1n}), last));
}

async function objects(dir: string, last: number, timed: Timed): Promise<void> {
  const db = await openDb({dir, slotMs: SLOT_MS});
  try {
    await timed(() => countObjects(db.changes({from: 1n}), last));
  } finally {
    await db.close();
  }
}

async function tcpFrames(port: string, last: number, timed: Timed): Promise<void> {
  await timed(async () => {
    const feed = new FeedSocket(Number(port), 1);
    try {
      await feed.reach(last);
      return {changes: feed.changes, bytes: feed.bytes};
    } finally {
      feed.destroy();
    }
  });
}

async function frames(dir: string, last: number, timed: Timed): Promise<void> {
  const engine = SingleNodeEngine.open({dir, slotMs: SLOT_MS});
  try {
    await timed(async () => {
      let [changes, bytes] = [0, 0];
      for await (const pieces of framesOf(engine.changes(1n), null)) {
        for (const frame of pieces) {
          expectNext(lsnOf(frame), changes);
          changes++;
          bytes += frame.length;
        }
        if (changes >= last) break;
      }
      return {changes, bytes};
    });
  } finally {
    await engine.close();
  }
}

function lsnOf(frame: Uint8Array): number {
  const word = (at: number): number =>
    ((frame[at] as number) |
      ((frame[at + 1] as number) << 8) |
      ((frame[at + 2] as number) << 16) |
      ((frame[at + 3] as number) << 24)) >>>
    0;
  return word(LSN_AT) + word(LSN_AT + 4) * HIGH_WORD;
}

async function sse(port: string, last: number, timed: Timed): Promise<void> {
  await timed(async () => {
    const scan = new EventScan(1);
    const options = {host: '127.0.0.1', port: Number(port), path: '/v1/changes?from=1', agent: false};
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(options, resolve).once('error', reject);
    });
    if (response.statusCode !== 200) throw new Error(`the stream was answered by ${response.statusCode}`);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      scan.push(chunk);
      if (scan.lastLsn >= last) break;
    }
    return {changes: scan.changes, bytes: scan.bytes};
  });
}

async function cursor(dir: string, last: number, timed: Timed): Promise<void> {
  const log = readWal({dir: join(dir, 'wal')});
  await timed(async () => {
    let [changes, bytes] = [0, 0];
    for (let event = log.next(); event !== READ.END && changes < last; event = log.next()) {
      if (event !== READ.RECORD) continue;
      expectNext(log.lsnLo, changes);
      changes++;
      bytes += log.length;
    }
    return {changes, bytes};
  });
  log.close();
}

async function timed(read: () => Promise<Seen>): Promise<void> {
  const [beganMs, cpu] = [performance.now(), process.cpuUsage()];
  const seen = await read();
  const seconds = (performance.now() - beganMs) / 1000;
  const {user, system} = process.cpuUsage(cpu);
  process.stdout.write(`${JSON.stringify({...seen, seconds, cpuMillis: (user + system) / 1000})}\n`);
}

const WAYS: Readonly<Record<string, Way>> = {
  'tcp-objects': tcpObjects,
  'tcp-frames': tcpFrames,
  sse,
  objects,
  frames,
  cursor,
};

const [, , way = '', where, last] = process.argv;
const chosen = WAYS[way];
if (chosen === undefined || where === undefined || last === undefined) {
  throw new RangeError(`usage: feed_read_program ${Object.keys(WAYS).join('|')} PORT|DIR LAST`);
}
await chosen(where, Number(last), timed);
