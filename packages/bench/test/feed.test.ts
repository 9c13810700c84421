/**
 * The scenario of the change feed from end to end with the smallest budgets, and what its readers do with a feed that is not
 * as it should be. Nothing is asserted about durations.
 */
import {once} from 'node:events';
import {type AddressInfo, createServer} from 'node:net';
import {CONNECTION_FRAME, encodeFeedEnd, encodeWelcome, FEED_END, PROTOCOL_VERSION} from '@allocdb/node';
import {expect, onTestFinished, test} from 'vitest';
import {parseCommandLine} from '../src/cli.ts';
import {EventScan} from '../src/event_scan.ts';
import {catchUpTable} from '../src/feed_catch_up.ts';
import {FeedSocket} from '../src/feed_socket.ts';
import {type FeedContext, writersTable} from '../src/feed_writers.ts';
import {type Cell, isSpread} from '../src/report.ts';
import {type BenchOptions, Expectations} from '../src/scenario.ts';
import {tinyOptions} from './options.ts';

function medianOf(cell: Cell | undefined): number {
  return cell !== undefined && cell !== null && isSpread(cell) ? cell.median : Number.NaN;
}

function frameOf(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length, true);
  frame.set(body, 4);
  return frame;
}

/** As much of a change as a reader looks at. */
function changeOf(lsn: number): Uint8Array {
  const body = new Uint8Array(20);
  body[0] = CONNECTION_FRAME.CHANGE;
  new DataView(body.buffer).setBigUint64(1, BigInt(lsn), true);
  return body;
}

const WELCOME: Uint8Array = encodeWelcome({
  version: PROTOCOL_VERSION,
  currentSlot: 0n,
  slotDurationMs: 100,
  lastDurableLsn: 41n,
  maxFrameBytes: 1 << 20,
  maxBatch: 1,
});

/** A feed of a server that says welcome and then these frames. */
async function feedOf(from: number | null, ...bodies: readonly Uint8Array[]): Promise<FeedSocket> {
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy());
    for (const body of [WELCOME, ...bodies]) socket.write(frameOf(body));
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const feed = new FeedSocket((server.address() as AddressInfo).port, from);
  onTestFinished(() => feed.destroy());
  return feed;
}

function contextOf(changes: Partial<BenchOptions> = {}): FeedContext {
  const options = tinyOptions(changes);
  return {options, dir: options.dir, expectations: new Expectations()};
}

test('writers are measured beside a reader, who gets every change, and one that is dropped', {
  timeout: 180_000,
}, async () => {
  const context = contextOf({seconds: 0.1});
  const {rows} = await writersTable(context, ['at the end of the log', 'stopped reading']);
  expect(context.expectations.failures).toEqual([]);
  expect(rows.map(([reader]) => reader)).toEqual(['at the end of the log', 'stopped reading']);
  expect(Number(rows[0]?.at(-1))).toBeGreaterThan(0);
  expect(rows[1]?.slice(3, 5)).toEqual([null, null]);
});

test('a log is read from its beginning by every way there is', {timeout: 180_000}, async () => {
  const context = contextOf();
  const {title, rows} = await catchUpTable(context);
  expect(context.expectations.failures).toEqual([]);
  const changes = Number(/Reading (\d+) changes/.exec(title)?.[1]);
  expect(changes).toBeGreaterThanOrEqual(4000);
  expect(rows.map(([way]) => way)).toEqual([
    'cursor of the log',
    'embedded, frames',
    'embedded, objects',
    'TCP, frames',
    'TCP, objects',
    'HTTP, server-sent events',
  ]);
  for (const row of rows) expect(medianOf(row[1])).toBeGreaterThan(0);
});

test('both scenarios run when they are named, and not by default', () => {
  const namesOf = (...args: string[]): string[] => parseCommandLine(args).scenarios.map(({name}) => name);
  expect(namesOf()).not.toEqual(expect.arrayContaining(['http']));
  expect(namesOf()).not.toEqual(expect.arrayContaining(['feed']));
  expect(namesOf('--scenario', 'http', '--scenario', 'feed')).toEqual(['http', 'feed']);
});

test('a raw feed begins behind what is durable, or where it is told to, and counts what comes', async () => {
  const behind = await feedOf(null, changeOf(42), changeOf(43));
  expect(await behind.subscribed).toBe(42);
  await behind.reach(43);
  expect([behind.lastLsn, behind.changes, behind.bytes]).toEqual([43, 2, 48]);
  const given = await feedOf(7, changeOf(7));
  expect(await given.subscribed).toBe(7);
  await given.reach(7);
});

test.each([
  ['a gap', [changeOf(42), changeOf(44)], /lsn 44 came behind 42/],
  ['a change twice', [changeOf(42), changeOf(42)], /lsn 42 came behind 42/],
  ['the end', [changeOf(42), encodeFeedEnd({code: FEED_END.NOT_RETAINED, oldestLsn: 9n})], /the feed ended with 1/],
  ['what is no change', [new Uint8Array([1])], /a frame of tag 1/],
])('a raw feed fails at %s', async (_what, bodies, message) => {
  const feed = await feedOf(null, ...bodies);
  await expect(feed.reach(100)).rejects.toThrow(message);
});

test.each([1, 7, 1000])('events in chunks of %d bytes are counted, comments are passed over', size => {
  const event = (lsn: number): string => `id: ${lsn}\nevent: change\ndata: {"lsn":"${lsn}"}\n\n`;
  const text = `: a comment\n\n${event(9)}:\n\n${event(10)}${event(11)}`;
  const scan = new EventScan(9);
  for (let at = 0; at < text.length; at += size) scan.push(Buffer.from(text.slice(at, at + size)));
  expect([scan.lastLsn, scan.changes, scan.bytes]).toEqual([11, 3, text.length]);
  expect(() => scan.push(Buffer.from(event(13)))).toThrow(/lsn 13 came behind 11/);
  expect(() => scan.push(Buffer.from('event: end\ndata: {"code":"lsn_not_retained"}\n\n'))).toThrow(
    /without an id.*lsn_not/s,
  );
});
