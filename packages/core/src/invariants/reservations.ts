/**
 * Reservations: live ones own each of their distinct members; terminal ones own nothing and stand in the retire queue, in
 * order, retired ones first and at or below the watermark; every row is either findable or on the stack of free rows,
 * once; ids lie at or below the last lsn, and so does the watermark.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {isTerminal, RESERVATION_STATE} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {ltU64} from '../words.ts';
import {checkIndexCells} from './index_cells.ts';

export function checkReservations(db: AllocDb): string | null {
  const {reservations, retireQueue} = db;
  const words = reservations.words;
  let stored = 0;
  let terminal = 0;
  const listedBy = new Int32Array(db.resources.capacity);
  for (let row = 0; row < reservations.capacity; row++) {
    const state = reservations.state(row);
    if (state === 0) continue;
    stored++;
    const at = row * RESERVATION.WORDS;
    if (state > RESERVATION_STATE.REVOKED) return `reservation row ${row} has state ${state}`;
    if (reservations.find(words[at], words[at + 1]) !== row) return `reservation row ${row} is not findable`;
    if (ltU64(db.lastLsnLo, db.lastLsnHi, words[at], words[at + 1])) return `reservation row ${row} is of the future`;
    if (words[at + RESERVATION.EPOCH] === 0 && words[at + RESERVATION.EPOCH + 1] === 0) {
      return `reservation row ${row} has epoch 0`;
    }
    if (isTerminal(state)) terminal++;
    const violation = checkMembers(db, row, isTerminal(state), listedBy);
    if (violation !== null) return violation;
  }
  if (stored !== reservations.stored) return `${stored} reservations are reachable, ${reservations.stored} are counted`;
  if (terminal !== retireQueue.count + retireQueue.unswept) return 'retire queue and terminal reservations differ';
  if (ltU64(db.lastLsnLo, db.lastLsnHi, retireQueue.watermarkLo, retireQueue.watermarkHi)) {
    return 'the retired watermark is of the future';
  }
  return (
    checkFreeRows(db) ??
    checkQueueOrder(db) ??
    checkIndexCells('reservations', reservations.index, row => reservations.state(row) !== 0)
  );
}

/** `listedBy` holds, by resource row, the reservation row + 1 that listed it last: one array for all walks. */
function checkMembers(db: AllocDb, row: number, terminal: boolean, listedBy: Int32Array): string | null {
  const count = db.reservations.memberCount(row);
  if (count < 1 || count > db.config.maxBundleSize) return `reservation row ${row} has ${count} members`;
  for (let i = 0; i < count; i++) {
    const resource = db.reservations.member(row, i);
    if (resource < 0 || resource >= db.resources.count) return `reservation row ${row} has an unknown member`;
    if (listedBy[resource] === row + 1) return `reservation row ${row} lists a member twice`;
    listedBy[resource] = row + 1;
    const owns = db.resources.owner(resource) === row;
    if (owns === terminal)
      return `reservation row ${row} ${terminal ? 'is over and owns' : 'is live and lacks'} a member`;
  }
  return null;
}

function checkFreeRows(db: AllocDb): string | null {
  const {reservations} = db;
  const seen = new Uint8Array(reservations.capacity);
  for (let i = 0; i < reservations.capacity - reservations.stored; i++) {
    const row = reservations.freeRow(i);
    if (reservations.state(row) !== 0) return `row ${row} is on the stack of free rows and taken`;
    if (seen[row] === 1) return `row ${row} is on the stack of free rows twice`;
    seen[row] = 1;
  }
  return null;
}

/** Order by released lsn is strict, so that no row stands twice in a queue as long as the terminal ones are many. */
function checkQueueOrder(db: AllocDb): string | null {
  const {reservations, retireQueue} = db;
  const words = reservations.words;
  for (let i = -retireQueue.unswept; i < retireQueue.count; i++) {
    const row = retireQueue.rowAt(i);
    if (!isTerminal(reservations.state(row))) return `retire queue holds row ${row}, which is live`;
    const at = row * RESERVATION.WORDS;
    const released = at + RESERVATION.RELEASED_LSN;
    if (ltU64(db.lastLsnLo, db.lastLsnHi, words[released], words[released + 1])) {
      return `row ${row} ended in the future`;
    }
    if (reservations.retiredAt(row, db.lastSlotLo, db.lastSlotHi) !== i < 0) {
      return `row ${row} is on the wrong side of the retire queue's boundary`;
    }
    if (i < 0 && ltU64(retireQueue.watermarkLo, retireQueue.watermarkHi, words[at], words[at + 1])) {
      return `row ${row} is retired above the watermark`;
    }
    if (i === -retireQueue.unswept) continue;
    const before = retireQueue.rowAt(i - 1) * RESERVATION.WORDS;
    if (!isBelow(words, before, at, RESERVATION.RELEASED_LSN) || isBelow(words, at, before, RESERVATION.RETIRE_AFTER)) {
      return `retire queue is out of order at row ${row}`;
    }
  }
  return null;
}

function isBelow(words: Int32Array, a: number, b: number, field: number): boolean {
  return ltU64(words[a + field], words[a + field + 1], words[b + field], words[b + field + 1]);
}
