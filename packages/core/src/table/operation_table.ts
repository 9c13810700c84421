/**
 * Remembered operations: a ring of sixteen-word records (one cache line each) in the order in which they were stored,
 * found by operation id. Slots never fall and the window is constant, so this order is also the order of retirement.
 *
 * Retirement is logical first: `retireBefore` moves a boundary by a galloping search, so that a slot change costs the
 * logarithm of what fell due; `sweep` removes a few dead rows later. A dead row is invisible: `find` does not return it,
 * `used` does not count it, and an insert reclaims the oldest one when the ring is full. Knows nothing of commands.
 */
import {assert} from '../assert.ts';
import type {KeyHash} from '../hash.ts';
import {ltU64} from '../words.ts';
import {gallop} from './gallop.ts';
import {KeyIndex, SWEPT_MAX} from './key_index.ts';

/**
 * Words of a record: operation id (4), fingerprint (4), applied lsn (2), deadline (2), retire-after slot (2), result code
 * with the grant flag, tag of the index. A grant's reservation id is the shard and the applied lsn, so it is not stored.
 */
export const OPERATION = {
  ID: 0,
  FINGERPRINT: 4,
  APPLIED_LSN: 8,
  DEADLINE: 10,
  RETIRE_AFTER: 12,
  RESULT: 14,
  TAG: 15,
  WORDS: 16,
} as const;
const {WORDS, TAG, RETIRE_AFTER} = OPERATION;
/** Set in the RESULT word where the answer carries a reservation id and a deadline. */
export const GRANT_FLAG = 0x100;

export class OperationTable {
  readonly words: Int32Array;
  readonly index: KeyIndex;
  readonly capacity: number;
  private readonly hash: KeyHash;
  /** Oldest row that is physically there. */
  private head: number = 0;
  /** Rows that are physically there. */
  private stored: number = 0;
  /** How many of them, from the oldest on, are retired. */
  private dead: number = 0;
  /** Tags of the rows that are being swept. */
  private readonly sweptTags: Int32Array = new Int32Array(SWEPT_MAX);
  /** What touching has read; kept only so that the reads happen. */
  private touched: number = 0;
  /** The slot that `isRetired` compares with; the two are made once, because a closure for each search is garbage. */
  private boundaryLo: number = 0;
  private boundaryHi: number = 0;
  private readonly isRetired = (position: number): boolean =>
    this.retiredAt(this.physicalRow(position), this.boundaryLo, this.boundaryHi);

  constructor(capacity: number, hash: KeyHash) {
    this.capacity = capacity;
    this.words = new Int32Array(capacity * WORDS).fill(0);
    this.index = new KeyIndex(capacity);
    this.hash = hash;
  }

  /** Operations that are remembered. */
  get used(): number {
    return this.stored - this.dead;
  }

  /** Row of the i-th remembered operation, oldest first. */
  rowAt(position: number): number {
    return this.physicalRow(this.dead + position);
  }

  /** The row that the next insert will write. */
  get nextRow(): number {
    // Also where the ring is full: it first gives up its oldest row, which stands at the same place.
    return this.physicalRow(this.stored);
  }

  /** True for rows that are physically there, retired ones included. */
  holds(row: number): boolean {
    return row < this.capacity && (row - this.head + this.capacity) % this.capacity < this.stored;
  }

  tagOf(w0: number, w1: number, w2: number, w3: number): number {
    return this.hash.of(w0, w1, w2, w3);
  }

  /** Row of the operation as of `slot` (at least the last slot given to `retireBefore`), or -1. */
  find(tag: number, w0: number, w1: number, w2: number, w3: number, slotLo: number, slotHi: number): number {
    const row = this.index.findU128(this.words, WORDS, tag, w0, w1, w2, w3);
    return row >= 0 && !this.retiredAt(row, slotLo, slotHi) ? row : -1;
  }

  /**
   * Adds a record and returns its row; the id's words and its tag are set, everything else is the caller's to write.
   * The caller has just called `find` for this id, which found nothing, and checked that `used < capacity`.
   */
  insert(tag: number, w0: number, w1: number, w2: number, w3: number): number {
    assert(this.used < this.capacity, 'operation table has room');
    const words = this.words;
    if (this.stored === this.capacity) {
      this.sweep(1);
      // The place that was found before may have moved.
      this.index.findU128(words, WORDS, tag, w0, w1, w2, w3);
    }
    const row = this.physicalRow(this.stored++);
    const at = row * WORDS;
    // The same id may still stand in the index with a retired row; that row then leaves without an index entry.
    this.index.placeFound(tag, row);
    words[at] = w0;
    words[at + 1] = w1;
    words[at + 2] = w2;
    words[at + 3] = w3;
    words[at + TAG] = tag;
    return row;
  }

  /** Retires, logically, every operation whose retire-after slot is below `slot`. */
  retireBefore(slotLo: number, slotHi: number): void {
    this.boundaryLo = slotLo;
    this.boundaryHi = slotHi;
    this.dead = gallop(this.dead, this.stored, this.isRetired);
  }

  /**
   * Removes up to `limit` retired rows for good, 64 at most. Their cells of the index lie anywhere and were not used for a
   * whole window: all of them are asked of the memory at once, before the first is waited for.
   */
  sweep(limit: number): void {
    const {words, sweptTags} = this;
    const count = Math.min(limit, this.dead, SWEPT_MAX);
    for (let i = 0; i < count; i++) sweptTags[i] = words[this.physicalRow(i) * WORDS + TAG];
    this.touched ^= this.index.touch(sweptTags, count);
    for (let i = 0; i < count; i++) {
      this.index.remove(sweptTags[i], this.head);
      this.head = this.head + 1 === this.capacity ? 0 : this.head + 1;
      this.dead--;
      this.stored--;
    }
  }

  private retiredAt(row: number, slotLo: number, slotHi: number): boolean {
    const at = row * WORDS + RETIRE_AFTER;
    return ltU64(this.words[at], this.words[at + 1], slotLo, slotHi);
  }

  private physicalRow(position: number): number {
    const row = this.head + position;
    return row < this.capacity ? row : row - this.capacity;
  }
}
