/**
 * release(reservation, holder [, epoch]): the holder gives a hold or a sale back. What is being revoked cannot be
 * released: its members become reusable by reclaim only.
 */
import {RESERVATION_STATE, RESULT, type ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';
import {checkHolder, checkLive, findSubject} from './lookup.ts';
import {beginChange, raiseEpoch, terminate} from './transitions.ts';

const {RESERVED, CONFIRMED, RELEASED} = RESERVATION_STATE;
const {OK, INVALID_STATE} = RESULT;

export function release(db: AllocDb): ResultCode {
  const row = findSubject(db);
  const live = checkLive(db, row);
  if (live !== OK) return live;
  const held = checkHolder(db, row);
  if (held !== OK) return held;
  const state = db.reservations.state(row);
  if (state !== RESERVED && state !== CONFIRMED) return INVALID_STATE;

  beginChange(db, row);
  if (state === RESERVED) db.wheel.unschedule(row);
  raiseEpoch(db, row);
  terminate(db, row, RELEASED);
  return OK;
}
