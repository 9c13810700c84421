/**
 * confirm(reservation, holder [, epoch]): a hold becomes a sale. The deadline is not compared with the slot: until an
 * expire is in the log, a late confirm wins, so that expiry and confirm are ordered by the log alone.
 */
import {RESERVATION_STATE, RESOURCE_STATE, RESULT, type ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';
import {checkHolder, checkLive, findSubject} from './lookup.ts';
import {beginChange, moveMembers} from './transitions.ts';

const {RESERVED, CONFIRMED: RESERVATION_STATE_CONFIRMED} = RESERVATION_STATE;
const {CONFIRMED: RESOURCE_STATE_CONFIRMED} = RESOURCE_STATE;
const {OK, INVALID_STATE} = RESULT;

export function confirm(db: AllocDb): ResultCode {
  const row = findSubject(db);
  const live = checkLive(db, row);
  if (live !== OK) return live;
  const held = checkHolder(db, row);
  if (held !== OK) return held;
  if (db.reservations.state(row) !== RESERVED) return INVALID_STATE;

  beginChange(db, row);
  db.wheel.unschedule(row);
  db.reservations.setState(row, RESERVATION_STATE_CONFIRMED);
  moveMembers(db, row, RESOURCE_STATE_CONFIRMED);
  return OK;
}
