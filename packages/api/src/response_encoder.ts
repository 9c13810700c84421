/**
 * Response objects to frames, through the very writers that the engine's hot path uses: this file only turns bigints
 * into lanes and names into numbers, and knows no layout. Without length prefix.
 */
import {OVERFLOW_NAMES, RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES, RESULT_NAMES} from '@allocdb/core';
import type {
  ApiResponse,
  MetricsResponse,
  ReservationFound,
  ReservationsPage,
  ResourcesPage,
  ShownLease,
  ShownResource,
  SubmissionFailure,
} from './api_response.ts';
import {checkNumber, codeOf, writeU64, writeU128} from './bigint_lanes.ts';
import {CodecError} from './codec_error.ts';
import {COUNT_MAX, INVALID_REQUEST_REASON_NAMES, RESPONSE, SIZE, STARTUP_KIND_NAMES} from './constants.ts';
import {viewOf} from './field_reader.ts';
import {
  LEASE_LANES,
  LeaseRegisters,
  METRICS_LANES,
  MetricsRegisters,
  putLeaseEntry,
  putLeaseFound,
  putMetrics,
  putReservationFound,
} from './record_writers.ts';
import {
  putBatchResult,
  putFenceNotApplied,
  putPageHead,
  putRejectedCommandTooLarge,
  putRejectedEngineHalted,
  putRejectedInvalidRequest,
  putRejectedLsnExhausted,
  putRejectedOverloaded,
  putRejectedSlotOverflow,
  putRejectedStorageFailure,
  putRejectedStorageFull,
  putResourceEntry,
  putResourceFound,
  putSubmitCommittedParts,
  putTagOnly,
  putTickApplied,
  putU128,
} from './response_writers.ts';
import {unreachable} from './unreachable.ts';

const U32_MAX = 0xffff_ffff;

/** Lanes of the response being encoded; nothing here waits, so one set serves every call. */
const words: Int32Array = new Int32Array(10);

function lane(at: number): number {
  return words[at] as number;
}

function putFailure(view: DataView, offset: number, tag: number, failure: SubmissionFailure): number {
  switch (failure.code) {
    case 'engine_halted':
      return putRejectedEngineHalted(view, offset, tag);
    case 'storage_failure':
      return putRejectedStorageFailure(view, offset, tag);
    case 'storage_full':
      return putRejectedStorageFull(view, offset, tag);
    case 'invalid_request': {
      const reason = codeOf(INVALID_REQUEST_REASON_NAMES, failure.reason, 'reason');
      const commandTag = failure.reason === 'invalid_command_tag' ? failure.commandTag : 0;
      return putRejectedInvalidRequest(view, offset, tag, reason, checkNumber(commandTag, 0xff, 'commandTag'));
    }
    case 'slot_overflow': {
      writeU64(words, 0, failure.requestSlot, 'requestSlot');
      writeU64(words, 2, failure.delta, 'delta');
      const kind = codeOf(OVERFLOW_NAMES, failure.kind, 'kind');
      return putRejectedSlotOverflow(view, offset, tag, kind, lane(0), lane(1), lane(2), lane(3));
    }
    case 'command_too_large':
      writeU64(words, 0, failure.encodedLen, 'encodedLen');
      writeU64(words, 2, failure.maxCommandBytes, 'maxCommandBytes');
      return putRejectedCommandTooLarge(view, offset, tag, lane(0), lane(1), lane(2), lane(3));
    case 'lsn_exhausted':
      writeU64(words, 0, failure.lastAppliedLsn, 'lastAppliedLsn');
      return putRejectedLsnExhausted(view, offset, tag, lane(0), lane(1));
    case 'overloaded': {
      const depth = checkNumber(failure.queueDepth, U32_MAX, 'queueDepth');
      return putRejectedOverloaded(
        view,
        offset,
        tag,
        depth,
        checkNumber(failure.queueCapacity, U32_MAX, 'queueCapacity'),
      );
    }
    default:
      return unreachable(failure, 'failure');
  }
}

function leaseRegisters(response: ReservationFound | ShownLease): LeaseRegisters {
  const lease = new LeaseRegisters();
  writeU128(lease.words, LEASE_LANES.RESERVATION_ID, response.reservationId, 'reservationId');
  writeU128(lease.words, LEASE_LANES.HOLDER_ID, response.holderId, 'holderId');
  lease.state = codeOf(RESERVATION_STATE_NAMES, response.state, 'state');
  writeU64(lease.words, LEASE_LANES.CREATED_LSN, response.createdLsn, 'createdLsn');
  writeU64(lease.words, LEASE_LANES.DEADLINE_SLOT, response.deadlineSlot, 'deadlineSlot');
  writeU64(lease.words, LEASE_LANES.RELEASED_LSN, response.releasedLsn, 'releasedLsn');
  writeU64(lease.words, LEASE_LANES.RETIRE_AFTER_SLOT, response.retireAfterSlot, 'retireAfterSlot');
  lease.hasReleasedLsn = response.releasedLsn !== null;
  lease.hasRetireAfterSlot = response.retireAfterSlot !== null;
  if ('resourceId' in response) {
    writeU128(lease.words, LEASE_LANES.RESOURCE_ID, response.resourceId, 'resourceId');
  } else {
    writeU64(lease.words, LEASE_LANES.LEASE_EPOCH, response.leaseEpoch, 'leaseEpoch');
    lease.memberCount = response.resourceIds.length;
  }
  return lease;
}

/** Members behind what was put of their lease. */
function putMembers(view: DataView, offset: number, resourceIds: readonly bigint[]): number {
  let at = offset;
  for (const id of resourceIds) {
    writeU128(words, 0, id, 'resourceIds');
    at = putU128(view, at, lane(0), lane(1), lane(2), lane(3));
  }
  return at;
}

/** Puts a resource by one of the two writers for it. */
function putResource(put: typeof putResourceEntry, view: DataView, offset: number, shown: ShownResource): number {
  const reservationId = shown.currentReservationId;
  writeU128(words, 0, shown.resourceId, 'resourceId');
  writeU128(words, 4, reservationId, 'currentReservationId');
  writeU64(words, 8, shown.version, 'version');
  return put(
    view,
    offset,
    lane(0),
    lane(1),
    lane(2),
    lane(3),
    codeOf(RESOURCE_STATE_NAMES, shown.state, 'state'),
    reservationId !== null,
    lane(4),
    lane(5),
    lane(6),
    lane(7),
    lane(8),
    lane(9),
  );
}

function putHead(
  view: DataView,
  offset: number,
  tag: number,
  {lastAppliedLsn, next}: ResourcesPage | ReservationsPage,
  count: number,
): number {
  writeU64(words, 0, lastAppliedLsn, 'lastAppliedLsn');
  writeU64(words, 2, next, 'next');
  const hasLsn = lastAppliedLsn !== null;
  return putPageHead(view, offset, tag, hasLsn, lane(0), lane(1), next !== null, lane(2), lane(3), count);
}

function metricsRegisters(response: MetricsResponse): MetricsRegisters {
  const metrics = new MetricsRegisters();
  const put64 = (at: number, value: bigint | null, field: string): boolean => {
    writeU64(metrics.words, at, value, field);
    return value !== null;
  };
  metrics.queueDepth = checkNumber(response.queueDepth, U32_MAX, 'queueDepth');
  metrics.queueCapacity = checkNumber(response.queueCapacity, U32_MAX, 'queueCapacity');
  metrics.acceptingWrites = response.acceptingWrites;
  metrics.startupKind = codeOf(STARTUP_KIND_NAMES, response.startupKind, 'startupKind');
  metrics.hasLoadedSnapshotLsn = put64(
    METRICS_LANES.LOADED_SNAPSHOT_LSN,
    response.loadedSnapshotLsn,
    'loadedSnapshotLsn',
  );
  metrics.replayedWalFrameCount = checkNumber(response.replayedWalFrameCount, U32_MAX, 'replayedWalFrameCount');
  const replayed = response.replayedWalLastLsn;
  metrics.hasReplayedWalLastLsn = put64(METRICS_LANES.REPLAYED_WAL_LAST_LSN, replayed, 'replayedWalLastLsn');
  const active = response.activeSnapshotLsn;
  metrics.hasActiveSnapshotLsn = put64(METRICS_LANES.ACTIVE_SNAPSHOT_LSN, active, 'activeSnapshotLsn');
  metrics.hasLastAppliedLsn = put64(METRICS_LANES.LAST_APPLIED_LSN, response.lastAppliedLsn, 'lastAppliedLsn');
  metrics.hasLastRequestSlot = put64(METRICS_LANES.LAST_REQUEST_SLOT, response.lastRequestSlot, 'lastRequestSlot');
  put64(METRICS_LANES.LOGICAL_SLOT_LAG, response.logicalSlotLag, 'logicalSlotLag');
  metrics.expirationBacklog = checkNumber(response.expirationBacklog, U32_MAX, 'expirationBacklog');
  metrics.operationTableUsed = checkNumber(response.operationTableUsed, U32_MAX, 'operationTableUsed');
  metrics.operationTableCapacity = checkNumber(response.operationTableCapacity, U32_MAX, 'operationTableCapacity');
  const percentage = response.operationTableUtilizationPct;
  metrics.operationTableUtilizationPct = checkNumber(percentage, 0xff, 'operationTableUtilizationPct');
  return metrics;
}

function putResponse(view: DataView, offset: number, response: ApiResponse): number {
  switch (response.type) {
    case 'submit_committed': {
      const {appliedLsn, reservationId, deadlineSlot} = response;
      writeU64(words, 0, appliedLsn, 'appliedLsn');
      writeU128(words, 2, reservationId, 'reservationId');
      writeU64(words, 6, deadlineSlot, 'deadlineSlot');
      return putSubmitCommittedParts(
        view,
        offset,
        lane(0),
        lane(1),
        codeOf(RESULT_NAMES, response.resultCode, 'resultCode'),
        reservationId !== null,
        lane(2),
        lane(3),
        lane(4),
        lane(5),
        deadlineSlot !== null,
        lane(6),
        lane(7),
        response.fromRetryCache,
      );
    }
    case 'submit_rejected':
      return putFailure(view, offset, RESPONSE.SUBMIT_REJECTED, response.failure);
    case 'tick_rejected':
      return putFailure(view, offset, RESPONSE.TICK_REJECTED, response.failure);
    case 'resource_found':
      return putResource(putResourceFound, view, offset, response);
    case 'resource_not_found':
      return putTagOnly(view, offset, RESPONSE.RESOURCE_NOT_FOUND);
    case 'resource_engine_halted':
      return putTagOnly(view, offset, RESPONSE.RESOURCE_ENGINE_HALTED);
    case 'reservation_not_found':
      return putTagOnly(view, offset, RESPONSE.RESERVATION_NOT_FOUND);
    case 'reservation_retired':
      return putTagOnly(view, offset, RESPONSE.RESERVATION_RETIRED);
    case 'reservation_engine_halted':
      return putTagOnly(view, offset, RESPONSE.RESERVATION_ENGINE_HALTED);
    case 'resource_fence_not_applied':
    case 'reservation_fence_not_applied': {
      const ofResource = response.type === 'resource_fence_not_applied';
      const tag = ofResource ? RESPONSE.RESOURCE_FENCE_NOT_APPLIED : RESPONSE.RESERVATION_FENCE_NOT_APPLIED;
      const last = response.lastAppliedLsn;
      writeU64(words, 0, response.requiredLsn, 'requiredLsn');
      writeU64(words, 2, last, 'lastAppliedLsn');
      return putFenceNotApplied(view, offset, tag, lane(0), lane(1), last !== null, lane(2), lane(3));
    }
    case 'reservation_found':
      return putReservationFound(view, offset, leaseRegisters(response));
    case 'lease_found':
      return putMembers(view, putLeaseFound(view, offset, leaseRegisters(response)), response.resourceIds);
    case 'resources_page': {
      let at = putHead(view, offset, RESPONSE.RESOURCES_PAGE, response, response.resources.length);
      for (const resource of response.resources) at = putResource(putResourceEntry, view, at, resource);
      return at;
    }
    case 'reservations_page': {
      let at = putHead(view, offset, RESPONSE.RESERVATIONS_PAGE, response, response.leases.length);
      for (const lease of response.leases) {
        at = putMembers(view, putLeaseEntry(view, at, leaseRegisters(lease)), lease.resourceIds);
      }
      return at;
    }
    case 'metrics':
      return putMetrics(view, offset, metricsRegisters(response));
    case 'tick_applied': {
      const last = response.lastAppliedLsn;
      writeU64(words, 0, last, 'lastAppliedLsn');
      const processed = checkNumber(response.processedCount, U32_MAX, 'processedCount');
      return putTickApplied(view, offset, processed, last !== null, lane(0), lane(1));
    }
    case 'batch_result': {
      let at = putBatchResult(view, offset, response.results.length);
      for (const result of response.results) at = putResponse(view, at, result);
      return at;
    }
    default:
      return unreachable(response, 'response');
  }
}

function leaseBytesMax({resourceIds}: ShownLease): number {
  return SIZE.LEASE_ENTRY_MAX + resourceIds.length * SIZE.ID;
}

function responseBytesMax(response: ApiResponse): number {
  switch (response.type) {
    case 'batch_result':
      return SIZE.BATCH_RESULT_HEADER + checkCount(response.results) * SIZE.SUBMIT_COMMITTED_MAX;
    case 'lease_found':
      return 1 + leaseBytesMax(response);
    case 'resources_page':
      return SIZE.PAGE_HEADER_MAX + checkCount(response.resources) * SIZE.RESOURCE_ENTRY_MAX;
    case 'reservations_page':
      checkCount(response.leases);
      return response.leases.reduce<number>((sum, lease) => sum + leaseBytesMax(lease), SIZE.PAGE_HEADER_MAX);
    default:
      return SIZE.FIXED_RESPONSE_MAX;
  }
}

/** How many there are, which must fit 16 bits. */
function checkCount({length}: readonly unknown[]): number {
  if (length > COUNT_MAX) throw new CodecError('length_too_large', null, length);
  return length;
}

/**
 * Encodes a response, without length prefix. Throws CodecError `length_too_large` for a batch or a page of more than
 * 65,535 entries, RangeError when a value does not fit its width or a name is not in its set.
 */
export function encodeResponse(response: ApiResponse): Uint8Array {
  const bytes = new Uint8Array(responseBytesMax(response));
  return bytes.slice(0, putResponse(viewOf(bytes), 0, response));
}
