/**
 * A crowd that wastes a server's time and memory: a thousand idle connections, five hundred slow ones, and one that asks a
 * hundred thousand times and never looks. The server is a process of its own, so that its memory is what it costs; an
 * honest client works all the while and every answer of it is right. In the end all places are free again.
 */
import {CONNECTION_ERROR, encodeHello, encodeRequest, PROTOCOL_VERSION} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {afterEach, expect, test} from 'vitest';
import {HonestClient} from './abuse_honest.ts';
import {AbuseServer, connectionsAt, ROOMY} from './abuse_server_process.ts';
import {cleanUp, until} from './command.ts';
import {Peer} from './peer.ts';
import {createMany, GET_METRICS, getResource, repeated, submit} from './requests.ts';

afterEach(cleanUp);

const LONG_MS = 180_000;
const KIB: number = 1 << 10;
const MIB: number = 1 << 20;
const IDLE = 1000;
const DRIPPING = 200;
const UNREAD = 50;
const MEMBERS = 500;
/** Answers to this many readings of a bundle are more than the system's buffers hold. */
const READINGS = 4000;
const LIMITS = {idleMs: 8000, helloTimeoutMs: 8000, slowConsumerMs: 2000, drainMs: 500, maxAnswerBytes: 64 * KIB};
const GROUP = 50;

/** Makes so many of something, a few at a time. */
async function many<Made>(count: number, make: () => Promise<Made>): Promise<Made[]> {
  const made: Made[] = [];
  while (made.length < count) {
    made.push(...(await Promise.all(Array.from({length: Math.min(GROUP, count - made.length)}, make))));
  }
  return made;
}

/** Sends a byte of this to each of the peers now and then, for as long as they take it. */
function drip(peers: readonly Peer[], bytes: Uint8Array): NodeJS.Timeout {
  let at = 0;
  return setInterval(() => {
    const byte = bytes.subarray(at, at + 1);
    at = Math.min(at + 1, bytes.length);
    for (const {socket, isEnded} of peers) if (!isEnded && !socket.destroyed) socket.write(byte);
  }, 50);
}

async function startServer(): Promise<AbuseServer> {
  const capacities = {...ROOMY, maxReservations: 40_000, maxBundleSize: MEMBERS};
  return await AbuseServer.start({slotMs: 100, capacities, maxConnections: 2000, limits: LIMITS});
}

/** A hold on many resources, of which a few bytes ask for 8 KB. */
async function bundleOf(port: number): Promise<Uint8Array> {
  const peer = await Peer.open(port);
  await peer.ask(createMany(1n, MEMBERS));
  const resourceIds = Array.from({length: MEMBERS}, (_, i) => BigInt(i + 1));
  const [held] = await peer.ask(submit(10_000n, {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 5000n, resourceIds}));
  await peer.close();
  if (held?.type !== 'submit_committed' || held.reservationId === null) throw new Error('the bundle was not held');
  const {reservationId} = held;
  return repeated({type: 'get_lease', requiredLsn: null, currentSlot: 0n, reservationId}, READINGS);
}

/** Resolves when so many were ended because they do not read. */
async function slowConsumers({httpPort}: AbuseServer, count: number): Promise<void> {
  const ended = async (): Promise<number> => (await connectionsAt(httpPort)).ends['slow_consumer'] ?? 0;
  await expect.poll(ended, {timeout: 60_000, interval: 200}).toBe(count);
}

test('a thousand idle and five hundred slow connections', {timeout: LONG_MS}, async () => {
  const server = await startServer();
  const {port} = server;
  const readings = await bundleOf(port);
  const honest = await HonestClient.open({port, number: 1, lanes: 8});
  let isOver = false;
  const working = honest.workUntil(() => isOver);
  await until(() => honest.answers > 100, 'the honest client to work');
  // What metrics are made of is loaded when they are asked for the first time.
  await connectionsAt(server.httpPort);
  const before = server.residentBytes();
  let peak = before;
  const watch = setInterval(() => {
    if (server.end === null) peak = Math.max(peak, server.residentBytes());
  }, 20);

  const idle = await many(IDLE, () => Peer.open(port));
  const helloDrippers = await many(DRIPPING, () => Peer.connect(port));
  const requestDrippers = await many(DRIPPING, () => Peer.open(port));
  const token = new Uint8Array(10_000).fill(0x61);
  const timers = [
    drip(helloDrippers, joinFrames([encodeHello({version: PROTOCOL_VERSION, token})])),
    drip(requestDrippers, joinFrames(Array.from({length: 500}, () => encodeRequest(getResource(1n))))),
  ];
  const unread = await many(2 * UNREAD, () => Peer.open(port));
  for (const peer of unread) {
    peer.socket.pause();
    peer.socket.write(readings);
  }
  // Half of them look at a byte a second, which is less than anything that would help.
  timers.push(setInterval(() => unread.slice(UNREAD).map(({socket}) => socket.read(1)), 1000));

  // Each is ended as it deserves: the idle without a word, the slow to say hello with one, who does not read by force.
  await until(() => idle.every(({isEnded}) => isEnded), 'the idle to be ended');
  expect(idle.flatMap(peer => peer.takeAll())).toEqual([]);
  const errors = await Promise.all(helloDrippers.map(peer => peer.error()));
  expect(new Set(errors.map(({code}) => code))).toEqual(new Set([CONNECTION_ERROR.BAD_MAGIC]));
  await slowConsumers(server, 2 * UNREAD);
  // Who drips requests says something: such a one stays, is answered, and costs no more than its place.
  expect(requestDrippers.filter(({isEnded}) => isEnded)).toEqual([]);
  await until(() => requestDrippers.every(({received}) => received > 0), 'the drippers to be answered');

  const worked = honest.answers;
  await until(() => honest.answers > worked + 100, 'the honest client to go on');
  isOver = true;
  await working;
  expect(honest.wrong).toEqual([]);
  for (const timer of [watch, ...timers]) clearInterval(timer);
  // 1,500 connections at 32 KiB each; of the hundred that do not read, the bound of answers, one answer, one chunk of what
  // was asked and its 2,000 frames one by one, 0.5 MiB in all; and what the collector leaves lying about.
  expect(peak - before).toBeLessThan(1500 * 32 * KIB + 2 * UNREAD * (MIB / 2) + 96 * MIB);

  await Promise.all([...idle, ...helloDrippers, ...requestDrippers, ...unread].map(peer => peer.close()));
  await honest.close();
  await expect.poll(async () => (await connectionsAt(server.httpPort)).count, {timeout: 60_000}).toBe(0);
  expect(await server.stop()).toEqual({code: 0, signal: null});
});

test('a hundred thousand requests whose answers nobody reads', {timeout: LONG_MS}, async () => {
  const server = await startServer();
  const {port} = server;
  const honest = await HonestClient.open({port, number: 1, lanes: 8});
  let isOver = false;
  const working = honest.workUntil(() => isOver);
  await until(() => honest.answers > 100, 'the honest client to work');
  // What metrics are made of is loaded when they are asked for the first time.
  await connectionsAt(server.httpPort);
  const before = server.residentBytes();
  let peak = before;
  const greedy = await Peer.open(port);
  greedy.socket.pause();
  greedy.socket.write(repeated(GET_METRICS, 100_000));
  const watch = setInterval(() => {
    peak = Math.max(peak, server.residentBytes());
  }, 20);
  await slowConsumers(server, 1);
  clearInterval(watch);
  const worked = honest.answers;
  await until(() => honest.answers > worked + 100, 'the honest client to go on');
  isOver = true;
  await working;
  expect(honest.wrong).toEqual([]);
  // The answers are 8 MB, of which 64 KiB may wait; the rest is the collector's.
  expect(peak - before).toBeLessThan(48 * MIB);
  await Promise.all([greedy.close(), honest.close()]);
  await expect.poll(async () => (await connectionsAt(server.httpPort)).count, {timeout: 60_000}).toBe(0);
  expect(await server.stop()).toEqual({code: 0, signal: null});
});
