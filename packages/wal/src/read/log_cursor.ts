/**
 * Reads records in order through one reused object: no allocation for a record, bounded memory for any log.
 *
 * Invariant: a record is shown only after every byte of its frame verified and the frame was found in its place in the
 * chain. What the fields point at is valid until the next call of `next`.
 */

import {WalError} from '../errors.ts';
import {
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  MARKER,
  RECORD,
  RECORD_FLAG,
  RECORD_HEADER_BYTES,
  SCOPE_BYTES,
} from '../format/format.ts';
import {firstLsnOf, type SegmentInfo} from '../format/segment_header.ts';
import {highWord, Lanes, lessThan, lowWord, toBigint} from '../format/words.ts';
import {LogWalker, type LogWalkerOptions, segmentIndexOf} from './log_walker.ts';

/**
 * What `next` found.
 * - `RECORD`: type, flags, lsn, stamp, offset and length say what it is
 * - `FRAME_END`: all records of a frame were shown; `lsn` is the last of them
 * - `SNAPSHOT_MARKER`: `lsn` is the snapshot's, `offset` and `length` are its digest's
 * - `END`: nothing more was durable when the cursor was made
 */
export const READ = {END: 0, RECORD: 1, FRAME_END: 2, SNAPSHOT_MARKER: 3} as const;

export type ReadEvent = (typeof READ)[keyof typeof READ];

export interface LogCursorOptions extends Omit<LogWalkerOptions, 'startIndex'> {
  readonly from: bigint;
}

/** A position in the log that moves forward. */
export class LogCursor {
  type = 0;
  flags = 0;
  /** The lsn as two signed 32-bit words; likewise the stamp. */
  lsnLo = 0;
  lsnHi = 0;
  stampLo = 0;
  stampHi = 0;
  /** The payload is `bytes[offset, offset + length)`; `view` is over the same bytes. */
  bytes: Uint8Array;
  view: DataView;
  offset = 0;
  length = 0;
  /** Where the scope of a record begins (20 bytes), or -1 for a record without one. */
  scopeOffset = -1;
  readonly #walker: LogWalker | null;
  readonly #from: Lanes = new Lanes();
  readonly #lsn: Lanes = new Lanes();
  #at = 0;
  #end = 0;
  #left = 0;
  #inFrame = false;

  constructor(options: LogCursorOptions) {
    const {segments, from} = options;
    this.bytes = new Uint8Array(0);
    this.view = new DataView(this.bytes.buffer);
    this.#from.set(lowWord(from), highWord(from));
    this.#walker = segments.length === 0 ? null : startWalker(options, segments, from);
  }

  /** Moves on and says to what; see `READ`. Throws `corruption`, `gap`, `missing_segment` or `io`. */
  next(): ReadEvent {
    for (;;) {
      if (this.#left > 0) {
        this.#readRecord();
        if (!lessThan(this.lsnLo, this.lsnHi, this.#from.lo, this.#from.hi)) return READ.RECORD;
      } else if (this.#inFrame) {
        this.#inFrame = false;
        if (this.#at !== this.#end) this.#malformed();
        if (!lessThan(this.lsnLo, this.lsnHi, this.#from.lo, this.#from.hi)) return READ.FRAME_END;
      } else {
        const event = this.#nextFrame();
        if (event !== READ.FRAME_END) return event;
      }
    }
  }

  get lsn(): bigint {
    return toBigint(this.lsnLo, this.lsnHi);
  }

  get stamp(): bigint {
    return toBigint(this.stampLo, this.stampHi);
  }

  /** Bytes stepped over so far because a control frame in them was damaged or never arrived. */
  get skippedBytes(): number {
    return this.#walker?.frames.skippedBytes ?? 0;
  }

  /** A copy of the payload, or of a marker's digest. */
  payload(): Uint8Array {
    return this.bytes.slice(this.offset, this.offset + this.length);
  }

  /** Frees the file it reads from; idempotent. */
  close(): void {
    this.#walker?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Enters the next frame: `END`, `SNAPSHOT_MARKER`, or `FRAME_END` for "go on with its records, if any". */
  #nextFrame(): ReadEvent {
    const walker = this.#walker;
    if (walker === null || !walker.step()) return READ.END;
    const {head, window, frameIndex} = walker.frames;
    this.bytes = window.bytes;
    this.view = window.view;
    this.#at = frameIndex + FRAME_HEADER_BYTES;
    this.#end = this.#at + head.bodyBytes;
    if (head.kind === FRAME_KIND.DATA) {
      this.#left = head.records;
      this.#inFrame = true;
      this.#lsn.set(head.lsnLo, head.lsnHi);
      return READ.FRAME_END;
    }
    this.#lsn.set(head.lsnLo, head.lsnHi);
    this.#lsn.add(1);
    const isBefore = !this.#lsn.isZero() && lessThan(this.#lsn.lo, this.#lsn.hi, this.#from.lo, this.#from.hi);
    if (head.kind !== FRAME_KIND.SNAPSHOT || isBefore) return READ.FRAME_END;
    this.lsnLo = this.view.getInt32(this.#at + MARKER.LSN, true);
    this.lsnHi = this.view.getInt32(this.#at + MARKER.LSN + 4, true);
    this.offset = this.#at + MARKER.DIGEST;
    this.length = this.#end - this.offset;
    return READ.SNAPSHOT_MARKER;
  }

  #readRecord(): void {
    const {view} = this;
    const at = this.#at;
    if (at + RECORD_HEADER_BYTES > this.#end) this.#malformed();
    const flags = view.getUint16(at + RECORD.FLAGS, true);
    const length = view.getUint32(at + RECORD.PAYLOAD_BYTES, true);
    let offset = at + RECORD_HEADER_BYTES;
    this.scopeOffset = -1;
    if ((flags & RECORD_FLAG.SCOPED) !== 0) {
      this.scopeOffset = offset;
      offset += SCOPE_BYTES;
    }
    if (offset + length > this.#end) this.#malformed();
    this.type = view.getUint16(at + RECORD.TYPE, true);
    this.flags = flags;
    this.stampLo = view.getInt32(at + RECORD.STAMP, true);
    this.stampHi = view.getInt32(at + RECORD.STAMP + 4, true);
    this.offset = offset;
    this.length = length;
    const lsn = this.#lsn;
    this.lsnLo = lsn.lo;
    this.lsnHi = lsn.hi;
    lsn.add(1);
    this.#at = offset + length;
    this.#left--;
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

function startWalker(options: LogCursorOptions, segments: readonly SegmentInfo[], from: bigint): LogWalker {
  const first = firstLsnOf(segments[0] as SegmentInfo);
  if (from < first) {
    const evidence = `the log begins at lsn ${first}`;
    throw new WalError('missing_segment', 'the log begins later', {lsn: from, evidence});
  }
  return new LogWalker({...options, startIndex: segmentIndexOf(segments, from)});
}
