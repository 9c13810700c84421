/**
 * revoke(reservation) and reclaim(reservation): taking a confirmed lease away in two steps. Revoke fences the holder off
 * (epoch + 1) and keeps the members unusable; reclaim, once whoever enforces the fence has seen the new epoch, makes
 * them available. Between the two nobody owns the right to use them: late, never early.
 */
import {RESERVATION_STATE, RESOURCE_STATE, RESULT, type ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';
import {checkLive, findSubject} from './lookup.ts';
import {beginChange, moveMembers, raiseEpoch, terminate} from './transitions.ts';

const {CONFIRMED, REVOKING: RESERVATION_STATE_REVOKING, REVOKED} = RESERVATION_STATE;
const {REVOKING: RESOURCE_STATE_REVOKING} = RESOURCE_STATE;
const {OK, INVALID_STATE} = RESULT;

export function revoke(db: AllocDb): ResultCode {
  const row = findSubject(db);
  const live = checkLive(db, row);
  if (live !== OK) return live;
  if (db.reservations.state(row) !== CONFIRMED) return INVALID_STATE;

  beginChange(db, row);
  db.reservations.setState(row, RESERVATION_STATE_REVOKING);
  raiseEpoch(db, row);
  moveMembers(db, row, RESOURCE_STATE_REVOKING);
  return OK;
}

export function reclaim(db: AllocDb): ResultCode {
  const row = findSubject(db);
  const live = checkLive(db, row);
  if (live !== OK) return live;
  if (db.reservations.state(row) !== RESERVATION_STATE_REVOKING) return INVALID_STATE;

  beginChange(db, row);
  terminate(db, row, REVOKED);
  return OK;
}
