/**
 * A change feed on the wire of a real server: what begins it, what stands before it and behind it, what ends it, and what
 * a peer that does not read costs everybody else. Frames are looked at as they come; the client's side of it is in
 * feed_conformance.test.ts.
 */
import {
  type Change,
  CONNECTION_ERROR,
  CONNECTION_FRAME,
  decodeChange,
  decodeFeedEnd,
  decodeResponse,
  encodeHello,
  encodeRequest,
  encodeSubscribe,
  FEED_END,
  PROTOCOL_VERSION,
} from '@allocdb/api';
import {afterEach, describe, expect, test} from 'vitest';
import {cleanUp, until} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS, payload, repeated} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const pins = ({server}: TestServer): number => server.engine.directory.wal.metrics.pins;
const lsns = (from: number, to: number): bigint[] => Array.from({length: to - from + 1}, (_, i) => BigInt(from + i));

async function takeChanges(peer: Peer, count: number): Promise<Change[]> {
  return (await peer.take(count)).map(decodeChange);
}

/** A peer that has said nothing but that it wants changes. */
async function subscriber(server: TestServer, from: bigint): Promise<Peer> {
  const peer = await Peer.open(server.port);
  peer.send(encodeSubscribe(from));
  return peer;
}

let operations = 1_000_000n;

/** So many changes of 64 KiB each: refused bundles, ten at a time. */
function fillLog({server}: TestServer, count: number): void {
  const resourceIds = Array.from({length: 4_000}, (_, i) => BigInt(i));
  const command = {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 5n, resourceIds} as const;
  for (let i = 0; i < count; i += 10) {
    const payloads = Array.from({length: 10}, () => payload(++operations, command));
    server.engine.handleApiRequest({type: 'submit_batch', requestSlot: 0n, payloads});
  }
}

/** Whatever feeds can send without being read they have sent by then: 200 creations, answered one by one. */
async function manyTurns({port}: TestServer): Promise<void> {
  const writer = await Peer.open(port);
  for (let i = 1n; i <= 200n; i++) await writer.ask(create(i));
  await writer.close();
}

describe('what stands before the changes', () => {
  test('the answers to all requests before the subscription, also those that wait for the disk', async () => {
    const server = await startServer();
    const peer = await Peer.open(server.port);
    const creates = lsns(1, 300).map(create);
    peer.send(...creates.map(encodeRequest), encodeRequest(GET_METRICS), encodeSubscribe(1n));
    const answers = (await peer.take(301)).map(decodeResponse);
    expect(
      answers
        .slice(0, 300)
        .every((answer, i) => answer.type === 'submit_committed' && answer.appliedLsn === BigInt(i + 1)),
    ).toBe(true);
    expect(answers[300]?.type).toBe('metrics');
    const changes = await takeChanges(peer, 300);
    expect(changes.map(({lsn}) => lsn)).toEqual(lsns(1, 300));
    expect(changes[7]).toMatchObject({kind: 'create_resource', result: 'ok', lsn: 8n});
    await peer.close();
  });

  test('answers beyond the bound of the connection, which put the subscription off', async () => {
    const server = await startServer({limits: {maxAnswerBytes: 64 * 1024}});
    const peer = await Peer.open(server.port);
    peer.socket.pause();
    const count = 50_000;
    peer.send(encodeRequest(create(1n)));
    peer.socket.write(repeated(GET_METRICS, count));
    peer.send(encodeSubscribe(1n));
    peer.socket.resume();
    const frames = await peer.take(count + 2);
    expect(frames.findIndex(frame => frame[0] === CONNECTION_FRAME.CHANGE)).toBe(count + 1);
    await peer.close();
  });

  test('a hello, and nothing is said before it', async () => {
    const {port} = await startServer();
    const peer = await Peer.connect(port);
    peer.send(encodeSubscribe(1n));
    expect(await peer.error()).toMatchObject({code: CONNECTION_ERROR.BAD_MAGIC});
    await peer.close();
  });
});

describe('where it begins', () => {
  test('two feeds at different places see the same, and what comes later too', async () => {
    const server = await startServer();
    const writer = await Peer.open(server.port);
    await writer.ask(createMany(1n, 50));
    const [all, some, next] = [
      await subscriber(server, 1n),
      await subscriber(server, 31n),
      await subscriber(server, 51n),
    ];
    const [first, second] = [await takeChanges(all, 50), await takeChanges(some, 20)];
    expect(first.slice(30)).toEqual(second);
    await writer.ask(create(1n), create(100n));
    for (const peer of [all, some, next]) {
      // The first one is known: it is answered again and is no change.
      expect(await takeChanges(peer, 1)).toMatchObject([{lsn: 51n, result: 'ok', kind: 'create_resource'}]);
    }
    await Promise.all([writer, all, some, next].map(peer => peer.close()));
    await until(() => pins(server) === 0, 'the feeds to be let go');
  });

  test('where it cannot: the end says why and from where, then the connection ends', async () => {
    const server = await startServer({segmentBytes: 256 * 1024, checkpoint: {everyLogBytes: null}});
    for (let round = 0; round < 3; round++) {
      fillLog(server, 10);
      await server.server.engine.checkpoint();
    }
    const oldestLsn = server.server.engine.directory.wal.firstLsn;
    expect(oldestLsn).toBeGreaterThan(1n);
    for (const [from, code] of [
      [0n, FEED_END.NOT_RETAINED],
      [oldestLsn - 1n, FEED_END.NOT_RETAINED],
      [32n, FEED_END.LSN_AHEAD],
      [2n ** 64n - 1n, FEED_END.LSN_AHEAD],
    ] as const) {
      const peer = await subscriber(server, from);
      const [frame] = await peer.take(1);
      expect(decodeFeedEnd(frame ?? new Uint8Array(0))).toEqual({code, oldestLsn});
      await until(() => peer.isEnded, 'the connection to end');
      expect(peer.takeAll()).toEqual([]);
      await peer.close();
    }
    expect(server.events.filter(({event}) => event === 'connection_ended')).toHaveLength(4);
    const oldest = await subscriber(server, oldestLsn);
    expect((await takeChanges(oldest, 1))[0]?.lsn).toBe(oldestLsn);
    await oldest.close();
  });
});

describe('what ends it', () => {
  test.each([
    ['a request', encodeRequest(GET_METRICS)],
    ['a second subscription', encodeSubscribe(1n)],
    ['a second hello', encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(0)})],
    ['anything else', Uint8Array.of(0xe7, 1)],
  ])('%s', async (_, frame) => {
    const server = await startServer();
    const peer = await Peer.open(server.port);
    await peer.ask(create(1n));
    peer.send(encodeSubscribe(1n));
    await takeChanges(peer, 1);
    peer.send(frame);
    expect(await peer.error()).toMatchObject({code: CONNECTION_ERROR.MALFORMED_REQUEST});
    await peer.close();
    expect(pins(server)).toBe(0);
  });

  test('a frame right behind the subscription, and it is not executed', async () => {
    const {server, port} = await startServer();
    const peer = await Peer.open(port);
    peer.send(encodeRequest(create(1n)), encodeSubscribe(1n), encodeRequest(create(2n)));
    const error = await peer.error();
    expect(error).toMatchObject({code: CONNECTION_ERROR.MALFORMED_REQUEST});
    expect(decodeResponse((await peer.take(1))[0] ?? new Uint8Array(0))).toMatchObject({appliedLsn: 1n});
    expect(server.engine.durableLsn).toBe(1n);
    await peer.close();
  });

  test('a subscription that is none', async () => {
    const {port} = await startServer();
    const whole = encodeSubscribe(1n);
    for (const frame of [whole.subarray(0, 1), whole.subarray(0, 8), Uint8Array.of(...whole, 0)]) {
      const peer = await Peer.open(port);
      peer.send(encodeRequest(GET_METRICS), frame);
      expect(await peer.error()).toMatchObject({code: CONNECTION_ERROR.MALFORMED_REQUEST});
      expect(decodeResponse((await peer.take(1))[0] ?? new Uint8Array(0)).type).toBe('metrics');
      await peer.close();
    }
  });

  test('the end of the server: its error stands behind whole changes', async () => {
    const server = await startServer();
    fillLog(server, 200);
    const [reading, waiting] = [await subscriber(server, 1n), await subscriber(server, 201n)];
    await takeChanges(reading, 5);
    const stopped = server.server.stop();
    for (const peer of [reading, waiting])
      expect(await peer.error()).toMatchObject({code: CONNECTION_ERROR.SHUTTING_DOWN});
    const rest = reading.takeAll().map(decodeChange);
    expect(rest.map(({lsn}) => lsn)).toEqual(lsns(6, 5 + rest.length));
    expect(waiting.takeAll()).toEqual([]);
    await Promise.all([reading.close(), waiting.close()]);
    await stopped;
  });

  test('a peer that says no more: what was written is sent, and nothing more is read for it', async () => {
    const server = await startServer({limits: {drainMs: 600_000, slowConsumerMs: 600_000}});
    // More than the systems between the two take without its being read.
    fillLog(server, 600);
    const peer = await Peer.open(server.port);
    peer.socket.pause();
    peer.send(encodeSubscribe(1n));
    await until(() => pins(server) === 1, 'the feed to run');
    await manyTurns(server);
    peer.end();
    await until(() => pins(server) === 0, 'the feed to be given up');
    peer.socket.resume();
    await until(() => peer.isEnded, 'the connection to end');
    const changes = peer.takeAll().map(decodeChange);
    expect(changes.map(({lsn}) => lsn)).toEqual(lsns(1, changes.length));
    expect(changes.length).toBeLessThan(600);
    await peer.close();
  });

  test('a peer that vanishes, in the middle of it or while it waits', async () => {
    const server = await startServer();
    fillLog(server, 200);
    const peers = [await subscriber(server, 1n), await subscriber(server, 201n)];
    await peers[0]?.take(1);
    await until(() => pins(server) === 2, 'both feeds to run');
    for (const peer of peers) peer.socket.resetAndDestroy();
    await until(() => pins(server) === 0, 'the feeds to be given up');
    expect(server.server.engine.state).toBe('running');
  });
});

describe('peers that do not read', () => {
  test('are ended as slow consumers, while a writer has all its answers and another feed every change', async () => {
    const server = await startServer({limits: {slowConsumerMs: 3_000, drainMs: 100}});
    fillLog(server, 400);
    const greedy = await subscriber(server, 1n);
    greedy.socket.pause();
    const [writer, honest] = [await Peer.open(server.port), await subscriber(server, 1n)];
    let written = 0;
    const ended = (): boolean => server.events.some(event => event['reason'] === 'slow_consumer');
    while (!ended()) {
      const ids = Array.from({length: 20}, (_, i) => BigInt(1 + ((written + i) % 5_000)));
      const answers = await writer.ask(...ids.map(create));
      expect(answers.every(({type}) => type === 'submit_committed')).toBe(true);
      written += 20;
    }
    const last = Number(server.server.engine.durableLsn);
    expect(last).toBe(400 + Math.min(written, 5_000));
    const changes = await takeChanges(honest, last);
    expect(changes.map(({lsn}) => lsn)).toEqual(lsns(1, last));
    expect(server.events.filter(({event}) => event === 'connection_ended')).toMatchObject([{reason: 'slow_consumer'}]);
    greedy.socket.resume();
    await until(() => greedy.isClosed || greedy.isEnded, 'the connection to end');
    await Promise.all([greedy, writer, honest].map(peer => peer.close()));
  }, 180_000);

  test('cost a bounded amount of memory each, however long the log is', async () => {
    const server = await startServer();
    fillLog(server, 600);
    const before = process.memoryUsage().arrayBuffers;
    const peers = await Promise.all(Array.from({length: 20}, () => Peer.open(server.port)));
    for (const peer of peers) {
      peer.socket.pause();
      peer.send(encodeSubscribe(1n));
    }
    await until(() => pins(server) === 20, 'all feeds to run');
    await manyTurns(server);
    // 20 times 40 MB wait to be read.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 3e6);
    const [first] = peers;
    first?.socket.resume();
    const changes = await takeChanges(first as Peer, 800);
    expect(changes.map(({lsn}) => lsn)).toEqual(lsns(1, 800));
    await Promise.all(peers.map(peer => peer.close()));
  }, 180_000);
});

test('a halted engine: what was durable, then an end that says so, also to those who come later', async () => {
  const server = await startServer();
  const writer = await Peer.open(server.port);
  await writer.ask(createMany(1n, 10));
  const feed = await subscriber(server, 1n);
  await takeChanges(feed, 10);
  await writer.ask(createMany(11n, 10));
  failLog(server);
  const late = await subscriber(server, 1n);
  for (const [peer, changes] of [
    [feed, 10],
    [late, 0],
  ] as const) {
    await until(() => peer.isEnded, 'the connection to end');
    const frames = peer.takeAll();
    const end = frames.pop() ?? new Uint8Array(0);
    expect(frames.map(frame => decodeChange(frame).lsn)).toEqual(lsns(11, 10 + changes));
    expect(decodeFeedEnd(end)).toEqual({code: FEED_END.ENGINE_HALTED, oldestLsn: 0n});
    await peer.close();
  }
  await writer.close();
});

/** What a failed sync does to the log; no disk of this machine fails on demand. */
function failLog({server}: TestServer): void {
  const {writer} = server.engine.directory.wal as unknown as {writer: {fail(cause: unknown): Error}};
  writer.fail(new Error('EIO'));
}
