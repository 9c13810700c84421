/**
 * The bridge from the coordinator to the log: a flusher that appends each delta to a `Wal`, and the way to read it back.
 *
 * A delta is its records and, behind them, one closing record that says how many they are and which epochs they hold. All
 * of it is in one frame, so it is in the log as a whole or not at all. A store that needs no log never loads this file, and
 * no other file of the coordinator knows the log.
 */

import {WalError} from '../errors.ts';
import {type LogCursor, READ} from '../read/log_cursor.ts';
import type {LogRecord} from '../read/record_view.ts';
import type {Wal} from '../wal.ts';
import {refusal} from '../write/record_input.ts';
import {STATUS, type Status} from '../write/status.ts';
import type {EpochRange, Flusher} from './delta.ts';

/** The type of the closing record, unless another is given. */
export const DELTA_RECORD_TYPE = 0xffff;

const CLOSING_BYTES = 12;

/** A record of a delta; the flusher sets its stamp to the first epoch of the delta. */
export interface DeltaRecord {
  readonly type: number;
  readonly payload: Uint8Array;
  /** A reader that does not know the type must refuse the log. Default true. */
  readonly required?: boolean;
}

export interface WalFlusherOptions<Frozen, Snapshot> {
  /** Open for writing; closing it is the caller's business, after the coordinator's `stop`. */
  readonly wal: Wal;
  readonly encode: (frozen: Frozen, epochs: EpochRange) => readonly DeltaRecord[];
  /** What readers use from now on; called when the delta has been appended. */
  readonly snapshot: (frozen: Frozen, epochs: EpochRange) => Snapshot;
  /** Type of the closing records, which `encode` must not use. Default `DELTA_RECORD_TYPE`. */
  readonly deltaType?: number;
}

/**
 * A delta is `written` when it stands in the open frame, in memory, and `durable` after the commit by `flushStorage`. A
 * frame that has no room for a delta is committed before it, so a delta may be durable earlier than asked; others who
 * append to the same log only make it wait. What else the log refuses fails the coordinator for good, also what would pass
 * with time: `too_large` for a delta that no frame can take, `storage_full` for a full disk, `too_many_segments` for a log
 * that nobody truncates, `lsn_exhausted`. Nothing of a delta without room is appended.
 */
export class WalFlusher<Frozen, Snapshot> implements Flusher<Frozen, Snapshot> {
  readonly #options: WalFlusherOptions<Frozen, Snapshot>;
  readonly #deltaType: number;

  constructor(options: WalFlusherOptions<Frozen, Snapshot>) {
    this.#options = options;
    this.#deltaType = options.deltaType ?? DELTA_RECORD_TYPE;
  }

  async flushDelta(frozen: Frozen, epochs: EpochRange): Promise<Snapshot> {
    const {wal, encode, snapshot} = this.#options;
    const records = encode(frozen, epochs);
    let payloadBytes = CLOSING_BYTES;
    for (const {type, payload} of records) {
      if (type === this.#deltaType) throw new RangeError(`record type ${type} is the one that closes a delta`);
      payloadBytes += payload.length;
    }
    let status = wal.room(records.length + 1, payloadBytes);
    // Whoever else commits may refill the frame before it is this delta's turn, so once is not enough.
    while (passesWithCommit(wal, status)) {
      await wal.commit();
      status = wal.room(records.length + 1, payloadBytes);
    }
    if (status !== STATUS.OK) throw refusal(status);
    const stamp = BigInt(epochs.start);
    for (const record of records) wal.appendRecord({...record, stamp});
    wal.appendRecord({type: this.#deltaType, stamp, payload: closingPayload(records.length, epochs)});
    return snapshot(frozen, epochs);
  }

  flushStorage(): Promise<void> {
    return this.#options.wal.commit();
  }
}

/** A delta as it was appended. */
export interface LoggedDelta {
  readonly epochs: EpochRange;
  readonly records: readonly LogRecord[];
  /** The lsn behind the closing record: reading goes on from here, also after a delta without records. */
  readonly nextLsn: bigint;
}

/**
 * The deltas that a cursor finds, in order; it closes the cursor. Records of others are passed over, and so are those of a
 * delta whose appending failed halfway. A coordinator whose `firstEpoch` is the `end` of the last delta goes on where that
 * one ended.
 *
 * A cursor may begin inside a delta, behind the first of its records: what is left of that delta is passed over too, and
 * the next whole one is the first. Throws what the cursor throws, and `corruption` for a closing record that contradicts
 * its frame; that is also one whose records are missing anywhere but where reading begins.
 */
export function* readDeltas(
  cursor: LogCursor,
  deltaType: number = DELTA_RECORD_TYPE,
): Generator<LoggedDelta, void, undefined> {
  try {
    let records: LogRecord[] = [];
    // No delta spans two frames, so only the first one closed in the first frame can have begun before the cursor.
    let isFirst = true;
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event === READ.FRAME_END) {
        records = [];
        isFirst = false;
      }
      if (event !== READ.RECORD) continue;
      const record = cursor.toRecord();
      if (record.type !== deltaType) {
        records.push(record);
        continue;
      }
      const delta = closedBy(record, records, isFirst);
      if (delta !== null) yield delta;
      records = [];
      isFirst = false;
    }
  } finally {
    cursor.close();
  }
}

/** Whether a commit has anything to free; where it has not, asking again would be answered the same for ever. */
function passesWithCommit(wal: Wal, status: Status): boolean {
  if (status !== STATUS.FRAME_FULL && status !== STATUS.PENDING_FULL) return false;
  return wal.openRecords > 0 || wal.frozenRecords > 0;
}

function closingPayload(records: number, {start, end}: EpochRange): Uint8Array {
  const payload = new Uint8Array(CLOSING_BYTES);
  const view = new DataView(payload.buffer);
  view.setBigUint64(0, BigInt(end - start), true);
  view.setUint32(8, records, true);
  return payload;
}

/** The delta that this record closes; null for one that may be cut and begins before the records that were read. */
function closedBy(closing: LogRecord, before: readonly LogRecord[], mayBeCut: boolean): LoggedDelta | null {
  const {lsn, stamp, payload} = closing;
  if (payload.length !== CLOSING_BYTES) throw contradiction(lsn, 'its length is wrong');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const end = stamp + view.getBigUint64(0, true);
  const count = view.getUint32(8, true);
  if (end > BigInt(Number.MAX_SAFE_INTEGER)) throw contradiction(lsn, 'its epochs are too large');
  if (count > before.length) {
    // The first lsn of any log is 1, so nothing that claims more records than lsns has been cut.
    if (mayBeCut && lsn > BigInt(count)) return null;
    throw contradiction(lsn, `${before.length} of ${count} records are before it`);
  }
  const epochs = {start: Number(stamp), end: Number(end)};
  return {epochs, records: before.slice(before.length - count), nextLsn: lsn + 1n};
}

function contradiction(lsn: bigint, evidence: string): WalError {
  return new WalError('corruption', 'the closing record of a delta is malformed', {lsn, evidence});
}
