/** Connecting: the handshake completes or `connect` rejects, in time, with a code and the server's own words. */
import {createServer} from 'node:net';
import {CONNECTION_ERROR, encodeWelcome} from '@allocdb/api';
import {describe, expect, test} from 'vitest';
import {connect, isAllocDbError, openRawConnection, parseAddress} from '../src/index.ts';
import {ScriptedServer, WELCOME} from './scripted_server.ts';

const OPENERS = [
  ['connect', connect],
  ['openRawConnection', openRawConnection],
] as const;

async function failureOf(
  promise: Promise<unknown>,
): Promise<{code: string; certainty: string; message: string; cause: unknown}> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isAllocDbError(error)) throw error ?? new Error('it did not fail');
  return {code: error.code, certainty: error.failure.certainty, message: error.message, cause: error.cause};
}

describe.each(OPENERS)('%s', (_name, open) => {
  test('shows the token and learns what the server is', async () => {
    await using server = await ScriptedServer.start();
    await using opened = await open(server.url, {token: 'sécret'});
    const connection = await server.connections.next();
    expect(connection.hello?.version).toBe(1);
    expect(Buffer.from(connection.hello?.token ?? []).toString()).toBe('sécret');
    expect('welcome' in opened ? opened.welcome : opened.status.server).toEqual(WELCOME);
  });

  test.each(Object.entries(CONNECTION_ERROR))(
    'a server that refuses with %s is told so, in its words',
    async (name, code) => {
      await using server = await ScriptedServer.start();
      server.onHello = connection => connection.refuse(code, `because of ${name}`);
      const failure = await failureOf(open(server.url));
      expect(failure).toMatchObject({code: name.toLowerCase(), certainty: 'definite'});
      expect(failure.message).toContain(`because of ${name}`);
      expect(failure.message).toContain(server.url);
    },
  );

  test('nobody listening', async () => {
    const server = await ScriptedServer.start();
    await server.stop();
    const failure = await failureOf(open(server.url));
    expect(failure).toMatchObject({code: 'connect_failed', certainty: 'definite', cause: {code: 'ECONNREFUSED'}});
  });

  test('a server that accepts and says nothing, in a handshake of TLS too', async () => {
    await using server = await ScriptedServer.start();
    server.onHello = () => {};
    const {port} = new URL(server.url);
    expect(await failureOf(open(`allocdbs://127.0.0.1:${port}`, {handshakeTimeoutMs: 40}))).toMatchObject({
      code: 'connect_timed_out',
    });
    expect(await failureOf(open(server.url, {handshakeTimeoutMs: 40}))).toMatchObject({code: 'connect_timed_out'});
  });

  test('a server that closes instead of welcoming', async () => {
    await using server = await ScriptedServer.start();
    server.onHello = connection => connection.socket.end();
    expect(await failureOf(open(server.url))).toMatchObject({code: 'connect_failed'});
    server.onHello = connection => connection.cut();
    expect(await failureOf(open(server.url))).toMatchObject({code: 'connect_failed'});
  });

  test('a welcome of another version, and one that is none', async () => {
    await using server = await ScriptedServer.start();
    server.welcome = {...WELCOME, version: 2};
    expect(await failureOf(open(server.url))).toMatchObject({code: 'unsupported_version'});
    server.onHello = connection => connection.send(Uint8Array.of(1, 2, 3));
    expect(await failureOf(open(server.url))).toMatchObject({code: 'protocol_error'});
    server.onHello = connection => connection.send(encodeWelcome(WELCOME).subarray(0, 9));
    expect(await failureOf(open(server.url))).toMatchObject({code: 'protocol_error'});
    server.onHello = connection => connection.socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(await failureOf(open(server.url))).toMatchObject({code: 'protocol_error'});
  });

  test('the signal ends it, before and while connecting', async () => {
    await using server = await ScriptedServer.start();
    server.onHello = () => {};
    const reason = new Error('changed my mind');
    expect(await failureOf(open(server.url, {signal: AbortSignal.abort(reason)}))).toMatchObject({
      code: 'aborted',
      cause: reason,
    });
    const controller = new AbortController();
    const opening = failureOf(open(server.url, {signal: controller.signal}));
    await server.connections.next();
    controller.abort(reason);
    expect(await opening).toMatchObject({code: 'aborted', cause: reason});
  });

  test('the signal means nothing any more once connected', async () => {
    await using server = await ScriptedServer.start();
    const controller = new AbortController();
    await using opened = await open(server.url, {signal: controller.signal});
    controller.abort();
    expect('welcome' in opened ? opened.unanswered : opened.status.state).toBe('welcome' in opened ? 0 : 'connected');
  });

  test('misuse rejects and opens nothing', async () => {
    const loose = open as (url: unknown, options?: unknown) => Promise<unknown>;
    const wrong: [unknown, unknown, unknown][] = [
      [5, {}, TypeError],
      ['http://127.0.0.1:1', {}, TypeError],
      ['allocdb://127.0.0.1:1', {token: 5}, TypeError],
      ['allocdb://127.0.0.1:1', {token: 'x'.repeat(65_536)}, RangeError],
      ['allocdb://127.0.0.1:1', {handshakeTimeoutMs: 0}, RangeError],
      ['allocdb://127.0.0.1:1', {handshakeTimeoutMs: '5'}, TypeError],
      ['allocdb://127.0.0.1:1', {maxResponseBytes: 1.5}, RangeError],
      ['allocdb://127.0.0.1:1', {signal: 5}, TypeError],
      ['allocdb://127.0.0.1:1', {tls: {}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: true}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: null}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {ca: 5}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {ca: 'no certificate'}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {cert: 'x'}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {key: 'x'}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {cert: 'x', key: 'x'}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {servername: ''}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {servername: '127.0.0.1'}}, TypeError],
      ['allocdbs://127.0.0.1:1', {tls: {servername: 5}}, TypeError],
    ];
    for (const [url, options, type] of wrong) await expect(loose(url, options)).rejects.toBeInstanceOf(type);
  });
});

test('misuse of the options of a client', async () => {
  const loose = connect as (url: string, options: unknown) => Promise<unknown>;
  const url = 'allocdb://127.0.0.1:1';
  const wrong: [unknown, unknown][] = [
    [{clientId: 'me'}, RangeError],
    [{retry: true}, TypeError],
    [{retry: {budgetMs: -1}}, RangeError],
    [{retry: {initialBackoffMs: 10, maxBackoffMs: 5}}, RangeError],
    [{responseTimeoutMs: 0}, RangeError],
    [{maxInFlightBytes: 0}, RangeError],
  ];
  for (const [options, type] of wrong) await expect(loose(url, options)).rejects.toBeInstanceOf(type);
});

test('a failed attempt leaves no socket behind', async () => {
  let closed = 0;
  const silent = createServer(socket => {
    socket.on('error', () => {});
    socket.on('close', () => closed++);
    socket.resume();
  });
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await failureOf(connect(`allocdb://127.0.0.1:${address.port}`, {handshakeTimeoutMs: 20}));
  await expect.poll(() => closed).toBe(1);
  silent.close();
});

test.each([
  ['allocdb://db.example', {host: 'db.example', port: 7433, tls: false}],
  ['allocdb://127.0.0.1:9', {host: '127.0.0.1', port: 9, tls: false}],
  ['allocdb://[::1]:9/', {host: '::1', port: 9, tls: false}],
  ['allocdbs://db.example', {host: 'db.example', port: 7433, tls: true}],
  ['allocdbs://127.0.0.1:9', {host: '127.0.0.1', port: 9, tls: true}],
  ['allocdbs://[::1]:9/', {host: '::1', port: 9, tls: true}],
  ['ALLOCDBS://db.example', {host: 'db.example', port: 7433, tls: true}],
])('the address %s', (text, expected) => {
  expect(parseAddress(text)).toEqual(expected);
});

test.each([
  '',
  'db.example',
  'allocdb:',
  'allocdbs:',
  'allocdbss://h',
  'tls://h',
  'https://h',
  'allocdbs://',
  'allocdbs://h:0',
  'allocdbs://t@h',
  'allocdbs://h/x',
  'allocdb://',
  'allocdb://h:0',
  'allocdb://h:70000',
  'allocdb://t@h',
  'allocdb://h/x',
  'allocdb://h?a=1',
])('no address: %s', text => {
  expect(() => parseAddress(text)).toThrow(TypeError);
});
