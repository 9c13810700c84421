/**
 * Scans of the typed facade over a transport that answers what the test says: what a page asks for and becomes, when a walk
 * asks for the next one, and what ends it.
 */
import {describe, expect, expectTypeOf, test} from 'vitest';
import {
  type ApiResponse,
  type FenceNotApplied,
  holderIdFrom,
  idToBigint,
  type LeaseView,
  type ResourceView,
  reservationIdFromBigint,
  resourceIdFrom,
  resourceIdFromBigint,
  type ScanResourcesAnswer,
} from '../src/index.ts';
import {scripted} from './scripted_transport.ts';

const holder = holderIdFrom('someone');
const seat = resourceIdFrom('seat');

function resourcesPage(ids: readonly bigint[], next: bigint | null, lastAppliedLsn: bigint | null = 5n): ApiResponse {
  const resources = ids.map(resourceId => {
    return {resourceId, state: 'available' as const, currentReservationId: null, version: 0n};
  });
  return {type: 'resources_page', lastAppliedLsn, next, resources};
}

function leasesPage(lsns: readonly bigint[], next: bigint | null): ApiResponse {
  const leases = lsns.map(lsn => ({
    reservationId: lsn,
    holderId: idToBigint(holder),
    state: 'reserved' as const,
    leaseEpoch: 1n,
    createdLsn: lsn,
    deadlineSlot: 72n,
    releasedLsn: null,
    retireAfterSlot: null,
    resourceIds: [idToBigint(seat), 3n],
  }));
  return {type: 'reservations_page', lastAppliedLsn: 9n, next, leases};
}

const FENCE: ApiResponse = {type: 'resource_fence_not_applied', requiredLsn: 9n, lastAppliedLsn: 8n};

async function idsOf(walk: AsyncIterable<{id: string}>): Promise<string[]> {
  const ids: string[] = [];
  for await (const {id} of walk) ids.push(id);
  return ids;
}

describe('a page', () => {
  test('of resources is views, its lsn, and where the next one begins', async () => {
    const {db, requests} = scripted(resourcesPage([1n], 1n), resourcesPage([], null, null));
    const first = await db.scanResources({state: 'available', position: 7n, limit: 3}, {requiredLsn: 2n});
    const resource = {id: resourceIdFromBigint(1n), state: 'available', reservation: null, version: 0n};
    expect(first).toEqual({result: 'page', lsn: 5n, resources: [resource], next: 1n});
    expect(await db.scanResources()).toEqual({result: 'page', lsn: null, resources: [], next: null});
    const all = {type: 'scan_resources', requiredLsn: 5n, state: null, position: 0n, limit: 0};
    expect(requests).toEqual([{...all, requiredLsn: 2n, state: 'available', position: 7n, limit: 3}, all]);
    expectTypeOf(first).toEqualTypeOf<ScanResourcesAnswer>();
    expectTypeOf<Exclude<ScanResourcesAnswer, FenceNotApplied>['resources']>().toEqualTypeOf<ResourceView[]>();
  });

  test('of reservations is leases, of a holder and a state, for a reader now', async () => {
    const {db, requests} = scripted(leasesPage([7n], null), leasesPage([], 4n));
    const lease: LeaseView = {
      id: reservationIdFromBigint(7n),
      holder,
      state: 'reserved',
      epoch: 1n,
      createdLsn: 7n,
      deadlineSlot: 72n,
      releasedLsn: null,
      retireAfterSlot: null,
      resources: [seat, resourceIdFromBigint(3n)],
    };
    const answer = await db.scanReservations({holder, state: 'reserved', position: 2n ** 64n - 1n, limit: 65_535});
    expect(answer).toEqual({result: 'page', lsn: 9n, leases: [lease], next: null});
    expect(await db.scanReservations({})).toEqual({result: 'page', lsn: 9n, leases: [], next: 4n});
    const all = {type: 'scan_reservations', currentSlot: 42n, holderId: null, state: null, position: 0n, limit: 0};
    expect(requests).toEqual([
      {
        ...all,
        requiredLsn: null,
        holderId: idToBigint(holder),
        state: 'reserved',
        position: 2n ** 64n - 1n,
        limit: 65_535,
      },
      {...all, requiredLsn: 9n},
    ]);
  });

  test('says how far the database is: later reads are not older', async () => {
    const {db, requests} = scripted(
      resourcesPage([], null, 8n),
      resourcesPage([], null, 3n),
      FENCE,
      leasesPage([], null),
    );
    for (let i = 0; i < 2; i++) await db.scanResources();
    expect(db.lastLsn).toBe(8n);
    expect(await db.scanResources()).toEqual({result: 'fence_not_applied', requiredLsn: 9n, lastAppliedLsn: 8n});
    expect(db.lastLsn).toBe(8n);
    await db.scanReservations();
    expect(requests.map(request => 'requiredLsn' in request && request.requiredLsn)).toEqual([null, 8n, 8n, 8n]);
    expect(db.lastLsn).toBe(9n);
  });

  test('of a halted engine is no answer; what is no page is a protocol error', async () => {
    const {db} = scripted({type: 'resource_engine_halted'}, {type: 'reservation_engine_halted'}, leasesPage([], null), {
      type: 'reservation_not_found',
    });
    const halted = {code: 'engine_halted', certainty: 'definite'};
    await expect(db.scanResources()).rejects.toMatchObject({failure: halted});
    await expect(db.scanReservations()).rejects.toMatchObject({failure: halted});
    await expect(db.scanResources()).rejects.toMatchObject({code: 'protocol_error'});
    await expect(db.scanReservations()).rejects.toMatchObject({code: 'protocol_error'});
  });

  test('misuse rejects, and never throws synchronously; a walk rejects when it is begun', async () => {
    const {db, requests} = scripted();
    const loose = db as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const walking = (method: string): ((...args: unknown[]) => Promise<unknown>) => {
      return async (...args) => {
        const walk = (loose[method] as (typeof loose)[string]).apply(db, args) as unknown as AsyncGenerator;
        return walk.next();
      };
    };
    const attempts: [(...args: unknown[]) => Promise<unknown>, unknown[], unknown][] = [];
    for (const method of ['scanResources', 'scanReservations']) {
      const call = (...args: unknown[]): Promise<unknown> => (loose[method] as (typeof loose)[string]).apply(db, args);
      attempts.push(
        [call, [null], TypeError],
        [call, [{state: 'lost'}], RangeError],
        [call, [{state: ''}], RangeError],
        [call, [{state: 1}], TypeError],
        [call, [{position: 5}], TypeError],
        [call, [{position: -1n}], RangeError],
        [call, [{position: 2n ** 64n}], RangeError],
        [call, [{limit: '5'}], TypeError],
        [call, [{limit: -1}], RangeError],
        [call, [{limit: 65_536}], RangeError],
        [call, [{limit: 1.5}], RangeError],
        [call, [{}, {requiredLsn: 5}], TypeError],
      );
    }
    attempts.push(
      [(...args) => db.scanReservations(...(args as [])), [{holder: 5}], TypeError],
      [(...args) => db.scanReservations(...(args as [])), [{holder: 'me'}], RangeError],
      [walking('resources'), [{state: 'expired'}], RangeError],
      [walking('reservations'), [{state: 'available'}], RangeError],
      [walking('reservations'), [{holder: 5}], TypeError],
    );
    for (const [call, args, type] of attempts) await expect(call(...args)).rejects.toBeInstanceOf(type);
    expect(requests).toEqual([]);
  });
});

describe('a walk', () => {
  const ids = (...numbers: bigint[]): string[] => numbers.map(resourceIdFromBigint);

  test('goes through all pages, empty ones too, and ends', async () => {
    const {db, requests, options} = scripted(
      resourcesPage([1n, 2n], 2n),
      resourcesPage([], 8192n),
      resourcesPage([3n], null),
    );
    const {signal} = new AbortController();
    expect(await idsOf(db.resources({state: 'reserved'}, {signal, requiredLsn: 1n}))).toEqual(ids(1n, 2n, 3n));
    const asked = {type: 'scan_resources', requiredLsn: 1n, state: 'reserved', limit: 0};
    expect(requests).toEqual([0n, 2n, 8192n].map(position => ({...asked, position})));
    expect(options.every(each => each.signal === signal)).toBe(true);
  });

  test('of reservations does the same, of one holder', async () => {
    const {db, requests} = scripted(leasesPage([4n], 1n), leasesPage([5n], null));
    expect(await idsOf(db.reservations({holder}))).toEqual([4n, 5n].map(reservationIdFromBigint));
    expect(requests).toMatchObject([
      {requiredLsn: null, holderId: idToBigint(holder), position: 0n},
      {requiredLsn: 9n, holderId: idToBigint(holder), position: 1n},
    ]);
  });

  test('asks for nothing before it is begun, nor for a page before the one before was taken', async () => {
    const {db, requests} = scripted(resourcesPage([1n, 2n], 2n), resourcesPage([3n], null));
    const walk = db.resources();
    expect(requests).toHaveLength(0);
    for (const [taken, asked] of [
      [1n, 1],
      [2n, 1],
      [3n, 2],
    ] as const) {
      expect((await walk.next()).value).toMatchObject({id: resourceIdFromBigint(taken)});
      expect(requests).toHaveLength(asked);
    }
    expect(await walk.next()).toEqual({done: true, value: undefined});
    expect(requests).toHaveLength(2);
  });

  test('that is left early asks for nothing more', async () => {
    const {db, requests} = scripted(resourcesPage([1n, 2n], 2n));
    for await (const {id} of db.resources()) {
      expect(id).toBe(resourceIdFromBigint(1n));
      break;
    }
    expect(requests).toHaveLength(1);
  });

  test('throws the reason of its signal, in the middle of a page too', async () => {
    const {db, requests} = scripted(resourcesPage([1n, 2n, 3n], 3n));
    const controller = new AbortController();
    const seen: string[] = [];
    const walking = (async () => {
      for await (const {id} of db.resources({}, {signal: controller.signal})) {
        seen.push(id);
        if (seen.length === 2) controller.abort('enough');
      }
    })();
    await expect(walking).rejects.toBe('enough');
    expect(seen).toEqual(ids(1n, 2n));
    expect(requests).toHaveLength(1);
  });

  test('throws what a page rejects with, and a fence that is not reached', async () => {
    const {db} = scripted(resourcesPage([1n], 1n), {type: 'resource_engine_halted'}, FENCE);
    const walk = db.resources();
    await walk.next();
    await expect(walk.next()).rejects.toMatchObject({code: 'engine_halted'});
    expect(await walk.next()).toEqual({done: true, value: undefined});
    await expect(idsOf(db.resources())).rejects.toMatchObject({
      failure: {code: 'protocol_error', certainty: 'definite'},
      message: expect.stringContaining('fence 9'),
    });
  });
});
