/**
 * Read models, as records that are reused. A read changes nothing; reservations take the reader's slot, because what is
 * past its history window is retired for the reader even before the machine's own clock has come that far.
 */
import {isTerminal, RESOURCE_STATE} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {RESOURCE} from '../table/resource_table.ts';
import {ltU64} from '../words.ts';
import type {AllocDb} from './alloc_db.ts';
import {findReservation, isBelowWatermark} from './lookup.ts';

const {AVAILABLE} = RESOURCE_STATE;
const {WORDS: RESERVATION_WORDS, LSN} = RESERVATION;
const {WORDS: RESOURCE_WORDS, VERSION, ID} = RESOURCE;

/** Answer of a reservation lookup. */
export const LOOKUP = {FOUND: 1, NOT_FOUND: 2, RETIRED: 3} as const;
const {RETIRED: LOOKUP_RETIRED, NOT_FOUND: LOOKUP_NOT_FOUND, FOUND: LOOKUP_FOUND} = LOOKUP;

/** One resource. */
export class ResourceView {
  state: number = AVAILABLE;
  /** True when a live reservation holds it; then the lsn is the low half of that reservation's id. */
  held: boolean = false;
  reservationLsnLo: number = 0;
  reservationLsnHi: number = 0;
  versionLo: number = 0;
  versionHi: number = 0;
}

/** One reservation. Lsns, slots and epoch are lanes of `words`, at the places of RESERVATION; see `lane`. */
export class ReservationView {
  state: number = 0;
  memberCount: number = 0;
  /** True when released lsn and retire-after slot are set. */
  terminal: boolean = false;
  /** A copy of the record's words. */
  readonly words: Int32Array = new Int32Array(RESERVATION_WORDS);
  /** Row, for `memberIds`; valid until the next command is applied. */
  row: number = -1;
}

/** Fills `out`; false when there is no such resource. */
export function readResource(db: AllocDb, id: Int32Array, at: number, out: ResourceView): boolean {
  const row = db.resources.find(id[at], id[at + 1], id[at + 2], id[at + 3]);
  if (row < 0) return false;
  viewResource(db, row, out);
  return true;
}

/** Fills `out` with the resource in `row`. */
export function viewResource(db: AllocDb, row: number, out: ResourceView): void {
  const words = db.resources.words;
  const record = row * RESOURCE_WORDS;
  const owner = db.resources.owner(row);
  out.state = db.resources.state(row);
  out.held = owner >= 0;
  out.versionLo = words[record + VERSION];
  out.versionHi = words[record + VERSION + 1];
  if (owner >= 0) {
    out.reservationLsnLo = db.reservations.words[owner * RESERVATION_WORDS + LSN];
    out.reservationLsnHi = db.reservations.words[owner * RESERVATION_WORDS + LSN + 1];
  }
}

/** Fills `out` when FOUND; `id` is the whole 128-bit reservation id. */
export function readReservation(
  db: AllocDb,
  id: Int32Array,
  at: number,
  slotLo: number,
  slotHi: number,
  out: ReservationView,
): number {
  const w0 = id[at];
  const w1 = id[at + 1];
  const w2 = id[at + 2];
  const w3 = id[at + 3];
  const row = findReservation(db, w0, w1, w2, w3);
  if (row < 0) return isBelowWatermark(db, w0, w1, w2, w3) ? LOOKUP_RETIRED : LOOKUP_NOT_FOUND;
  if (isTerminal(db.reservations.state(row)) && isRetiredFor(db, row, slotLo, slotHi)) return LOOKUP_RETIRED;
  viewReservation(db, row, out);
  return LOOKUP_FOUND;
}

/** True when a reader at the slot is told that the terminal reservation in `row` is retired. */
export function isRetiredFor(db: AllocDb, row: number, slotLo: number, slotHi: number): boolean {
  const {reservations} = db;
  // Past the reader's slot, or past the machine's own (then only its row has not been swept yet).
  return reservations.retiredAt(row, slotLo, slotHi) || reservations.retiredAt(row, db.lastSlotLo, db.lastSlotHi);
}

/** Fills `out` with the reservation in `row`, retired or not. */
export function viewReservation(db: AllocDb, row: number, out: ReservationView): void {
  const state = db.reservations.state(row);
  out.state = state;
  out.terminal = isTerminal(state);
  out.memberCount = db.reservations.memberCount(row);
  out.row = row;
  const record = row * RESERVATION_WORDS;
  for (let word = 0; word < RESERVATION_WORDS; word++) out.words[word] = db.reservations.words[record + word];
}

/** Writes the id of a member (0-based, in request order) of the reservation in `row` to `id[at..at+3]`. */
export function readMemberId(db: AllocDb, row: number, member: number, id: Int32Array, at: number): void {
  const resource = db.reservations.member(row, member) * RESOURCE_WORDS + ID;
  for (let lane = 0; lane < 4; lane++) id[at + lane] = db.resources.words[resource + lane];
}

/** Slots by which `slot` is ahead of the last applied one, as lanes in `out[0..1]`; 0 when nothing was applied. */
export function slotLag(db: AllocDb, slotLo: number, slotHi: number, out: Int32Array): void {
  if (!db.hasSlot || !ltU64(db.lastSlotLo, db.lastSlotHi, slotLo, slotHi)) {
    out[0] = 0;
    out[1] = 0;
    return;
  }
  const lo = (slotLo - db.lastSlotLo) | 0;
  const borrow = slotLo >>> 0 < db.lastSlotLo >>> 0 ? 1 : 0;
  out[0] = lo;
  out[1] = (slotHi - db.lastSlotHi - borrow) | 0;
}
