/**
 * reserve(resource, holder, ttl) and reserve_bundle(members, holder, ttl): all members or none. A single reserve is a
 * bundle of one.
 *
 * Members are checked in order and marked as they pass, so that a repeated member meets its own mark and is busy; a
 * refusal takes the marks off again. After the guards nothing can fail.
 */
import {assert} from '../assert.ts';
import {REG} from '../command.ts';
import type {Outcome} from '../outcome.ts';
import {RESERVATION_STATE, RESOURCE_STATE, RESULT, type ResultCode} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {addU64, ltU64} from '../words.ts';
import type {AllocDb} from './alloc_db.ts';
import {beginChange} from './transitions.ts';

const {AMOUNT, HOLDER: REG_HOLDER} = REG;
const {RESERVED: RESERVATION_STATE_RESERVED} = RESERVATION_STATE;
const {RESERVED: RESOURCE_STATE_RESERVED, AVAILABLE} = RESOURCE_STATE;
const {
  BUNDLE_TOO_LARGE,
  TTL_OUT_OF_RANGE,
  OK,
  RESERVATION_TABLE_FULL,
  EXPIRATION_INDEX_FULL,
  RESOURCE_NOT_FOUND,
  RESOURCE_BUSY,
} = RESULT;
const {WORDS, HOLDER: RESERVATION_HOLDER, EPOCH, DEADLINE} = RESERVATION;

/** A state that is never stored: the resource was named by an earlier member of the bundle at hand. */
const MARKED = 0xff;

export function reserve(db: AllocDb, out: Outcome): ResultCode {
  const {words: w, memberCount} = db.command;
  const ttlLo = w[AMOUNT];
  const ttlHi = w[AMOUNT + 1];
  if (memberCount === 0 || memberCount > db.config.maxBundleSize) return BUNDLE_TOO_LARGE;
  if ((ttlLo === 0 && ttlHi === 0) || ltU64(db.maxTtl.lo, db.maxTtl.hi, ttlLo, ttlHi)) return TTL_OUT_OF_RANGE;
  const refusal = markMembers(db, memberCount);
  if (refusal !== OK) return refusal;
  if (db.reservationsUsed >= db.reservations.capacity) {
    unmarkMembers(db, memberCount);
    return RESERVATION_TABLE_FULL;
  }
  const overflowed = addU64(db.sum, 0, db.slotLo, db.slotHi, ttlLo, ttlHi);
  assert(!overflowed, 'deadline was checked before the command was logged');
  const bucket = db.wheel.bucketOf(db.sum[0], db.sum[1]);
  if (db.wheel.isFull(bucket)) {
    unmarkMembers(db, memberCount);
    return EXPIRATION_INDEX_FULL;
  }

  if (db.reservations.stored === db.reservations.capacity) db.sweepReservations(1);
  const row = db.reservations.insert(db.lsnLo, db.lsnHi);
  // The row is still marked free: for a snapshot in progress it holds nothing, whatever is written now.
  beginChange(db, row);
  const words = db.reservations.words;
  const at = row * WORDS;
  words[at + RESERVATION_HOLDER] = w[REG_HOLDER];
  words[at + RESERVATION_HOLDER + 1] = w[REG_HOLDER + 1];
  words[at + RESERVATION_HOLDER + 2] = w[REG_HOLDER + 2];
  words[at + RESERVATION_HOLDER + 3] = w[REG_HOLDER + 3];
  words[at + EPOCH] = 1;
  words[at + EPOCH + 1] = 0;
  words[at + DEADLINE] = db.sum[0];
  words[at + DEADLINE + 1] = db.sum[1];
  db.reservations.setMeta(row, RESERVATION_STATE_RESERVED, memberCount);
  for (let i = 0; i < memberCount; i++) {
    db.reservations.setMember(row, i, db.memberRows[i]);
    db.resources.transition(db.memberRows[i], RESOURCE_STATE_RESERVED, row);
  }
  db.wheel.schedule(row, bucket);
  out.granted = true;
  out.deadlineLo = db.sum[0];
  out.deadlineHi = db.sum[1];
  return OK;
}

/** Finds and marks every member; on a refusal takes back the marks that were set. */
function markMembers(db: AllocDb, memberCount: number): ResultCode {
  const {view, membersOffset} = db.command;
  for (let i = 0; i < memberCount; i++) {
    const at = membersOffset + 16 * i;
    const row = db.resources.find(
      view.getInt32(at, true),
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
    );
    if (row < 0 || db.resources.state(row) !== AVAILABLE) {
      unmarkMembers(db, i);
      return row < 0 ? RESOURCE_NOT_FOUND : RESOURCE_BUSY;
    }
    if (db.snapshot !== null) db.snapshot.saveResource(row);
    db.resources.mark(row, MARKED);
    db.memberRows[i] = row;
  }
  return OK;
}

function unmarkMembers(db: AllocDb, count: number): void {
  for (let i = 0; i < count; i++) db.resources.mark(db.memberRows[i], AVAILABLE);
}
