/**
 * Terminal reservations in the order in which they will be retired: a fixed ring of (row, highest lsn up to here). Slots
 * never fall and the history window is constant, so appending keeps the order.
 *
 * As with operations, retirement is logical first (`retireBefore` moves a boundary) and physical later (`takeRetired`).
 * The running maximum makes the retired watermark exact at the boundary without visiting what was retired.
 */
import {assert} from '../assert.ts';
import {ltU64} from '../words.ts';
import {gallop} from './gallop.ts';
import {RESERVATION, type ReservationTable} from './reservation_table.ts';

const {WORDS, LSN} = RESERVATION;

export class RetireQueue {
  private readonly table: ReservationTable;
  private readonly rows: Int32Array;
  /** Highest lsn among this entry and all before it, two words an entry. */
  private readonly highest: Int32Array;
  private head: number = 0;
  private stored: number = 0;
  private dead: number = 0;
  /** Highest lsn that was ever appended. */
  private topLo: number = 0;
  private topHi: number = 0;
  /** The slot that `isRetired` compares with; the two are made once, because a closure for each search is garbage. */
  private boundaryLo: number = 0;
  private boundaryHi: number = 0;
  private readonly isRetired = (position: number): boolean =>
    this.table.retiredAt(this.rows[this.entry(position)], this.boundaryLo, this.boundaryHi);
  /** Lsn of the retired watermark; 0 while nothing was retired. */
  watermarkLo: number = 0;
  watermarkHi: number = 0;

  constructor(table: ReservationTable) {
    this.table = table;
    this.rows = new Int32Array(table.capacity).fill(0);
    this.highest = new Int32Array(2 * table.capacity).fill(0);
  }

  /** Terminal reservations that are not retired. */
  get count(): number {
    return this.stored - this.dead;
  }

  /** Retired reservations whose rows were not swept yet. */
  get unswept(): number {
    return this.dead;
  }

  /** Row of the i-th terminal reservation that is not retired, in retire order. */
  rowAt(position: number): number {
    return this.rows[this.entry(this.dead + position)];
  }

  /** Restores the watermark from a snapshot, before anything is appended. */
  restoreWatermark(lsnLo: number, lsnHi: number): void {
    this.watermarkLo = this.topLo = lsnLo;
    this.watermarkHi = this.topHi = lsnHi;
  }

  /** Appends a reservation that has just become terminal. */
  append(row: number): void {
    assert(this.stored < this.rows.length, 'retire queue has room');
    const lsn = row * WORDS + LSN;
    const words = this.table.words;
    if (ltU64(this.topLo, this.topHi, words[lsn], words[lsn + 1])) {
      this.topLo = words[lsn];
      this.topHi = words[lsn + 1];
    }
    const entry = this.entry(this.stored++);
    this.rows[entry] = row;
    this.highest[2 * entry] = this.topLo;
    this.highest[2 * entry + 1] = this.topHi;
  }

  /** Retires, logically, everything whose retire-after slot is below `slot`, and raises the watermark. */
  retireBefore(slotLo: number, slotHi: number): void {
    this.boundaryLo = slotLo;
    this.boundaryHi = slotHi;
    const boundary = gallop(this.dead, this.stored, this.isRetired);
    if (boundary === this.dead) return;
    this.dead = boundary;
    const last = this.entry(boundary - 1);
    this.watermarkLo = this.highest[2 * last];
    this.watermarkHi = this.highest[2 * last + 1];
  }

  /** Takes up to `limit` of the oldest retired rows out of the queue, writes them to `out` and returns how many. */
  takeRetired(out: Int32Array, limit: number): number {
    const count = Math.min(limit, this.dead);
    for (let i = 0; i < count; i++) out[i] = this.rows[this.entry(i)];
    this.head = count === 0 ? this.head : this.entry(count);
    this.stored -= count;
    this.dead -= count;
    return count;
  }

  private entry(position: number): number {
    const at = this.head + position;
    return at < this.rows.length ? at : at - this.rows.length;
  }
}
