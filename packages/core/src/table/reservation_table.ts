/**
 * Reservations: records of sixteen words (one cache line), found by the lsn in the low half of their id; the high half is
 * the shard. Rows come from a fixed stack. Members beyond the first stand in a table of their own, a fixed stretch per
 * row, as rows of resources.
 *
 * Two pairs of words have two meanings, by state: while reserved they are the links and the bucket of the timing wheel;
 * once terminal, the released lsn and the retire-after slot. A confirmed or revoking reservation uses neither.
 * Knows nothing of when a transition is allowed.
 */
import {assert} from '../assert.ts';
import {ltU64} from '../words.ts';
import {KeyIndex, SWEPT_MAX} from './key_index.ts';

/** Words of a record. */
export const RESERVATION = {
  LSN: 0,
  HOLDER: 2,
  /** State in the low byte (0 = free row), member count above it. */
  META: 6,
  FIRST_RESOURCE: 7,
  EPOCH: 8,
  DEADLINE: 10,
  /** While reserved: neighbours in the bucket as row + 1 (0 = none). */
  NEXT: 12,
  PREVIOUS: 13,
  /** While reserved: bucket of the wheel. */
  BUCKET: 14,
  /** Once terminal. */
  RELEASED_LSN: 12,
  /** Once terminal. */
  RETIRE_AFTER: 14,
  WORDS: 16,
} as const;
const {WORDS, LSN, META, FIRST_RESOURCE, RETIRE_AFTER} = RESERVATION;

/**
 * Tag of a reservation's lsn: a bijection of its low lane that keeps eight consecutive lsns in one cache line of the
 * index and scatters the groups. Reservation ids are assigned, not chosen, so no secret is needed.
 */
export function lsnTag(lsnLo: number): number {
  return (Math.imul(lsnLo >>> 3, 0x1e35a7bd) << 3) | (lsnLo & 7);
}

export class ReservationTable {
  readonly words: Int32Array;
  readonly index: KeyIndex;
  readonly capacity: number;
  /** Resource rows of members 1.., `extraMembers` words for each reservation row. */
  private readonly members: Int32Array;
  private readonly extraMembers: number;
  private readonly free: Int32Array;
  private freeCount: number;
  /** Tags of the rows that are being touched. */
  private readonly tags: Int32Array = new Int32Array(SWEPT_MAX);
  /** What touching has read; kept only so that the reads happen. */
  private touched: number = 0;

  constructor(capacity: number, bundleSizeMax: number) {
    this.capacity = capacity;
    this.words = new Int32Array(capacity * WORDS).fill(0);
    this.index = new KeyIndex(capacity);
    this.extraMembers = bundleSizeMax - 1;
    this.members = new Int32Array(capacity * this.extraMembers).fill(0);
    this.free = new Int32Array(capacity);
    // Lowest rows on top, so that a small table stays in few cache lines.
    for (let i = 0; i < capacity; i++) this.free[i] = capacity - 1 - i;
    this.freeCount = capacity;
  }

  /** Rows that are physically taken, retired but unswept ones included. */
  get stored(): number {
    return this.capacity - this.freeCount;
  }

  /**
   * Rows from this one on were never taken: the lowest free row is taken first, until each was taken once. Found by a
   * search, so that taking a row costs nothing for it: a row that was ever taken has an lsn, and no lsn is 0.
   */
  get reach(): number {
    let low = 0;
    let high = this.capacity;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const lsn = middle * WORDS + LSN;
      if (this.words[lsn] !== 0 || this.words[lsn + 1] !== 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Row of the reservation with this lsn, or -1; also rows that are retired but not yet swept. */
  find(lsnLo: number, lsnHi: number): number {
    const {cells, mask} = this.index;
    const tag = lsnTag(lsnLo);
    for (let cell = tag & mask; ; cell = (cell + 1) & mask) {
      const row = cells[2 * cell + 1] - 1;
      if (row < 0) return -1;
      // The tag is a bijection of the low lane: only the high lane is left to compare.
      if (cells[2 * cell] === tag && this.words[row * WORDS + LSN + 1] === lsnHi) return row;
    }
  }

  tagOf(lsnLo: number): number {
    return lsnTag(lsnLo);
  }

  /** Takes a free row, which must exist, and enters it under the lsn. The caller writes every other field. */
  insert(lsnLo: number, lsnHi: number): number {
    assert(this.freeCount > 0, 'reservation table has a free row');
    const row = this.free[--this.freeCount];
    const at = row * WORDS;
    this.words[at + LSN] = lsnLo;
    this.words[at + LSN + 1] = lsnHi;
    this.index.insert(lsnTag(lsnLo), row);
    return row;
  }

  /** Reads what removing `count` rows, 64 at most, will need: their records, then their cells of the index. */
  touch(rows: Int32Array, count: number): void {
    const {words, tags} = this;
    for (let i = 0; i < count; i++) tags[i] = lsnTag(words[rows[i] * WORDS + LSN]);
    this.touched ^= this.index.touch(tags, count);
  }

  /** Gives the row of a terminal reservation back. */
  remove(row: number): void {
    const at = row * WORDS;
    const removed = this.index.remove(lsnTag(this.words[at + LSN]), row);
    assert(removed, 'removed reservation was in the index');
    this.words[at + META] = 0;
    this.free[this.freeCount++] = row;
  }

  /** The i-th of the `capacity - stored` free rows; the last is the next to be taken. */
  freeRow(position: number): number {
    return this.free[position];
  }

  state(row: number): number {
    return this.words[row * WORDS + META] & 0xff;
  }

  memberCount(row: number): number {
    return this.words[row * WORDS + META] >>> 8;
  }

  setMeta(row: number, state: number, memberCount: number): void {
    this.words[row * WORDS + META] = state | (memberCount << 8);
  }

  setState(row: number, state: number): void {
    const meta = row * WORDS + META;
    this.words[meta] = (this.words[meta] & ~0xff) | state;
  }

  /** Resource row of a member, 0-based in request order. */
  member(row: number, member: number): number {
    return member === 0 ? this.words[row * WORDS + FIRST_RESOURCE] : this.members[row * this.extraMembers + member - 1];
  }

  setMember(row: number, member: number, resourceRow: number): void {
    if (member === 0) this.words[row * WORDS + FIRST_RESOURCE] = resourceRow;
    else this.members[row * this.extraMembers + member - 1] = resourceRow;
  }

  /** True when a terminal reservation's retire-after slot is below `slot`. */
  retiredAt(row: number, slotLo: number, slotHi: number): boolean {
    const at = row * WORDS + RETIRE_AFTER;
    return ltU64(this.words[at], this.words[at + 1], slotLo, slotHi);
  }
}
