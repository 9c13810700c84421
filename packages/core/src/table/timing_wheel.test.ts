import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {hiOf, loOf, U64_MAX} from '../words.ts';
import {RESERVATION, ReservationTable} from './reservation_table.ts';
import {TimingWheel} from './timing_wheel.ts';

const CAPACITY = 24;

interface Entry {
  row: number;
  id: bigint;
  deadline: bigint;
}

/** A wheel over a reservation table, and a list of what it must hold, in the order of scheduling. */
class Checked {
  readonly wheel: TimingWheel;
  readonly entries: Entry[] = [];
  private readonly table = new ReservationTable(CAPACITY, 1);
  private readonly size: number;
  private readonly bucketLenMax: number;
  private lastId = 0n;

  constructor(size: number, bucketLenMax: number) {
    this.size = size;
    this.bucketLenMax = bucketLenMax;
    this.wheel = new TimingWheel(size, bucketLenMax, this.table);
  }

  /** False when the deadline's bucket is full. */
  schedule(deadline: bigint): boolean {
    const bucket = this.wheel.bucketOf(loOf(deadline), hiOf(deadline));
    const together = this.entries.filter(entry => entry.deadline % BigInt(this.size) === BigInt(bucket)).length;
    expect(bucket).toBe(Number(deadline % BigInt(this.size)));
    expect(this.wheel.lengthOf(bucket)).toBe(together);
    expect(this.wheel.isFull(bucket)).toBe(together >= this.bucketLenMax);
    if (together >= this.bucketLenMax || this.entries.length === CAPACITY) return false;
    const id = ++this.lastId;
    const row = this.table.insert(loOf(id), hiOf(id));
    this.table.setMeta(row, 1, 1);
    this.table.words[row * RESERVATION.WORDS + RESERVATION.DEADLINE] = loOf(deadline);
    this.table.words[row * RESERVATION.WORDS + RESERVATION.DEADLINE + 1] = hiOf(deadline);
    this.wheel.schedule(row, bucket);
    this.entries.push({row, id, deadline});
    return true;
  }

  unschedule(pick: number): void {
    if (this.entries.length === 0) return;
    const [{row}] = this.entries.splice(pick % this.entries.length, 1);
    this.wheel.unschedule(row);
    this.table.remove(row);
  }

  /** Compares every search at a slot with the list; `order` mixes searches that raise the floor with those that do not. */
  expectSearches(slot: bigint, limit: number, order: number): void {
    const due = this.entries.filter(entry => entry.deadline <= slot);
    due.sort((a, b) => (a.deadline === b.deadline ? (a.id < b.id ? -1 : 1) : a.deadline < b.deadline ? -1 : 1));
    const [lo, hi] = [loOf(slot), hiOf(slot)];
    const searches = [
      () => expect(this.wheel.countDue(lo, hi)).toBe(due.length),
      () => expect(this.wheel.hasDue(lo, hi)).toBe(due.length > 0),
      () => {
        const rows = new Int32Array(limit).fill(-9);
        const found = this.wheel.collectDue(lo, hi, rows);
        const expected = due.slice(0, limit).map(entry => entry.row);
        expect([...rows.subarray(0, found)]).toEqual(expected);
        expect(rows.subarray(found).every(row => row === -9)).toBe(true);
      },
    ];
    for (let i = 0; i < 3; i++) searches[(i + order) % 3]();
    expect(this.wheel.count).toBe(this.entries.length);
  }

  /** Every bucket's list, walked forward, with its end and its mark. */
  expectBuckets(): void {
    const {wheel} = this;
    const buckets = Array.from({length: this.size}, (_, bucket) => {
      const rows: number[] = [];
      for (let row = wheel.headOf(bucket); row >= 0; row = wheel.after(row)) rows.push(row);
      return {rows, tail: wheel.tailOf(bucket), isMarked: wheel.isMarked(bucket)};
    });
    const expected = buckets.map((_, bucket) => {
      const there = this.entries.filter(entry => Number(entry.deadline % BigInt(this.size)) === bucket);
      const rows = there.map(entry => entry.row);
      return {rows, tail: rows.at(-1) ?? -1, isMarked: rows.length > 0};
    });
    expect(buckets).toEqual(expected);
  }
}

interface Move {
  kind: 'schedule' | 'unschedule' | 'search' | 'tick';
  /** Share of the longest hold, and a choice among entries. */
  pick: number;
  pause: number;
  laps: number;
}

const pauses = fc.oneof(
  {weight: 8, arbitrary: fc.constantFrom(0, 0, 1)},
  {weight: 3, arbitrary: fc.integer({min: 2, max: 9})},
  {weight: 1, arbitrary: fc.integer({min: 10, max: 100_000})},
);
const moves = fc.array(
  fc.record<Move>({
    kind: fc.constantFrom<Move['kind']>('schedule', 'schedule', 'schedule', 'unschedule', 'search', 'search', 'tick'),
    pick: fc.nat(),
    pause: pauses,
    laps: fc.constantFrom(0, 0, 0, 0, 1, 2, 7),
  }),
  {maxLength: 80, size: 'max'},
);
const starts = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 32n - 20n, 2n ** 53n - 5n, 2n ** 63n - 3n, U64_MAX - 200n, U64_MAX - 1_000_000n),
  fc.bigInt({min: 0n, max: U64_MAX}),
);

function run(size: number, bucketLenMax: number, start: bigint, list: readonly Move[]): void {
  const checked = new Checked(size, bucketLenMax);
  let slot = start;
  for (const {kind, pick, pause, laps} of list) {
    const later = slot + BigInt(pause + laps * size);
    if (later <= U64_MAX) slot = later;
    if (kind === 'schedule') {
      const deadline = slot + 1n + BigInt(pick % (size - 1));
      if (deadline <= U64_MAX) checked.schedule(deadline);
    } else if (kind === 'unschedule') {
      checked.unschedule(pick);
    } else if (kind === 'tick') {
      // What is due goes, oldest first, as much as one tick takes: ticks lag.
      const rows = new Int32Array(3);
      const found = checked.wheel.collectDue(loOf(slot), hiOf(slot), rows);
      for (const row of rows.subarray(0, found)) checked.unschedule(checked.entries.findIndex(e => e.row === row));
    } else {
      const reach = [slot, slot > 3n ? slot - 3n : 0n, 0n, U64_MAX, slot + BigInt(size)];
      const at = reach[pick % reach.length];
      checked.expectSearches(at > U64_MAX ? U64_MAX : at, pick % 7, pick);
    }
    if (size < 40) checked.expectBuckets();
  }
  checked.expectSearches(slot, CAPACITY, 0);
  checked.expectSearches(U64_MAX, CAPACITY, 1);
}

describe('the timing wheel', () => {
  test('finds what is due in the order of a sorted list, also when ticks lag by laps', () => {
    const sizes = fc.oneof(fc.integer({min: 2, max: 12}), fc.constantFrom(31, 32, 33, 1_000, 40_000));
    fc.assert(
      fc.property(sizes, fc.constantFrom(1, 2, 3, CAPACITY), starts, moves, (size, bucketLenMax, start, list) => {
        run(size, bucketLenMax, start, list);
      }),
      {numRuns: 200},
    );
  });

  test('collects several laps of one bucket at once, by deadline', () => {
    const checked = new Checked(5, CAPACITY);
    for (const slot of [0n, 4n, 8n, 9n, 100n, 1_000_003n]) checked.schedule(slot + 4n);
    for (const slot of [0n, 3n, 4n, 8n, 12n, 13n, 104n, 10_000_000n]) {
      for (let order = 0; order < 3; order++) checked.expectSearches(slot, CAPACITY, order);
    }
  });

  test('finds a hold below its floor: the floor falls when something earlier is scheduled', () => {
    const checked = new Checked(100, CAPACITY);
    checked.schedule(90n);
    checked.expectSearches(90n, 5, 1);
    checked.schedule(3n);
    checked.expectSearches(3n, 5, 0);
    checked.expectSearches(90n, 5, 0);
  });

  test('costs what it finds, not its size: sparse holds in a large wheel', () => {
    const size = 1 << 20;
    const checked = new Checked(size, CAPACITY);
    const start = U64_MAX - 2n ** 40n;
    for (let i = 0n; i < 20n; i++) checked.schedule(start + 1n + i * 50_000n);
    checked.expectSearches(start + 500_000n, CAPACITY, 0);
    checked.expectSearches(U64_MAX, CAPACITY, 1);
    for (let i = 0; i < 20; i++) checked.unschedule(0);
    checked.expectSearches(U64_MAX, CAPACITY, 2);
    expect(checked.wheel.count).toBe(0);
  });
});
