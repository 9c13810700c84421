/** Calls over one healthy connection: pipelining, order, bounds, coalescing, aborts by phase, closing. */
import type {ApiResponse, OperationId, ResourceId} from '@allocdb/api';
import {describe, expect, test, vi} from 'vitest';
import {connect, holderIdFrom, operationIdFrom, resourceIdFrom} from '../src/index.ts';
import {errorOf, pair, standingClock} from './pair.ts';
import {committed, ScriptedServer, WELCOME} from './scripted_server.ts';

const seat: ResourceId = resourceIdFrom('seat');
const holder = holderIdFrom('someone');
const operationId: OperationId = operationIdFrom('order');
const busy = committed(9n, 'resource_busy');

describe('answers', () => {
  test('come back to the calls in order, with what they say', async () => {
    await using it = await pair();
    const calls = Promise.all([
      it.client.createResource({resource: seat}),
      it.client.reserve({resource: seat, holder, ttlSlots: 3}),
      it.client.getResource(seat),
    ]);
    for (let i = 0; i < 3; i++) await it.connection.requests.next();
    const absent: ApiResponse = {type: 'resource_not_found'};
    it.connection.respond(committed(7n), busy, absent);
    expect((await calls).map(answer => answer.result)).toEqual(['created', 'resource_busy', 'resource_not_found']);
    expect(it.client.lastLsn).toBe(9n);
  });

  test('calls of one turn leave in one write, and thousands of answers in a few chunks find their calls', async () => {
    await using it = await pair();
    const before = it.connection.chunks;
    const calls = Array.from({length: 500}, () => it.client.getResource(seat));
    for (let i = 0; i < 500; i++) await it.connection.requests.next();
    expect(it.connection.chunks - before).toBeLessThan(4);
    const found = (version: bigint): ApiResponse => ({
      type: 'resource_found',
      resourceId: 1n,
      state: 'available',
      currentReservationId: null,
      version,
    });
    it.connection.respond(...Array.from({length: 500}, (_, i) => found(BigInt(i))));
    const versions = (await Promise.all(calls)).map(answer =>
      answer.result === 'found' ? answer.resource.version : null,
    );
    expect(versions).toEqual(Array.from({length: 500}, (_, i) => BigInt(i)));
  });

  test('answers cut into single bytes', async () => {
    await using it = await pair();
    const call = it.client.createResource({resource: seat, operationId});
    await it.connection.requests.next();
    it.connection.socket.setNoDelay(true);
    const bytes = Buffer.from('0d000000' + '01' + '0700000000000000' + '01' + '00' + '00' + '00', 'hex');
    bytes.writeUInt32LE(bytes.length - 4);
    for (const byte of bytes) {
      it.connection.socket.write(Uint8Array.of(byte));
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(await call).toEqual({result: 'created', lsn: 7n, operation: operationId, fromRetryCache: false});
  });

  test('what goes out says client, operation and an estimate of the slot that is not ahead', async () => {
    await using it = await pair();
    void it.client.createResource({resource: seat, operationId}).catch(() => {});
    const request = await it.connection.requests.next();
    if (request.type !== 'submit') throw new Error('not a submit');
    expect(request.requestSlot).toBe(WELCOME.currentSlot);
    const payload = Buffer.from(request.payload).reverse().toString('hex');
    expect(payload.endsWith(it.client.clientId + operationId)).toBe(true);
  });

  test('currentSlot counts from the welcome', async () => {
    await using server = await ScriptedServer.start();
    server.welcome = {...WELCOME, slotDurationMs: 50};
    using _clock = standingClock();
    await using client = await connect(server.url);
    expect(client.currentSlot()).toBe(WELCOME.currentSlot);
    vi.advanceTimersByTime(175);
    expect(client.currentSlot()).toBe(WELCOME.currentSlot + 3n);
  });
});

describe('bounds', () => {
  test('what would exceed the bytes in flight waits unsent until answers make room', async () => {
    await using it = await pair({maxInFlightBytes: 60});
    const calls = Array.from({length: 6}, () => it.client.getResource(seat, {requiredLsn: 0n}));
    await expect.poll(() => it.connection.requests.size).toBe(2);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(it.connection.requests.size).toBe(2);
    expect(it.client.status).toMatchObject({pendingCalls: 6, inFlight: 2, inFlightBytes: 60});
    it.server.answer = () => ({type: 'resource_not_found'});
    it.connection.respond({type: 'resource_not_found'}, {type: 'resource_not_found'});
    expect(await Promise.all(calls)).toHaveLength(6);
    expect(it.client.status).toMatchObject({pendingCalls: 0, inFlight: 0, inFlightBytes: 0});
  });

  test('what the server would refuse is refused here, unsent, and the connection lives on', async () => {
    await using server = await ScriptedServer.start();
    server.welcome = {...WELCOME, maxFrameBytes: 100, maxBatch: 2};
    server.answer = () => committed(1n);
    await using client = await connect(server.url);
    const create = {command: 'create_resource', resource: seat} as const;
    expect(await errorOf(client.batch([create, create, create]))).toMatchObject({
      code: 'batch_too_large',
      certainty: 'definite',
    });
    const bundle = {resources: [seat, seat, seat, seat], holder, ttlSlots: 1};
    expect(await errorOf(client.reserveBundle(bundle))).toMatchObject({code: 'frame_too_large', certainty: 'definite'});
    expect((await client.createResource({resource: seat})).result).toBe('created');
    expect(client.status.reconnects).toBe(0);
  });

  test('a response over the bound ends the connection', async () => {
    await using it = await pair({maxResponseBytes: 40, retry: false});
    const call = it.client.createResource({resource: seat, operationId});
    await it.connection.requests.next();
    it.connection.socket.write(Uint8Array.of(41, 0, 0, 0));
    expect(await errorOf(call)).toMatchObject({code: 'protocol_error', certainty: 'indefinite', operationId});
  });
});

describe('aborting', () => {
  test('before the call: nothing was sent', async () => {
    await using it = await pair();
    const reason = new Error('no more');
    const call = it.client.createResource({resource: seat}, {signal: AbortSignal.abort(reason)});
    expect(await errorOf(call)).toMatchObject({code: 'aborted', certainty: 'definite', cause: reason});
    expect(it.client.status.inFlight).toBe(0);
  });

  test('while it waits unsent: definite, and it is never sent', async () => {
    await using it = await pair({maxInFlightBytes: 1});
    const controller = new AbortController();
    const first = it.client.createResource({resource: seat});
    const second = it.client.createResource({resource: seat}, {signal: controller.signal});
    const third = it.client.getResource(seat);
    await it.connection.requests.next();
    controller.abort();
    expect(await errorOf(second)).toMatchObject({code: 'aborted', certainty: 'definite'});
    it.connection.respond(committed(1n));
    expect((await first).result).toBe('created');
    expect((await it.connection.requests.next()).type).toBe('get_resource');
    it.connection.respond({type: 'resource_not_found'});
    await third;
  });

  test('after it was sent: indefinite with the operation id, and the late answer is not another call’s', async () => {
    await using it = await pair();
    const controller = new AbortController();
    const aborted = it.client.createResource({resource: seat, operationId}, {signal: controller.signal});
    const other = it.client.createResource({resource: seat});
    await it.connection.requests.next();
    await it.connection.requests.next();
    controller.abort();
    expect(await errorOf(aborted)).toMatchObject({code: 'aborted', certainty: 'indefinite', operationId});
    expect(it.client.status).toMatchObject({pendingCalls: 1, inFlight: 2});
    it.connection.respond(committed(3n), committed(4n, 'already_exists'));
    expect(await other).toMatchObject({result: 'already_exists', lsn: 4n});
  });

  test('a read has no effects: definite in every phase', async () => {
    await using it = await pair();
    const controller = new AbortController();
    const read = it.client.getResource(seat, {signal: controller.signal});
    await it.connection.requests.next();
    controller.abort();
    expect(await errorOf(read)).toMatchObject({code: 'aborted', certainty: 'definite'});
  });

  test('a batch names all its operations', async () => {
    await using it = await pair();
    const controller = new AbortController();
    const second = operationIdFrom('second');
    const commands = [
      {command: 'create_resource', resource: seat, operationId},
      {command: 'create_resource', resource: seat, operationId: second},
    ] as const;
    const batch = it.client.batch(commands, {signal: controller.signal});
    await it.connection.requests.next();
    controller.abort();
    expect(await errorOf(batch)).toMatchObject({operationId, operationIds: [operationId, second]});
  });

  test('one signal for many calls warns of nothing and is let go of', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    await using it = await pair();
    it.server.answer = () => ({type: 'resource_not_found'});
    const {signal} = new AbortController();
    await Promise.all(Array.from({length: 50}, () => it.client.getResource(seat, {signal})));
    await new Promise(resolve => setTimeout(resolve, 5));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('closing', () => {
  test('settles every pending call: sent ones are in doubt, unsent ones are not', async () => {
    await using it = await pair({maxInFlightBytes: 1});
    const sent = errorOf(it.client.createResource({resource: seat, operationId}));
    const unsent = errorOf(it.client.createResource({resource: seat}));
    const read = errorOf(it.client.getResource(seat));
    await it.connection.requests.next();
    await it.client.close();
    expect(await sent).toMatchObject({code: 'closed', certainty: 'indefinite', operationId});
    expect(await unsent).toMatchObject({code: 'closed', certainty: 'definite'});
    expect(await read).toMatchObject({code: 'closed', certainty: 'definite'});
    await it.connection.closed;
  });

  test('is idempotent, and calls after it reject', async () => {
    await using it = await pair();
    await Promise.all([it.client.close(), it.client.close()]);
    await it.client[Symbol.asyncDispose]();
    expect(await errorOf(it.client.getResource(seat))).toMatchObject({code: 'closed', certainty: 'definite'});
    expect(it.client.status).toMatchObject({state: 'closed', pendingCalls: 0});
    expect(it.server.accepted).toBe(1);
  });
});
