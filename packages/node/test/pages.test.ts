/**
 * Pages of a scan through the engine: when they leave, what becomes of them in a halt, what refuses them, and how much
 * one holds at most. Which rows a page has is core's test; what it is byte for byte, the comparison with the model's.
 */
import type {ApiRequest, ApiResponse, ReservationsPage, ResourcesPage} from '@allocdb/api';
import {encodeRequest, encodeResponse, PAGE, SIZE} from '@allocdb/api';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import type {SingleNodeEngine} from '../src/index.ts';
import {
  afterPowerCut,
  Caller,
  configWith,
  create,
  HeldDisk,
  openOn,
  payload,
  reserve,
  resource,
  said,
  turns,
  until,
} from './support.ts';

type Asked<Type extends ApiRequest['type']> = Partial<Extract<ApiRequest, {type: Type}>>;

function resources(asked: Asked<'scan_resources'> = {}): ApiRequest {
  return {type: 'scan_resources', requiredLsn: null, state: null, position: 0n, limit: 0, ...asked};
}

function reservations(asked: Asked<'scan_reservations'> = {}): ApiRequest {
  const whole = {requiredLsn: null, currentSlot: 1n, holderId: null, state: null, position: 0n, limit: 0};
  return {type: 'scan_reservations', ...whole, ...asked};
}

function resourcesOf(response: ApiResponse | undefined): ResourcesPage {
  if (response?.type !== 'resources_page') throw new Error(`a page of resources, not ${said(response)}`);
  return response;
}

function leasesOf(response: ApiResponse | undefined): ReservationsPage {
  if (response?.type !== 'reservations_page') throw new Error(`a page of reservations, not ${said(response)}`);
  return response;
}

const idsOf = (response: ApiResponse | undefined): bigint[] =>
  resourcesOf(response).resources.map(({resourceId}) => resourceId);
const holdersOf = (response: ApiResponse | undefined): bigint[] =>
  leasesOf(response).leases.map(({holderId}) => holderId);

function bundle(holderId: bigint, first: bigint, count: number, requestSlot = 1n): ApiRequest {
  const resourceIds = Array.from({length: count}, (_, i) => first + BigInt(i));
  return {
    type: 'submit',
    requestSlot,
    payload: payload({kind: 'reserve_bundle', resourceIds, holderId, ttlSlots: 90n}),
  };
}

function setUp(): {disk: HeldDisk; engine: SingleNodeEngine; caller: Caller} {
  const disk = new HeldDisk();
  const engine = openOn(disk, {commitMode: 'async', segmentBytes: 1 << 20});
  return {disk, engine, caller: new Caller(engine)};
}

describe('a page', () => {
  test('of a new database is empty, the last one, and of no lsn', () => {
    const engine = openOn(new SimDisk());
    const page = {lastAppliedLsn: null, next: null};
    expect(engine.handleApiRequest(resources())).toEqual({type: 'resources_page', ...page, resources: []});
    expect(engine.handleApiRequest(reservations())).toEqual({type: 'reservations_page', ...page, leases: []});
  });

  test('shows what the lookups show, at the last lsn', () => {
    const engine = openOn(new SimDisk());
    for (const id of [3n, 1n, 2n]) engine.handleApiRequest(create(id));
    engine.handleApiRequest(bundle(8n, 1n, 2));
    const page = resourcesOf(engine.handleApiRequest(resources({limit: 2})));
    expect(page).toMatchObject({lastAppliedLsn: 4n, next: 2n});
    for (const shown of page.resources) {
      expect(engine.handleApiRequest(resource(shown.resourceId))).toEqual({type: 'resource_found', ...shown});
    }
    expect(page.resources.map(({resourceId, state}) => [resourceId, state])).toEqual([
      [3n, 'available'],
      [1n, 'reserved'],
    ]);
    const leases = leasesOf(engine.handleApiRequest(reservations()));
    const reservationId = (7n << 64n) | 4n;
    const lease = {type: 'get_lease', requiredLsn: null, currentSlot: 1n, reservationId} as const;
    expect(leases).toMatchObject({lastAppliedLsn: 4n, next: null});
    expect(leases.leases.map(shown => ({type: 'lease_found', ...shown}))).toEqual([engine.handleApiRequest(lease)]);
  });

  test('is for a reader at the slot that counts', () => {
    const now = {slot: 1n};
    const clock = {now: () => now.slot};
    const engine = openOn(new SimDisk(), {slots: () => ({clock, maxSlotAdvance: null, ignoreRequestSlots: true})});
    engine.handleApiRequest(create(1n));
    const granted = engine.handleApiRequest(reserve(1n));
    if (granted.type !== 'submit_committed') throw new Error(said(granted));
    const release = payload({kind: 'release', reservationId: granted.reservationId ?? 0n, holderId: 9n});
    engine.handleApiRequest({type: 'submit', requestSlot: 0n, payload: release});
    const page = (currentSlot: bigint): bigint[] => holdersOf(engine.handleApiRequest(reservations({currentSlot})));
    expect([page(0n), page(2n ** 64n - 1n)]).toEqual([[9n], [9n]]);
    now.slot = 11n;
    expect(page(0n)).toEqual([9n]);
    now.slot = 12n;
    expect(page(0n)).toEqual([]);
  });
});

describe('a page waits for the disk', () => {
  test('and is there after a power cut whenever it was shown', async () => {
    const {disk, caller, engine} = setUp();
    const reader = new Caller(engine);
    caller.send(create(1n), create(2n));
    await until(() => disk.heldCount === 1);
    reader.send(resources(), reservations());
    caller.send(reserve(1n), create(3n));
    reader.send(resources({state: 'reserved'}), reservations());
    await turns(5);
    expect(reader.said).toEqual([]);
    await disk.release();
    // What waits for the first frame left with it; it does not show what was applied since.
    expect(reader.said).toEqual(['resources_page', 'reservations_page']);
    expect(resourcesOf(reader.responses[0])).toMatchObject({lastAppliedLsn: 2n, next: null});
    expect([idsOf(reader.responses[0]), holdersOf(reader.responses[1])]).toEqual([[1n, 2n], []]);
    expect(idsOf(openOn(afterPowerCut(disk)).handleApiRequest(resources()))).toEqual(expect.arrayContaining([1n, 2n]));
    await disk.release();
    expect([idsOf(reader.responses[2]), holdersOf(reader.responses[3])]).toEqual([[1n], [9n]]);
    expect(resourcesOf(reader.responses[2]).lastAppliedLsn).toBe(4n);
  });

  test('and is no page any more when the disk fails', async () => {
    const {disk, caller, engine} = setUp();
    caller.send(create(1n), resources());
    await disk.release();
    caller.send(create(2n), resources(), reservations());
    await until(() => disk.heldCount === 1);
    caller.send(resources(), create(3n), reservations(), resources({requiredLsn: 9n}));
    disk.arm({call: 1, kind: 'EIO'});
    await disk.release();
    const halted = ['resource_engine_halted', 'reservation_engine_halted'];
    expect(caller.said).toEqual([
      'ok@1',
      'resources_page',
      'storage_failure',
      ...halted,
      'resource_engine_halted',
      'engine_halted',
      'reservation_engine_halted',
      'resource_engine_halted',
    ]);
    caller.send(resources(), reservations(), resources({requiredLsn: 99n}));
    await until(() => caller.responses.length === 12);
    expect(caller.said.slice(9)).toEqual([...halted, 'resource_engine_halted']);
    expect(said(engine.handleApiRequest(reservations()))).toBe('reservation_engine_halted');
  });
});

test('a fence that is not reached is answered at once, with how far the database is', () => {
  const engine = openOn(new SimDisk());
  engine.handleApiRequest(create(1n));
  const fence = {requiredLsn: 2n, lastAppliedLsn: 1n};
  const refused = {resource: 'resource_fence_not_applied', reservation: 'reservation_fence_not_applied'};
  expect(engine.handleApiRequest(resources({requiredLsn: 2n}))).toEqual({type: refused.resource, ...fence});
  expect(engine.handleApiRequest(reservations({requiredLsn: 2n}))).toEqual({type: refused.reservation, ...fence});
  expect(said(engine.handleApiRequest(resources({requiredLsn: 1n})))).toBe('resources_page');
  expect(said(engine.handleApiRequest(reservations({requiredLsn: 0n})))).toBe('reservations_page');
});

test('a scan that asks for no state there is, is nobody’s request', () => {
  const engine = openOn(new SimDisk());
  const frame = encodeRequest(resources());
  expect(() => engine.handleApiBytes(frame.with(2, 5))).toThrow('invalid_enum_value resource_state 5');
  expect(() => engine.handleApiBytes(frame.subarray(1))).toThrow('invalid_request_tag 0');
  expect(() => engine.handleApiBytes(frame.slice(0, -1))).toThrow('invalid_request_tag 18');
});

describe('a page is bounded', () => {
  const MANY = 20_000;
  const MEMBERS = 5000;
  const large = configWith(
    {maxCommandBytes: 59 + 16 * MEMBERS},
    {
      maxResources: MANY,
      maxReservations: 10_000,
      maxOperations: 60_000,
      maxBundleSize: MEMBERS,
      maxExpirationBucketLen: 10_000,
    },
  );

  function open(): SingleNodeEngine {
    return openOn(new SimDisk(), {config: large, segmentBytes: 8 << 20});
  }

  /** Applies so many commands, a thousand in a batch. */
  function apply(engine: SingleNodeEngine, count: number, commandOf: (i: number) => Uint8Array): void {
    for (let first = 0; first < count; first += 1000) {
      const payloads = Array.from({length: Math.min(1000, count - first)}, (_, i) => commandOf(first + i));
      const answer = engine.handleApiRequest({type: 'submit_batch', requestSlot: 1n, payloads});
      if (answer.type !== 'batch_result') throw new Error(said(answer));
      for (const each of answer.results) expect(said(each)).toMatch(/^ok@/);
    }
  }

  const creating = (i: number): Uint8Array => payload({kind: 'create_resource', resourceId: BigInt(i)});
  const holding = (i: number): Uint8Array =>
    payload({kind: 'reserve', resourceId: BigInt(i), holderId: BigInt(i), ttlSlots: 90n});
  const bytesOf = (response: ApiResponse): number => encodeResponse(response).length - 1;

  /** Every page of a walk over all reservations; each gets on. */
  function allPages(engine: SingleNodeEngine): ReservationsPage[] {
    const pages: ReservationsPage[] = [];
    for (let position: bigint | null = 0n; position !== null; ) {
      const page = leasesOf(engine.handleApiRequest(reservations({position})));
      expect(page.next ?? position + 1n).toBeGreaterThan(position);
      pages.push(page);
      position = page.next;
    }
    return pages;
  }

  test('in rows and in resources', () => {
    const engine = open();
    apply(engine, MANY, creating);
    const ask = (asked: Asked<'scan_resources'>): ResourcesPage =>
      resourcesOf(engine.handleApiRequest(resources(asked)));
    expect(ask({})).toMatchObject({next: 1000n, resources: {length: PAGE.ENTRIES_MAX}});
    expect(ask({limit: 0xffff})).toMatchObject({next: 1000n, resources: {length: PAGE.ENTRIES_MAX}});
    expect(ask({limit: 1, position: 19_999n})).toMatchObject({next: null, resources: {length: 1}});
    // Nothing is in this state: pages are empty, and not the last one until all rows were looked at.
    const none = {state: 'revoking', limit: 7} as const;
    expect(ask(none)).toMatchObject({next: BigInt(PAGE.ROWS_MAX), resources: []});
    expect(ask({...none, position: 8192n})).toMatchObject({next: 16_384n, resources: []});
    expect(ask({...none, position: 16_384n})).toMatchObject({next: null, resources: []});
  });

  test('in rows of reservations, and in bytes of what it shows of them', () => {
    const engine = open();
    apply(engine, 10_000, creating);
    apply(engine, 9000, holding);
    const ask = (asked: Asked<'scan_reservations'>): ReservationsPage =>
      leasesOf(engine.handleApiRequest(reservations(asked)));
    expect(ask({holderId: 8999n})).toMatchObject({next: 8192n, leases: []});
    expect(ask({holderId: 8999n, position: 8192n})).toMatchObject({next: null, leases: [{holderId: 8999n}]});
    // Each has one member and is live; the header counts as if it were as long as it can be.
    const fits = Math.floor((PAGE.BODY_BYTES_MAX - SIZE.PAGE_HEADER_MAX + 1) / (SIZE.LEASE_ENTRY_MIN + SIZE.ID));
    const page = ask({});
    expect(page).toMatchObject({next: BigInt(fits), leases: {length: fits}});
    expect(bytesOf(page)).toBeLessThanOrEqual(PAGE.BODY_BYTES_MAX);
    const seen = allPages(engine).flatMap(({leases}) => leases.map(({holderId}) => holderId));
    expect(seen).toEqual(Array.from({length: 9000}, (_, i) => BigInt(i)));
  });

  test('in bytes of what is over, which is longer', () => {
    const engine = open();
    apply(engine, 1000, creating);
    apply(engine, 1000, holding);
    apply(engine, 1000, i => {
      const reservationId = (7n << 64n) | BigInt(1001 + i);
      return payload({kind: 'release', reservationId, holderId: BigInt(i)});
    });
    const fits = Math.floor((PAGE.BODY_BYTES_MAX - SIZE.PAGE_HEADER_MAX + 1) / (SIZE.LEASE_ENTRY_MAX + SIZE.ID));
    const [first, ...rest] = allPages(engine);
    expect(first).toMatchObject({next: BigInt(fits), leases: {length: fits}});
    expect(rest).toMatchObject([{leases: {length: 1000 - fits}}]);
  });

  test('in bytes of bundles, of which the first is shown however large it is', () => {
    const engine = open();
    apply(engine, MANY, creating);
    const sizes = [5000, 2000, 2000, 83, 10, 1, 4000];
    let first = 0;
    for (const [i, size] of sizes.entries()) {
      expect(said(engine.handleApiRequest(bundle(BigInt(i), BigInt(first), size)))).toMatch(/^ok@/);
      first += size;
    }
    const pages = allPages(engine);
    for (const page of pages) {
      if (page.leases.length > 1) expect(bytesOf(page)).toBeLessThanOrEqual(PAGE.BODY_BYTES_MAX);
    }
    // Two of 2,000 with their heads leave 1,390 bytes: one too few for a head and 83 more.
    const members = pages.map(({leases}) => leases.map(({resourceIds}) => resourceIds.length));
    expect(members).toEqual([[5000], [2000, 2000], [83, 10, 1], [4000]]);
  });

  test.each([
    [4079, 4, PAGE.BODY_BYTES_MAX],
    [4080, 3, SIZE.PAGE_HEADER_MAX - 1 + 3 * SIZE.LEASE_ENTRY_MIN + 2984 * SIZE.ID],
  ])('to the byte: of four bundles of %i members in all it has %i', (members, count, bytes) => {
    const engine = open();
    apply(engine, 5000, creating);
    let first = 0;
    for (const size of [1000, 1000, 984, members - 2984, 1]) {
      expect(said(engine.handleApiRequest(bundle(1n, BigInt(first), size)))).toMatch(/^ok@/);
      first += size;
    }
    const page = leasesOf(engine.handleApiRequest(reservations()));
    expect(page).toMatchObject({next: BigInt(count), leases: {length: count}});
    expect(bytesOf(page)).toBe(bytes);
  });
});
