/**
 * A feed and a server that says what the test says: over which connections it is carried, which ends it survives and
 * which it tells, and that nothing a server can send does more harm than ending the feed. The feed of a real server, and
 * the embedded one, are in the server's feed_conformance.test.ts.
 */
import {CONNECTION_ERROR, encodeFeedEnd, encodeResponse, encodeWelcome, FEED_END} from '@allocdb/api';
import {describe, expect, test, vi} from 'vitest';
import {change, changes, take} from './changes.ts';
import {errorOf, pair, QUICK, standingClock} from './pair.ts';
import {type ScriptedServer, type ServerConnection, WELCOME} from './scripted_server.ts';

const U64_MAX = 2n ** 64n - 1n;

/** The next connection that subscribes, and from where. */
async function subscribed(server: ScriptedServer): Promise<{connection: ServerConnection; from: bigint}> {
  const connection = await server.connections.next();
  return {connection, from: await connection.subscriptions.next()};
}

describe('over which connections', () => {
  test('one of its own, which asks once and is let go when the loop is left', async () => {
    await using it = await pair();
    const feed = it.client.changes({from: 7n});
    const first = take(feed, 2);
    const {connection, from} = await subscribed(it.server);
    expect(from).toBe(7n);
    connection.send(...changes(7n, 9n));
    expect(await first).toEqual([7n, 8n]);
    await feed.return();
    await connection.closed;
    expect(it.server.accepted).toBe(2);
    expect(it.client.status).toMatchObject({state: 'connected', reconnects: 0});
  });

  test('nothing is connected before the first change is wanted', async () => {
    await using it = await pair();
    const feed = it.client.changes();
    await feed.return();
    expect(it.server.accepted).toBe(1);
  });

  test('frames may arrive in any pieces', async () => {
    await using it = await pair();
    const all = take(it.client.changes({from: 1n}), 5);
    const {connection} = await subscribed(it.server);
    const bytes = Buffer.concat(
      changes(1n, 5n).flatMap(frame => {
        const prefix = Buffer.alloc(4);
        prefix.writeUInt32LE(frame.length);
        return [prefix, frame];
      }),
    );
    for (const byte of bytes) {
      connection.socket.write(Uint8Array.of(byte));
      if (byte % 5 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    expect(await all).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  test('lost ones are replaced behind the last change that arrived', async () => {
    await using it = await pair({retry: QUICK});
    const all = take(it.client.changes({from: 3n}), 40);
    let next = 3n;
    for (let round = 0; round < 10; round++) {
      const {connection, from} = await subscribed(it.server);
      expect(from).toBe(next);
      connection.send(...changes(next, next + 3n));
      next += 4n;
      // The last one ends in the middle of a frame.
      connection.socket.end(Buffer.concat([Uint8Array.of(90, 0, 0, 0), change(next).subarray(0, 30)]));
    }
    expect(await all).toEqual(Array.from({length: 40}, (_, i) => BigInt(i) + 3n));
  });

  test('without a beginning it is where the first welcome was, also when that connection brought nothing', async () => {
    await using it = await pair({retry: QUICK});
    const all = take(it.client.changes(), 3);
    const {connection, from} = await subscribed(it.server);
    expect(from).toBe(6n);
    it.server.welcome = {...WELCOME, lastDurableLsn: 9n};
    connection.cut();
    const second = await subscribed(it.server);
    expect(second.from).toBe(6n);
    second.connection.send(...changes(6n, 8n));
    expect(await all).toEqual([6n, 7n, 8n]);
  });

  test('an empty database begins at 1', async () => {
    await using it = await pair();
    it.server.welcome = {...WELCOME, lastDurableLsn: null};
    const all = take(it.client.changes(), 1);
    const {connection, from} = await subscribed(it.server);
    expect(from).toBe(1n);
    connection.send(change(1n));
    expect(await all).toEqual([1n]);
  });

  test('behind the last lsn nothing comes: the feed ends', async () => {
    await using it = await pair({retry: QUICK});
    const feed = it.client.changes({from: U64_MAX});
    const first = feed.next();
    const {connection} = await subscribed(it.server);
    connection.send(change(U64_MAX));
    expect((await first).value?.lsn).toBe(U64_MAX);
    const end = feed.next();
    connection.cut();
    expect(await end).toEqual({value: undefined, done: true});
    it.server.welcome = {...WELCOME, lastDurableLsn: U64_MAX};
    expect(await it.client.changes().next()).toEqual({value: undefined, done: true});
  });
});

describe('ends that pass', () => {
  test.each(['SHUTTING_DOWN', 'SLOW_CONSUMER', 'RATE_LIMITED', 'TOO_MANY_CONNECTIONS'] as const)('%s', async name => {
    await using it = await pair({retry: QUICK});
    const all = take(it.client.changes({from: 1n}), 4);
    const {connection} = await subscribed(it.server);
    connection.send(...changes(1n, 2n));
    connection.refuse(CONNECTION_ERROR[name], 'later');
    const second = await subscribed(it.server);
    expect(second.from).toBe(3n);
    second.connection.send(...changes(3n, 4n));
    expect(await all).toEqual([1n, 2n, 3n, 4n]);
  });

  test.each([
    ['a halted engine', FEED_END.ENGINE_HALTED],
    ['an end that is not known yet', 999],
  ])('%s', async (_, code) => {
    await using it = await pair({retry: QUICK});
    const all = take(it.client.changes({from: 1n}), 2);
    const {connection} = await subscribed(it.server);
    connection.send(change(1n), encodeFeedEnd({code, oldestLsn: 1n}));
    const second = await subscribed(it.server);
    expect(second.from).toBe(2n);
    second.connection.send(change(2n));
    expect(await all).toEqual([1n, 2n]);
  });

  test('the last change counts, also when the consumer has not taken it yet', async () => {
    await using it = await pair({retry: QUICK});
    const feed = it.client.changes({from: 1n});
    const first = take(feed, 1);
    const {connection} = await subscribed(it.server);
    connection.send(change(1n));
    expect(await first).toEqual([1n]);
    // They arrive, and the connection ends, while nobody asks.
    connection.send(...changes(2n, 5n));
    connection.socket.end();
    await connection.closed;
    const rest = take(feed, 5);
    const second = await subscribed(it.server);
    expect(second.from).toBe(6n);
    second.connection.send(change(6n));
    expect(await rest).toEqual([2n, 3n, 4n, 5n, 6n]);
  });

  test('a quiet feed has its whole budget after each loss, however long ago the one before was', async () => {
    using _clock = standingClock();
    await using it = await pair({retry: {...QUICK, budgetMs: 1_000}});
    const all = take(it.client.changes({from: 1n}), 1);
    for (let loss = 0; loss < 4; loss++) {
      const {connection} = await subscribed(it.server);
      vi.advanceTimersByTime(60_000);
      connection.cut();
      await connection.closed;
      await pauseOver(it.server);
    }
    const {connection} = await subscribed(it.server);
    connection.send(change(1n));
    expect(await all).toEqual([1n]);
  });
});

/** Lets the clock go on until the feed has connected again. */
async function pauseOver(server: ScriptedServer): Promise<void> {
  const before = server.accepted;
  while (server.accepted === before) {
    vi.advanceTimersByTime(1);
    await new Promise(resolve => setImmediate(resolve));
  }
}

describe('ends that are told', () => {
  test.each([
    ['lsn_not_retained', FEED_END.NOT_RETAINED, {oldestLsn: 77n}],
    ['lsn_ahead', FEED_END.LSN_AHEAD, {oldestLsn: 77n}],
    ['log_damaged', FEED_END.LOG_DAMAGED, {}],
  ] as const)('%s, behind the changes before it, and the connection is let go', async (code, end, more) => {
    await using it = await pair({retry: QUICK});
    const feed = it.client.changes({from: 1n});
    const first = take(feed, 2);
    const {connection} = await subscribed(it.server);
    connection.send(...changes(1n, 2n), encodeFeedEnd({code: end, oldestLsn: 77n}));
    expect(await first).toEqual([1n, 2n]);
    expect(await errorOf(feed.next())).toEqual({
      ...{code, certainty: 'definite', ...more},
      ...{message: expect.any(String), cause: undefined},
    });
    await connection.closed;
    expect(await feed.next()).toEqual({value: undefined, done: true});
    expect(it.server.accepted).toBe(2);
  });

  test.each(['UNAUTHORIZED', 'FORBIDDEN', 'UNSUPPORTED_VERSION', 'MALFORMED_REQUEST'] as const)('%s', async name => {
    await using it = await pair({retry: QUICK});
    const feed = it.client.changes({from: 1n});
    const first = errorOf(feed.next());
    const {connection} = await subscribed(it.server);
    connection.refuse(CONNECTION_ERROR[name], 'not you');
    expect(await first).toMatchObject({code: name.toLowerCase(), certainty: 'definite', message: 'not you'});
  });

  test('without retries every loss, by its name', async () => {
    for (const [end, code] of [
      [(connection: ServerConnection) => connection.cut(), 'connection_lost'],
      [(connection: ServerConnection) => connection.refuse(CONNECTION_ERROR.SHUTTING_DOWN, 'bye'), 'shutting_down'],
      [
        (connection: ServerConnection) => connection.send(encodeFeedEnd({code: FEED_END.ENGINE_HALTED, oldestLsn: 1n})),
        'engine_halted',
      ],
    ] as const) {
      await using it = await pair({retry: false});
      const failure = errorOf(it.client.changes({from: 1n}).next());
      end((await subscribed(it.server)).connection);
      expect(await failure).toMatchObject({code, certainty: 'definite'});
    }
  });

  test('a server that stays away, once the budget is used up and not before', async () => {
    using _clock = standingClock();
    await using it = await pair({retry: {initialBackoffMs: 50, maxBackoffMs: 50, budgetMs: 1_000}});
    const failure = errorOf(it.client.changes({from: 1n}).next());
    await subscribed(it.server);
    let isOver = false;
    void failure.then(() => {
      isOver = true;
    });
    await it.server.stop();
    const began = performance.now();
    while (!isOver) {
      vi.advanceTimersByTime(1);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(await failure).toMatchObject({code: 'connect_failed', certainty: 'definite'});
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  test('an engine that stays halted, by its own name', async () => {
    await using it = await pair({retry: {...QUICK, budgetMs: 100}});
    it.server.onHello = connection =>
      connection.send(encodeWelcome(WELCOME), encodeFeedEnd({code: FEED_END.ENGINE_HALTED, oldestLsn: 1n}));
    expect(await errorOf(it.client.changes({from: 1n}).next())).toMatchObject({code: 'engine_halted'});
  });
});

describe('what no server says is a protocol error, harms nobody else and is not tried again', () => {
  const gap = [change(1n), change(3n)];
  test.each([
    ['a change that is cut', [change(1n).subarray(0, 60)]],
    ['one of a few bytes', [change(1n).subarray(0, 5)]],
    ['one that is no command', [change(1n).with(20 + 1 + 32, 99)]],
    ['another lsn than was asked for', [change(2n)]],
    ['a gap', gap],
    ['a change twice', [change(1n), change(1n)]],
    ['an end that is cut', [encodeFeedEnd({code: 1, oldestLsn: 1n}).subarray(0, 3)]],
    ['an end with more behind it', [Uint8Array.of(...encodeFeedEnd({code: 1, oldestLsn: 1n}), 0)]],
    ['a response', [encodeResponse({type: 'resource_not_found'})]],
    ['a second welcome', [encodeWelcome(WELCOME)]],
    ['a frame of no kind', [Uint8Array.of(0xe7, 1, 2)]],
  ])('%s', async (_, frames) => {
    await using it = await pair({retry: QUICK});
    const feed = it.client.changes({from: 1n});
    const seen: bigint[] = [];
    const failure = errorOf(
      (async () => {
        for await (const {lsn} of feed) seen.push(lsn);
      })(),
    );
    const {connection} = await subscribed(it.server);
    connection.send(...frames);
    expect(await failure).toMatchObject({code: 'protocol_error', certainty: 'definite'});
    expect(seen).toEqual(frames.length === 2 ? [1n] : []);
    await connection.closed;
    expect(it.server.accepted).toBe(2);
    expect(it.client.status).toMatchObject({state: 'connected', reconnects: 0});
  });
});
