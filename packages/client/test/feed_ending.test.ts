/**
 * The end of a feed as its consumer wants it: by signal and by closing the client, in every state that a feed can be in;
 * and a consumer that takes its time, which costs a bounded amount of memory and nothing else.
 */
import {once} from 'node:events';
import type {AddressInfo} from 'node:net';
import {connect, createServer} from 'node:net';
import {describe, expect, test} from 'vitest';
import {change, take} from './changes.ts';
import {type Pair, pair, QUICK} from './pair.ts';
import type {ServerConnection} from './scripted_server.ts';

const reason = new Error('enough');
/** A pause between attempts that outlasts every test. */
const SLOW = {initialBackoffMs: 1_000_000, maxBackoffMs: 1_000_000, budgetMs: 2_000_000};

interface Waiting {
  /** The step of the iteration that waits. */
  next: Promise<unknown>;
  /** The connection that should be let go, where there is one. */
  connection: ServerConnection | null;
}

/** Brings a feed into a state in which it waits. */
type Wait = (it: Pair, signal: AbortSignal) => Promise<Waiting>;

const STATES: Record<string, Wait> = {
  'for a change': async (it, signal) => {
    const next = it.client.changes({from: 1n, signal}).next();
    const connection = await it.server.connections.next();
    await connection.subscriptions.next();
    return {next, connection};
  },
  'for the next change': async (it, signal) => {
    const feed = it.client.changes({from: 1n, signal});
    const first = take(feed, 1);
    const connection = await it.server.connections.next();
    await connection.subscriptions.next();
    connection.send(change(1n));
    await first;
    return {next: feed.next(), connection};
  },
  'for a welcome': async (it, signal) => {
    const said = new Promise<ServerConnection>(resolve => {
      it.server.onHello = resolve;
    });
    const next = it.client.changes({from: 1n, signal}).next();
    return {next, connection: await said};
  },
  'to connect again': async (it, signal) => {
    const next = it.client.changes({from: 1n, signal}).next();
    const connection = await it.server.connections.next();
    await connection.subscriptions.next();
    connection.cut();
    await connection.closed;
    // The feed hears of it in the turns to come.
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
    return {next, connection: null};
  },
};

describe.each(Object.keys(STATES))('a feed that waits %s', state => {
  const wait = STATES[state] as Wait;

  test('throws the reason of its signal', async () => {
    await using it = await pair({retry: SLOW});
    const controller = new AbortController();
    const {next, connection} = await wait(it, controller.signal);
    controller.abort(reason);
    await expect(next).rejects.toBe(reason);
    await connection?.closed;
    expect(it.client.status.state).toBe('connected');
  });

  test('ends when the client is closed', async () => {
    await using it = await pair({retry: SLOW});
    const {next, connection} = await wait(it, new AbortController().signal);
    await it.client.close();
    expect(await next).toEqual({value: undefined, done: true});
    await connection?.closed;
  });
});

test('a signal that fires while nobody asks is thrown at the next step, and the connection is let go before', async () => {
  await using it = await pair({retry: QUICK});
  const controller = new AbortController();
  const feed = it.client.changes({from: 1n, signal: controller.signal});
  const first = take(feed, 1);
  const connection = await it.server.connections.next();
  connection.send(change(1n), change(2n));
  expect(await first).toEqual([1n]);
  controller.abort(reason);
  await connection.closed;
  await expect(feed.next()).rejects.toBe(reason);
});

test('a feed of a client that was closed', async () => {
  const it = await pair();
  const before = it.client.changes({from: 1n});
  await it.client.close();
  await expect(before.next()).rejects.toMatchObject({code: 'closed'});
  await expect(it.client.changes().next()).rejects.toMatchObject({code: 'closed'});
  await it[Symbol.asyncDispose]();
});

test('with a signal no budget applies', async () => {
  await using it = await pair({retry: {...QUICK, budgetMs: 1}});
  const controller = new AbortController();
  const next = it.client.changes({from: 1n, signal: controller.signal}).next();
  const failure = next.catch((thrown: unknown) => thrown);
  it.server.onHello = connection => connection.cut();
  (await it.server.connections.next()).cut();
  await expect.poll(() => it.server.accepted).toBeGreaterThan(12);
  controller.abort(reason);
  expect(await failure).toBe(reason);
});

test('listeners of a signal go with the feed', async () => {
  await using it = await pair();
  let listeners = 0;
  const signal = {
    aborted: false,
    reason,
    addEventListener: () => void listeners++,
    removeEventListener: () => void listeners--,
  };
  const feed = it.client.changes({from: 1n, signal});
  const first = take(feed, 1);
  (await it.server.connections.next()).send(change(1n));
  await first;
  expect(listeners).toBe(1);
  await feed.return();
  expect(listeners).toBe(0);
});

test('a consumer that takes its time stops the reading, and later misses nothing', async () => {
  await using it = await pair();
  const feed = it.client.changes({from: 1n});
  const first = take(feed, 1);
  const connection = await it.server.connections.next();
  await connection.subscriptions.next();
  const total = 1_600;
  let sent = 0;
  const sending = (async () => {
    // 64 KiB each: 100 MB in all, as fast as they are taken.
    for (let lsn = 1n; lsn <= total; lsn++) {
      const frame = change(lsn, 4_000);
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32LE(frame.length);
      connection.socket.write(prefix);
      const isTaken = connection.socket.write(frame);
      sent++;
      if (!isTaken) await once(connection.socket, 'drain');
    }
  })();
  expect(await first).toEqual([1n]);
  // What the two systems buffer in between is not ours to say; it comes to a stand.
  const most = await standOf(() => sent);
  expect(most).toBeLessThan(total / 2);
  const held = process.memoryUsage().arrayBuffers;
  expect(held).toBeLessThan(64e6);
  expect(await take(feed, total - 1)).toEqual(Array.from({length: total - 1}, (_, i) => BigInt(i) + 2n));
  await sending;
  await feed.return();
}, 180_000);

/** Where a number comes to a stand: the same over many turns in which everybody had something to do. */
async function standOf(read: () => number): Promise<number> {
  const echo = createServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const socket = connect((echo.address() as AddressInfo).port, '127.0.0.1');
  let last = -1;
  for (let same = 0; same < 200; ) {
    socket.write('?');
    await once(socket, 'data');
    same = read() === last ? same + 1 : 0;
    last = read();
  }
  socket.destroy();
  echo.close();
  return last;
}
