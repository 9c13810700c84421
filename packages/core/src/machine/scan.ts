/**
 * Scans: which rows of a table a page shows, from one row on. A page is made between two commands, so that it shows one
 * state, and is bounded in rows looked at and in rows shown, because no command is applied meanwhile.
 *
 * Rows of resources are in the order of creation and never freed: walking them shows each resource exactly once, whatever
 * happens between the pages. Rows of reservations are reused: a reservation keeps its row for as long as it is there, so
 * one that is there during the whole walk is shown exactly once. Loading a snapshot keeps rows of resources, not those of
 * reservations: a walk over them does not outlive the process.
 *
 * Not here: what is shown of a row (view.ts), the bound in bytes and the bounds themselves, which are those of the wire.
 */
import {isTerminal} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {RESOURCE} from '../table/resource_table.ts';
import type {AllocDb} from './alloc_db.ts';
import {isRetiredFor} from './view.ts';

const {WORDS: RESERVATION_WORDS, HOLDER} = RESERVATION;
const {WORDS: RESOURCE_WORDS, STATE} = RESOURCE;

/** What one page is to show, and the rows that it found; reused. */
export class Scan {
  /** Row to begin with, u64; past the last row the page is empty and the last one. */
  positionLo: number = 0;
  positionHi: number = 0;
  /** Only rows in this state; 0 for any. */
  state: number = 0;
  /** Most rows to find; 0 for as many as there is room for. */
  limit: number = 0;
  /** Reservations only of this holder, if there is one. */
  hasHolder: boolean = false;
  readonly holder: Int32Array = new Int32Array(4);
  /** Reservations as they are shown to a reader at this slot. */
  slotLo: number = 0;
  slotHi: number = 0;
  /** The rows found, rising, `count` of them. */
  readonly rows: Int32Array;
  count: number = 0;
  /** Row with which the next page begins; -1 when nothing is left to look at. */
  next: number = -1;
  /** Most rows that are looked at. */
  readonly rowsMax: number;

  constructor(rowsMax: number, foundMax: number) {
    this.rowsMax = rowsMax;
    this.rows = new Int32Array(foundMax);
  }
}

/** Finds the resources of a page. */
export function scanResources(db: AllocDb, scan: Scan): void {
  const {state, rows} = scan;
  const {words, count: rowsEnd} = db.resources;
  const found = foundMax(scan);
  const first = firstRow(scan, rowsEnd);
  const end = Math.min(rowsEnd, first + scan.rowsMax);
  let count = 0;
  let row = first;
  for (; row < end && count < found; row++) {
    if (state === 0 || words[row * RESOURCE_WORDS + STATE] === state) rows[count++] = row;
  }
  scan.count = count;
  scan.next = row < rowsEnd ? row : -1;
}

/** Finds the reservations of a page: those of which a reader at the slot is not told that they are retired. */
export function scanReservations(db: AllocDb, scan: Scan): void {
  const {state, rows, slotLo, slotHi} = scan;
  const {reservations} = db;
  const rowsEnd = reservations.reach;
  const found = foundMax(scan);
  const first = firstRow(scan, rowsEnd);
  const end = Math.min(rowsEnd, first + scan.rowsMax);
  let count = 0;
  let row = first;
  for (; row < end && count < found; row++) {
    const itsState = reservations.state(row);
    // A free row has state 0.
    if (itsState === 0 || (state !== 0 && itsState !== state)) continue;
    if (scan.hasHolder && !isHeldBy(reservations.words, row * RESERVATION_WORDS + HOLDER, scan.holder)) continue;
    if (isTerminal(itsState) && isRetiredFor(db, row, slotLo, slotHi)) continue;
    rows[count++] = row;
  }
  scan.count = count;
  scan.next = row < rowsEnd ? row : -1;
}

/** Copies the states of the resources from this row on, one byte each; there must be as many as there is room for. */
export function copyStates(db: AllocDb, first: number, out: Uint8Array): void {
  const {words} = db.resources;
  for (let i = 0, at = first * RESOURCE_WORDS + STATE; i < out.length; i++, at += RESOURCE_WORDS) out[i] = words[at];
}

function foundMax({limit, rows}: Scan): number {
  return limit === 0 ? rows.length : Math.min(limit, rows.length);
}

/** The position as a row, `rowsEnd` for one past it. */
function firstRow({positionLo, positionHi}: Scan, rowsEnd: number): number {
  return positionHi === 0 && positionLo >>> 0 < rowsEnd ? positionLo : rowsEnd;
}

function isHeldBy(words: Int32Array, at: number, holder: Int32Array): boolean {
  return (
    words[at] === holder[0] && words[at + 1] === holder[1] && words[at + 2] === holder[2] && words[at + 3] === holder[3]
  );
}
