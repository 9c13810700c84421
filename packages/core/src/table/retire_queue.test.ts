import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {bigintOfU64, hiOf, loOf} from '../words.ts';
import {RESERVATION, ReservationTable} from './reservation_table.ts';
import {RetireQueue} from './retire_queue.ts';

const CAPACITY = 9;

interface Over {
  lsn: bigint;
  retireAfter: bigint;
}

class Checked {
  readonly queue: RetireQueue;
  private readonly table = new ReservationTable(CAPACITY, 1);
  private over: Over[] = [];
  private live: bigint[] = [];
  private watermark = 0n;
  private lsn = 2n ** 32n - 20n;

  constructor() {
    this.queue = new RetireQueue(this.table);
  }

  reserve(): void {
    if (this.table.stored === CAPACITY) this.sweep();
    if (this.table.stored === CAPACITY) return;
    const lsn = ++this.lsn;
    this.table.setMeta(this.table.insert(loOf(lsn), hiOf(lsn)), 1, 1);
    this.live.push(lsn);
  }

  end(pick: number, retireAfter: bigint): void {
    if (this.live.length === 0) return;
    const [lsn] = this.live.splice(pick % this.live.length, 1);
    const row = this.table.find(loOf(lsn), hiOf(lsn));
    const at = row * RESERVATION.WORDS + RESERVATION.RETIRE_AFTER;
    this.table.setState(row, 3);
    this.table.words[at] = loOf(retireAfter);
    this.table.words[at + 1] = hiOf(retireAfter);
    this.queue.append(row);
    this.over.push({lsn, retireAfter});
  }

  passTo(slot: bigint): void {
    this.queue.retireBefore(loOf(slot), hiOf(slot));
    for (const {lsn, retireAfter} of this.over) {
      if (retireAfter < slot && lsn > this.watermark) this.watermark = lsn;
    }
    this.over = this.over.filter(({retireAfter}) => retireAfter >= slot);
  }

  sweep(): void {
    const unswept = this.queue.unswept;
    const rows = new Int32Array(3);
    const count = this.queue.takeRetired(rows, 2);
    expect([count, rows[2]]).toEqual([Math.min(2, unswept), 0]);
    for (const row of rows.subarray(0, count)) this.table.remove(row);
  }

  expectAgreement(): void {
    const {queue} = this;
    expect(queue.count).toBe(this.over.length);
    expect(this.over.map((_, position) => this.lsnAt(queue.rowAt(position)))).toEqual(this.over.map(({lsn}) => lsn));
    expect(bigintOfU64(queue.watermarkLo, queue.watermarkHi)).toBe(this.watermark);
    expect(this.table.stored).toBe(this.live.length + queue.count + queue.unswept);
  }

  private lsnAt(row: number): bigint {
    const at = row * RESERVATION.WORDS;
    return bigintOfU64(this.table.words[at], this.table.words[at + 1]);
  }
}

type Move = {kind: 'reserve' | 'end' | 'pass' | 'sweep'; pick: number};

describe('the retire queue', () => {
  test('keeps order, counts and the exact watermark, whenever rows are removed for good', () => {
    const moves = fc.array(
      fc.record<Move>({
        kind: fc.constantFrom<Move['kind']>('reserve', 'reserve', 'end', 'end', 'pass', 'sweep'),
        pick: fc.nat(12),
      }),
      {maxLength: 150, size: 'max'},
    );
    fc.assert(
      fc.property(moves, fc.constantFrom(0n, 3n), (list, window) => {
        const checked = new Checked();
        let slot = 2n ** 32n - 30n;
        for (const {kind, pick} of list) {
          if (kind === 'reserve') checked.reserve();
          else if (kind === 'end') checked.end(pick, slot + window);
          else if (kind === 'sweep') checked.sweep();
          else {
            slot += BigInt(pick);
            checked.passTo(slot);
          }
          checked.expectAgreement();
        }
      }),
      {numRuns: 120},
    );
  });

  test('goes on from a restored watermark', () => {
    const table = new ReservationTable(2, 1);
    const queue = new RetireQueue(table);
    queue.restoreWatermark(50, 0);
    for (const lsn of [10, 60]) {
      const row = table.insert(lsn, 0);
      table.words[row * RESERVATION.WORDS + RESERVATION.RETIRE_AFTER] = lsn;
      queue.append(row);
    }
    queue.retireBefore(11, 0);
    expect(queue.watermarkLo).toBe(50);
    queue.retireBefore(61, 0);
    expect(queue.watermarkLo).toBe(60);
    expect(() => queue.append(0)).toThrow('retire queue has room');
  });
});
