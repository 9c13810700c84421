/**
 * One record as it lies in a frame: fields that are overwritten by the next one, no allocation.
 *
 * Lengths are checked against the end of the frame's records before anything is read behind them.
 */

import {RECORD, RECORD_FLAG, RECORD_HEADER_BYTES, RECORD_NOTE_SHIFT, SCOPE_BYTES} from '../format/format.ts';
import {type RecordScope, readScope} from '../format/scope.ts';
import {type Lanes, toBigint} from '../format/words.ts';

const {FLAGS, PAYLOAD_BYTES, TYPE, STAMP} = RECORD;
const {REQUIRED, SCOPED} = RECORD_FLAG;

/** A record taken out of the log: its own bytes, valid for ever. */
export interface LogRecord {
  readonly lsn: bigint;
  readonly type: number;
  readonly stamp: bigint;
  readonly scope: RecordScope | null;
  /** A reader that does not know the type must refuse the log. */
  readonly required: boolean;
  /** 8 bits of the writer's. */
  readonly note: number;
  readonly payload: Uint8Array;
}

/** The record that was read last; the bytes it points at belong to the reader. */
export class RecordView {
  type = 0;
  flags = 0;
  /** The lsn as two signed 32-bit words; likewise the stamp. */
  lsnLo = 0;
  lsnHi = 0;
  stampLo = 0;
  stampHi = 0;
  /** The payload is `bytes[offset, offset + length)`; `view` is over the same bytes. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  offset = 0;
  length = 0;
  /** Where the scope of a record begins (20 bytes), or -1 for a record without one. */
  scopeOffset = -1;

  get lsn(): bigint {
    return toBigint(this.lsnLo, this.lsnHi);
  }

  get stamp(): bigint {
    return toBigint(this.stampLo, this.stampHi);
  }

  get scope(): RecordScope | null {
    return this.scopeOffset < 0 ? null : readScope(this.view, this.scopeOffset);
  }

  /** Whether a reader that does not know the type must refuse the log. */
  get isRequired(): boolean {
    return (this.flags & REQUIRED) !== 0;
  }

  /** 8 bits of the writer's; 0 unless it set them. */
  get note(): number {
    return this.flags >>> RECORD_NOTE_SHIFT;
  }

  /** A copy of the payload, or of a marker's digest. */
  payload(): Uint8Array {
    return this.bytes.slice(this.offset, this.offset + this.length);
  }

  /** The record as an object of its own. */
  toRecord(): LogRecord {
    const {lsn, type, stamp, scope, isRequired, note} = this;
    return {lsn, type, stamp, scope, required: isRequired, note, payload: this.payload()};
  }

  /**
   * Reads the record at `at` as the one with this lsn. Returns where it ends, or -1 where it would pass `end`. For readers
   * of frames; whoever has a cursor calls `next`.
   */
  readAt(at: number, end: number, lsn: Lanes): number {
    const {view} = this;
    if (at + RECORD_HEADER_BYTES > end) return -1;
    const flags = view.getUint16(at + FLAGS, true);
    const length = view.getUint32(at + PAYLOAD_BYTES, true);
    let offset = at + RECORD_HEADER_BYTES;
    this.scopeOffset = -1;
    if ((flags & SCOPED) !== 0) {
      this.scopeOffset = offset;
      offset += SCOPE_BYTES;
    }
    if (offset + length > end) return -1;
    this.type = view.getUint16(at + TYPE, true);
    this.flags = flags;
    this.stampLo = view.getInt32(at + STAMP, true);
    this.stampHi = view.getInt32(at + STAMP + 4, true);
    this.offset = offset;
    this.length = length;
    this.lsnLo = lsn.lo;
    this.lsnHi = lsn.hi;
    return offset + length;
  }
}
