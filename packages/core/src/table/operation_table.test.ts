import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {KeyHash} from '../hash.ts';
import {bigintOfU64, hiOf, loOf, U64_MAX} from '../words.ts';
import {OPERATION, OperationTable} from './operation_table.ts';

const WINDOW = 5n;
const KEYS = 12;

interface Remembered {
  id: number;
  lsn: bigint;
  retireAfter: bigint;
}

/** The ring and a list of what it must remember, oldest first. */
class Checked {
  readonly table: OperationTable;
  private remembered: Remembered[] = [];
  private slot: bigint;
  private lsn = 0n;

  constructor(capacity: number, start: bigint) {
    this.table = new OperationTable(capacity, new KeyHash(new Int32Array(8)));
    this.slot = start;
  }

  passTo(slot: bigint): void {
    this.slot = slot;
    this.table.retireBefore(loOf(slot), hiOf(slot));
    this.remembered = this.remembered.filter(({retireAfter}) => retireAfter >= slot);
  }

  insert(id: number): void {
    if (this.remembered.some(operation => operation.id === id) || this.remembered.length === this.table.capacity)
      return;
    const next = this.table.nextRow;
    expect(this.table.find(this.tagOf(id), id, 0, 0, -id, loOf(this.slot), hiOf(this.slot))).toBe(-1);
    const row = this.table.insert(this.tagOf(id), id, 0, 0, -id);
    expect(row).toBe(next);
    const at = row * OPERATION.WORDS;
    const retireAfter = this.slot + WINDOW;
    const lsn = ++this.lsn;
    this.table.words[at + OPERATION.APPLIED_LSN] = loOf(lsn);
    this.table.words[at + OPERATION.APPLIED_LSN + 1] = hiOf(lsn);
    this.table.words[at + OPERATION.RETIRE_AFTER] = loOf(retireAfter);
    this.table.words[at + OPERATION.RETIRE_AFTER + 1] = hiOf(retireAfter);
    this.remembered.push({id, lsn, retireAfter});
  }

  /** The ring remembers the same, finds the same, and finds nothing of what a later slot will have retired. */
  expectAgreement(): void {
    const {table, remembered} = this;
    expect(table.used).toBe(remembered.length);
    const rows = remembered.map((_, position) => table.rowAt(position));
    expect(rows.map(row => this.lsnAt(row))).toEqual(remembered.map(({lsn}) => lsn));
    expect(rows.every(row => table.holds(row))).toBe(true);
    const slots = [0n, 1n, WINDOW, WINDOW + 1n].map(ahead => this.slot + ahead).filter(slot => slot <= U64_MAX);
    const ids = Array.from({length: KEYS}, (_, id) => id);
    const found = slots.map(slot =>
      ids.map(id => {
        const row = table.find(this.tagOf(id), id, 0, 0, -id, loOf(slot), hiOf(slot));
        return row < 0 ? null : this.lsnAt(row);
      }),
    );
    const known = (id: number, slot: bigint) => remembered.find(one => one.id === id && one.retireAfter >= slot);
    expect(found).toEqual(slots.map(slot => ids.map(id => known(id, slot)?.lsn ?? null)));
  }

  private tagOf(id: number): number {
    return this.table.tagOf(id, 0, 0, -id);
  }

  private lsnAt(row: number): bigint {
    const at = row * OPERATION.WORDS + OPERATION.APPLIED_LSN;
    return bigintOfU64(this.table.words[at], this.table.words[at + 1]);
  }
}

type Move = {kind: 'insert'; id: number} | {kind: 'pass'; slots: number} | {kind: 'sweep'; limit: number};

const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    {weight: 5, arbitrary: fc.record({kind: fc.constant('insert' as const), id: fc.nat(KEYS - 1)})},
    {weight: 2, arbitrary: fc.record({kind: fc.constant('pass' as const), slots: fc.constantFrom(0, 1, 2, 5, 6, 30)})},
    {weight: 2, arbitrary: fc.record({kind: fc.constant('sweep' as const), limit: fc.constantFrom(0, 1, 2, 100)})},
  ),
  {maxLength: 120, size: 'max'},
);

describe('the ring of operations', () => {
  test('remembers, finds and counts as a list does, whatever was removed for good', () => {
    fc.assert(
      fc.property(
        fc.integer({min: 1, max: KEYS + 3}),
        fc.constantFrom(0n, 2n ** 32n - 8n, U64_MAX - 2_000n),
        moves,
        (capacity, start, list) => {
          const checked = new Checked(capacity, start);
          let slot = start;
          for (const move of list) {
            if (move.kind === 'insert') checked.insert(move.id);
            else if (move.kind === 'sweep') checked.table.sweep(move.limit);
            else if (slot + BigInt(move.slots) < U64_MAX - WINDOW) {
              slot += BigInt(move.slots);
              checked.passTo(slot);
            }
            checked.expectAgreement();
          }
          // Every key leaves the index with its record.
          checked.passTo(slot + WINDOW + 1n);
          checked.table.sweep(capacity);
          expect(checked.table.index.count).toBe(0);
        },
      ),
      {numRuns: 120},
    );
  });

  test('takes an id again whose dead row is still there, and keeps it when that row goes', () => {
    const checked = new Checked(3, 0n);
    for (const id of [1, 2, 3]) checked.insert(id);
    checked.passTo(6n);
    expect(checked.table.used).toBe(0);
    checked.insert(3);
    checked.insert(1);
    checked.expectAgreement();
    checked.table.sweep(1);
    checked.expectAgreement();
    checked.table.sweep(9);
    checked.expectAgreement();
    checked.insert(2);
    checked.expectAgreement();
    expect(() => checked.table.insert(7, 9, 0, 0, -9)).toThrow('operation table has room');
  });
});
