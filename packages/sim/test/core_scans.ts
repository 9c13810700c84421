/**
 * Scans of a core as the model's answers: a page of resources as it is asked for, and of reservations a whole walk over
 * pages of any size, in the order of ids. The bound in bytes is the engine's, and not here.
 */
import {bigintOfU128, hiOf, loOf, RESOURCE, Scan, scanReservations, scanResources, writeU128} from '@allocdb/core';
import {
  type ApiRequest,
  type ApiResponse,
  RESERVATION_STATES,
  RESOURCE_STATES,
  type Reservation,
  type Resource,
} from '@allocdb/sim';
import type {CoreDriver} from './core_driver.ts';

const ROWS_MAX = 8192;
const ENTRIES_MAX = 1000;

export type ResourceScan = Extract<ApiRequest, {kind: 'scan_resources'}>;
export type ReservationScan = Extract<ApiRequest, {kind: 'scan_reservations'}>;

export function resourcesPageOf(core: CoreDriver, {position, limit, state}: ResourceScan): ApiResponse {
  const {db} = core;
  const scan = new Scan(ROWS_MAX, ENTRIES_MAX);
  scan.positionLo = loOf(position);
  scan.positionHi = hiOf(position);
  scan.limit = limit;
  scan.state = state === null ? 0 : RESOURCE_STATES.indexOf(state) + 1;
  scanResources(db, scan);
  const resources = Array.from(scan.rows.subarray(0, scan.count), row => {
    return core.resource(bigintOfU128(db.resources.words, row * RESOURCE.WORDS + RESOURCE.ID)) as Resource;
  });
  return {kind: 'resources_page', lastAppliedLsn: lsnOf(core), next: nextOf(scan), resources};
}

/** All pages behind the position, each of at most so many rows looked at and found. */
export function reservationsWalkOf(
  core: CoreDriver,
  {position, currentSlot, holderId, state}: ReservationScan,
  {rowsMax, foundMax}: {rowsMax: number; foundMax: number},
): ApiResponse {
  const scan = new Scan(rowsMax, foundMax);
  scan.slotLo = loOf(currentSlot);
  scan.slotHi = hiOf(currentSlot);
  scan.hasHolder = holderId !== null;
  writeU128(scan.holder, 0, holderId ?? 0n);
  scan.state = state === null ? 0 : RESERVATION_STATES.indexOf(state) + 1;
  const reservations: Reservation[] = [];
  for (let next: bigint | null = position; next !== null; next = nextOf(scan)) {
    scan.positionLo = loOf(next);
    scan.positionHi = hiOf(next);
    scanReservations(core.db, scan);
    for (const row of scan.rows.subarray(0, scan.count)) reservations.push(core.reservationAt(row));
  }
  reservations.sort((left, right) => (left.reservationId < right.reservationId ? -1 : 1));
  return {kind: 'reservations_page', lastAppliedLsn: lsnOf(core), next: null, reservations};
}

function lsnOf({db, lastLsn}: CoreDriver): bigint | null {
  return db.hasSlot ? lastLsn : null;
}

function nextOf({next}: Scan): bigint | null {
  return next < 0 ? null : BigInt(next);
}
