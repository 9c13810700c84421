/**
 * Reads records in order through one reused object: no allocation for a record, bounded memory for any log.
 *
 * Invariant: a record is shown only after every byte of its frame verified and the frame was found in its place in the
 * chain. What the fields point at is valid until the next call of `next`.
 */

import {WalError} from '../errors.ts';
import {FRAME_HEADER_BYTES, FRAME_KIND, MARKER} from '../format/format.ts';
import {firstLsnOf, type SegmentInfo} from '../format/segment_header.ts';
import {highWord, Lanes, lessThan, lowWord} from '../format/words.ts';
import {type LogChain, LogWalker, type LogWalkerOptions, segmentIndexOf} from './log_walker.ts';
import type {HeldPin} from './pins.ts';
import {type ReadOptions, RecordFilter} from './record_filter.ts';
import {RecordView} from './record_view.ts';

const {DATA, SNAPSHOT} = FRAME_KIND;
const {LSN, DIGEST} = MARKER;

/**
 * What `next` found.
 * - `RECORD`: type, flags, lsn, stamp, offset and length say what it is
 * - `FRAME_END`: all records of a frame were shown; `lsn` is the last of them
 * - `SNAPSHOT_MARKER`: `lsn` is the snapshot's, `offset` and `length` are its digest's
 * - `END`: nothing more was durable when the cursor was made, or `to` was reached
 */
export const READ = {END: 0, RECORD: 1, FRAME_END: 2, SNAPSHOT_MARKER: 3} as const;
const {END: READ_END, RECORD: READ_RECORD, FRAME_END: READ_FRAME_END, SNAPSHOT_MARKER: READ_SNAPSHOT_MARKER} = READ;

export type ReadEvent = (typeof READ)[keyof typeof READ];

export interface LogCursorOptions extends LogWalkerOptions {
  /** Null for a log without a segment. */
  readonly chain: LogChain | null;
  readonly read: ReadOptions & {readonly from: bigint};
  /** Holds the segment that is being read, and those behind it; null where nobody truncates. */
  readonly pin: HeldPin | null;
  /** `FRAME_END` also for frames that lie before `from` as a whole; their lsns are below it. Default false. */
  readonly tellsSkipped?: boolean;
}

/** A position in the log that moves forward. */
export class LogCursor extends RecordView {
  readonly #walker: LogWalker | null;
  readonly #pin: HeldPin | null;
  readonly #filter: RecordFilter;
  readonly #tellsSkipped: boolean;
  readonly #from: Lanes = new Lanes();
  readonly #to: Lanes = new Lanes();
  /** The lsn of the next record. */
  readonly #lsn: Lanes = new Lanes();
  readonly #peek: RecordView = new RecordView();
  #at = 0;
  #end = 0;
  #left = 0;
  #inFrame = false;
  #isClosed = false;
  #isDone = false;
  #segment: SegmentInfo | null = null;

  constructor(options: LogCursorOptions) {
    super();
    const {chain, read, pin} = options;
    this.#filter = new RecordFilter(read);
    this.#tellsSkipped = options.tellsSkipped ?? false;
    this.#from.set(lowWord(read.from), highWord(read.from));
    this.#to.set(lowWord(this.#filter.to), highWord(this.#filter.to));
    this.#walker = chain === null ? null : startWalker(options, chain, read.from);
    this.#pin = pin;
  }

  /**
   * Moves on and says to what; see `READ`. Throws `corruption`, `gap`, `missing_segment` (also when truncation has passed
   * a reader that does not hold the log) or `io`, and `closed` after `close`.
   */
  next(): ReadEvent {
    this.#checkUsable();
    if (this.#isDone) return READ_END;
    for (;;) {
      if (this.#left > 0) {
        this.#readRecord();
        if (lessThan(this.#to.lo, this.#to.hi, this.lsnLo, this.lsnHi)) this.#isDone = true;
        if (this.#isDone) return READ_END;
        if (!this.#isBeforeStart() && this.#filter.takes(this.type, this.view, this.scopeOffset)) return READ_RECORD;
      } else if (this.#inFrame) {
        this.#inFrame = false;
        if (this.#at !== this.#end) this.#malformed();
        if (this.#tellsSkipped || !this.#isBeforeStart()) return READ_FRAME_END;
      } else {
        const event = this.#nextFrame();
        if (event !== READ_FRAME_END) return event;
      }
    }
  }

  /**
   * Shows the records that stand in the same frame behind the present one, all but their lsns and whatever the filter
   * says, until `visit` answers false; returns how many it has shown. The cursor stays where it is. For readers that have
   * a use for knowing what comes next.
   */
  ahead(visit: (record: RecordView) => boolean): number {
    const peek = this.#peek;
    peek.bytes = this.bytes;
    peek.view = this.view;
    let shown = 0;
    for (let at = this.#at; shown < this.#left; shown++) {
      at = peek.readAt(at, this.#end, this.#lsn);
      if (at < 0 || !visit(peek)) break;
    }
    return shown;
  }

  /** Bytes stepped over so far because a control frame in them was damaged or never arrived. */
  get skippedBytes(): number {
    return this.#walker?.frames.skippedBytes ?? 0;
  }

  /** After `END`: whether `to` was reached, so that nothing will ever follow. */
  get isComplete(): boolean {
    return this.#isDone || lessThan(this.#to.lo, this.#to.hi, this.#lsn.lo, this.#lsn.hi);
  }

  /** After `END`: goes on to what has become durable since. */
  extend(chain: LogChain): void {
    this.#checkUsable();
    this.#walker?.extend(chain);
  }

  /** Frees the file it reads from and its hold on the log; idempotent. A cursor that is not closed stops truncation. */
  close(): void {
    this.#isClosed = true;
    this.#walker?.close();
    this.#pin?.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Enters the next frame: `END`, `SNAPSHOT_MARKER`, or `FRAME_END` for "go on with its records, if any". */
  #nextFrame(): ReadEvent {
    const walker = this.#walker;
    if (walker === null) return READ_END;
    if (!walker.step()) {
      this.#pin?.advance(walker.frames.next.toBigint());
      return READ_END;
    }
    const {head, window, frameIndex, segment} = walker.frames;
    if (segment !== this.#segment) this.#pin?.advance(firstLsnOf(segment));
    this.#segment = segment;
    this.bytes = window.bytes;
    this.view = window.view;
    this.#at = frameIndex + FRAME_HEADER_BYTES;
    this.#end = this.#at + head.bodyBytes;
    if (head.kind === DATA) {
      this.#left = head.records;
      this.#inFrame = true;
      this.#lsn.set(head.lsnLo, head.lsnHi);
      return READ_FRAME_END;
    }
    this.#lsn.set(head.lsnLo, head.lsnHi);
    this.#lsn.add(1);
    const isBefore = !this.#lsn.isZero() && lessThan(this.#lsn.lo, this.#lsn.hi, this.#from.lo, this.#from.hi);
    if (head.kind !== SNAPSHOT || isBefore) return READ_FRAME_END;
    this.lsnLo = this.view.getInt32(this.#at + LSN, true);
    this.lsnHi = this.view.getInt32(this.#at + LSN + 4, true);
    this.offset = this.#at + DIGEST;
    this.length = this.#end - this.offset;
    return READ_SNAPSHOT_MARKER;
  }

  #readRecord(): void {
    const end = this.readAt(this.#at, this.#end, this.#lsn);
    if (end < 0) this.#malformed();
    this.#lsn.add(1);
    this.#at = end;
    this.#left--;
  }

  #isBeforeStart(): boolean {
    return lessThan(this.lsnLo, this.lsnHi, this.#from.lo, this.#from.hi);
  }

  #checkUsable(): void {
    if (this.#isClosed) throw new WalError('closed', 'the cursor is closed');
    if (this.#pin?.ended === true) throw new WalError('closed', 'the log was closed');
    if (this.#pin?.evicted !== true) return;
    throw new WalError('missing_segment', 'truncation has passed this reader', {lsn: this.#lsn.toBigint()});
  }

  #malformed(): never {
    const frames = (this.#walker as LogWalker).frames;
    throw new WalError('corruption', 'the records of a frame do not fill it', {
      segment: frames.segment.name,
      offset: frames.frameOffset,
      lsn: this.#lsn.toBigint(),
    });
  }
}

function startWalker(options: LogCursorOptions, chain: LogChain, from: bigint): LogWalker {
  const {segments} = chain;
  const first = firstLsnOf(segments[0] as SegmentInfo);
  if (from < first) {
    const evidence = `the log begins at lsn ${first}`;
    throw new WalError('missing_segment', 'the log begins later', {lsn: from, evidence});
  }
  return new LogWalker(options, chain, segmentIndexOf(segments, from));
}
