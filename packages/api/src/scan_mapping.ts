/**
 * Scans of the facade: inputs are checked and turned into requests, pages into answers, and pages that follow one another
 * into a walk. Pure but for the walk, which asks for a page when the one before was taken.
 *
 * An input that is wrong throws TypeError or RangeError naming the argument; the callers are asynchronous, so that it
 * reaches whoever called as a rejection.
 */
import {RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES} from '@allocdb/core';
import type {
  AbortSignalLike,
  FenceNotApplied,
  ScanReservationsAnswer,
  ScanReservationsInput,
  ScanResourcesAnswer,
  ScanResourcesInput,
} from './answers.ts';
import type {ApiRequest} from './api_request.ts';
import type {ApiResponse} from './api_response.ts';
import {checkNumber, checkU64, codeOf} from './bigint_lanes.ts';
import {protocolError} from './command_mapping.ts';
import {COUNT_MAX} from './constants.ts';
import {databaseError, isAllocDbError} from './errors.ts';
import {holderId, idToBigint} from './ids.ts';
import {fenceOf, leaseViewOf, resourceViewOf} from './read_mapping.ts';

/** A request for the page of resources that `input` asks for. */
export function resourceScan(input: ScanResourcesInput, requiredLsn: bigint | null): ApiRequest {
  const state = stateOf(RESOURCE_STATE_NAMES, input.state);
  return {type: 'scan_resources', requiredLsn, state, ...rangeOf(input)};
}

/** A request for the page of reservations that `input` asks for. */
export function reservationScan(
  input: ScanReservationsInput,
  requiredLsn: bigint | null,
  currentSlot: bigint,
): ApiRequest {
  const holder = input.holder === undefined ? null : idToBigint(holderId(input.holder));
  const state = stateOf(RESERVATION_STATE_NAMES, input.state);
  return {type: 'scan_reservations', requiredLsn, currentSlot, holderId: holder, state, ...rangeOf(input)};
}

function stateOf<Name extends string>(names: readonly string[], state: Name | undefined): Name | null {
  if (state === undefined) return null;
  if (typeof state !== 'string') throw new TypeError(`state must be a string, got ${typeof state}`);
  codeOf(names, state, 'state');
  return state;
}

function rangeOf({position = 0n, limit = 0}: ScanResourcesInput | ScanReservationsInput) {
  if (typeof limit !== 'number') throw new TypeError(`limit must be a number, got ${typeof limit}`);
  return {position: checkU64(position, 'position'), limit: checkNumber(limit, COUNT_MAX, 'limit')};
}

/** Answer of scanResources. Throws AllocDbError. */
export function resourcesPageOf(response: ApiResponse): ScanResourcesAnswer {
  switch (response.type) {
    case 'resources_page': {
      const {lastAppliedLsn: lsn, next} = response;
      return {result: 'page', lsn, resources: response.resources.map(resourceViewOf), next};
    }
    case 'resource_fence_not_applied':
      return fenceOf(response);
    case 'resource_engine_halted':
      throw databaseError({code: 'engine_halted'}, []);
    default:
      throw protocolError(`${response.type} to scan_resources`, []);
  }
}

/** Answer of scanReservations. Throws AllocDbError. */
export function reservationsPageOf(response: ApiResponse): ScanReservationsAnswer {
  switch (response.type) {
    case 'reservations_page': {
      const {lastAppliedLsn: lsn, next} = response;
      return {result: 'page', lsn, leases: response.leases.map(leaseViewOf), next};
    }
    case 'reservation_fence_not_applied':
      return fenceOf(response);
    case 'reservation_engine_halted':
      throw databaseError({code: 'engine_halted'}, []);
    default:
      throw protocolError(`${response.type} to scan_reservations`, []);
  }
}

/**
 * What is in all pages, one by one: `read` gets the page at a position, `itemsOf` what is in it. A page is asked for when
 * the one before was taken to its end and is let go. Throws what `read` rejects with, the signal's reason once it has fired.
 */
export async function* walk<Page extends {result: 'page'; next: bigint | null}, Item>(
  read: (position: bigint) => Promise<Page | FenceNotApplied>,
  itemsOf: (page: Page) => readonly Item[],
  signal: AbortSignalLike | undefined,
): AsyncGenerator<Item, void> {
  let position: bigint | null = 0n;
  while (position !== null) {
    const page: Page | FenceNotApplied = await read(position).catch((error: unknown) => {
      throw signal?.aborted === true && isAllocDbError(error) && error.code === 'aborted' ? signal.reason : error;
    });
    if (page.result === 'fence_not_applied') {
      const {requiredLsn, lastAppliedLsn} = page;
      throw protocolError(`fence ${requiredLsn} is not reached by a walk, last is ${lastAppliedLsn}`, []);
    }
    for (const item of itemsOf(page)) {
      if (signal?.aborted === true) throw signal.reason;
      yield item;
    }
    position = page.next;
  }
}
