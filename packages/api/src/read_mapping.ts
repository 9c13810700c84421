/**
 * From responses about single things to the facade's answers: ids become strings, absence and fences answers, and what the
 * request cannot be answered with an error. Pure; what is sent is in transport_database.ts, pages are in scan_mapping.ts.
 */
import type {FenceNotApplied, GetResourceAnswer, LeaseView, ReservationView, ResourceView} from './answers.ts';
import type {ApiResponse, ReservationFound, ShownLease, ShownResource} from './api_response.ts';
import {protocolError} from './command_mapping.ts';
import {databaseError} from './errors.ts';
import {holderIdFromBigint, reservationIdFromBigint, resourceIdFromBigint} from './ids.ts';

type Fence = ApiResponse & {type: 'resource_fence_not_applied' | 'reservation_fence_not_applied'};

/** A fence that is not reached, of whatever was read. */
export function fenceOf({requiredLsn, lastAppliedLsn}: Fence): FenceNotApplied {
  return {result: 'fence_not_applied', requiredLsn, lastAppliedLsn};
}

/** A resource as people handle it. */
export function resourceViewOf({resourceId, state, currentReservationId, version}: ShownResource): ResourceView {
  const reservation = currentReservationId === null ? null : reservationIdFromBigint(currentReservationId);
  return {id: resourceIdFromBigint(resourceId), state, reservation, version};
}

function baseOf(shown: ReservationFound | ShownLease) {
  return {
    id: reservationIdFromBigint(shown.reservationId),
    holder: holderIdFromBigint(shown.holderId),
    state: shown.state,
    createdLsn: shown.createdLsn,
    deadlineSlot: shown.deadlineSlot,
    releasedLsn: shown.releasedLsn,
    retireAfterSlot: shown.retireAfterSlot,
  };
}

/** A reservation as people handle it. */
export function reservationViewOf(found: ReservationFound): ReservationView {
  return {...baseOf(found), resource: resourceIdFromBigint(found.resourceId)};
}

/** The same with epoch and members. */
export function leaseViewOf(shown: ShownLease): LeaseView {
  return {...baseOf(shown), epoch: shown.leaseEpoch, resources: shown.resourceIds.map(resourceIdFromBigint)};
}

/** Answer of getResource. Throws AllocDbError. */
export function resourceAnswerOf(response: ApiResponse): GetResourceAnswer {
  switch (response.type) {
    case 'resource_found':
      return {result: 'found', resource: resourceViewOf(response)};
    case 'resource_not_found':
      return {result: 'resource_not_found'};
    case 'resource_fence_not_applied':
      return fenceOf(response);
    case 'resource_engine_halted':
      throw databaseError({code: 'engine_halted'}, []);
    default:
      throw protocolError(`${response.type} to get_resource`, []);
  }
}

/** Answer of getReservation and getLease where nothing was found. Throws AllocDbError. */
export function noReservation(
  response: ApiResponse,
  request: string,
): {result: 'reservation_not_found' | 'reservation_retired'} | FenceNotApplied {
  switch (response.type) {
    case 'reservation_not_found':
    case 'reservation_retired':
      return {result: response.type};
    case 'reservation_fence_not_applied':
      return fenceOf(response);
    case 'reservation_engine_halted':
      throw databaseError({code: 'engine_halted'}, []);
    default:
      throw protocolError(`${response.type} to ${request}`, []);
  }
}
