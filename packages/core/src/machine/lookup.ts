/**
 * The checks that confirm, release, revoke and reclaim share, in their documented order: the reservation is there, it is
 * not retired, the holder is right, the epoch is right.
 *
 * Full history of a retired reservation is gone; the watermark still tells an id that once may have existed from one
 * that never did. It is consulted only for ids that are not in the table.
 */
import {COMMAND, REG} from '../command.ts';
import {isTerminal, RESULT, type ResultCode} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {ltU64} from '../words.ts';
import type {AllocDb} from './alloc_db.ts';

const {CONFIRM_FENCED, RELEASE_FENCED} = COMMAND;
const {SUBJECT, HOLDER: REG_HOLDER, AMOUNT} = REG;
const {RESERVATION_RETIRED, RESERVATION_NOT_FOUND, OK, HOLDER_MISMATCH, STALE_EPOCH} = RESULT;
const {WORDS, HOLDER: RESERVATION_HOLDER, EPOCH} = RESERVATION;

/** True for an id of this shard at or below the watermark of retired reservations. */
export function isBelowWatermark(db: AllocDb, w0: number, w1: number, w2: number, w3: number): boolean {
  const {watermarkLo, watermarkHi} = db.retireQueue;
  if (watermarkLo === 0 && watermarkHi === 0) return false;
  return w2 === db.shard.lo && w3 === db.shard.hi && !ltU64(watermarkLo, watermarkHi, w0, w1);
}

/** Row of the reservation with this id, also if retired and not yet swept, or -1. */
export function findReservation(db: AllocDb, w0: number, w1: number, w2: number, w3: number): number {
  return w2 === db.shard.lo && w3 === db.shard.hi ? db.reservations.find(w0, w1) : -1;
}

/** Row of the reservation that the decoded command names, also if retired and not yet swept, or -1. */
export function findSubject(db: AllocDb): number {
  const w = db.command.words;
  return findReservation(db, w[SUBJECT], w[SUBJECT + 1], w[SUBJECT + 2], w[SUBJECT + 3]);
}

/** Checks 1 and 2: OK when `row` (of {@link findSubject}) is a reservation that is not terminal. */
export function checkLive(db: AllocDb, row: number): ResultCode {
  if (row < 0) {
    const w = db.command.words;
    const below = isBelowWatermark(db, w[SUBJECT], w[SUBJECT + 1], w[SUBJECT + 2], w[SUBJECT + 3]);
    return below ? RESERVATION_RETIRED : RESERVATION_NOT_FOUND;
  }
  return isTerminal(db.reservations.state(row)) ? RESERVATION_RETIRED : OK;
}

/** Checks 3 and 4: the holder, and the epoch where the command carries one. */
export function checkHolder(db: AllocDb, row: number): ResultCode {
  const w = db.command.words;
  const words = db.reservations.words;
  const holder = row * WORDS + RESERVATION_HOLDER;
  const same =
    words[holder] === w[REG_HOLDER] &&
    words[holder + 1] === w[REG_HOLDER + 1] &&
    words[holder + 2] === w[REG_HOLDER + 2] &&
    words[holder + 3] === w[REG_HOLDER + 3];
  if (!same) return HOLDER_MISMATCH;
  const fenced = db.command.tag === CONFIRM_FENCED || db.command.tag === RELEASE_FENCED;
  if (!fenced) return OK;
  const epoch = row * WORDS + EPOCH;
  return words[epoch] === w[AMOUNT] && words[epoch + 1] === w[AMOUNT + 1] ? OK : STALE_EPOCH;
}
