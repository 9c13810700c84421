/**
 * What scans must do, in this process and over TCP alike: a real engine on a real disk behind the typed interface. What one
 * page holds at most is the engine's test; here it is what a caller sees of many, while others go on.
 */
import {
  type BatchCommand,
  type Database,
  holderIdFrom,
  type LeaseView,
  type ResourceId,
  type ResourceView,
  resourceIdFrom,
} from '@allocdb/api';
import type {DatabaseLimits} from '@allocdb/node';
import {afterEach, describe, expect, test} from 'vitest';

/** Room for everything that the tests do within one window of operations. */
export const SCAN_LIMITS: DatabaseLimits = {
  maxResources: 30_000,
  maxReservations: 12_000,
  maxOperations: 200_000,
  maxTtlSlots: 100_000,
  maxBundleSize: 4096,
};

const BATCH = 4000;
const holder = holderIdFrom('someone');
const other = holderIdFrom('somebody else');

function seat(i: number): ResourceId {
  return resourceIdFrom(`seat ${i}`);
}

function seats(from: number, count: number): ResourceId[] {
  return Array.from({length: count}, (_, i) => seat(from + i));
}

async function apply(db: Database, commands: readonly BatchCommand[], result: string): Promise<void> {
  for (let at = 0; at < commands.length; at += BATCH) {
    for (const answer of await db.batch(commands.slice(at, at + BATCH))) expect(answer.result).toBe(result);
  }
}

async function create(db: Database, ids: readonly ResourceId[]): Promise<void> {
  await apply(
    db,
    ids.map(resource => ({command: 'create_resource', resource})),
    'created',
  );
}

async function collect<Item>(walk: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of walk) items.push(item);
  return items;
}

function expectOnce(ids: readonly string[]): void {
  expect(new Set(ids).size).toBe(ids.length);
}

/** `open` gives an empty database with {@link SCAN_LIMITS}; what it opened is closed by `close`, after each test. */
export function runScanSuite(name: string, open: () => Promise<Database>, close: () => Promise<void>): void {
  afterEach(close);

  describe(`scans ${name}`, () => {
    test('show own writes: resources as they are, in the order of creation', async () => {
      const db = await open();
      await create(db, seats(0, 5));
      const taken = await db.reserveBundle({resources: [seat(3), seat(1)], holder, ttlSlots: 500});
      if (taken.result !== 'reserved') throw new Error(taken.result);
      const page = await db.scanResources();
      if (page.result !== 'page') throw new Error(page.result);
      expect(page).toMatchObject({lsn: taken.lsn, next: null});
      const expected: ResourceView[] = [];
      for (const id of seats(0, 5)) {
        const one = await db.getResource(id);
        if (one.result === 'found') expected.push(one.resource);
      }
      expect(page.resources).toEqual(expected);
      const free = await collect(db.resources({state: 'available'}));
      expect(free.map(({id}) => id)).toEqual([seat(0), seat(2), seat(4)]);
      const held = await db.scanResources({state: 'reserved', limit: 1});
      expect(held).toMatchObject({resources: [{id: seat(1), reservation: taken.lease.id}], next: 2n});
      const past = await db.scanResources({position: 2n ** 64n - 1n});
      expect(past).toEqual({result: 'page', lsn: taken.lsn, resources: [], next: null});
    });

    test('show reservations by holder and state, with all members, over or not', async () => {
      const db = await open();
      await create(db, seats(0, 200));
      const ids: string[] = [];
      for (let i = 0; i < 6; i++) {
        const resources = i === 5 ? seats(100, 100) : [seat(i)];
        const answer = await db.reserveBundle({resources, holder: i % 2 === 0 ? holder : other, ttlSlots: 500});
        if (answer.result !== 'reserved') throw new Error(answer.result);
        ids.push(answer.lease.id);
        if (i === 2) await db.confirm({reservation: answer.lease.id, holder});
        if (i === 4) await db.release({reservation: answer.lease.id, holder});
      }
      const all = await collect(db.reservations());
      const expected: LeaseView[] = [];
      for (const {id} of all) {
        const one = await db.getLease(id);
        if (one.result === 'found') expected.push(one.lease);
      }
      expect(all).toEqual(expected);
      expect(all.map(({id}) => id).sort()).toEqual([...ids].sort());
      const mine = await collect(db.reservations({holder}));
      expect(mine.map(({state}) => state).sort()).toEqual(['confirmed', 'released', 'reserved']);
      const theirs = await collect(db.reservations({holder: other, state: 'reserved'}));
      expect(theirs.map(({resources}) => resources.length).sort()).toEqual([1, 1, 100]);
      expect(await collect(db.reservations({holder: other, state: 'released'}))).toEqual([]);
    });

    test('show each of 20,000 resources exactly once while others are created and reserved', async () => {
      const db = await open();
      const first = seats(0, 20_000);
      await create(db, first);
      let created = first.length;
      let held = 0;
      const written: Promise<unknown>[] = [];
      // New resources, holds of some that were shown and of some that were not, and of those the oldest given back.
      const change = (): void => {
        const more = seats(created, 50);
        created += more.length;
        written.push(create(db, more));
        const resources = [seat(held), seat(first.length - 1 - held)];
        held += 1;
        written.push(
          db.reserveBundle({resources, holder, ttlSlots: 5000}).then(async answer => {
            if (answer.result !== 'reserved') throw new Error(answer.result);
            if (held % 2 === 0) await db.release({reservation: answer.lease.id, holder});
          }),
        );
      };
      const shown: ResourceView[] = [];
      for await (const resource of db.resources()) {
        shown.push(resource);
        if (shown.length % 250 === 0 && created < 24_000) change();
      }
      await Promise.all(written);
      const ids = shown.map(({id}) => id);
      expect(ids.slice(0, first.length)).toEqual(first);
      expect(ids).toEqual(seats(0, ids.length));
      expect(ids.length).toBeGreaterThan(first.length);
      for (const {state, reservation} of shown) expect(reservation === null).toBe(state === 'available');
      expect(shown.some(({state}) => state === 'reserved')).toBe(true);
      // Nothing happens any more: both walks show the same.
      const again = await collect(db.resources());
      expect(again.map(({id}) => id)).toEqual(seats(0, created));
    });

    test('show each reservation that stays exactly once while others come and go', async () => {
      const db = await open();
      await create(db, seats(0, 6000));
      const stays = await Promise.all(
        seats(0, 4000).map(async resource => {
          const answer = await db.reserve({resource, holder, ttlSlots: 50_000});
          if (answer.result !== 'reserved') throw new Error(answer.result);
          return answer.lease.id;
        }),
      );
      let next = 4000;
      const comeAndGo = async (): Promise<void> => {
        const answer = await db.reserve({resource: seat((next++ % 2000) + 4000), holder: other, ttlSlots: 5000});
        if (answer.result === 'reserved') await db.release({reservation: answer.lease.id, holder: other});
      };
      const written: Promise<unknown>[] = [];
      const shown: LeaseView[] = [];
      for await (const lease of db.reservations()) {
        shown.push(lease);
        if (shown.length % 50 === 0) written.push(comeAndGo());
      }
      await Promise.all(written);
      expectOnce(shown.map(({id}) => id));
      const stayed = shown.filter(lease => lease.holder === holder).map(({id}) => id);
      expect(stayed.sort()).toEqual(stays.sort());
    });

    test('end with the failure of a call: when the signal fires, and when the database is closed', async () => {
      const db = await open();
      await create(db, seats(0, 1500));
      const controller = new AbortController();
      const reason = new Error('enough');
      let seen = 0;
      const aborted = async (): Promise<void> => {
        for await (const _ of db.resources({}, {signal: controller.signal}))
          if (++seen === 1200) controller.abort(reason);
      };
      await expect(aborted()).rejects.toBe(reason);
      expect(seen).toBe(1200);
      await expect(db.reservations({}, {signal: controller.signal}).next()).rejects.toBe(reason);
      await expect(db.scanResources({}, {signal: controller.signal})).rejects.toMatchObject({code: 'aborted'});
      const walk = db.resources();
      for (let i = 0; i < 1000; i++) await walk.next();
      await db.close();
      await expect(walk.next()).rejects.toMatchObject({failure: {code: 'closed', certainty: 'definite'}});
    });
  });
}
