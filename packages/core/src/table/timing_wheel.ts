/**
 * The timing wheel: reserved reservations by deadline. Bucket = deadline mod (longest hold + 1); each bucket is an
 * intrusive list through the reservation records, bounded in length, with a bitmap over the buckets that are not empty.
 *
 * Invariant: a bucket's list is ordered by reservation id, and by deadline too. Ids rise as reservations are scheduled,
 * and a deadline lies after the slot at which it was set by at most the longest hold; two deadlines in one bucket differ
 * by whole laps, so the later one cannot belong to the earlier reservation. When ticks lag, a bucket holds several laps.
 *
 * `floor` is a lower bound of all deadlines, raised by searches, from which they start: a search costs what it finds and
 * the non-empty buckets it passes within one lap, never the size of the wheel. Knows nothing of states; never calls back.
 */
import {distanceU64, ltU64, modU64} from '../words.ts';
import {BucketBitmap} from './bucket_bitmap.ts';
import {RESERVATION, type ReservationTable} from './reservation_table.ts';

const {NEXT, PREVIOUS, BUCKET, DEADLINE, WORDS} = RESERVATION;

export class TimingWheel {
  /** Buckets: one more than the longest hold has slots. */
  readonly size: number;
  private readonly bucketLenMax: number;
  private readonly words: Int32Array;
  /** Rows + 1 of each bucket's ends (0 = empty), and its length. */
  private readonly heads: Int32Array;
  private readonly tails: Int32Array;
  private readonly lengths: Int32Array;
  private readonly filled: BucketBitmap;
  private scheduled: number = 0;
  private floorLo: number = 0;
  private floorHi: number = 0;

  constructor(size: number, bucketLenMax: number, table: ReservationTable) {
    this.size = size;
    this.bucketLenMax = bucketLenMax;
    this.words = table.words;
    this.heads = new Int32Array(size).fill(0);
    this.tails = new Int32Array(size).fill(0);
    this.lengths = new Int32Array(size).fill(0);
    this.filled = new BucketBitmap(size);
  }

  /** Reservations that are scheduled. */
  get count(): number {
    return this.scheduled;
  }

  bucketOf(deadlineLo: number, deadlineHi: number): number {
    return modU64(deadlineLo, deadlineHi, this.size);
  }

  lengthOf(bucket: number): number {
    return this.lengths[bucket];
  }

  headOf(bucket: number): number {
    return this.heads[bucket] - 1;
  }

  tailOf(bucket: number): number {
    return this.tails[bucket] - 1;
  }

  /** True when searches look into the bucket. */
  isMarked(bucket: number): boolean {
    return this.filled.has(bucket);
  }

  /** The row after this one in its bucket, or -1. */
  after(row: number): number {
    return this.words[row * WORDS + NEXT] - 1;
  }

  isFull(bucket: number): boolean {
    return this.lengths[bucket] >= this.bucketLenMax;
  }

  /** Appends the row, whose deadline is written, to its bucket; ids must arrive in rising order. */
  schedule(row: number, bucket: number): void {
    const {words, tails} = this;
    const at = row * WORDS;
    const lo = words[at + DEADLINE];
    const hi = words[at + DEADLINE + 1];
    if (this.scheduled === 0 || ltU64(lo, hi, this.floorLo, this.floorHi)) {
      this.floorLo = lo;
      this.floorHi = hi;
    }
    const tail = tails[bucket];
    words[at + NEXT] = 0;
    words[at + PREVIOUS] = tail;
    words[at + BUCKET] = bucket;
    if (tail === 0) {
      this.heads[bucket] = row + 1;
      this.filled.add(bucket);
    } else words[(tail - 1) * WORDS + NEXT] = row + 1;
    tails[bucket] = row + 1;
    this.lengths[bucket]++;
    this.scheduled++;
  }

  unschedule(row: number): void {
    const {words} = this;
    const at = row * WORDS;
    const bucket = words[at + BUCKET];
    const next = words[at + NEXT];
    const previous = words[at + PREVIOUS];
    if (previous === 0) this.heads[bucket] = next;
    else words[(previous - 1) * WORDS + NEXT] = next;
    if (next === 0) this.tails[bucket] = previous;
    else words[(next - 1) * WORDS + PREVIOUS] = previous;
    if (--this.lengths[bucket] === 0) this.filled.delete(bucket);
    this.scheduled--;
  }

  /**
   * Writes to `rows` the reservations with deadline <= slot, by (deadline, id), as many as it holds; returns how many.
   * They stay scheduled.
   */
  collectDue(slotLo: number, slotHi: number, rows: Int32Array): number {
    if (!this.hasDue(slotLo, slotHi)) return 0;
    let lapLo = this.floorLo;
    let lapHi = this.floorHi;
    for (let found = 0; ; ) {
      const reach = distanceU64(slotLo, slotHi, lapLo, lapHi);
      found = this.collectLap(lapLo, lapHi, reach, rows, found);
      if (found === rows.length || reach < this.size) return found;
      const next = this.earliestAfterLap(lapLo, lapHi);
      if (next < 0 || this.isLater(next, slotLo, slotHi)) return found;
      lapLo = this.words[next * WORDS + DEADLINE];
      lapHi = this.words[next * WORDS + DEADLINE + 1];
    }
  }

  /** Scheduled reservations with deadline <= slot. */
  countDue(slotLo: number, slotHi: number): number {
    if (this.scheduled === 0 || ltU64(slotLo, slotHi, this.floorLo, this.floorHi)) return 0;
    const reach = distanceU64(slotLo, slotHi, this.floorLo, this.floorHi);
    let due = 0;
    const first = this.bucketOf(this.floorLo, this.floorHi);
    for (let offset = this.nextFilled(first, 0); offset >= 0 && offset <= reach; ) {
      const bucket = (first + offset) % this.size;
      if (!this.isLater(this.tails[bucket] - 1, slotLo, slotHi)) due += this.lengths[bucket];
      else
        for (let row = this.headOf(bucket); row >= 0 && !this.isLater(row, slotLo, slotHi); row = this.after(row))
          due++;
      offset = this.nextFilled(first, offset + 1);
    }
    return due;
  }

  /** True when something is due at `slot`. */
  hasDue(slotLo: number, slotHi: number): boolean {
    if (this.scheduled === 0 || ltU64(slotLo, slotHi, this.floorLo, this.floorHi)) return false;
    this.raiseFloor();
    return !ltU64(slotLo, slotHi, this.floorLo, this.floorHi);
  }

  /** Collects the deadlines of one lap in order, up to `reach` slots after its start; returns the new count. */
  private collectLap(lapLo: number, lapHi: number, reach: number, rows: Int32Array, count: number): number {
    let found = count;
    const first = this.bucketOf(lapLo, lapHi);
    for (let offset = this.nextFilled(first, 0); offset >= 0 && offset <= reach; ) {
      let row = this.headOf((first + offset) % this.size);
      // Rows of earlier laps were collected by this same search.
      while (row >= 0 && this.slotsAfter(row, lapLo, lapHi) < offset) row = this.after(row);
      while (row >= 0 && this.slotsAfter(row, lapLo, lapHi) === offset) {
        if (found === rows.length) return found;
        rows[found++] = row;
        row = this.after(row);
      }
      offset = this.nextFilled(first, offset + 1);
    }
    return found;
  }

  /** Row of the earliest deadline behind the lap that starts at the given slot, or -1. */
  private earliestAfterLap(lapLo: number, lapHi: number): number {
    let earliest = -1;
    for (let bucket = this.filled.next(0); bucket >= 0; bucket = this.filled.next(bucket + 1)) {
      let row = this.headOf(bucket);
      while (row >= 0 && this.slotsAfter(row, lapLo, lapHi) < this.size) row = this.after(row);
      if (row >= 0 && (earliest < 0 || this.isEarlier(row, earliest))) earliest = row;
    }
    return earliest;
  }

  /** Raises floor to the earliest deadline; something must be scheduled. */
  private raiseFloor(): void {
    let earliest = -1;
    const first = this.bucketOf(this.floorLo, this.floorHi);
    for (let offset = this.nextFilled(first, 0); offset >= 0; offset = this.nextFilled(first, offset + 1)) {
      const row = this.headOf((first + offset) % this.size);
      if (earliest < 0 || this.isEarlier(row, earliest)) earliest = row;
      // Nothing in a later bucket can be earlier than a deadline of this very lap.
      if (this.slotsAfter(row, this.floorLo, this.floorHi) === offset) break;
    }
    this.floorLo = this.words[earliest * WORDS + DEADLINE];
    this.floorHi = this.words[earliest * WORDS + DEADLINE + 1];
  }

  /** Smallest offset >= `from` (in slots after bucket `first`, within one lap) of a bucket that is not empty, or -1. */
  private nextFilled(first: number, from: number): number {
    if (from >= this.size) return -1;
    const start = first + from;
    if (start < this.size) {
      const bucket = this.filled.next(start);
      if (bucket >= 0) return bucket - first;
    }
    const bucket = this.filled.next(start < this.size ? 0 : start - this.size);
    return bucket >= 0 && bucket < first ? bucket + this.size - first : -1;
  }

  private isLater(row: number, slotLo: number, slotHi: number): boolean {
    const deadline = row * WORDS + DEADLINE;
    return ltU64(slotLo, slotHi, this.words[deadline], this.words[deadline + 1]);
  }

  private isEarlier(row: number, other: number): boolean {
    const words = this.words;
    const a = row * WORDS + DEADLINE;
    const b = other * WORDS + DEADLINE;
    return ltU64(words[a], words[a + 1], words[b], words[b + 1]);
  }

  /** Slots from the given one to the row's deadline; negative when it lies before. */
  private slotsAfter(row: number, slotLo: number, slotHi: number): number {
    const deadline = row * WORDS + DEADLINE;
    return distanceU64(this.words[deadline], this.words[deadline + 1], slotLo, slotHi);
  }
}
