/**
 * expire(reservation, deadline), internal: ends a hold whose deadline has come. The engine logs it for what `dueRows`
 * names; a reservation that was confirmed or released in the meantime, or a deadline that differs, makes it a noop.
 */
import {REG} from '../command.ts';
import {isTerminal, RESERVATION_STATE, RESULT, type ResultCode} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import type {AllocDb} from './alloc_db.ts';
import {findSubject} from './lookup.ts';
import {beginChange, raiseEpoch, terminate} from './transitions.ts';

const {AMOUNT} = REG;
const {RESERVED, EXPIRED} = RESERVATION_STATE;
const {RESERVATION_NOT_FOUND, NOOP, OK} = RESULT;
const {WORDS, DEADLINE} = RESERVATION;

export function expire(db: AllocDb): ResultCode {
  const w = db.command.words;
  const row = findSubject(db);
  if (row < 0) return RESERVATION_NOT_FOUND;
  const state = db.reservations.state(row);
  if (isTerminal(state) && db.reservations.retiredAt(row, db.slotLo, db.slotHi)) return RESERVATION_NOT_FOUND;
  const deadline = row * WORDS + DEADLINE;
  const words = db.reservations.words;
  if (words[deadline] !== w[AMOUNT] || words[deadline + 1] !== w[AMOUNT + 1]) return NOOP;
  if (state !== RESERVED) return NOOP;

  beginChange(db, row);
  db.wheel.unschedule(row);
  raiseEpoch(db, row);
  terminate(db, row, EXPIRED);
  return OK;
}
