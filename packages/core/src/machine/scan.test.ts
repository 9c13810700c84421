/**
 * Scans: which rows a page shows, where the next one begins, and what a walk over many pages has shown in the end while
 * commands go on between them. What is shown of a reservation at a slot is held against the lookup by id.
 */
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {CONFIG, HASH_SEED, Machine} from '../../test/machine.ts';
import {populated} from '../../test/populated.ts';
import {loadInto, takeSnapshot} from '../../test/snapshots.ts';
import {configs, Stepper, steps} from '../../test/streams.ts';
import {RESERVATION_STATE, RESERVATION_STATE_NAMES, RESOURCE_STATE} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {RESOURCE} from '../table/resource_table.ts';
import {bigintOfU64, bigintOfU128, hiOf, loOf, writeU128} from '../words.ts';
import {AllocDb} from './alloc_db.ts';
import {Scan, scanReservations, scanResources} from './scan.ts';

interface Asked {
  position?: bigint;
  state?: number;
  limit?: number;
  holder?: bigint | null;
  slot?: bigint;
}

interface Page {
  ids: bigint[];
  next: number;
}

/** At most `rowsMax` rows looked at and `foundMax` shown. */
class Scanner {
  readonly machine: Machine;
  readonly scan: Scan;

  constructor(machine: Machine, rowsMax = 1000, foundMax = 1000) {
    this.machine = machine;
    this.scan = new Scan(rowsMax, foundMax);
  }

  resources(asked: Asked = {}): Page {
    this.ask(asked);
    scanResources(this.machine.db, this.scan);
    return this.page(row => bigintOfU128(this.machine.db.resources.words, row * RESOURCE.WORDS));
  }

  reservations(asked: Asked = {}): Page {
    this.ask(asked);
    scanReservations(this.machine.db, this.scan);
    const {words} = this.machine.db.reservations;
    return this.page(row => {
      const lsn = row * RESERVATION.WORDS + RESERVATION.LSN;
      return this.machine.idOfLsn(bigintOfU64(words[lsn], words[lsn + 1]));
    });
  }

  private ask({position = 0n, state = 0, limit = 0, holder = null, slot = 0n}: Asked): void {
    const {scan} = this;
    scan.positionLo = loOf(position);
    scan.positionHi = hiOf(position);
    scan.state = state;
    scan.limit = limit;
    scan.hasHolder = holder !== null;
    writeU128(scan.holder, 0, holder ?? 77n);
    scan.slotLo = loOf(slot);
    scan.slotHi = hiOf(slot);
  }

  private page(idOf: (row: number) => bigint): Page {
    const {rows, count, next} = this.scan;
    return {ids: Array.from(rows.subarray(0, count), idOf), next};
  }
}

/** Ids of all pages, asked for with `limit` rows each; `between` happens between two pages. */
function walk(page: (asked: Asked) => Page, asked: Asked, between: () => void = () => undefined): bigint[] {
  const ids: bigint[] = [];
  for (let position = 0; ; between()) {
    const {ids: shown, next} = page({...asked, position: BigInt(position)});
    ids.push(...shown);
    if (next < 0) return ids;
    expect(next).toBeGreaterThan(position);
    position = next;
  }
}

/** What is there for a reader at the slot by asking for every lsn there ever was. */
function lookedUp(machine: Machine, slot: bigint): Map<bigint, {state: string; holderId: bigint}> {
  const found = new Map<bigint, {state: string; holderId: bigint}>();
  for (let lsn = 1n; lsn <= machine.lastLsn; lsn++) {
    const lease = machine.lease(machine.idOfLsn(lsn), slot);
    if (typeof lease !== 'string') found.set(machine.idOfLsn(lsn), lease);
  }
  return found;
}

const PAST_THE_END = [7n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];

describe('a page of resources', () => {
  test('has them in the order of creation, as many as asked for, and says where the next one begins', () => {
    const scanner = new Scanner(populated());
    expect(scanner.resources()).toEqual({ids: [1n, 2n, 3n, 4n, 5n, 6n], next: -1});
    expect(scanner.resources({limit: 4})).toEqual({ids: [1n, 2n, 3n, 4n], next: 4});
    expect(scanner.resources({limit: 4, position: 4n})).toEqual({ids: [5n, 6n], next: -1});
    expect(scanner.resources({limit: 6})).toEqual({ids: [1n, 2n, 3n, 4n, 5n, 6n], next: -1});
  });

  test('has those of a state only', () => {
    const scanner = new Scanner(populated());
    const inState = (state: number): bigint[] => scanner.resources({state}).ids;
    expect(Object.values(RESOURCE_STATE).map(inState)).toEqual([[5n], [1n, 4n, 6n], [2n], [3n]]);
    expect(inState(5)).toEqual([]);
    expect(scanner.resources({state: RESOURCE_STATE.RESERVED, limit: 2})).toEqual({ids: [1n, 4n], next: 4});
  });

  test('is bounded in rows looked at and in rows shown: it may be empty and not the last one', () => {
    const few = new Scanner(populated(), 2, 1000);
    const {REVOKING} = RESOURCE_STATE;
    expect(few.resources({state: REVOKING})).toEqual({ids: [], next: 2});
    expect(few.resources({state: REVOKING, position: 2n})).toEqual({ids: [3n], next: 4});
    expect(few.resources({state: REVOKING, position: 4n})).toEqual({ids: [], next: -1});
    const short = new Scanner(populated(), 1000, 5);
    expect(short.resources()).toEqual({ids: [1n, 2n, 3n, 4n, 5n], next: 5});
    expect(short.resources({limit: 60_000})).toEqual({ids: [1n, 2n, 3n, 4n, 5n], next: 5});
  });

  test('past the end is empty and the last one, however far', () => {
    const scanner = new Scanner(populated());
    expect(scanner.resources({position: 5n})).toEqual({ids: [6n], next: -1});
    for (const position of [6n, ...PAST_THE_END]) expect(scanner.resources({position})).toEqual({ids: [], next: -1});
    expect(new Scanner(new Machine()).resources()).toEqual({ids: [], next: -1});
  });
});

describe('a page of reservations', () => {
  const at = (slot: bigint): Scanner & {slot: bigint} => Object.assign(new Scanner(populated()), {slot});
  const lsnsOf = ({ids}: Page): bigint[] => ids.map(id => id & (2n ** 64n - 1n));

  test('has what is live and what is over and still told, of a holder or a state', () => {
    const scanner = at(7n);
    const {slot} = scanner;
    expect(lsnsOf(scanner.reservations({slot}))).toEqual([7n, 8n, 10n, 13n, 14n, 17n]);
    expect(lsnsOf(scanner.reservations({slot, holder: 3n}))).toEqual([10n]);
    expect(lsnsOf(scanner.reservations({slot, holder: 77n}))).toEqual([]);
    for (const bit of [2n, 33n, 65n, 127n]) {
      expect(lsnsOf(scanner.reservations({slot, holder: 3n ^ (1n << bit)}))).toEqual([]);
    }
    const byState = Object.values(RESERVATION_STATE).map(state => lsnsOf(scanner.reservations({slot, state})));
    expect(byState).toEqual([[7n, 17n], [8n], [14n], [13n], [10n], []]);
    expect(lsnsOf(scanner.reservations({slot, state: RESERVATION_STATE.CONFIRMED, holder: 3n}))).toEqual([]);
    expect(scanner.reservations({slot, limit: 2}).next).toBe(2);
  });

  test('does not have what a reader at that slot is told to be retired', () => {
    const scanner = at(0n);
    // Released at 6 and expired at 7, with a history of 3 slots.
    expect(lsnsOf(scanner.reservations({slot: 9n}))).toContain(14n);
    expect(lsnsOf(scanner.reservations({slot: 10n}))).toEqual([7n, 8n, 10n, 13n, 17n]);
    expect(lsnsOf(scanner.reservations({slot: 11n}))).toEqual([7n, 8n, 10n, 17n]);
    expect(lsnsOf(scanner.reservations({slot: 2n ** 64n - 1n}))).toEqual([7n, 8n, 10n, 17n]);
    // The machine's own slot counts as well: a reader does not bring back what it has retired.
    const {machine} = scanner;
    machine.submit(11n, {operationId: 99n, clientId: 0n, command: {kind: 'revoke', reservationId: 0n}});
    expect(machine.db.retireQueue.unswept).toBe(2);
    expect(lsnsOf(scanner.reservations({slot: 0n}))).toEqual([7n, 8n, 10n, 17n]);
  });

  test('looks no further than rows were ever taken, and past them is the last one', () => {
    const scanner = at(7n);
    expect(scanner.machine.db.reservations.reach).toBe(6);
    for (const position of [6n, ...PAST_THE_END]) {
      expect(scanner.reservations({position})).toEqual({ids: [], next: -1});
    }
    expect(new Scanner(new Machine()).reservations()).toEqual({ids: [], next: -1});
    const few = new Scanner(populated(), 3, 1000);
    expect(few.reservations({state: RESERVATION_STATE.RELEASED})).toEqual({ids: [], next: 3});
  });

  test('shows what the lookup by id finds, for every history, slot, holder and state', () => {
    fc.assert(
      fc.property(configs, steps(60), fc.nat(3), fc.nat(6), fc.nat(3), (config, list, back, state, holder) => {
        const machine = new Machine(config);
        const scanner = new Scanner(machine, 3, 2);
        const stepper = new Stepper(machine);
        for (const step of list) {
          stepper.apply(step);
          const now = machine.lastSlot + 2n;
          const slot = BigInt(back) > now ? 0n : now - BigInt(back);
          const found = [...lookedUp(machine, slot)].filter(
            ([, lease]) =>
              (state === 0 || lease.state === RESERVATION_STATE_NAMES[state]) &&
              (holder === 0 || lease.holderId === BigInt(holder)),
          );
          const ids = found.map(([id]) => id);
          const asked = {slot, state, holder: holder === 0 ? null : BigInt(holder)};
          const shown = walk(page => scanner.reservations(page), asked);
          expect(shown.sort()).toEqual(ids.sort());
        }
      }),
      {numRuns: 40},
    );
  });
});

describe('a walk while commands go on', () => {
  test('shows every resource exactly once, and every reservation that is there all the time', () => {
    fc.assert(
      fc.property(configs, steps(150), fc.integer({min: 1, max: 3}), fc.nat(3), (config, list, rowsMax, stride) => {
        const machine = new Machine(config);
        const stepper = new Stepper(machine);
        const scanner = new Scanner(machine, rowsMax, 2);
        const pending = list.slice();
        const apply = (count: number): void => {
          for (const step of pending.splice(0, count)) stepper.apply(step);
        };
        // The machine of a reader whose slot is behind: what is retired is so by the machine alone.
        const idsNow = (): bigint[] => [...lookedUp(machine, 0n).keys()];
        while (pending.length > 0) {
          apply(20);
          const {count} = machine.db.resources;
          const resources = walk(
            page => scanner.resources(page),
            {},
            () => apply(stride),
          );
          expect(resources).toEqual(new Scanner(machine).resources().ids.slice(0, resources.length));
          expect(new Set(resources).size).toBe(resources.length);
          expect(resources.length).toBeGreaterThanOrEqual(count);
          let always = idsNow();
          const reservations = walk(
            page => scanner.reservations(page),
            {},
            () => {
              apply(stride);
              const now = new Set(idsNow());
              always = always.filter(id => now.has(id));
            },
          );
          expect(new Set(reservations).size).toBe(reservations.length);
          expect(reservations).toEqual(expect.arrayContaining(always));
        }
      }),
      {numRuns: 60},
    );
  });

  test('a resource that is created meanwhile is shown, behind all others', () => {
    const machine = new Machine(CONFIG);
    let created = 0n;
    const create = (): unknown => {
      const resourceId = 90n - ++created;
      const command = {kind: 'create_resource', resourceId} as const;
      return machine.submit(0n, {operationId: created, clientId: 0n, command});
    };
    for (let i = 0; i < 4; i++) create();
    const scanner = new Scanner(machine, 2);
    expect(walk(page => scanner.resources(page), {}, create)).toEqual([89n, 88n, 87n, 86n, 85n, 84n]);
  });

  test('goes on over resources where it was, on a state that went through a snapshot', () => {
    const machine = populated();
    const db = new AllocDb(machine.config, HASH_SEED);
    expect(loadInto(db, takeSnapshot(machine.db)).problem).toBeNull();
    const [before, after] = [new Scanner(machine), new Scanner(new Machine(machine.config, db))];
    const {ids, next} = before.resources({limit: 3});
    expect([...ids, ...after.resources({position: BigInt(next)}).ids]).toEqual(before.resources().ids);
  });
});
