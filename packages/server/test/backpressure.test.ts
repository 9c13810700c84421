/**
 * What a connection may cost the server, whatever its peer does: answers that are never read, requests that answer with
 * more than they ask, peers that vanish, half-close or just sit there. Other clients are served meanwhile.
 */
import {CONNECTION_ERROR, decodeConnectionError, decodeResponse, encodeRequest} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {afterEach, describe, expect, test} from 'vitest';
import {cleanUp, pause, ServeProcess, tempDir, until} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS, getResource, repeated, submit} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const MIB: number = 1 << 20;

/** Creates members, holds them as one bundle, and returns the reservation's id. */
async function holdBundle(peer: Peer, members: number): Promise<bigint> {
  await peer.ask(createMany(1n, members));
  const resourceIds = Array.from({length: members}, (_, i) => BigInt(i + 1));
  const [answer] = await peer.ask(
    submit(10_000n, {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 10_000n, resourceIds}),
  );
  if (answer?.type !== 'submit_committed' || answer.reservationId === null) throw new Error('the bundle was not held');
  return answer.reservationId;
}

describe('answers that are never read', () => {
  test('to 100,000 pipelined reads stay within the bound, and others are served', async () => {
    const server = await ServeProcess.start(tempDir());
    const [greedy, modest] = await Promise.all([Peer.open(server.port), Peer.open(server.port)]);
    const before = await (async () => {
      await modest.ask(create(1n));
      return server.residentBytes();
    })();
    greedy.socket.pause();
    let isSent = false;
    greedy.socket.write(repeated(GET_METRICS, 100_000), () => {
      isSent = true;
    });
    greedy.socket.write(repeated(getResource(1n), 100_000));
    let peak = 0;
    for (let round = 0; round < 50; round++) {
      const [answer] = await modest.ask(create(BigInt(2 + round)));
      expect(answer).toMatchObject({resultCode: 'ok'});
      peak = Math.max(peak, server.residentBytes());
      await pause(5);
    }
    expect(peak - before).toBeLessThan(64 * MIB);
    greedy.socket.resume();
    const answers = await greedy.take(200_000);
    expect(isSent).toBe(true);
    expect(decodeResponse(answers[99_999] ?? new Uint8Array(0)).type).toBe('metrics');
    expect(decodeResponse(answers[199_999] ?? new Uint8Array(0)).type).toBe('resource_found');
  });

  test('to reads that answer with far more than they ask', async () => {
    const {port} = await startServer();
    const [greedy, modest] = await Promise.all([Peer.open(port), Peer.open(port)]);
    const reservationId = await holdBundle(modest, 2000);
    const lease = {type: 'get_lease', requiredLsn: null, currentSlot: 0n, reservationId} as const;
    greedy.socket.pause();
    const before = process.memoryUsage.rss();
    // 27 bytes ask for 32,000: these would be 320 MB.
    greedy.socket.write(repeated(lease, 10_000));
    for (let round = 0; round < 20; round++) {
      await modest.ask(GET_METRICS);
      await pause(5);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MIB);
    greedy.socket.resume();
    await until(() => greedy.received > 5 * MIB, 'answers beyond the bound to come once they are read');
    await Promise.all([greedy.close(), modest.close()]);
  });

  test('end the connection after the allowed time, and leave others alone', async () => {
    const {port, events} = await startServer({limits: {slowConsumerMs: 300, drainMs: 100}});
    const [greedy, modest] = await Promise.all([Peer.open(port), Peer.open(port)]);
    greedy.socket.pause();
    greedy.socket.write(repeated(GET_METRICS, 200_000));
    await until(() => events.some(event => event['reason'] === 'slow_consumer'), 'the slow consumer to be ended');
    expect(await modest.ask(create(1n))).toMatchObject([{appliedLsn: 1n}]);
    greedy.socket.resume();
    await until(() => greedy.isClosed || greedy.isEnded, 'the connection to end');
    await Promise.all([greedy.close(), modest.close()]);
  });

  test('but one that reads slowly, a little all the time, gets all of them', async () => {
    const {port, events} = await startServer({limits: {slowConsumerMs: 1000, maxAnswerBytes: 64 * 1024}});
    const peer = await Peer.open(port);
    const count = 400_000;
    peer.socket.pause();
    peer.socket.write(repeated(GET_METRICS, count));
    const reading = setInterval(() => {
      peer.socket.resume();
      setImmediate(() => peer.socket.pause());
    }, 5);
    try {
      const frames = await peer.take(count);
      expect(frames).toHaveLength(count);
    } finally {
      clearInterval(reading);
    }
    peer.socket.resume();
    expect(events.some(event => event.event === 'connection_ended')).toBe(false);
    await peer.close();
  });
});

describe('a peer that half-closes', () => {
  test('gets every answer, and then the end', async () => {
    const {port} = await startServer();
    const peer = await Peer.open(port);
    const creates = Array.from({length: 500}, (_, i) => encodeRequest(create(BigInt(i + 1))));
    peer.socket.end(joinFrames(creates));
    const answers = (await peer.take(500)).map(decodeResponse);
    expect(answers.at(-1)).toMatchObject({resultCode: 'ok', appliedLsn: 500n});
    await until(() => peer.isClosed, 'the connection to close');
    expect(peer.takeAll()).toEqual([]);
  });

  test('gets every answer also when they fill the bound and are read late', async () => {
    const {port} = await startServer({limits: {maxAnswerBytes: 64 * 1024, drainMs: 50}});
    const peer = await Peer.open(port);
    const count = 100_000;
    peer.socket.pause();
    peer.socket.end(repeated(GET_METRICS, count));
    await pause(300);
    peer.socket.resume();
    expect(await peer.take(count)).toHaveLength(count);
    await until(() => peer.isClosed, 'the connection to close');
  });

  test('before it says hello is let go', async () => {
    const {port} = await startServer();
    const peer = await Peer.connect(port);
    peer.end();
    await until(() => peer.isClosed, 'the connection to close');
    expect(peer.received).toBe(0);
  });
});

test('peers that vanish with requests in flight harm nobody, and what they asked is done or not, once', async () => {
  const {server, port} = await startServer();
  const witness = await Peer.open(port);
  for (let round = 0; round < 20; round++) {
    const peer = await Peer.open(port);
    const creates = Array.from({length: 50}, (_, i) => encodeRequest(create(BigInt(1 + round * 50 + i))));
    const bytes = joinFrames(creates);
    await new Promise<void>(resolve => peer.socket.write(bytes.subarray(0, bytes.length - 7), () => resolve()));
    peer.socket.resetAndDestroy();
  }
  const [metrics] = await witness.ask(GET_METRICS);
  expect(metrics).toMatchObject({type: 'metrics', acceptingWrites: true});
  const retried = await witness.ask(...Array.from({length: 1000}, (_, i) => create(BigInt(i + 1))));
  expect(retried.every(answer => answer.type === 'submit_committed' && answer.resultCode === 'ok')).toBe(true);
  expect(server.engine.durableLsn).toBe(1000n);
  await witness.close();
});

test('200 idle connections cost nobody anything', async () => {
  const {port} = await startServer();
  const idle = await Promise.all(Array.from({length: 200}, () => Peer.open(port)));
  const busy = await Peer.open(port);
  const answers = await busy.ask(...Array.from({length: 1000}, (_, i) => create(BigInt(i + 1))));
  expect(answers).toHaveLength(1000);
  const last = await Promise.all(idle.map(peer => peer.ask(getResource(1000n))));
  expect(last.every(([answer]) => answer?.type === 'resource_found')).toBe(true);
  await Promise.all([busy, ...idle].map(peer => peer.close()));
});

test('an error reaches a peer that goes on sending', async () => {
  const {port} = await startServer({limits: {drainMs: 200}});
  const peer = await Peer.open(port);
  peer.socket.write(new Uint8Array(4));
  const endless = setInterval(() => peer.socket.write(repeated(GET_METRICS, 1000)), 1);
  try {
    const [frame] = await peer.take(1);
    expect(decodeConnectionError(frame ?? new Uint8Array(0)).code).toBe(CONNECTION_ERROR.EMPTY_FRAME);
    await until(() => peer.isClosed, 'the server to stop listening to it');
  } finally {
    clearInterval(endless);
  }
});
