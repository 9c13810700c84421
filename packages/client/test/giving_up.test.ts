/** The end of trying: what a call says that got no answer, by budget, by signal, by closing; honest about every attempt. */
import {type ApiResponse, encodeWelcome} from '@allocdb/api';
import {expect, test} from 'vitest';
import {type Client, operationIdFrom, resourceIdFrom} from '../src/index.ts';
import {errorOf, HALTED, ONCE, OVERLOADED, pair, QUICK, rejected} from './pair.ts';
import {committed} from './scripted_server.ts';

const seat = resourceIdFrom('seat');
const operationId = operationIdFrom('order');
const create = (client: Client): Promise<{result: string}> => client.createResource({resource: seat, operationId});

test('the budget: definite if every attempt was refused or none was sent', async () => {
  await using it = await pair({retry: ONCE});
  it.server.answer = () => rejected(OVERLOADED);
  expect(await errorOf(create(it.client))).toMatchObject({code: 'overloaded', certainty: 'definite'});
  await it.server.stop();
  await expect.poll(() => it.client.status.state).toBe('connecting');
  const failure = await errorOf(create(it.client));
  expect(failure).toMatchObject({code: 'timed_out', certainty: 'definite'});
  expect(failure['message']).toBe('no answer within 400 ms: the server closed the connection');
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
  await using it = await pair({retry: {initialBackoffMs: 400, maxBackoffMs: 10_000, budgetMs: 1_000}});
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
  const controller = new AbortController();
  const {signal} = controller;
  const begunMs = performance.now();
  it.server.answer = () => {
    attempts++;
    // Several times the budget, and several attempts, however slow the machine is.
    if (attempts > 3 && performance.now() - begunMs > 50) controller.abort();
    return rejected(OVERLOADED);
  };
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

test('an abort between attempts: indefinite if members of the batch were executed; nothing is sent any more', async () => {
  await using it = await pair({retry: {initialBackoffMs: 30, maxBackoffMs: 30}});
  const ok = committed(1n) as ApiResponse & {type: 'submit_committed'};
  it.server.answer = () => ({type: 'batch_result', results: [ok, {type: 'submit_rejected', failure: OVERLOADED}]});
  const controller = new AbortController();
  const command = {command: 'create_resource', resource: seat} as const;
  const batch = errorOf(it.client.batch([{...command, operationId}, command], {signal: controller.signal}));
  await expect.poll(() => it.client.status).toMatchObject({pendingCalls: 1, inFlight: 0});
  controller.abort();
  expect(await batch).toMatchObject({code: 'aborted', certainty: 'indefinite', operationId});
});

test('a late answer that asks for another attempt gets none', async () => {
  await using it = await pair();
  const controller = new AbortController();
  const call = errorOf(it.client.createResource({resource: seat}, {signal: controller.signal}));
  await it.connection.requests.next();
  controller.abort();
  await call;
  it.connection.respond(rejected(OVERLOADED));
  await new Promise(resolve => setTimeout(resolve, 30));
  expect(it.connection.requests.size).toBe(0);
  expect(it.client.status).toMatchObject({pendingCalls: 0, inFlight: 0});
});

test('a batch whose last attempt is still out when time runs out is in doubt as a whole', async () => {
  await using it = await pair({retry: {...QUICK, budgetMs: 600}});
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

test('closing in the middle of a handshake: the connection goes, and a late welcome revives nothing', async () => {
  await using it = await pair();
  it.server.onHello = () => {};
  it.connection.cut();
  const second = await it.server.connections.next();
  await it.client.close();
  second.send(encodeWelcome(it.server.welcome));
  await second.closed;
  expect(it.client.status).toMatchObject({state: 'closed', reconnects: 0});
});
