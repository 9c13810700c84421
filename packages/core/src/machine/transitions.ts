/**
 * The writes that several commands share, after their guards: all members change state together, and a reservation
 * becomes terminal in one way only, whatever ended it.
 */
import {assert} from '../assert.ts';
import {RESOURCE_STATE} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {addU64} from '../words.ts';
import type {AllocDb} from './alloc_db.ts';

const {AVAILABLE} = RESOURCE_STATE;
const {WORDS, EPOCH, RELEASED_LSN, RETIRE_AFTER} = RESERVATION;

/** First of a command's writes to a live reservation: a snapshot in progress keeps the record as it was. */
export function beginChange(db: AllocDb, row: number): void {
  if (db.snapshot !== null) db.snapshot.saveReservation(row);
}

/** Moves every member to a state in which the reservation still owns it. */
export function moveMembers(db: AllocDb, row: number, resourceState: number): void {
  const count = db.reservations.memberCount(row);
  for (let i = 0; i < count; i++) {
    const resource = db.reservations.member(row, i);
    if (db.snapshot !== null) db.snapshot.saveResource(resource);
    db.resources.transition(resource, resourceState, row);
  }
}

/** Lease epoch + 1: whoever holds the old one is fenced off. */
export function raiseEpoch(db: AllocDb, row: number): void {
  const words = db.reservations.words;
  const epoch = row * WORDS + EPOCH;
  addU64(words, epoch, words[epoch], words[epoch + 1], 1, 0);
}

/** Ends the reservation, which has left the wheel: members available again, history kept for its window. */
export function terminate(db: AllocDb, row: number, terminalState: number): void {
  const words = db.reservations.words;
  const at = row * WORDS;
  const count = db.reservations.memberCount(row);
  for (let i = 0; i < count; i++) {
    const resource = db.reservations.member(row, i);
    if (db.snapshot !== null) db.snapshot.saveResource(resource);
    db.resources.transition(resource, AVAILABLE, -1);
  }
  db.reservations.setState(row, terminalState);
  words[at + RELEASED_LSN] = db.lsnLo;
  words[at + RELEASED_LSN + 1] = db.lsnHi;
  const {lo, hi} = db.historyWindow;
  const overflowed = addU64(words, at + RETIRE_AFTER, db.slotLo, db.slotHi, lo, hi);
  assert(!overflowed, 'history window was checked before the command was logged');
  db.retireQueue.append(row);
}
