/** The raw connection: frames out and in, in order, without copies or retries, and an end that settles everything. */
import {
  type ApiRequest,
  CONNECTION_ERROR,
  decodeResponse,
  decodeResponseAt,
  encodeRequest,
  type FrameHandler,
  isAllocDbError,
} from '@allocdb/api';
import {expect, test} from 'vitest';
import {openRawConnection} from '../src/index.ts';
import {committed, ScriptedServer} from './scripted_server.ts';

const tick = (slot: bigint): Uint8Array => encodeRequest({type: 'tick_expirations', currentWallClockSlot: slot});

/** Answers a tick at slot n with lsn n. */
const echo = (request: ApiRequest) =>
  request.type === 'tick_expirations'
    ? ({type: 'tick_applied', processedCount: 0, lastAppliedLsn: request.currentWallClockSlot} as const)
    : committed(1n);

function submitOf(operation: number): Uint8Array {
  const payload = new Uint8Array(49);
  payload[0] = operation;
  payload[32] = 1;
  return encodeRequest({type: 'submit', requestSlot: 1n, payload});
}

test('responses reach their handlers in order: own, shared and none', async () => {
  await using server = await ScriptedServer.start();
  server.answer = echo;
  const seen: string[] = [];
  const handler =
    (name: string): FrameHandler =>
    (view, _bytes, offset, length) => {
      const response = decodeResponseAt(view, offset, length);
      seen.push(`${name} ${response.type === 'tick_applied' ? response.lastAppliedLsn : response.type}`);
    };
  await using raw = await openRawConnection(server.url, {onResponse: handler('default')});
  const own = handler('own');
  raw.send(tick(1n));
  raw.send(tick(2n), own);
  raw.send(tick(3n), own);
  raw.send(tick(4n));
  const answered = raw.request(tick(5n));
  expect(raw.unanswered).toBe(5);
  expect(raw.bufferedBytes).toBeGreaterThan(0);
  await raw.idle();
  expect(seen).toEqual(['default 1', 'own 2', 'own 3', 'default 4']);
  expect(decodeResponse(await answered)).toMatchObject({lastAppliedLsn: 5n});
  await raw.idle();
});

test('frames with prefixes go out as one piece, however large, and are counted', async () => {
  await using server = await ScriptedServer.start();
  server.answer = echo;
  let sum = 0n;
  await using raw = await openRawConnection(server.url, {
    onResponse: (view, _bytes, offset) => {
      sum += view.getBigUint64(offset + 6, true);
    },
  });
  const count = 20_000;
  const bytes = Buffer.alloc(13 * count);
  for (let i = 0; i < count; i++) {
    bytes.writeUInt32LE(9, 13 * i);
    bytes.set(tick(BigInt(i)), 13 * i + 4);
  }
  raw.sendPrefixed(bytes, count);
  for (let i = 0; i < count; i++) raw.send(tick(1n));
  expect(raw.unanswered).toBe(2 * count);
  await raw.idle();
  expect(sum).toBe(BigInt((count * (count - 1)) / 2 + count));
  expect(raw.unanswered).toBe(0);
});

test('what a server that does not read leaves waiting arrives unharmed', async () => {
  await using server = await ScriptedServer.start();
  server.answer = echo;
  await using raw = await openRawConnection(server.url);
  const connection = await server.connections.next();
  connection.socket.pause();
  const payload = new Uint8Array(30_000);
  let answered = 0;
  const slots: bigint[] = [];
  server.answer = request => {
    if (request.type === 'submit')
      slots.push(request.payload.every(byte => byte === Number(request.requestSlot) % 251) ? request.requestSlot : -1n);
    return committed(1n);
  };
  for (let i = 0; i < 300; i++) {
    payload.fill(i % 251);
    raw.send(encodeRequest({type: 'submit', requestSlot: BigInt(i), payload}), () => {
      answered++;
    });
    if (i % 10 === 0) await new Promise(resolve => setImmediate(resolve));
  }
  expect(raw.bufferedBytes).toBeGreaterThan(1_000_000);
  connection.socket.resume();
  await raw.idle();
  expect(answered).toBe(300);
  expect(slots).toEqual(Array.from({length: 300}, (_, i) => BigInt(i)));
});

test('the end rejects requests, says why, and how much was not answered', async () => {
  await using server = await ScriptedServer.start();
  await using raw = await openRawConnection(server.url);
  const connection = await server.connections.next();
  raw.send(tick(1n));
  const [first, read] = [raw.request(submitOf(7)), raw.request(tick(2n))];
  const batch = encodeRequest({
    type: 'submit_batch',
    requestSlot: 0n,
    payloads: [new Uint8Array(40).fill(1), new Uint8Array(3)],
  });
  const third = raw.request(batch);
  for (let i = 0; i < 4; i++) await connection.requests.next();
  connection.cut();
  const operation = `${'0'.repeat(30)}07`;
  await expect(first).rejects.toMatchObject({failure: {certainty: 'indefinite', operationId: operation}});
  await expect(read).rejects.toMatchObject({failure: {code: 'connection_lost', certainty: 'definite'}});
  await expect(third).rejects.toMatchObject({failure: {operationIds: ['01'.repeat(16)]}});
  expect(await raw.ended).toMatchObject({code: 'connection_lost', unanswered: 4});
  expect(() => raw.send(tick(1n))).toThrow('closed');
  await expect(raw.request(tick(1n))).rejects.toSatisfy(isAllocDbError);
  await raw.idle();
});

test('the request that the server refused was not executed', async () => {
  await using server = await ScriptedServer.start();
  await using raw = await openRawConnection(server.url);
  const connection = await server.connections.next();
  const [refused, after] = [raw.request(submitOf(7)), raw.request(submitOf(8))];
  await connection.requests.next();
  connection.refuse(CONNECTION_ERROR.MALFORMED_REQUEST, 'what is this');
  await expect(refused).rejects.toMatchObject({failure: {code: 'malformed_request', certainty: 'definite'}});
  await expect(after).rejects.toMatchObject({failure: {code: 'malformed_request', certainty: 'indefinite'}});
  expect(await raw.ended).toEqual({code: 'malformed_request', text: 'what is this', unanswered: 2});
});

test('a welcome and an error in one chunk: opened, then ended', async () => {
  await using server = await ScriptedServer.start();
  const {onHello} = server;
  server.onHello = connection => {
    connection.socket.cork();
    onHello(connection);
    connection.refuse(CONNECTION_ERROR.SHUTTING_DOWN, 'bye');
    connection.socket.uncork();
  };
  const raw = await openRawConnection(server.url);
  expect(await raw.ended).toMatchObject({code: 'shutting_down', text: 'bye'});
});

test('closing is idempotent and tells itself from a loss', async () => {
  await using server = await ScriptedServer.start();
  const raw = await openRawConnection(server.url);
  const request = raw.request(tick(1n));
  const outcome = expect(request).rejects.toMatchObject({code: 'closed'});
  await Promise.all([raw.close(), raw.close(), raw[Symbol.asyncDispose]()]);
  await outcome;
  expect(await raw.ended).toMatchObject({code: 'closed', unanswered: 1});
});

test('an empty frame is misuse', async () => {
  await using server = await ScriptedServer.start();
  await using raw = await openRawConnection(server.url);
  expect(() => raw.send(new Uint8Array(0))).toThrow(RangeError);
  await expect(raw.request(new Uint8Array(0))).rejects.toBeInstanceOf(RangeError);
});
