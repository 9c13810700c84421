/**
 * release(reservation, holder [, epoch]): the holder gives a hold or a sale back. What is being revoked cannot be
 * released: its members become reusable by reclaim only.
 */
import {RESERVATION_STATE, RESULT, type ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';
import {checkHolder, checkLive, findSubject} from './lookup.ts';
import {beginChange, raiseEpoch, terminate} from './transitions.ts';

export function release(db: AllocDb): ResultCode {
  const row = findSubject(db);
  const live = checkLive(db, row);
  if (live !== RESULT.OK) return live;
  const held = checkHolder(db, row);
  if (held !== RESULT.OK) return held;
  const state = db.reservations.state(row);
  if (state !== RESERVATION_STATE.RESERVED && state !== RESERVATION_STATE.CONFIRMED) return RESULT.INVALID_STATE;

  beginChange(db, row);
  if (state === RESERVATION_STATE.RESERVED) db.wheel.unschedule(row);
  raiseEpoch(db, row);
  terminate(db, row, RESERVATION_STATE.RELEASED);
  return RESULT.OK;
}
