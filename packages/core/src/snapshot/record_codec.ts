/**
 * Canonical records: one resource, reservation or operation as 32-bit words that depend on no row, order or layout. They
 * are what a snapshot stores and what the digest is summed over, so the two can never speak of different things.
 *
 * RECORD_FORMAT names this layout; a test hashes it, and a change means a new number and a story in docs/storage.md.
 */

import type {AllocDb} from '../machine/alloc_db.ts';
import {readMemberId} from '../machine/view.ts';
import {isTerminal} from '../result.ts';
import {OPERATION} from '../table/operation_table.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {RESOURCE} from '../table/resource_table.ts';

/** Version of the canonical records. */
export const RECORD_FORMAT = 1;

/** Kinds of record. Also the digest's domains. */
export const SECTION = {RESOURCES: 1, RESERVATIONS: 2, OPERATIONS: 3} as const;

/**
 * The order in which a snapshot is read. Operations first: commands overwrite them from the oldest on, and a reader that
 * begins at the oldest stays ahead, so that hardly any has to be saved. Reservations behind resources, which they refer to.
 */
export const SNAPSHOT_ORDER: readonly number[] = [SECTION.OPERATIONS, SECTION.RESOURCES, SECTION.RESERVATIONS];

/** Words of a resource: id (4), state, version (2), lsn of the current reservation (2; 0 = none). */
export const RESOURCE_RECORD = {ID: 0, STATE: 4, VERSION: 5, RESERVATION_LSN: 7, WORDS: 9} as const;

/**
 * Words of a reservation: lsn (2), holder (4), state, member count, epoch (2), deadline (2), released lsn (2),
 * retire-after slot (2), both 0 unless terminal; then four words for each member's resource id, in request order.
 */
export const RESERVATION_RECORD = {
  LSN: 0,
  HOLDER: 2,
  STATE: 6,
  MEMBER_COUNT: 7,
  EPOCH: 8,
  DEADLINE: 10,
  RELEASED_LSN: 12,
  RETIRE_AFTER: 14,
  MEMBERS: 16,
} as const;

/** Words of an operation: id (4), fingerprint (4), applied lsn (2), deadline (2), retire-after slot (2), result. */
export const OPERATION_RECORD = {WORDS: 15} as const;

/** Writes the resource in `row` to `out[at..]`; returns its words. */
export function encodeResource(db: AllocDb, row: number, out: Int32Array, at: number): number {
  const words = db.resources.words;
  const record = row * RESOURCE.WORDS;
  for (let lane = 0; lane < 4; lane++) out[at + lane] = words[record + RESOURCE.ID + lane];
  out[at + RESOURCE_RECORD.STATE] = words[record + RESOURCE.STATE];
  out[at + RESOURCE_RECORD.VERSION] = words[record + RESOURCE.VERSION];
  out[at + RESOURCE_RECORD.VERSION + 1] = words[record + RESOURCE.VERSION + 1];
  const owner = words[record + RESOURCE.OWNER] - 1;
  const lsn = owner * RESERVATION.WORDS + RESERVATION.LSN;
  out[at + RESOURCE_RECORD.RESERVATION_LSN] = owner < 0 ? 0 : db.reservations.words[lsn];
  out[at + RESOURCE_RECORD.RESERVATION_LSN + 1] = owner < 0 ? 0 : db.reservations.words[lsn + 1];
  return RESOURCE_RECORD.WORDS;
}

/** Words that {@link encodeReservation} writes for a reservation of so many members. */
export function reservationWords(memberCount: number): number {
  return RESERVATION_RECORD.MEMBERS + 4 * memberCount;
}

/** Writes the reservation in `row` to `out[at..]`; returns its words. */
export function encodeReservation(db: AllocDb, row: number, out: Int32Array, at: number): number {
  const words = db.reservations.words;
  const record = row * RESERVATION.WORDS;
  const state = db.reservations.state(row);
  const memberCount = db.reservations.memberCount(row);
  for (let lane = 0; lane < 6; lane++) out[at + lane] = words[record + lane];
  out[at + RESERVATION_RECORD.STATE] = state;
  out[at + RESERVATION_RECORD.MEMBER_COUNT] = memberCount;
  for (let lane = 0; lane < 4; lane++)
    out[at + RESERVATION_RECORD.EPOCH + lane] = words[record + RESERVATION.EPOCH + lane];
  const terminal = isTerminal(state);
  for (let lane = 0; lane < 4; lane++) {
    out[at + RESERVATION_RECORD.RELEASED_LSN + lane] = terminal ? words[record + RESERVATION.RELEASED_LSN + lane] : 0;
  }
  for (let i = 0; i < memberCount; i++) readMemberId(db, row, i, out, at + RESERVATION_RECORD.MEMBERS + 4 * i);
  return reservationWords(memberCount);
}

/** Writes the operation in `row` to `out[at..]`; returns its words. The stored record is canonical but for its tag. */
export function encodeOperation(db: AllocDb, row: number, out: Int32Array, at: number): number {
  const record = row * OPERATION.WORDS;
  for (let word = 0; word < OPERATION_RECORD.WORDS; word++) out[at + word] = db.operations.words[record + word];
  return OPERATION_RECORD.WORDS;
}
