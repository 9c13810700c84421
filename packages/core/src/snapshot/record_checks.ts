/**
 * What a canonical record must satisfy by itself and against the position of its snapshot, whatever the other records
 * say: states, windows and lsns that the machine can have produced. Used when a snapshot is loaded, where each function
 * returns the contradiction it found as text, or null.
 *
 * Not here: what relates two records. The loader sees that while it enters them into the tables.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {isTerminal, RESERVATION_STATE, RESOURCE_STATE, RESULT, RESULT_NAMES} from '../result.ts';
import {GRANT_FLAG, OPERATION} from '../table/operation_table.ts';
import {addU64, ltU64} from '../words.ts';
import {RESERVATION_RECORD, RESOURCE_RECORD} from './record_codec.ts';

/** Results that are never remembered with an operation. */
const NEVER_STORED: readonly number[] = [
  RESULT.NOOP,
  RESULT.OPERATION_TABLE_FULL,
  RESULT.OPERATION_CONFLICT,
  RESULT.SLOT_OVERFLOW,
];

function isZero(words: Int32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0;
}

/** True for an lsn that no command up to the snapshot can have had. */
function isNoLsn(db: AllocDb, words: Int32Array, at: number): boolean {
  return isZero(words, at) || ltU64(db.lastLsnLo, db.lastLsnHi, words[at], words[at + 1]);
}

/** True when the slot at `at` lies further than `window` after the snapshot's. */
function isBeyond(
  db: AllocDb,
  words: Int32Array,
  at: number,
  window: {readonly lo: number; readonly hi: number},
): boolean {
  const overflowed = addU64(db.sum, 0, db.lastSlotLo, db.lastSlotHi, window.lo, window.hi);
  return !overflowed && ltU64(db.sum[0], db.sum[1], words[at], words[at + 1]);
}

function isPast(db: AllocDb, words: Int32Array, at: number): boolean {
  return ltU64(words[at], words[at + 1], db.lastSlotLo, db.lastSlotHi);
}

export function resourceProblem(words: Int32Array, at: number): string | null {
  const state = words[at + RESOURCE_RECORD.STATE];
  if (state < RESOURCE_STATE.AVAILABLE || state > RESOURCE_STATE.REVOKING) return 'a resource has an unknown state';
  const held = !isZero(words, at + RESOURCE_RECORD.RESERVATION_LSN);
  if (held === (state === RESOURCE_STATE.AVAILABLE)) return 'a resource and its state disagree on being held';
  return held && isZero(words, at + RESOURCE_RECORD.VERSION) ? 'a resource is held at version 0' : null;
}

export function reservationProblem(db: AllocDb, words: Int32Array, at: number): string | null {
  const memberCount = words[at + RESERVATION_RECORD.MEMBER_COUNT];
  if (memberCount < 1 || memberCount > db.config.maxBundleSize) return 'a reservation has an impossible member count';
  const state = words[at + RESERVATION_RECORD.STATE];
  if (state < RESERVATION_STATE.RESERVED || state > RESERVATION_STATE.REVOKED) {
    return 'a reservation has an unknown state';
  }
  if (isNoLsn(db, words, at + RESERVATION_RECORD.LSN)) return 'a reservation is newer than the snapshot';
  if (isZero(words, at + RESERVATION_RECORD.EPOCH)) return 'a reservation has epoch 0';
  if (isBeyond(db, words, at + RESERVATION_RECORD.DEADLINE, db.maxTtl)) return 'a reservation is held for too long';
  const [released, retire] = [at + RESERVATION_RECORD.RELEASED_LSN, at + RESERVATION_RECORD.RETIRE_AFTER];
  if (!isTerminal(state)) {
    return isZero(words, released) && isZero(words, retire) ? null : 'a reservation is live and has an end';
  }
  if (isNoLsn(db, words, released)) return 'a reservation ended after the snapshot';
  if (!ltU64(words[at], words[at + 1], words[released], words[released + 1]))
    return 'a reservation ended before it began';
  if (isPast(db, words, retire)) return 'a reservation is there though it was retired';
  return isBeyond(db, words, retire, db.historyWindow) ? 'a reservation is remembered for too long' : null;
}

export function operationProblem(db: AllocDb, words: Int32Array, at: number): string | null {
  const result = words[at + OPERATION.RESULT];
  const code = result & 0xff;
  const granted = result === (code | GRANT_FLAG);
  if (!granted && result !== code) return 'an operation has an unknown result';
  if (code < RESULT.OK || code >= RESULT_NAMES.length || NEVER_STORED.includes(code)) {
    return 'an operation has an unknown result';
  }
  if (granted && code !== RESULT.OK) return 'an operation was refused and has a grant';
  if (!granted && !isZero(words, at + OPERATION.DEADLINE)) return 'an operation has a deadline and no grant';
  if (isNoLsn(db, words, at + OPERATION.APPLIED_LSN)) return 'an operation is newer than the snapshot';
  if (isPast(db, words, at + OPERATION.RETIRE_AFTER)) return 'an operation is there though it was retired';
  return isBeyond(db, words, at + OPERATION.RETIRE_AFTER, db.operationWindow)
    ? 'an operation is remembered for too long'
    : null;
}
