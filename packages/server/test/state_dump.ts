/**
 * The state of a data directory in the form of the final-state files beside the vectors: opened as it was created,
 * read through its canonical records, closed again. No process may hold the directory.
 */
import {
  type AllocDb,
  bigintOfU64,
  bigintOfU128,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE_NAMES,
  SECTION,
  SnapshotReader,
} from '@allocdb/core';
import {SingleNodeEngine} from '@allocdb/node';
import type {StateDump} from '@allocdb/sim';

/** Words of the canonical records that have a fixed width; a reservation says how many members follow. */
const RESOURCE_WORDS = 9;
const RESERVATION_WORDS = 16;
const OPERATION_WORDS = 15;
const GRANTED = 0x100;

type Records = (words: Int32Array, at: number) => number;

/** Opens, dumps and closes. */
export function dumpDirectory(dir: string): StateDump {
  const engine = SingleNodeEngine.open({dir});
  try {
    return dumpOf(engine.db);
  } finally {
    engine.closeNow();
  }
}

function dumpOf(db: AllocDb): StateDump {
  const reader = new SnapshotReader(db);
  const {shardId} = db.config;
  const idOf = (lsn: bigint): bigint => (shardId << 64n) | lsn;
  const held = (lsn: bigint): string | null => (lsn === 0n ? null : String(idOf(lsn)));
  const each = (section: number, onRecord: Records): void => {
    const words = new Int32Array(1 << 16);
    for (let end = reader.read(section, words); end > 0; end = reader.read(section, words)) {
      for (let at = 0; at < end; ) at += onRecord(words, at);
    }
  };
  const dump: StateDump = {
    last_applied_lsn: db.isEmpty ? null : String(bigintOfU64(db.lastLsnLo, db.lastLsnHi)),
    last_request_slot: db.hasSlot ? String(bigintOfU64(db.lastSlotLo, db.lastSlotHi)) : null,
    max_retired_reservation_id: held(bigintOfU64(reader.position.watermarkLo, reader.position.watermarkHi)),
    resources: [],
    reservations: [],
    operations: [],
  };
  const u64 = (words: Int32Array, at: number): bigint => bigintOfU64(words[at] ?? 0, words[at + 1] ?? 0);
  const u128 = (words: Int32Array, at: number): string => String(bigintOfU128(words, at));
  each(SECTION.RESOURCES, (words, at) => {
    dump.resources.push({
      resource_id: u128(words, at),
      state: RESOURCE_STATE_NAMES[words[at + 4] ?? 0] ?? '',
      current_reservation_id: held(u64(words, at + 7)),
      version: String(u64(words, at + 5)),
    });
    return RESOURCE_WORDS;
  });
  each(SECTION.RESERVATIONS, (words, at) => {
    const count = words[at + 7] ?? 0;
    const releasedLsn = u64(words, at + 12);
    dump.reservations.push({
      reservation_id: String(idOf(u64(words, at))),
      holder_id: u128(words, at + 2),
      state: RESERVATION_STATE_NAMES[words[at + 6] ?? 0] ?? '',
      lease_epoch: String(u64(words, at + 8)),
      created_lsn: String(u64(words, at)),
      deadline_slot: String(u64(words, at + 10)),
      released_lsn: releasedLsn === 0n ? null : String(releasedLsn),
      retire_after_slot: releasedLsn === 0n ? null : String(u64(words, at + 14)),
      members: Array.from({length: count}, (_, i) => u128(words, at + RESERVATION_WORDS + 4 * i)),
    });
    return RESERVATION_WORDS + 4 * count;
  });
  each(SECTION.OPERATIONS, (words, at) => {
    const result = words[at + 14] ?? 0;
    const isGranted = (result & GRANTED) !== 0;
    const appliedLsn = u64(words, at + 8);
    dump.operations.push({
      operation_id: u128(words, at),
      result_code: result & 0xff,
      result_reservation_id: isGranted ? String(idOf(appliedLsn)) : null,
      result_deadline_slot: isGranted ? String(u64(words, at + 10)) : null,
      applied_lsn: String(appliedLsn),
      retire_after_slot: String(u64(words, at + 12)),
    });
    return OPERATION_WORDS;
  });
  reader.end();
  dump.resources.sort((a, b) => byId(a.resource_id, b.resource_id));
  dump.reservations.sort((a, b) => byId(a.reservation_id, b.reservation_id));
  dump.operations.sort((a, b) => byId(a.operation_id, b.operation_id));
  return dump;
}

function byId(a: string, b: string): number {
  return BigInt(a) < BigInt(b) ? -1 : 1;
}
