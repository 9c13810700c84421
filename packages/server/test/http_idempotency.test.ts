/**
 * What an Idempotency-Key does over HTTP: a command that is sent again is executed once and answered as the first time,
 * through this port and the other one, however often and at once.
 */
import {newOperationId, operationIdFrom} from '@allocdb/api';
import {afterEach, describe, expect, test} from 'vitest';
import {type Answer, ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, requestText} from './http_raw.ts';

afterEach(stopHttp);

const HOLDER = id(0xbeef);

/** The second answer is the first, and says so. */
function expectReplay(first: Answer, second: Answer): void {
  expect(second.status).toBe(first.status);
  expect(second.json).toEqual({...first.json, from_retry_cache: true});
  expect(second.headers.get('location')).toBe(first.headers.get('location'));
}

describe('a key', () => {
  test('makes every command happen once, and its answer, refusals included, the same again', async () => {
    const http = await startHttp();
    const hold = {resource: id(1), holder: HOLDER, ttl_slots: 100};
    const steps: readonly (readonly [string, object, number])[] = [
      ['POST /v1/resources', {id: id(1)}, 201],
      ['POST /v1/resources', {id: id(1)}, 409],
      ['POST /v1/reservations', hold, 201],
      ['POST /v1/reservations', hold, 409],
      [`POST /v1/reservations/${id(3)}/confirm`, {holder: HOLDER, epoch: 1}, 200],
      [`POST /v1/reservations/${id(3)}/revoke`, {}, 200],
      [`POST /v1/reservations/${id(3)}/release`, {holder: HOLDER, epoch: 1}, 409],
      [`POST /v1/reservations/${id(3)}/reclaim`, {}, 200],
      [`POST /v1/reservations/${id(3)}/release`, {holder: HOLDER}, 410],
    ];
    const answers: Answer[] = [];
    for (const [i, [what, body, status]] of steps.entries()) {
      const answer = await ask(http, what, {body, key: `step-${i}`});
      expect(answer.status).toBe(status);
      expect(answer.json).toMatchObject({lsn: String(i + 1), from_retry_cache: false});
      answers.push(answer);
    }
    for (const [i, [what, body]] of steps.entries()) {
      expectReplay(answers[i] as Answer, await ask(http, what, {body, key: `step-${i}`}));
    }
    expect((await ask(http, 'GET /v1/metrics')).json.last_applied_lsn).toBe(String(steps.length));
  });

  test('that is a UUID or hex digits is the operation itself, in any way of writing it', async () => {
    const http = await startHttp();
    const operation = newOperationId();
    const uuid = operation.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    const first = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key: operation});
    expect(first.json.operation).toBe(operation);
    for (const key of [uuid, uuid.toUpperCase(), operation.toUpperCase()]) {
      expectReplay(first, await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key}));
    }
  });

  test.each(['a', 'order-4711/reserve', '"quoted"', '{}', '!~', 'x'.repeat(256), `${id(1)}0`])(
    'that is any other text names the operation derived from it: %s',
    async key => {
      const http = await startHttp();
      const {json} = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key});
      expect(json.operation).toBe(operationIdFrom(key));
    },
  );

  test.each(['', ' ', 'two words', 'a, b', 'x'.repeat(257), 'ä', 'a\tb'])('that is none is refused: %j', async key => {
    const http = await startHttp();
    const answer = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, headers: {'idempotency-key': key}});
    expect(codeOf(answer)).toBe('invalid_request');
    expect(answer.json.errors).toEqual([
      {in: 'header', pointer: '/idempotency-key', detail: 'must be 1 to 256 visible ASCII characters'},
    ]);
    expect((await ask(http, 'GET /v1/resources')).json.resources).toEqual([]);
  });

  test('that stands twice is refused, and nothing was done', async () => {
    const http = await startHttp();
    const raw = await RawHttp.open(http.port);
    const twice = 'one\r\nidempotency-key: two';
    raw.write(requestText('POST /v1/resources', {id: id(1)}, {'idempotency-key': twice}));
    const [response] = await raw.take(1);
    expect(JSON.parse(response?.body ?? '')).toMatchObject({
      status: 400,
      code: 'invalid_request',
      category: 'definite',
      errors: [{in: 'header', pointer: '/idempotency-key', detail: 'must be 1 to 256 visible ASCII characters'}],
    });
    expect(http.engine.durableLsn).toBeNull();
    raw.destroy();
  });

  test('that was used for another body is refused, names where that stands, and does nothing', async () => {
    const http = await startHttp();
    const create = (number: number) => ask(http, 'POST /v1/resources', {body: {id: id(number)}, key: 'order-4711'});
    const first = await create(1);
    const other = await create(2);
    expect([other.status, other.json.code, other.json.category]).toEqual([409, 'operation_conflict', 'definite']);
    expect(other.json).toMatchObject({lsn: first.json.lsn, operation: first.json.operation});
    expect((await ask(http, `GET /v1/resources/${id(2)}`)).status).toBe(404);
    expectReplay(first, await create(1));
  });

  test('that is left out is fresh every time, and the answer names it', async () => {
    const http = await startHttp();
    const first = await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
    const second = await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
    expect(codeOf(second)).toBe('already_exists');
    expect(second.json.operation).not.toBe(first.json.operation);
    const again = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key: first.json.operation});
    expectReplay(first, again);
  });

  test('that is sent thirty times at once has one execution', async () => {
    const http = await startHttp();
    const sent = Array.from({length: 30}, () => ask(http, 'POST /v1/resources', {body: {id: id(1)}, key: 'once'}));
    const answers = await Promise.all(sent);
    expect(new Set(answers.map(({status}) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({json}) => json.lsn))).toEqual(new Set(['1']));
    expect(answers.filter(({json}) => !json.from_retry_cache)).toHaveLength(1);
  });
});

describe('a key of a batch', () => {
  const commands = (count: number): object[] =>
    Array.from({length: count}, (_, i) => ({command: 'create_resource', resource: id(i + 1)}));
  const send = (http: HttpTest, key: string, body: object): Promise<Answer> => ask(http, 'POST /v1/batch', {body, key});

  test('makes each of its commands happen once', async () => {
    const http = await startHttp();
    const first = await send(http, 'batch', {commands: commands(5)});
    const second = await send(http, 'batch', {commands: commands(5)});
    for (const [i, {status, body}] of second.json.results.entries()) {
      expect(status).toBe(201);
      expect(body).toEqual({...first.json.results[i].body, from_retry_cache: true});
    }
    const operations = first.json.results.map(({body}: {body: {operation: string}}) => body.operation);
    expect(operations).toEqual(
      operations.map((_: string, i: number) => operationIdFrom(`${operationIdFrom('batch')}/${i}`)),
    );
  });

  test('continues one of which a part is known, and tells when its commands are others', async () => {
    const http = await startHttp();
    await send(http, 'batch', {commands: commands(2)});
    const longer = await send(http, 'batch', {commands: commands(4)});
    expect(longer.json.results.map(({body}: {body: {from_retry_cache: boolean}}) => body.from_retry_cache)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const other = await send(http, 'batch', {commands: commands(4).reverse()});
    expect(other.json.results.map(({body}: {body: {code: string}}) => body.code)).toEqual(
      Array.from({length: 4}, () => 'operation_conflict'),
    );
  });

  test('does not count for a command with a key of its own, which is the same alone', async () => {
    const http = await startHttp();
    const [command] = commands(1);
    const batch = await send(http, 'batch', {commands: [{...command, idempotency_key: 'own'}]});
    const alone = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key: 'own'});
    expect(alone.json).toEqual({...batch.json.results[0].body, from_retry_cache: true});
    expect(alone.status).toBe(batch.json.results[0].status);
  });
});
