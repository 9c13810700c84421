/**
 * Commands and reads over HTTP when all goes well: bodies, statuses and headers of the answers, against a real engine.
 */
import {operationIdFrom} from '@allocdb/api';
import {afterEach, describe, expect, test} from 'vitest';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';

afterEach(stopHttp);

const HOLDER = id(0xbeef);

async function withResources(count: number): Promise<HttpTest> {
  const http = await startHttp();
  for (let i = 1; i <= count; i++) await ask(http, 'POST /v1/resources', {body: {id: id(i)}});
  return http;
}

/** A reservation of resource 1, which is made for it. */
async function reserved(http: HttpTest, ttl: object = {ttl_slots: 100}): Promise<string> {
  const {json} = await ask(http, 'POST /v1/reservations', {body: {resource: id(1), holder: HOLDER, ...ttl}});
  return json.reservation.id;
}

describe('resources', () => {
  test('are created, and say where they can be read', async () => {
    const http = await startHttp();
    const answer = await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
    expect(answer.status).toBe(201);
    expect(answer.type).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('location')).toBe(`/v1/resources/${id(1)}`);
    expect(answer.json).toEqual({
      result: 'created',
      resource: id(1),
      lsn: '1',
      operation: expect.stringMatching(/^[0-9a-f]{32}$/),
      from_retry_cache: false,
    });
    const read = await ask(http, `GET /v1/resources/${id(1)}`);
    expect(read.status).toBe(200);
    expect(read.json).toEqual({id: id(1), state: 'available', reservation: null, version: '0'});
  });

  test('are named by UUIDs and by hex digits in either case, and answered in one form', async () => {
    const http = await startHttp();
    const uuid = '018F6C1E-0000-7000-8000-00000000002A';
    const {json} = await ask(http, 'POST /v1/resources', {body: {id: uuid}});
    expect(json.resource).toBe('018f6c1e00007000800000000000002a');
    const read = await ask(http, `GET /v1/resources/${uuid}`);
    expect(read.json.id).toBe('018f6c1e00007000800000000000002a');
    expect((await ask(http, `GET /v1/resources/${json.resource.toUpperCase()}`)).status).toBe(200);
  });

  test('are listed page by page in the order of their creation', async () => {
    const http = await withResources(25);
    const seen: string[] = [];
    let next: string | null = '0';
    while (next !== null) {
      const {status, json}: {status: number; json: {resources: {id: string}[]; next: string | null; lsn: string}} =
        await ask(http, `GET /v1/resources?limit=10&position=${next}`);
      expect(status).toBe(200);
      expect(json.lsn).toBe('25');
      seen.push(...json.resources.map(each => each.id));
      next = json.next;
    }
    expect(seen).toEqual(Array.from({length: 25}, (_, i) => id(i + 1)));
  });

  test('are listed by state', async () => {
    const http = await withResources(3);
    const reservation = await reserved(http);
    const {json} = await ask(http, 'GET /v1/resources?state=reserved');
    expect(json.resources).toEqual([{id: id(1), state: 'reserved', reservation, version: '1'}]);
    expect((await ask(http, 'GET /v1/resources?state=available')).json.resources).toHaveLength(2);
  });

  test('are read by id, a thousand at once, in the order asked for and null for unknown ones', async () => {
    const http = await withResources(2);
    const ids = Array.from({length: 1000}, (_, i) => (i === 500 ? id(2) : i === 999 ? id(1) : id(i + 10)));
    const {status, json} = await ask(http, `GET /v1/resources?ids=${ids.join(',')}`);
    expect(status).toBe(200);
    expect(json.resources).toHaveLength(1000);
    expect(json.resources[500]).toEqual({id: id(2), state: 'available', reservation: null, version: '0'});
    expect(json.resources[999].id).toBe(id(1));
    expect(json.resources.filter((each: unknown) => each !== null)).toHaveLength(2);
    expect(json).toMatchObject({next: null, lsn: null});
  });
});

describe('reservations', () => {
  test('of one resource, from hold to confirmation', async () => {
    const http = await withResources(1);
    const body = {resource: id(1), holder: HOLDER, ttl_slots: 100};
    const granted = await ask(http, 'POST /v1/reservations', {body, key: 'order-1'});
    expect(granted.status).toBe(201);
    const {reservation} = granted.json;
    expect(granted.headers.get('location')).toBe(`/v1/reservations/${reservation.id}`);
    expect(granted.json).toEqual({
      result: 'reserved',
      reservation: {
        id: id(2),
        epoch: '1',
        deadline_slot: expect.stringMatching(/^\d+$/),
        holder: HOLDER,
        resources: [id(1)],
      },
      lsn: '2',
      operation: operationIdFrom('order-1'),
      from_retry_cache: false,
    });
    const confirmed = await ask(http, `POST /v1/reservations/${reservation.id}/confirm`, {body: {holder: HOLDER}});
    expect(confirmed.status).toBe(200);
    expect(confirmed.json).toMatchObject({result: 'confirmed', reservation: reservation.id, lsn: '3'});
    expect((await ask(http, `GET /v1/reservations/${reservation.id}`)).json).toEqual({
      id: reservation.id,
      holder: HOLDER,
      state: 'confirmed',
      epoch: '1',
      resources: [id(1)],
      created_lsn: '2',
      deadline_slot: reservation.deadline_slot,
      released_lsn: null,
      retire_after_slot: null,
    });
  });

  test('of several resources, which the answers list in the order of the request', async () => {
    const http = await withResources(3);
    const resources = [id(3), id(1), id(2)];
    const {status, json} = await ask(http, 'POST /v1/reservations', {
      body: {resources, holder: HOLDER, ttl_slots: '100'},
    });
    expect(status).toBe(201);
    expect(json.reservation.resources).toEqual(resources);
    expect((await ask(http, `GET /v1/reservations/${json.reservation.id}`)).json.resources).toEqual(resources);
  });

  test('are given back, by their epoch as text or number', async () => {
    const http = await withResources(1);
    for (const epoch of ['1', 1]) {
      const reservation = await reserved(http);
      const {status, json} = await ask(http, `POST /v1/reservations/${reservation}/release`, {
        body: {holder: HOLDER, epoch},
      });
      expect(status).toBe(200);
      expect(json).toMatchObject({result: 'released', reservation});
    }
    expect((await ask(http, `GET /v1/resources/${id(1)}`)).json.state).toBe('available');
  });

  test('are taken away in two steps, with no body, an empty one or an empty object', async () => {
    const http = await withResources(1);
    const bodies = [{}, {headers: {'content-type': 'application/json'}}, {body: {}}];
    for (const sending of bodies) {
      const reservation = await reserved(http);
      await ask(http, `POST /v1/reservations/${reservation}/confirm`, {body: {holder: HOLDER}});
      const revoked = await ask(http, `POST /v1/reservations/${reservation}/revoke`, sending);
      expect(revoked.json).toMatchObject({result: 'revoking', reservation});
      expect(revoked.status).toBe(200);
      const read = await ask(http, `GET /v1/reservations/${reservation}`);
      expect(read.json).toMatchObject({state: 'revoking', epoch: '2'});
      const reclaimed = await ask(http, `POST /v1/reservations/${reservation}/reclaim`, sending);
      expect(reclaimed.json).toMatchObject({result: 'reclaimed', reservation});
      expect((await ask(http, `GET /v1/resources/${id(1)}`)).json.state).toBe('available');
    }
  });

  test.each([
    [1, 2n],
    [100, 2n],
    [101, 3n],
    ['950', 11n],
  ])('for %s ms last at least that long, on a clock of 100 ms slots: %s slots', async (ttl, slots) => {
    const http = await startHttp({clockSource: () => 0});
    await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
    const {json} = await ask(http, 'POST /v1/reservations', {body: {resource: id(1), holder: HOLDER, ttl_ms: ttl}});
    expect(json.reservation.deadline_slot).toBe(String(slots));
  });

  test('are listed by holder and by state', async () => {
    const http = await withResources(4);
    const other = id(0xcafe);
    const hold = async (resource: number, holder: string): Promise<string> =>
      (await ask(http, 'POST /v1/reservations', {body: {resource: id(resource), holder, ttl_slots: 100}})).json
        .reservation.id;
    const [a, b, c] = [await hold(1, HOLDER), await hold(2, other), await hold(3, HOLDER)];
    await ask(http, `POST /v1/reservations/${c}/confirm`, {body: {holder: HOLDER}});
    const idsOf = async (query: string): Promise<string[]> =>
      (await ask(http, `GET /v1/reservations?${query}`)).json.reservations.map((each: {id: string}) => each.id).sort();
    expect(await idsOf('')).toEqual([a, b, c].sort());
    expect(await idsOf(`holder=${HOLDER}`)).toEqual([a, c].sort());
    expect(await idsOf('state=confirmed')).toEqual([c]);
    expect(await idsOf(`holder=${HOLDER}&state=reserved`)).toEqual([a]);
    const {json} = await ask(http, `GET /v1/reservations?holder=${other}&limit=1`);
    expect(json).toMatchObject({reservations: [{id: b, holder: other, epoch: '1', resources: [id(2)]}], lsn: '8'});
  });
});

describe('reads', () => {
  test('are answered behind a fence that is reached, at once', async () => {
    const http = await withResources(2);
    for (const path of [`/v1/resources/${id(1)}`, `/v1/resources?ids=${id(1)}`, '/v1/resources', '/v1/reservations']) {
      const mark = path.includes('?') ? '&' : '?';
      expect((await ask(http, `GET ${path}${mark}required_lsn=2`)).status).toBe(200);
      expect((await ask(http, `GET ${path}${mark}required_lsn=0`)).status).toBe(200);
      const refused = await ask(http, `GET ${path}${mark}required_lsn=3`);
      expect(refused.status).toBe(412);
      expect(refused.json).toMatchObject({
        code: 'fence_not_applied',
        category: 'definite',
        required_lsn: '3',
        last_applied_lsn: '2',
      });
    }
  });

  test('of an empty database show nothing, as of no lsn', async () => {
    const http = await startHttp();
    expect((await ask(http, 'GET /v1/resources')).json).toEqual({resources: [], next: null, lsn: null});
    expect((await ask(http, 'GET /v1/reservations')).json).toEqual({reservations: [], next: null, lsn: null});
    const refused = await ask(http, `GET /v1/resources/${id(1)}?required_lsn=1`);
    expect(refused.json).toMatchObject({code: 'fence_not_applied', last_applied_lsn: null});
  });
});

describe('a batch', () => {
  test('answers each command in order, with what it would have answered alone', async () => {
    const http = await startHttp();
    const hold = {command: 'reserve', holder: HOLDER, ttl_slots: 100};
    const {status, json} = await ask(http, 'POST /v1/batch', {
      body: {
        commands: [
          {command: 'create_resource', resource: id(1)},
          {command: 'create_resource', resource: id(2)},
          {...hold, resource: id(1), idempotency_key: 'first'},
          {...hold, resource: id(1)},
          {...hold, resources: [id(2)]},
          {command: 'confirm', reservation: id(3), holder: HOLDER, epoch: '1'},
          {command: 'release', reservation: id(5), holder: HOLDER},
          {command: 'revoke', reservation: id(3)},
          {command: 'reclaim', reservation: id(3)},
          {command: 'reclaim', reservation: id(3)},
        ],
      },
    });
    expect(status).toBe(200);
    expect(json.results.map((each: {status: number}) => each.status)).toEqual([
      201, 201, 201, 409, 201, 200, 200, 200, 200, 410,
    ]);
    const bodies = json.results.map((each: {body: {result?: string; code?: string}}) => each.body);
    expect(bodies.map(({result, code}: {result?: string; code?: string}) => result ?? code)).toEqual([
      'created',
      'created',
      'reserved',
      'resource_busy',
      'reserved',
      'confirmed',
      'released',
      'revoking',
      'reclaimed',
      'reservation_retired',
    ]);
    expect(bodies[2]).toMatchObject({lsn: '3', operation: operationIdFrom('first'), reservation: {id: id(3)}});
    expect(bodies[3]).toMatchObject({status: 409, category: 'definite', lsn: '4', from_retry_cache: false});
    expect(bodies.map(({lsn}: {lsn: string}) => lsn)).toEqual(Array.from({length: 10}, (_, i) => String(i + 1)));
  });
});

describe('the server', () => {
  test('shows the counters of the database and its own time', async () => {
    const http = await withResources(2);
    const {status, json} = await ask(http, 'GET /v1/metrics');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      accepting_writes: true,
      startup_kind: 'fresh_start',
      last_applied_lsn: '2',
      operation_table_used: 2,
      active_snapshot_lsn: null,
      current_slot: expect.stringMatching(/^\d+$/),
      slot_duration_ms: 100,
    });
  });

  test('passes the text for Prometheus on as it is', async () => {
    const http = await startHttp();
    const {type, text} = await ask(http, 'GET /metrics', {headers: {accept: 'text/plain;version=0.0.4,*/*;q=0.1'}});
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toBe('up 1\n');
  });

  test('lives, and is ready or says why not', async () => {
    const ready = await startHttp();
    expect((await ask(ready, 'GET /livez')).json).toEqual({live: true});
    expect((await ask(ready, 'GET /readyz')).json).toEqual({ready: true});
    expect((await ask(ready, 'GET /readyz?verbose')).json).toEqual({ready: true, reasons: [], details: {}});
    const reasons = ['halted: writing the log failed'];
    const unready = await startHttp({readiness: {ready: false, reasons, details: {state: 'halted'}}});
    expect((await ask(unready, 'GET /livez')).status).toBe(200);
    const short = await ask(unready, 'GET /readyz');
    expect(short.status).toBe(503);
    expect(short.json).toMatchObject({code: 'not_ready', category: 'definite'});
    expect(short.json.reasons).toBeUndefined();
    expect((await ask(unready, 'GET /readyz?verbose=1')).json).toMatchObject({code: 'not_ready', reasons});
  });
});
