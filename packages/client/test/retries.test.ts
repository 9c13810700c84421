/** What happens when something fails: the same bytes again, in order, never twice at once, and an honest end. */
import {type ApiRequest, type ApiResponse, CONNECTION_ERROR, type SubmissionFailure} from '@allocdb/api';
import {describe, expect, test} from 'vitest';
import {
  type Client,
  type ConnectOptions,
  connect,
  isAllocDbError,
  operationIdFrom,
  resourceIdFrom,
} from '../src/index.ts';
import {committed, ScriptedServer, type ServerConnection} from './scripted_server.ts';

const seat = resourceIdFrom('seat');
const operationId = operationIdFrom('order');
const QUICK = {initialBackoffMs: 2, maxBackoffMs: 5, budgetMs: 10_000};
/** One attempt, then a pause that outlasts the budget: what the first one met is what is told. */
const ONCE = {initialBackoffMs: 10_000, maxBackoffMs: 10_000, budgetMs: 40};
const HALTED: SubmissionFailure = {code: 'engine_halted'};
const OVERLOADED: SubmissionFailure = {code: 'overloaded', queueDepth: 1, queueCapacity: 1};

interface Pair extends AsyncDisposable {
  server: ScriptedServer;
  client: Client;
  connection: ServerConnection;
}

async function pair(options: ConnectOptions = {}): Promise<Pair> {
  const server = await ScriptedServer.start();
  const client = await connect(server.url, {retry: QUICK, ...options});
  const connection = await server.connections.next();
  const dispose = async (): Promise<void> => {
    await client.close();
    await server[Symbol.asyncDispose]();
  };
  return {server, client, connection, [Symbol.asyncDispose]: dispose};
}

async function errorOf(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isAllocDbError(error)) throw error ?? new Error('it did not fail');
  return {...error.failure, message: error.message, cause: error.cause};
}

const rejected = (failure: SubmissionFailure): ApiResponse => ({type: 'submit_rejected', failure});
const create = (client: Client): Promise<{result: string}> => client.createResource({resource: seat, operationId});

describe('a lost connection', () => {
  test('calls in flight are sent again as they were, before calls made since, each once', async () => {
    await using it = await pair();
    const calls = [create(it.client), it.client.getResource(seat)];
    const sent = [await it.connection.requests.next(), await it.connection.requests.next()];
    it.connection.cut();
    const second = await Promise.race([it.server.connections.next(), ...calls]);
    calls.push(it.client.metrics().then(() => ({result: 'metrics'})));
    if (!('requests' in second)) throw new Error('a call was settled');
    const again: ApiRequest[] = [];
    for (let i = 0; i < 3; i++) again.push(await second.requests.next());
    expect(again.slice(0, 2)).toEqual(sent);
    expect(again[2]?.type).toBe('get_metrics');
    second.respond(committed(7n), {type: 'resource_not_found'}, {type: 'metrics', ...METRICS});
    expect((await Promise.all(calls)).map(answer => answer.result)).toEqual([
      'created',
      'resource_not_found',
      'metrics',
    ]);
    expect(second.requests.size).toBe(0);
    expect(it.client.status).toMatchObject({state: 'connected', reconnects: 1, lastError: {code: 'connection_lost'}});
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
    const second = await it.server.connections.next();
    await second.requests.next();
    second.respond(committed(1n));
    expect((await call).result).toBe('created');
    expect(it.client.status.lastError?.message).toContain('nothing arrived for');
  });

  test('slow answers are waited for as long as something arrives, and idleness is no silence', async () => {
    await using it = await pair({responseTimeoutMs: 60});
    const calls = Array.from({length: 4}, () => it.client.getResource(seat));
    for (let i = 0; i < 4; i++) {
      await new Promise(resolve => setTimeout(resolve, 30));
      it.connection.respond({type: 'resource_not_found'});
    }
    await Promise.all(calls);
    await new Promise(resolve => setTimeout(resolve, 120));
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

describe('the end of trying', () => {
  test('the budget: definite if every attempt was refused or none was sent', async () => {
    await using it = await pair({retry: ONCE});
    it.server.answer = () => rejected(OVERLOADED);
    expect(await errorOf(create(it.client))).toMatchObject({code: 'overloaded', certainty: 'definite'});
    await it.server.stop();
    await expect.poll(() => it.client.status.state).toBe('connecting');
    const failure = await errorOf(create(it.client));
    expect(failure).toMatchObject({code: 'timed_out', certainty: 'definite'});
    expect(failure['message']).toMatch(/no answer within 40 ms: .*ECONNREFUSED/);
  });

  test('the budget: indefinite when it may have been executed and nobody said so', async () => {
    await using it = await pair({retry: ONCE});
    it.server.answer = () => rejected(HALTED);
    const halted = {code: 'engine_halted', certainty: 'indefinite', operationId};
    expect(await errorOf(create(it.client))).toMatchObject(halted);
    it.server.answer = null;
    expect(await errorOf(create(it.client))).toMatchObject({...halted, code: 'timed_out'});
  });

  test('the budget: a lost attempt leaves doubt, whatever came after it', async () => {
    await using it = await pair({retry: {initialBackoffMs: 40, maxBackoffMs: 10_000, budgetMs: 100}});
    const call = errorOf(create(it.client));
    await it.connection.requests.next();
    it.server.answer = () => rejected(OVERLOADED);
    it.connection.cut();
    expect(await call).toMatchObject({certainty: 'indefinite', operationId});
    expect(it.client.status.reconnects).toBe(1);
  });

  test('a definite refusal after a lost attempt is in doubt, unless it is of the bytes themselves', async () => {
    for (const [failure, certainty] of [
      [{code: 'lsn_exhausted', lastAppliedLsn: 1n}, 'indefinite'],
      [{code: 'invalid_request', reason: 'invalid_layout'}, 'definite'],
      [{code: 'command_too_large', encodedLen: 2n, maxCommandBytes: 1n}, 'definite'],
    ] as const) {
      await using it = await pair();
      const call = errorOf(create(it.client));
      await it.connection.requests.next();
      it.server.answer = () => rejected(failure);
      it.connection.cut();
      expect(await call).toMatchObject({code: failure.code, certainty});
    }
  });

  test('the signal: no budget applies, and it says aborted', async () => {
    await using it = await pair({retry: {...QUICK, budgetMs: 10}});
    let attempts = 0;
    it.server.answer = () => {
      attempts++;
      return rejected(OVERLOADED);
    };
    const signal = AbortSignal.timeout(100);
    const failure = await errorOf(it.client.createResource({resource: seat, operationId}, {signal}));
    expect(failure).toMatchObject({code: 'aborted', cause: signal.reason});
    expect(attempts).toBeGreaterThan(3);
    const before = attempts;
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(attempts).toBe(before);
  });

  test('without retries a failure that may pass is told at once', async () => {
    await using it = await pair({retry: false});
    it.server.answer = () => rejected(OVERLOADED);
    expect(await errorOf(create(it.client))).toMatchObject({code: 'overloaded', certainty: 'definite'});
    it.server.answer = () => rejected(HALTED);
    expect(await errorOf(create(it.client))).toMatchObject({code: 'engine_halted', certainty: 'indefinite'});
  });

  test('a batch of which some were answered resolves with what is known of each', async () => {
    await using it = await pair({retry: ONCE});
    const ok = committed(1n) as ApiResponse & {type: 'submit_committed'};
    it.server.answer = () => ({type: 'batch_result', results: [ok, {type: 'submit_rejected', failure: OVERLOADED}]});
    const command = {command: 'create_resource', resource: seat} as const;
    const answers = await it.client.batch([command, {...command, operationId}]);
    expect(answers[0].result).toBe('created');
    expect(answers[1]).toMatchObject({
      result: 'not_answered',
      error: {failure: {code: 'overloaded', certainty: 'definite'}},
    });
  });

  test('a batch whose last attempt is still out when time runs out is in doubt as a whole', async () => {
    await using it = await pair({retry: {...QUICK, budgetMs: 60}});
    const ok = committed(1n) as ApiResponse & {type: 'submit_committed'};
    let attempts = 0;
    it.server.answer = () => {
      attempts++;
      const results = [ok, {type: 'submit_rejected', failure: OVERLOADED}] as const;
      return attempts === 1 ? {type: 'batch_result', results} : null;
    };
    const command = {command: 'create_resource', resource: seat} as const;
    const failure = await errorOf(it.client.batch([{...command, operationId}, command]));
    expect(failure).toMatchObject({code: 'timed_out', certainty: 'indefinite', operationId});
    expect(attempts).toBe(2);
  });

  test('a member refused after a lost attempt leaves the batch in doubt', async () => {
    await using it = await pair();
    const command = {command: 'create_resource', resource: seat, operationId} as const;
    const call = errorOf(it.client.batch([command]));
    await it.connection.requests.next();
    const full = {type: 'submit_rejected', failure: {code: 'lsn_exhausted', lastAppliedLsn: 1n}} as const;
    it.server.answer = () => ({type: 'batch_result', results: [full]});
    it.connection.cut();
    expect(await call).toMatchObject({code: 'lsn_exhausted', certainty: 'indefinite', operationId});
  });

  test('closing while a call waits for its next attempt, and while connecting', async () => {
    await using it = await pair({retry: {initialBackoffMs: 1_000, maxBackoffMs: 1_000}});
    it.server.answer = () => rejected(OVERLOADED);
    const waiting = errorOf(create(it.client));
    await expect.poll(() => it.client.status).toMatchObject({pendingCalls: 1, inFlight: 0});
    await it.server.stop();
    await expect.poll(() => it.client.status.state).toBe('connecting');
    const connecting = errorOf(create(it.client));
    await it.client.close();
    expect(await waiting).toMatchObject({code: 'closed', certainty: 'definite'});
    expect(await connecting).toMatchObject({code: 'closed', certainty: 'definite'});
  });
});

const METRICS = {
  queueDepth: 0,
  queueCapacity: 1,
  acceptingWrites: true,
  startupKind: 'fresh_start',
  loadedSnapshotLsn: null,
  replayedWalFrameCount: 0,
  replayedWalLastLsn: null,
  activeSnapshotLsn: null,
  lastAppliedLsn: null,
  lastRequestSlot: null,
  logicalSlotLag: 0n,
  expirationBacklog: 0,
  operationTableUsed: 0,
  operationTableCapacity: 1,
  operationTableUtilizationPct: 0,
} as const;
