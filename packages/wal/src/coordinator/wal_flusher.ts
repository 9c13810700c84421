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
import {STATUS} from '../write/status.ts';
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
 * frame that has no room for a delta is committed before it, so a delta may be durable earlier than asked. A delta
 * that no frame can take fails with the log's `too_large`, a full disk with `storage_full`.
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
    if (status !== STATUS.OK && status !== STATUS.RECORD_TOO_LARGE) {
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
}

/**
 * The deltas that a cursor finds, in order; it closes the cursor. Records of others are passed over, and so are those of a
 * delta whose appending failed halfway. A coordinator whose `firstEpoch` is the `end` of the last delta goes on where that
 * one ended. Throws what the cursor throws, and `corruption` for a closing record that contradicts its frame.
 */
export function* readDeltas(
  cursor: LogCursor,
  deltaType: number = DELTA_RECORD_TYPE,
): Generator<LoggedDelta, void, undefined> {
  try {
    let records: LogRecord[] = [];
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event === READ.FRAME_END) records = [];
      if (event !== READ.RECORD) continue;
      const record = cursor.toRecord();
      if (record.type !== deltaType) records.push(record);
      else {
        yield closedBy(record, records);
        records = [];
      }
    }
  } finally {
    cursor.close();
  }
}

function closingPayload(records: number, {start, end}: EpochRange): Uint8Array {
  const payload = new Uint8Array(CLOSING_BYTES);
  const view = new DataView(payload.buffer);
  view.setBigUint64(0, BigInt(end - start), true);
  view.setUint32(8, records, true);
  return payload;
}

function closedBy({lsn, stamp, payload}: LogRecord, before: readonly LogRecord[]): LoggedDelta {
  if (payload.length !== CLOSING_BYTES) throw contradiction(lsn, 'its length is wrong');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const end = stamp + view.getBigUint64(0, true);
  const count = view.getUint32(8, true);
  if (count > before.length) throw contradiction(lsn, `${before.length} of ${count} records are before it`);
  if (end > BigInt(Number.MAX_SAFE_INTEGER)) throw contradiction(lsn, 'its epochs are too large');
  return {epochs: {start: Number(stamp), end: Number(end)}, records: before.slice(before.length - count)};
}

function contradiction(lsn: bigint, evidence: string): WalError {
  return new WalError('corruption', 'the closing record of a delta is malformed', {lsn, evidence});
}
