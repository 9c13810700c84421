/** What happens when something fails: the same bytes again, in order, never twice at once. */
import {type ApiRequest, CONNECTION_ERROR} from '@allocdb/api';
import {describe, expect, test, vi} from 'vitest';
import {type Client, operationIdFrom, reservationId, resourceIdFrom} from '../src/index.ts';
import {errorOf, HALTED, OVERLOADED, pair, rejected, standingClock} from './pair.ts';
import {committed, type ServerConnection} from './scripted_server.ts';

const seat = resourceIdFrom('seat');
const operationId = operationIdFrom('order');
const create = (client: Client): Promise<{result: string}> => client.createResource({resource: seat, operationId});

describe('a lost connection', () => {
  test('calls in flight are sent again as they were, before calls made since, each once', async () => {
    await using it = await pair();
    const calls = [create(it.client), it.client.getResource(seat)];
    const sent = [await it.connection.requests.next(), await it.connection.requests.next()];
    it.connection.cut();
    const second = await Promise.race([it.server.connections.next(), ...calls]);
    calls.push(it.client.getLease(reservationId('7'.repeat(32))));
    if (!('requests' in second)) throw new Error('a call was settled');
    const again: ApiRequest[] = [];
    for (let i = 0; i < 3; i++) again.push(await second.requests.next());
    expect(again.slice(0, 2)).toEqual(sent);
    expect(again[2]?.type).toBe('get_lease');
    second.respond(committed(7n), {type: 'resource_not_found'}, {type: 'reservation_retired'});
    expect((await Promise.all(calls)).map(answer => answer.result)).toEqual([
      'created',
      'resource_not_found',
      'reservation_retired',
    ]);
    expect(second.requests.size).toBe(0);
    expect(it.client.status).toMatchObject({state: 'connected', reconnects: 1, lastError: {code: 'connection_lost'}});
  });

  test('what was sent goes again before what had to wait', async () => {
    await using it = await pair({maxInFlightBytes: 1});
    const calls = [create(it.client), it.client.getResource(seat)];
    await it.connection.requests.next();
    const order: string[] = [];
    it.server.answer = request => {
      order.push(request.type);
      return request.type === 'submit' ? committed(1n) : {type: 'resource_not_found'};
    };
    it.connection.cut();
    await Promise.all(calls);
    expect(order).toEqual(['submit', 'get_resource']);
  });

  test('a call after a long pause is given its time', async () => {
    using _clock = standingClock();
    await using it = await pair({responseTimeoutMs: 240});
    vi.advanceTimersByTime(300);
    const call = create(it.client);
    await it.connection.requests.next();
    vi.advanceTimersByTime(100);
    it.connection.respond(committed(1n));
    await call;
    expect(it.client.status.reconnects).toBe(0);
  });

  test('the server may be away for a while', async () => {
    await using it = await pair();
    await it.server.stop();
    const call = create(it.client);
    await expect.poll(() => it.client.status.lastError?.code).toBe('connect_failed');
    expect(it.client.status.state).toBe('connecting');
    it.server.answer = () => committed(1n);
    await it.server.listen();
    expect((await call).result).toBe('created');
  });

  test('without retries a sent call is in doubt and an unsent one waits', async () => {
    await using it = await pair({retry: false, maxInFlightBytes: 1});
    const sent = errorOf(create(it.client));
    const unsent = it.client.createResource({resource: seat});
    await it.connection.requests.next();
    it.server.answer = () => committed(2n);
    it.connection.cut();
    expect(await sent).toMatchObject({code: 'connection_lost', certainty: 'indefinite', operationId});
    expect((await unsent).result).toBe('created');
  });

  test('silence while answers are due counts as one', async () => {
    await using it = await pair({responseTimeoutMs: 40});
    const call = create(it.client);
    await it.connection.requests.next();
    it.server.answer = () => committed(1n);
    expect((await call).result).toBe('created');
    expect(it.client.status.lastError?.message).toContain('nothing arrived for');
  });

  test('slow answers are waited for as long as something arrives, and idleness is no silence', async () => {
    using _clock = standingClock();
    await using it = await pair({responseTimeoutMs: 250});
    for (const call of Array.from({length: 6}, () => it.client.getResource(seat))) {
      await it.connection.requests.next();
      vi.advanceTimersByTime(60);
      it.connection.respond({type: 'resource_not_found'});
      await call;
    }
    vi.advanceTimersByTime(400);
    expect(it.client.status.reconnects).toBe(0);
  });

  test.each([
    ['a malformed response', (connection: ServerConnection) => connection.send(Uint8Array.of(1, 2))],
    ['an empty frame', (connection: ServerConnection) => connection.socket.write(Buffer.alloc(4))],
    ['a malformed error frame', (connection: ServerConnection) => connection.send(Uint8Array.of(0xff))],
  ])('%s ends the connection, and the call is retried', async (_name, spoil) => {
    await using it = await pair();
    const calls = [create(it.client), it.client.getResource(seat)];
    await it.connection.requests.next();
    const malformed = it.server.connections.next();
    spoil(it.connection);
    const second = await malformed;
    expect([(await second.requests.next()).type, (await second.requests.next()).type]).toEqual([
      'submit',
      'get_resource',
    ]);
    second.respond(committed(1n), {type: 'resource_not_found'});
    await Promise.all(calls);
    expect(it.client.status.lastError?.code).toBe('protocol_error');
  });

  test('a response that nobody asked for', async () => {
    await using it = await pair();
    it.connection.respond({type: 'resource_not_found'});
    await it.server.connections.next();
    expect(it.client.status.lastError).toMatchObject({code: 'protocol_error'});
  });
});

describe('an error frame', () => {
  test.each(['MALFORMED_REQUEST', 'FORBIDDEN', 'BATCH_TOO_LARGE', 'FRAME_TOO_LARGE', 'EMPTY_FRAME'] as const)(
    '%s is about the first unanswered request, which was not executed; the others are retried',
    async name => {
      await using it = await pair();
      const calls = [it.client.getResource(seat), create(it.client), it.client.getResource(seat)];
      for (let i = 0; i < 3; i++) await it.connection.requests.next();
      it.server.answer = () => ({type: 'resource_not_found'});
      it.connection.respond({type: 'resource_not_found'});
      it.connection.refuse(CONNECTION_ERROR[name], 'not that');
      const failure = errorOf(calls[1] as Promise<unknown>);
      expect(await failure).toMatchObject({code: name.toLowerCase(), certainty: 'definite', message: 'not that'});
      expect(await calls[0]).toEqual(await calls[2]);
    },
  );

  test.each(['SHUTTING_DOWN', 'SLOW_CONSUMER', 'RATE_LIMITED', 'TOO_MANY_CONNECTIONS'] as const)(
    '%s is about the connection: everything is retried',
    async name => {
      await using it = await pair();
      const call = create(it.client);
      await it.connection.requests.next();
      it.server.answer = () => committed(4n);
      it.connection.refuse(CONNECTION_ERROR[name], 'later');
      expect((await call).result).toBe('created');
      expect(it.client.status.lastError).toMatchObject({code: name.toLowerCase(), message: 'later'});
    },
  );

  test('a code that is not known yet is a lost connection with its text', async () => {
    await using it = await pair({retry: false});
    const call = create(it.client);
    await it.connection.requests.next();
    it.connection.refuse(77, 'moon phase');
    expect(await errorOf(call)).toMatchObject({
      code: 'connection_lost',
      certainty: 'indefinite',
      message: 'moon phase',
    });
  });

  test('a refused handshake fails the calls at once, and the next call tries again', async () => {
    await using it = await pair();
    const call = create(it.client);
    await it.connection.requests.next();
    const {onHello} = it.server;
    it.server.onHello = connection => connection.refuse(CONNECTION_ERROR.UNAUTHORIZED, 'token revoked');
    it.connection.cut();
    expect(await errorOf(call)).toMatchObject({code: 'unauthorized', certainty: 'indefinite', operationId});
    expect(it.client.status).toMatchObject({state: 'disconnected', lastError: {code: 'unauthorized'}});
    expect(await errorOf(create(it.client))).toMatchObject({code: 'unauthorized', certainty: 'definite'});
    it.server.onHello = onHello;
    it.server.answer = () => committed(1n);
    expect((await create(it.client)).result).toBe('created');
  });
});

describe('a failure that may pass', () => {
  test.each([
    ['overloaded', OVERLOADED],
    ['storage_full', {code: 'storage_full'}],
    ['engine_halted', HALTED],
    ['storage_failure', {code: 'storage_failure'}],
  ] as const)('%s: the same request again until it is answered', async (_name, failure) => {
    await using it = await pair();
    const seen: ApiRequest[] = [];
    it.server.answer = request => {
      seen.push(request);
      return seen.length < 4 ? rejected(failure) : committed(6n);
    };
    expect(await create(it.client)).toMatchObject({result: 'created', operation: operationId, lsn: 6n});
    expect(seen).toHaveLength(4);
    expect(
      new Set(seen.map(request => JSON.stringify(request, (_, v) => (typeof v === 'bigint' ? `${v}` : v)))).size,
    ).toBe(1);
  });

  test('a halted read, and a batch with one member that failed, are retried whole', async () => {
    await using it = await pair();
    let attempts = 0;
    it.server.answer = request => {
      attempts++;
      if (request.type === 'get_resource') {
        return attempts < 3 ? {type: 'resource_engine_halted'} : {type: 'resource_not_found'};
      }
      const ok = {
        type: 'submit_committed',
        appliedLsn: 1n,
        resultCode: 'ok',
        reservationId: null,
        deadlineSlot: null,
        fromRetryCache: attempts > 1,
      } as const;
      return {type: 'batch_result', results: [ok, attempts < 3 ? {type: 'submit_rejected', failure: OVERLOADED} : ok]};
    };
    expect((await it.client.getResource(seat)).result).toBe('resource_not_found');
    attempts = 0;
    const command = {command: 'create_resource', resource: seat} as const;
    const answers = await it.client.batch([command, command]);
    expect(answers.map(answer => answer.result)).toEqual(['created', 'created']);
    expect(attempts).toBe(3);
  });

  test('what cannot pass is not retried', async () => {
    await using it = await pair();
    let attempts = 0;
    it.server.answer = () => {
      attempts++;
      return rejected({code: 'lsn_exhausted', lastAppliedLsn: 9n});
    };
    expect(await errorOf(create(it.client))).toMatchObject({code: 'lsn_exhausted', certainty: 'definite'});
    expect(attempts).toBe(1);
  });
});
