/**
 * Records on their way to disk: an open frame that takes them, a frozen frame that is being written, their lsns.
 *
 * Invariants: a record is taken only when the zeroed room for the whole frame it joins exists, in the rest of the
 * active segment or in a ready spare; a refusal takes nothing, no lsn either; at most one frame is frozen.
 * Memory only: the room is asked for through `FrameRoom`, and writing is the business of `log_writer.ts`.
 */

import {FRAME_HEADER_BYTES, RECORD_FLAG, RECORD_HEADER_BYTES, SCOPE_BYTES} from '../format/format.ts';
import {Lanes, valuesLeft} from '../format/words.ts';
import {FrameBuffer} from './frame_buffer.ts';
import {STATUS, type Status} from './status.ts';

const {SCOPED} = RECORD_FLAG;
const {RECORD_TOO_LARGE, OK, LSN_EXHAUSTED, FRAME_FULL, PENDING_FULL} = STATUS;

/** No append passes this limit, so each one asks. */
const ASK = -1;

/** Bytes that frames may still take of the active segment, and of one that has just begun. */
export interface SegmentRoom {
  readonly freeBytes: number;
  readonly freshBytes: number;
  padded(bytes: number, inNext: boolean): number;
}

export interface FrameRoom {
  /** Makes `count` further segments ready: `OK`, `STORAGE_FULL` or `TOO_MANY_SEGMENTS`. */
  reserve(count: number): Status;
  /** Throws when the log has failed or is closed. */
  assertUsable(): void;
}

export interface FrameStageOptions {
  readonly room: FrameRoom;
  readonly segments: SegmentRoom;
  readonly maxRecordBytes: number;
  readonly maxFrameBytes: number;
  /** Bound of the open and the frozen frame together. */
  readonly maxPendingBytes: number;
}

export class FrameStage {
  /** The lsn of the next record; zero when lsns have ended. */
  readonly next: Lanes = new Lanes();
  readonly frozenLast: Lanes = new Lanes();
  readonly #room: FrameRoom;
  readonly #segments: SegmentRoom;
  readonly #maxRecordBytes: number;
  readonly #maxFrameBytes: number;
  readonly #maxPendingBytes: number;
  open: FrameBuffer;
  frozen: FrameBuffer;
  /** Whether the frame begins a new segment, for which a spare is set aside. */
  openInNext = false;
  frozenInNext = false;
  /** The open frame may grow to this many bytes without asking. */
  #limit: number = ASK;

  constructor(options: FrameStageOptions) {
    this.#room = options.room;
    this.#segments = options.segments;
    this.#maxRecordBytes = options.maxRecordBytes;
    this.#maxFrameBytes = options.maxFrameBytes;
    this.#maxPendingBytes = options.maxPendingBytes;
    this.open = new FrameBuffer(options.maxFrameBytes);
    this.frozen = new FrameBuffer(options.maxFrameBytes);
  }

  append(
    type: number,
    flags: number,
    stampLo: number,
    stampHi: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Status {
    checkRange(bytes, offset, length);
    if ((flags & SCOPED) !== 0) throw new RangeError('a scoped record needs its scope');
    const {open} = this;
    if (length > this.#maxRecordBytes) return RECORD_TOO_LARGE;
    if (open.end + RECORD_HEADER_BYTES + length > this.#limit) {
      const status = this.#admit(1, RECORD_HEADER_BYTES + length);
      if (status !== OK) return status;
    }
    open.put(type, flags, stampLo, stampHi, bytes, offset, length);
    this.#advance();
    return OK;
  }

  appendScoped(
    type: number,
    flags: number,
    stampLo: number,
    stampHi: number,
    scope: Int32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Status {
    checkRange(bytes, offset, length);
    if (scope.length !== SCOPE_BYTES >> 2) throw new RangeError('a scope has five words');
    if (length > this.#maxRecordBytes) return RECORD_TOO_LARGE;
    const status = this.#admit(1, RECORD_HEADER_BYTES + SCOPE_BYTES + length);
    if (status !== OK) return status;
    this.open.putScoped(type, flags | SCOPED, stampLo, stampHi, scope, bytes, offset, length);
    this.#advance();
    return OK;
  }

  annotate(note: number): void {
    if (this.open.records === 0) throw new RangeError('the frame of the last record is closed');
    this.open.annotate(note);
  }

  room(records: number, payloadBytes: number): Status {
    return this.#admit(records, payloadBytes + records * RECORD_HEADER_BYTES);
  }

  /** The open frame becomes the frozen one; false where nothing is open or a frozen frame is still there. */
  freeze(): boolean {
    if (this.open.records === 0 || this.frozen.records > 0) return false;
    const free = this.frozen;
    this.frozen = this.open;
    this.open = free;
    this.frozenInNext = this.openInNext;
    this.openInNext = false;
    this.next.before(this.frozenLast);
    this.#limit = ASK;
    return true;
  }

  /** The frozen frame is on disk. */
  thaw(): void {
    this.frozen.clear();
    this.frozenInNext = false;
    this.#limit = ASK;
  }

  /** A control frame takes `bytes` of the active segment: the open frame moves to the next one if it must. */
  yieldRoom(bytes: number): Status {
    this.#limit = ASK;
    if (this.open.records === 0 || this.openInNext) return OK;
    if (this.#segments.padded(this.open.end, false) <= this.#segments.freeBytes - bytes) return OK;
    const status = this.#room.reserve(1);
    this.openInNext = status === OK;
    return status;
  }

  /** The next segment has begun without a data frame: what was to begin it follows in it. */
  entersNext(): void {
    this.openInNext = false;
    this.#limit = ASK;
  }

  /** From here on each append asks, and so meets `assertUsable`. */
  block(): void {
    this.#limit = ASK;
  }

  #admit(records: number, bytes: number): Status {
    const room = this.#room;
    room.assertUsable();
    const end = this.open.end + bytes;
    if (FRAME_HEADER_BYTES + bytes > this.#maxFrameBytes) return RECORD_TOO_LARGE;
    if (valuesLeft(this.next.lo, this.next.hi) < records) return LSN_EXHAUSTED;
    if (end > this.#maxFrameBytes) return FRAME_FULL;
    const pendingBytesMax = this.#maxPendingBytes - (this.frozen.records === 0 ? 0 : this.frozen.end);
    if (end > pendingBytesMax) return PENDING_FULL;
    if (!this.openInNext && this.#segments.padded(end, this.frozenInNext) > this.#restBytes()) {
      const status = room.reserve(this.frozenInNext ? 2 : 1);
      if (status !== OK) return status;
      this.openInNext = true;
    }
    const boundBytes = Math.min(this.#maxFrameBytes, pendingBytesMax);
    this.#limit = Math.min(boundBytes, this.openInNext ? this.#segments.freshBytes : this.#restBytes());
    return OK;
  }

  /** What the segment behind the frozen frame has left. */
  #restBytes(): number {
    const {freshBytes, freeBytes} = this.#segments;
    const bytes = this.frozenInNext ? freshBytes : freeBytes;
    return this.frozen.records === 0 ? bytes : bytes - this.#segments.padded(this.frozen.end, this.frozenInNext);
  }

  #advance(): void {
    const {next} = this;
    next.lo = (next.lo + 1) | 0;
    if (next.lo !== 0) return;
    next.hi = (next.hi + 1) | 0;
    if (next.hi === 0) this.#limit = ASK;
  }
}

function checkRange(bytes: Uint8Array, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= bytes.length) return;
  throw new RangeError('the payload lies outside its buffer');
}
