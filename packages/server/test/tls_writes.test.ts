/**
 * A large write to a TLS peer: seen from the socket it gets shorter as the peer reads, it arrives whole and in order, and it
 * is over once, also when the peer vanishes.
 */
import {once} from 'node:events';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import {connect, createServer as createTlsServer, type TLSSocket} from 'node:tls';
import {afterEach, expect, test} from 'vitest';
import {writeSliced, writeTo} from '../src/net/sliced_writes.ts';
import {Authority, HERE} from './certificates.ts';
import {pause, until} from './command.ts';

const authority = new Authority('the authority of these tests');
const opened: Set<Socket> = new Set();

afterEach(() => {
  for (const socket of opened) socket.destroy();
  opened.clear();
});

/** Both ends of a TLS connection; nothing is read at the far end until the test does. */
async function pair(): Promise<{near: TLSSocket; far: TLSSocket}> {
  const secure = createTlsServer(authority.issue({commonName: 'server', hosts: HERE}));
  const listener = createServer(socket => secure.emit('connection', socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const {port} = listener.address() as AddressInfo;
  const far = connect({port, host: '127.0.0.1', ca: authority.cert});
  const [[near]] = (await Promise.all([once(secure, 'secureConnection'), once(far, 'secureConnect')])) as [
    [TLSSocket],
    unknown,
  ];
  listener.close();
  for (const socket of [near, far]) {
    socket.on('error', () => undefined);
    opened.add(socket);
  }
  writeSliced(near);
  return {near, far};
}

/** Every byte says where it stands. */
function numbered(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i % 251) ^ (i >> 16);
  return bytes;
}

test('gets shorter while the peer reads, and arrives whole', async () => {
  const {near, far} = await pair();
  const bytes = numbered(40_000_000);
  let done = 0;
  writeTo(near, bytes, () => done++);
  writeTo(near, Uint8Array.of(1, 2, 3), () => done++);
  const total = bytes.length + 3;
  expect(near.writableLength).toBe(total);
  const chunks: Uint8Array[] = [];
  let received = 0;
  for (const part of [0.25, 0.5, 0.75]) {
    while (received < total * part) {
      const chunk = far.read() as Uint8Array | null;
      if (chunk === null) await pause(1);
      else chunks.push(chunk);
      received += chunk?.length ?? 0;
    }
    // What has arrived has left, but for the slices that are under way.
    await until(() => near.writableLength <= total - received + 3 * 65_536, 'what has arrived to have left');
  }
  expect(done).toBe(0);
  far.on('data', chunk => {
    chunks.push(chunk);
    received += chunk.length;
  });
  await until(() => received === total && done === 2, 'everything to arrive');
  expect(Buffer.compare(Buffer.concat(chunks), Buffer.concat([bytes, Uint8Array.of(1, 2, 3)]))).toBe(0);
  expect(near.writableLength).toBe(0);
});

test('is over when the peer vanishes', async () => {
  const {near, far} = await pair();
  let done = 0;
  writeTo(near, numbered(40_000_000), () => done++);
  writeTo(near, numbered(10), () => done++);
  far.destroy();
  await until(() => done === 2, 'both writes to be over');
  await until(() => near.destroyed, 'the socket to be gone');
  expect(done).toBe(2);
});

test('that fits into a slice is one write', async () => {
  const {near, far} = await pair();
  far.resume();
  let done = 0;
  for (const length of [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073]) writeTo(near, numbered(length), () => done++);
  await until(() => done === 7, 'all to be written');
});
