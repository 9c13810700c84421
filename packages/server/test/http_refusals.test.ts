/**
 * Every refusal and every failure of the database as HTTP tells it: status, code, category, what can be told of the
 * command, and after how long to try again.
 */
import {type Database, databaseError, operationIdFrom, type SubmissionFailure} from '@allocdb/api';
import type {DatabaseConfig} from '@allocdb/node';
import {afterEach, describe, expect, test, vi} from 'vitest';
import {ask, type HttpTest, type HttpTestOptions, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, requestText} from './http_raw.ts';
import {SMALL} from './in_process.ts';

afterEach(async () => {
  vi.restoreAllMocks();
  await stopHttp();
});

const HOLDER = id(0xbeef);
const hold = (...resources: number[]): object =>
  resources.length === 1
    ? {resource: id(resources[0] as number), holder: HOLDER, ttl_slots: 100}
    : {resources: resources.map(id), holder: HOLDER, ttl_slots: 100};

function configWith(core: Partial<DatabaseConfig['core']>, engine: Partial<DatabaseConfig['engine']> = {}) {
  return {core: {...SMALL.core, ...core}, engine: {...SMALL.engine, ...engine}};
}

/** A request with what it is to be answered. */
interface Case {
  readonly name: string;
  readonly options?: HttpTestOptions;
  /** Requests before it, which must succeed. */
  readonly before?: readonly (readonly [string, object?, string?])[];
  readonly what: string;
  readonly body?: object;
  readonly key?: string;
  readonly status: number;
  readonly code: string;
  readonly retryAfter?: string;
  /** The answer is the database's and has an lsn. */
  readonly lsn?: string;
}

const CREATE: readonly [string, object] = ['POST /v1/resources', {id: id(1)}];
const CREATE_2: readonly [string, object] = ['POST /v1/resources', {id: id(2)}];
const HOLD: readonly [string, object] = ['POST /v1/reservations', hold(1)];
const CONFIRM: readonly [string, object] = [`POST /v1/reservations/${id(2)}/confirm`, {holder: HOLDER}];
const STILL = {clockSource: () => 0};

const CASES: readonly Case[] = [
  {
    name: 'a resource that exists',
    before: [CREATE],
    what: CREATE[0],
    body: CREATE[1],
    status: 409,
    code: 'already_exists',
    lsn: '2',
  },
  {
    name: 'a resource too many',
    options: {config: configWith({maxResources: 1, maxBundleSize: 1})},
    before: [CREATE],
    what: CREATE_2[0],
    body: CREATE_2[1],
    status: 503,
    code: 'resource_table_full',
    retryAfter: '60',
    lsn: '2',
  },
  {
    name: 'a hold of what does not exist',
    what: HOLD[0],
    body: HOLD[1],
    status: 404,
    code: 'resource_not_found',
    lsn: '1',
  },
  {
    name: 'a hold of what is held',
    before: [CREATE, HOLD],
    what: HOLD[0],
    body: HOLD[1],
    status: 409,
    code: 'resource_busy',
    lsn: '3',
  },
  {
    name: 'a hold of the same thing twice',
    before: [CREATE],
    what: HOLD[0],
    body: {resources: [id(1), id(1)], holder: HOLDER, ttl_slots: 1},
    status: 409,
    code: 'resource_busy',
    lsn: '2',
  },
  {
    name: 'a hold of no length',
    before: [CREATE],
    what: HOLD[0],
    body: {...hold(1), ttl_slots: 0},
    status: 422,
    code: 'ttl_out_of_range',
    lsn: '2',
  },
  {
    name: 'a hold of no milliseconds',
    before: [CREATE],
    what: HOLD[0],
    body: {resource: id(1), holder: HOLDER, ttl_ms: '0'},
    status: 422,
    code: 'ttl_out_of_range',
    lsn: '2',
  },
  {
    name: 'a hold too long',
    before: [CREATE],
    what: HOLD[0],
    body: {...hold(1), ttl_slots: '10001'},
    status: 422,
    code: 'ttl_out_of_range',
    lsn: '2',
  },
  {
    name: 'a hold whose deadline fits no slot',
    before: [CREATE, HOLD],
    what: HOLD[0],
    body: {...hold(1), ttl_slots: '18446744073709551615'},
    status: 422,
    code: 'slot_overflow',
  },
  {
    name: 'a hold of more milliseconds than there are',
    options: {clockSource: () => performance.now() + 1000},
    before: [CREATE, HOLD],
    what: HOLD[0],
    body: {resource: id(1), holder: HOLDER, ttl_ms: '18446744073709551615'},
    status: 422,
    code: 'ttl_out_of_range',
    lsn: '3',
  },
  {
    name: 'a hold of too many things',
    options: {config: configWith({maxBundleSize: 2})},
    what: HOLD[0],
    body: hold(1, 2, 3),
    status: 422,
    code: 'bundle_too_large',
    lsn: '1',
  },
  {
    name: 'a hold that is too long to write',
    options: {config: configWith({}, {maxCommandBytes: 120})},
    what: HOLD[0],
    body: hold(1, 2, 3, 4, 5),
    status: 413,
    code: 'command_too_large',
  },
  {
    name: 'a reservation too many',
    options: {config: configWith({maxReservations: 1, maxExpirationBucketLen: 1})},
    before: [CREATE, CREATE_2, HOLD],
    what: HOLD[0],
    body: hold(2),
    status: 503,
    code: 'reservation_table_full',
    retryAfter: '1',
    lsn: '4',
  },
  {
    name: 'a deadline too many',
    options: {config: configWith({maxExpirationBucketLen: 1}), ...STILL},
    before: [CREATE, CREATE_2, HOLD],
    what: HOLD[0],
    body: hold(2),
    status: 503,
    code: 'expiration_index_full',
    retryAfter: '1',
    lsn: '4',
  },
  {
    name: 'an operation too many',
    options: {config: configWith({maxOperations: 1}), ...STILL},
    before: [CREATE],
    what: CREATE_2[0],
    body: CREATE_2[1],
    status: 503,
    code: 'operation_table_full',
    retryAfter: '1',
    lsn: '2',
  },
  {
    name: 'a key that was used for something else',
    before: [[...CREATE, 'key']],
    what: CREATE_2[0],
    body: CREATE_2[1],
    key: 'key',
    status: 409,
    code: 'operation_conflict',
    lsn: '1',
  },
  {
    name: 'what is no reservation',
    what: CONFIRM[0],
    body: CONFIRM[1] as object,
    status: 404,
    code: 'reservation_not_found',
    lsn: '1',
  },
  {
    name: 'what is over',
    before: [CREATE, HOLD, [`POST /v1/reservations/${id(2)}/release`, {holder: HOLDER}]],
    what: CONFIRM[0],
    body: CONFIRM[1] as object,
    status: 410,
    code: 'reservation_retired',
    lsn: '4',
  },
  {
    name: 'what belongs to another holder',
    before: [CREATE, HOLD],
    what: CONFIRM[0],
    body: {holder: id(1)},
    status: 409,
    code: 'holder_mismatch',
    lsn: '3',
  },
  {
    name: 'what was taken away in between',
    before: [CREATE, HOLD, CONFIRM, [`POST /v1/reservations/${id(2)}/revoke`]],
    what: `POST /v1/reservations/${id(2)}/release`,
    body: {holder: HOLDER, epoch: 1},
    status: 409,
    code: 'stale_epoch',
    lsn: '5',
  },
  {
    name: 'what is confirmed already',
    before: [CREATE, HOLD, CONFIRM],
    what: CONFIRM[0],
    body: CONFIRM[1] as object,
    status: 409,
    code: 'invalid_state',
    lsn: '4',
  },
  {
    name: 'a revocation of a hold',
    before: [CREATE, HOLD],
    what: `POST /v1/reservations/${id(2)}/revoke`,
    status: 409,
    code: 'invalid_state',
    lsn: '3',
  },
  {
    name: 'a reclaim of nothing',
    what: `POST /v1/reservations/${id(2)}/reclaim`,
    status: 404,
    code: 'reservation_not_found',
    lsn: '1',
  },
  {name: 'a read of no resource', what: `GET /v1/resources/${id(1)}`, status: 404, code: 'resource_not_found'},
  {name: 'a read of no reservation', what: `GET /v1/reservations/${id(1)}`, status: 404, code: 'reservation_not_found'},
];

async function succeed(http: HttpTest, requests: Case['before'] = []): Promise<void> {
  for (const [what, body, key] of requests) {
    const {status} = await ask(http, what, {body, ...(key === undefined ? {} : {key})});
    expect(status).toBeLessThan(300);
  }
}

describe('a refusal is an answer', () => {
  test.each(CASES)('to $name: $status $code', async each => {
    const http = await startHttp(each.options);
    await succeed(http, each.before);
    const {body, key = 'this'} = each;
    const isRead = each.what.startsWith('GET');
    const answer = await ask(http, each.what, isRead ? {} : {body, key});
    expect(codeOf(answer)).toBe(each.code);
    expect(answer.status).toBe(each.status);
    expect(answer.headers.get('retry-after')).toBe(each.retryAfter ?? null);
    expect(answer.json.category).toBe('definite');
    expect(answer.json.operation).toBe(isRead ? undefined : operationIdFrom(key));
    expect(answer.json.lsn).toBe(each.lsn);
    const replayed = each.code === 'operation_conflict';
    expect(answer.json.from_retry_cache).toBe(each.lsn === undefined ? undefined : replayed);
  });
});

/** A handle whose commands find the database in a state that takes long to bring about. */
function failingWith(failure: SubmissionFailure): (database: Database) => Database {
  return database => {
    const failing = Object.create(database) as Database;
    failing.createResource = ({operationId}) =>
      Promise.reject(databaseError(failure, operationId === undefined ? [] : [operationId]));
    return failing;
  };
}

describe('a failure says whether anything may have happened', () => {
  test('overloaded: nothing has', async () => {
    const http = await startHttp({config: configWith({}, {maxSubmissionQueue: 2})});
    const raw = await RawHttp.open(http.port);
    const text = Array.from({length: 20}, (_, i) => requestText('POST /v1/resources', {id: id(i + 1)})).join('');
    raw.write(text);
    const responses = await raw.take(20);
    const refused = responses.filter(({status}) => status === 503);
    expect(refused.length).toBeGreaterThan(0);
    for (const {headers, body} of refused) {
      expect(headers['retry-after']).toBe('1');
      expect(JSON.parse(body)).toMatchObject({
        code: 'overloaded',
        category: 'definite',
        operation: expect.stringMatching(/^[0-9a-f]{32}$/),
        queue_depth: 2,
        queue_capacity: 2,
      });
    }
    expect(responses.filter(({status}) => status === 201)).toHaveLength(20 - refused.length);
    const {json} = await ask(http, 'GET /v1/resources');
    expect(json.resources).toHaveLength(20 - refused.length);
  });

  test.each([
    [{code: 'storage_full'}, '10'],
    [{code: 'lsn_exhausted', lastAppliedLsn: 2n ** 64n - 1n}, null],
  ] as const)('%s: nothing has', async (failure, retryAfter) => {
    const http = await startHttp({database: failingWith(failure)});
    const answer = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key: 'key'});
    expect(codeOf(answer)).toBe(failure.code);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(answer.json).toMatchObject({category: 'definite', operation: operationIdFrom('key')});
  });

  test('a database that is closed: nothing has', async () => {
    const http = await startHttp();
    await http.engine.close();
    for (const what of ['POST /v1/resources', `GET /v1/resources/${id(1)}`]) {
      const answer = await ask(http, what, what.startsWith('POST') ? {body: {id: id(1)}} : {});
      expect(codeOf(answer)).toBe('shutting_down');
      expect(answer.json.category).toBe('definite');
    }
  });

  test('a log that cannot be written: a command may have been executed, a read is refused, counters are shown', async () => {
    const http = await startHttp();
    await succeed(http, [CREATE]);
    const {wal} = http.engine.directory;
    const broken = Object.assign(new Error('the disk is gone'), {code: 'EIO'});
    vi.spyOn(wal, 'writeFrozenSync').mockImplementation(() => {
      throw broken;
    });
    vi.spyOn(wal, 'writeFrozen').mockRejectedValue(broken);
    const first = await ask(http, 'POST /v1/resources', {body: {id: id(2)}, key: 'key'});
    expect(codeOf(first)).toBe('storage_failure');
    expect(first.status).toBe(503);
    expect(first.headers.get('retry-after')).toBeNull();
    expect(first.json).toMatchObject({category: 'indefinite', operation: operationIdFrom('key')});
    const later = await ask(http, 'POST /v1/resources', {body: {id: id(2)}, key: 'key'});
    expect(codeOf(later)).toBe('engine_halted');
    expect(later.json).toMatchObject({category: 'indefinite', operation: operationIdFrom('key')});
    for (const path of [`/v1/resources/${id(1)}`, `/v1/resources?ids=${id(1)}`, '/v1/resources', '/v1/reservations']) {
      const read = await ask(http, `GET ${path}`);
      expect(codeOf(read)).toBe('engine_halted');
      expect(read.json).toMatchObject({status: 503, category: 'definite'});
    }
    const commands = [1, 2].map(i => ({command: 'create_resource', resource: id(i + 10), idempotency_key: `k${i}`}));
    const batch = await ask(http, 'POST /v1/batch', {body: {commands}});
    expect(codeOf(batch)).toBe('engine_halted');
    expect(batch.json).toMatchObject({
      category: 'indefinite',
      operations: [operationIdFrom('k1'), operationIdFrom('k2')],
    });
    const counters = await ask(http, 'GET /v1/metrics');
    expect(counters.json).toMatchObject({accepting_writes: false, last_applied_lsn: '1'});
    const lines = http.events.filter(({event}) => event === 'http_error');
    expect(lines[0]).toMatchObject({level: 50, code: 'storage_failure', status: 503, route: '/v1/resources'});
  });

  test('a fault of the server: a command may have been executed, and the log says what it was', async () => {
    const http = await startHttp({
      database: database => {
        const faulty = Object.create(database) as Database;
        faulty.createResource = () => Promise.reject(new Error('a fault of this test'));
        faulty.getResource = () => Promise.reject(new Error('a fault of this test'));
        return faulty;
      },
    });
    const command = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, key: 'key'});
    expect(codeOf(command)).toBe('internal_error');
    expect(command.json).toMatchObject({status: 500, category: 'indefinite', operation: operationIdFrom('key')});
    expect(command.text).not.toContain('a fault of this test');
    const read = await ask(http, `GET /v1/resources/${id(1)}`);
    expect(read.json).toMatchObject({status: 500, code: 'internal_error', category: 'definite'});
    expect(http.events.filter(({event}) => event === 'http_error')).toMatchObject([
      {fault: expect.stringContaining('a fault of this test'), operation: operationIdFrom('key')},
      {fault: expect.stringContaining('a fault of this test'), operation: null},
    ]);
  });
});
