/**
 * What one client may take from all others: connections, time before a hello, time without a word, unread answers. While
 * those who take too much are dropped, everybody else is served.
 */
import {CONNECTION_ERROR, CONNECTION_FRAME, encodeHello, encodeSubscribe, PROTOCOL_VERSION} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {afterEach, describe, expect, test} from 'vitest';
import type {TlsFiles} from '../src/index.ts';
import {TokenFile} from './access_tokens.ts';
import {Authority, HERE} from './certificates.ts';
import {cleanUp, pause, until} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, GET_METRICS, getResource, repeated} from './requests.ts';
import {tlsFilesOf} from './tls_files.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const hello = (token: string = ''): Uint8Array =>
  joinFrames([encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)})]);

/** Sends bytes one at a time, without end: from the beginning again when there are no more. */
function drip(peer: Peer, bytes: Uint8Array, everyMs: number): Disposable {
  let at = 0;
  const timer = setInterval(() => {
    if (!peer.isClosed && at < bytes.length) peer.socket.write(bytes.subarray(at, ++at));
  }, everyMs);
  return {[Symbol.dispose]: () => clearInterval(timer)};
}

describe('a hello', () => {
  test('that drips has no more time than one that does not come', async () => {
    const {port} = await startServer({limits: {helloTimeoutMs: 150}});
    const peer = await Peer.connect(port);
    using _ = drip(peer, hello('t'.repeat(60_000)), 5);
    expect(await peer.error()).toEqual({code: CONNECTION_ERROR.BAD_MAGIC, text: 'no hello arrived'});
    await peer.close();
  });

  test('is no longer than a hello can be, whatever is announced', async () => {
    const {port} = await startServer({limits: {helloTimeoutMs: 600_000}});
    const longest = await Peer.connect(port);
    expect((await longest.hello('t'.repeat(65_535))).version).toBe(PROTOCOL_VERSION);
    const longer = await Peer.connect(port);
    longer.socket.write(Buffer.concat([Uint8Array.of(0, 0, 0x10, 0), Buffer.alloc(70_000, 0xf0)]));
    expect((await longer.error()).code).toBe(CONNECTION_ERROR.BAD_MAGIC);
    await Promise.all([longest.close(), longer.close()]);
  });
});

describe('connections without a hello', () => {
  test('give way to new ones, the oldest first, and are told so; who has said it stays', async () => {
    const {port, events} = await startServer({maxConnections: 2, limits: {helloTimeoutMs: 600_000}});
    const known = await Peer.open(port);
    const [silent, dripping] = [await Peer.connect(port), await Peer.connect(port)];
    dripping.socket.write(hello().subarray(0, 7));
    expect(await silent.error()).toEqual({
      code: CONNECTION_ERROR.TOO_MANY_CONNECTIONS,
      text: 'no hello arrived, and the place was needed',
    });
    const honest = await Peer.open(port);
    expect((await dripping.error()).code).toBe(CONNECTION_ERROR.TOO_MANY_CONNECTIONS);
    expect(await known.ask(create(1n))).toMatchObject([{resultCode: 'ok'}]);
    expect(await honest.ask(create(2n))).toMatchObject([{resultCode: 'ok'}]);
    await until(() => events.filter(each => each['reason'] === 'too_many_connections').length === 2, 'the log');
    const third = await Peer.connect(port);
    expect(await third.error()).toMatchObject({text: 'at most 2 connections'});
    await Promise.all([known, silent, dripping, honest, third].map(peer => peer.close()));
  });

  test('shut nobody out, however many they are', async () => {
    const {port} = await startServer({maxConnections: 20, limits: {helloTimeoutMs: 600_000}});
    const strangers = await Promise.all(Array.from({length: 200}, () => Peer.connect(port)));
    for (let i = 1n; i <= 5n; i++) {
      const honest = await Peer.open(port);
      expect(await honest.ask(create(i))).toMatchObject([{resultCode: 'ok'}]);
      await honest.close();
    }
    await Promise.all(strangers.map(peer => peer.close()));
  });
});

/** Tries until the server has noticed that somebody has left. */
async function openWhenThereIsRoom(port: number, token: string): Promise<Peer> {
  for (;;) {
    const peer = await Peer.connect(port);
    peer.socket.write(hello(token));
    const [answer] = await peer.take(1);
    if (answer?.[0] === CONNECTION_FRAME.WELCOME) return peer;
    await peer.close();
    await pause(5);
  }
}

describe('connections of one principal', () => {
  test('are bounded by themselves, and there is room again when one has left', async () => {
    const file = new TokenFile({name: 'web', role: 'write'}, {name: 'board', role: 'read'});
    const {port, events} = await startServer({tokenFile: file.path, maxConnectionsPerPrincipal: 2});
    const [first, second] = await Promise.all([1, 2].map(() => Peer.open(port, file.tokenOf('web'))));
    const third = await Peer.connect(port);
    third.socket.write(hello(file.tokenOf('web')));
    const {code, text} = await third.error();
    expect(code).toBe(CONNECTION_ERROR.TOO_MANY_CONNECTIONS);
    expect(text).toBe('at most 2 connections of web');
    const other = await Peer.open(port, file.tokenOf('board'));
    expect(await other.ask(GET_METRICS)).toMatchObject([{type: 'metrics'}]);
    await second?.close();
    const fourth = await openWhenThereIsRoom(port, file.tokenOf('web'));
    expect(await fourth.ask(create(1n))).toMatchObject([{resultCode: 'ok'}]);
    await until(() => events.some(event => event['reason'] === 'too_many_connections'), 'the log to say so');
    await Promise.all([first, third, other, fourth].map(peer => peer?.close()));
  });
});

describe('a connection without a word', () => {
  test('is ended in order and without one; who says something, waits for changes or does not read, is not', async () => {
    const file = new TokenFile({name: 'web', role: 'write'}, {name: 'slow', role: 'read', options: 'rate=1'});
    const {port, events} = await startServer({tokenFile: file.path, limits: {idleMs: 1500, maxAnswerBytes: 4096}});
    const open = (name: string = 'web'): Promise<Peer> => Peer.open(port, file.tokenOf(name));
    const [silent, talking, feed, unread, waiting] = await Promise.all([open(), open(), open(), open(), open('slow')]);
    feed.send(encodeSubscribe(1n));
    unread.socket.pause();
    unread.socket.write(repeated(GET_METRICS, 200_000));
    waiting.socket.write(repeated(GET_METRICS, 1000));
    let operationId = 0n;
    while (!silent.isEnded) {
      expect(await talking.ask(create(++operationId))).toMatchObject([{resultCode: 'ok'}]);
      await pause(10);
    }
    expect(silent.takeAll()).toEqual([]);
    silent.end();
    await until(() => silent.isClosed, 'the connection to close');
    expect(await feed.take(Number(operationId))).toHaveLength(Number(operationId));
    expect([talking, feed, unread, waiting].filter(peer => peer.isEnded || peer.isClosed)).toEqual([]);
    expect(events.filter(event => event.event === 'connection_ended')).toEqual([]);
    unread.socket.resume();
    expect(await unread.take(200_000)).toHaveLength(200_000);
    await Promise.all([talking, feed, unread, waiting].map(peer => peer.close()));
  });

  test('that does not close its side either is closed for it', async () => {
    const {port} = await startServer({limits: {idleMs: 50, drainMs: 50}});
    const peer = await Peer.open(port);
    await until(() => peer.isEnded, 'the end');
    // Nothing is taken any more, and once the server has gone what is sent is reset.
    await until(() => {
      if (!peer.isClosed) peer.socket.write(repeated(getResource(1n), 1));
      return peer.isClosed;
    }, 'the connection to close');
    expect(peer.takeAll()).toEqual([]);
  });
});

test('60 that drip a hello and 15 that never read are dropped, and an honest client gets every answer meanwhile', async () => {
  const limits = {helloTimeoutMs: 3000, slowConsumerMs: 1500, maxAnswerBytes: 256 * 1024};
  const {server, port, events} = await startServer({limits});
  const honest = await Peer.open(port);
  const bad: Peer[] = [];
  const drips: Disposable[] = [];
  for (let i = 0; i < 60; i++) {
    const peer = await Peer.connect(port);
    drips.push(drip(peer, hello('t'.repeat(60_000)), 50));
    bad.push(peer);
  }
  for (let i = 0; i < 15; i++) {
    const peer = await Peer.open(port);
    peer.socket.pause();
    peer.socket.write(repeated(GET_METRICS, 100_000));
    bad.push(peer);
  }
  const ended = (reason: string): number => events.filter(event => event['reason'] === reason).length;
  let asked = 0n;
  do {
    const requests = Array.from({length: 100}, (_, i) => create(asked + BigInt(i + 1)));
    const answers = await honest.ask(...(asked < 9000n ? requests : requests.map(() => getResource(asked))));
    if (asked < 9000n) asked += 100n;
    expect(answers.every(answer => ['submit_committed', 'resource_found'].includes(answer.type))).toBe(true);
  } while (ended('slow_consumer') < 15 || ended('bad_magic') < 60);
  expect(server.engine.durableLsn).toBe(asked);
  for (const each of drips) each[Symbol.dispose]();
  await Promise.all([honest, ...bad].map(peer => peer.close()));
});

describe('with TLS', () => {
  const authority = new Authority('the authority of these tests');
  const trust = {ca: authority.cert, servername: 'localhost'};

  const tlsFiles = (): TlsFiles => tlsFilesOf(authority.issue({commonName: 'server', hosts: HERE}));

  test('answers that are never read end the connection, and others are served', async () => {
    const {port, events} = await startServer({tls: tlsFiles(), limits: {slowConsumerMs: 300, drainMs: 100}});
    const [greedy, modest] = await Promise.all([Peer.open(port, '', trust), Peer.open(port, '', trust)]);
    greedy.socket.pause();
    greedy.socket.write(repeated(GET_METRICS, 200_000));
    await until(() => events.some(event => event['reason'] === 'slow_consumer'), 'the slow consumer to be ended');
    expect(await modest.ask(create(1n))).toMatchObject([{appliedLsn: 1n}]);
    greedy.socket.resume();
    await until(() => greedy.isClosed || greedy.isEnded, 'the connection to end');
    await Promise.all([greedy.close(), modest.close()]);
  });

  test('one that reads slowly, a little all the time, gets all of them', async () => {
    const {port, events} = await startServer({
      tls: tlsFiles(),
      limits: {slowConsumerMs: 1000, maxAnswerBytes: 64 * 1024},
    });
    const peer = await Peer.open(port, '', trust);
    const count = 200_000;
    peer.socket.pause();
    peer.socket.write(repeated(GET_METRICS, count));
    const reading = setInterval(() => {
      peer.socket.resume();
      setImmediate(() => peer.socket.pause());
    }, 5);
    try {
      expect(await peer.take(count)).toHaveLength(count);
    } finally {
      clearInterval(reading);
    }
    expect(events.some(event => event.event === 'connection_ended')).toBe(false);
    await peer.close();
  });

  test('handshakes that never end shut nobody out either', async () => {
    const {port, events} = await startServer({
      tls: tlsFiles(),
      maxConnections: 20,
      limits: {helloTimeoutMs: 600_000},
    });
    const strangers = await Promise.all(Array.from({length: 200}, () => Peer.connect(port)));
    for (const each of strangers.slice(0, 30)) each.socket.write(Uint8Array.of(0x16, 3, 1));
    for (let i = 1n; i <= 5n; i++) {
      const honest = await Peer.open(port, '', trust);
      expect(await honest.ask(create(i))).toMatchObject([{resultCode: 'ok'}]);
      await honest.close();
    }
    expect(events).toContainEqual(expect.objectContaining({event: 'tls_handshake_failed', reason: 'gave way'}));
    await Promise.all(strangers.map(peer => peer.close()));
  });

  test('a connection without a word is ended, and one more than allowed is told so', async () => {
    const {port} = await startServer({tls: tlsFiles(), maxConnections: 2, limits: {idleMs: 1500}});
    const [silent, talking] = await Promise.all([Peer.open(port, '', trust), Peer.open(port, '', trust)]);
    const third = await Peer.connect(port, trust);
    expect((await third.error()).code).toBe(CONNECTION_ERROR.TOO_MANY_CONNECTIONS);
    while (!silent.isEnded) {
      expect(await talking.ask(GET_METRICS)).toMatchObject([{type: 'metrics'}]);
      await pause(10);
    }
    expect(silent.takeAll()).toEqual([]);
    expect(talking.isEnded).toBe(false);
    await Promise.all([silent, talking, third].map(peer => peer.close()));
  });
});

test('a rate that is used up is no way to make the server hold requests', async () => {
  const file = new TokenFile({name: 'slow', role: 'read', options: 'rate=1'}, {name: 'web', role: 'write'});
  const {port} = await startServer({tokenFile: file.path});
  const [slow, web] = await Promise.all(['slow', 'web'].map(name => Peer.open(port, file.tokenOf(name))));
  const before = process.memoryUsage.rss();
  let isSent = false;
  slow?.socket.write(repeated(GET_METRICS, 2_000_000), () => {
    isSent = true;
  });
  for (let round = 0; round < 20; round++) {
    expect(await web?.ask(create(BigInt(round + 1)))).toMatchObject([{resultCode: 'ok'}]);
    await pause(5);
  }
  expect(isSent).toBe(false);
  expect(process.memoryUsage.rss() - before).toBeLessThan(128 << 20);
  await Promise.all([slow?.close(), web?.close()]);
});
