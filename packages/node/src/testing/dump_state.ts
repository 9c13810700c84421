/**
 * The whole state as plain JSON: three lists sorted by id, u64 and u128 as decimal strings, the form of the final states
 * beside the conformance vectors. It is read from the canonical records, as a snapshot is, so that what is compared is
 * what would be stored; fingerprints are left out.
 */
import {
  type AllocDb,
  bigintOfU64,
  bigintOfU128,
  GRANT_FLAG,
  OPERATION,
  RESERVATION_RECORD,
  RESERVATION_STATE_NAMES,
  RESOURCE_RECORD,
  RESOURCE_STATE_NAMES,
  SECTION,
  SnapshotReader,
} from '@allocdb/core';

/** Positions are null where there is none; a record is listed until it retires. */
export interface StateDump {
  last_applied_lsn: string | null;
  last_request_slot: string | null;
  max_retired_reservation_id: string | null;
  resources: {resource_id: string; state: string; current_reservation_id: string | null; version: string}[];
  reservations: {
    reservation_id: string;
    holder_id: string;
    state: string;
    lease_epoch: string;
    created_lsn: string;
    deadline_slot: string;
    released_lsn: string | null;
    retire_after_slot: string | null;
    /** Resource ids, in request order. */
    members: string[];
  }[];
  operations: {
    operation_id: string;
    result_code: number;
    result_reservation_id: string | null;
    result_deadline_slot: string | null;
    applied_lsn: string;
    retire_after_slot: string;
  }[];
}

type Row = readonly [id: bigint, words: Int32Array];

/** Dumps the state as it is now. No snapshot may be under way. */
export function dumpState(db: AllocDb): StateDump {
  const reader = new SnapshotReader(db);
  try {
    const {lsnLo, lsnHi, slotLo, slotHi, watermarkLo, watermarkHi} = reader.position;
    return {
      last_applied_lsn: db.isEmpty ? null : String(bigintOfU64(lsnLo, lsnHi)),
      last_request_slot: db.hasSlot ? String(bigintOfU64(slotLo, slotHi)) : null,
      max_retired_reservation_id: reservationId(db, bigintOfU64(watermarkLo, watermarkHi)),
      resources: rowsOf(reader, SECTION.RESOURCES, idOf128).map(([id, words]) => ({
        resource_id: String(id),
        state: RESOURCE_STATE_NAMES[words[RESOURCE_RECORD.STATE] ?? 0] ?? 'unknown',
        current_reservation_id: reservationId(db, u64(words, RESOURCE_RECORD.RESERVATION_LSN)),
        version: String(u64(words, RESOURCE_RECORD.VERSION)),
      })),
      reservations: rowsOf(reader, SECTION.RESERVATIONS, idOfLsn).map(([, words]) => dumpReservation(db, words)),
      operations: rowsOf(reader, SECTION.OPERATIONS, idOf128).map(([id, words]) => {
        const result = words[OPERATION.RESULT] ?? 0;
        const granted = (result & GRANT_FLAG) !== 0;
        return {
          operation_id: String(id),
          result_code: result & ~GRANT_FLAG,
          result_reservation_id: granted ? reservationId(db, u64(words, OPERATION.APPLIED_LSN)) : null,
          result_deadline_slot: granted ? String(u64(words, OPERATION.DEADLINE)) : null,
          applied_lsn: String(u64(words, OPERATION.APPLIED_LSN)),
          retire_after_slot: String(u64(words, OPERATION.RETIRE_AFTER)),
        };
      }),
    };
  } finally {
    reader.end();
  }
}

function dumpReservation(db: AllocDb, words: Int32Array): StateDump['reservations'][number] {
  const lsn = u64(words, RESERVATION_RECORD.LSN);
  const released = u64(words, RESERVATION_RECORD.RELEASED_LSN);
  const count = words[RESERVATION_RECORD.MEMBER_COUNT] ?? 0;
  return {
    reservation_id: String(reservationId(db, lsn)),
    holder_id: String(bigintOfU128(words, RESERVATION_RECORD.HOLDER)),
    state: RESERVATION_STATE_NAMES[words[RESERVATION_RECORD.STATE] ?? 0] ?? 'unknown',
    lease_epoch: String(u64(words, RESERVATION_RECORD.EPOCH)),
    created_lsn: String(lsn),
    deadline_slot: String(u64(words, RESERVATION_RECORD.DEADLINE)),
    released_lsn: released === 0n ? null : String(released),
    retire_after_slot: released === 0n ? null : String(u64(words, RESERVATION_RECORD.RETIRE_AFTER)),
    members: Array.from({length: count}, (_, i) => String(bigintOfU128(words, RESERVATION_RECORD.MEMBERS + 4 * i))),
  };
}

/** All records of a section, sorted by id: room for one record at a time, so that each is read by itself. */
function rowsOf(reader: SnapshotReader, section: number, idOf: (words: Int32Array) => bigint): Row[] {
  const rows: Row[] = [];
  for (;;) {
    const words = new Int32Array(reader.recordWordsMax);
    const length = reader.read(section, words);
    if (length === 0) return rows.sort(([a], [b]) => (a < b ? -1 : 1));
    for (let at = 0; at < length; ) {
      const size = recordWords(section, words, at);
      const record = words.slice(at, at + size);
      rows.push([idOf(record), record]);
      at += size;
    }
  }
}

function recordWords(section: number, words: Int32Array, at: number): number {
  if (section === SECTION.RESOURCES) return RESOURCE_RECORD.WORDS;
  if (section === SECTION.OPERATIONS) return OPERATION.TAG;
  return RESERVATION_RECORD.MEMBERS + 4 * (words[at + RESERVATION_RECORD.MEMBER_COUNT] ?? 0);
}

function idOf128(words: Int32Array): bigint {
  return bigintOfU128(words, 0);
}

function idOfLsn(words: Int32Array): bigint {
  return u64(words, RESERVATION_RECORD.LSN);
}

function u64(words: Int32Array, at: number): bigint {
  return bigintOfU64(words[at] ?? 0, words[at + 1] ?? 0);
}

/** Reservation id of an lsn in this shard, as text; null for lsn 0. */
function reservationId(db: AllocDb, lsn: bigint): string | null {
  return lsn === 0n ? null : String((bigintOfU64(db.shard.lo, db.shard.hi) << 64n) | lsn);
}
