/**
 * Frames to response objects: what clients and tools read. Total over arbitrary bytes: it answers an object or throws
 * CodecError, finds errors in wire order, and believes a count only after checking it against the bytes present.
 */
import {OVERFLOW_NAMES, RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES, RESULT_NAMES} from '@allocdb/core';
import {
  type ApiResponse,
  isIndefinite,
  type MetricsResponse,
  type ReservationFound,
  type ShownLease,
  type ShownResource,
  type SubmissionFailure,
  type SubmitResponse,
} from './api_response.ts';
import {CodecError} from './codec_error.ts';
import {CATEGORY, FAILURE, INVALID_REQUEST_REASON_NAMES, RESPONSE, SIZE, STARTUP_KIND_NAMES} from './constants.ts';
import {FieldReader, viewOf} from './field_reader.ts';

/** Least bytes of a batch's member: tag, category and code. */
const MEMBER_BYTES_MIN = 3;

function invalidRequest(fields: FieldReader): SubmissionFailure {
  const reason = fields.name(INVALID_REQUEST_REASON_NAMES, 'invalid_request_reason');
  if (reason !== 'invalid_command_tag') return {code: 'invalid_request', reason};
  return {code: 'invalid_request', reason, commandTag: fields.u8()};
}

function failureBody(code: number, fields: FieldReader): SubmissionFailure {
  switch (code) {
    case FAILURE.ENGINE_HALTED:
      return {code: 'engine_halted'};
    case FAILURE.INVALID_REQUEST:
      return invalidRequest(fields);
    case FAILURE.SLOT_OVERFLOW: {
      const kind = fields.name(OVERFLOW_NAMES, 'slot_overflow_kind');
      return {code: 'slot_overflow', kind, requestSlot: fields.u64(), delta: fields.u64()};
    }
    case FAILURE.COMMAND_TOO_LARGE:
      return {code: 'command_too_large', encodedLen: fields.u64(), maxCommandBytes: fields.u64()};
    case FAILURE.LSN_EXHAUSTED:
      return {code: 'lsn_exhausted', lastAppliedLsn: fields.u64()};
    case FAILURE.OVERLOADED:
      return {code: 'overloaded', queueDepth: fields.u32(), queueCapacity: fields.u32()};
    case FAILURE.STORAGE_FAILURE:
      return {code: 'storage_failure'};
    case FAILURE.STORAGE_FULL:
      return {code: 'storage_full'};
    default:
      throw new CodecError('invalid_enum_value', 'submission_failure_code', code);
  }
}

/** Category, code, body. A category that is not the code's own would misstate what is known, so it is refused. */
function failureOf(fields: FieldReader): SubmissionFailure {
  const category = fields.u8();
  if (category !== CATEGORY.DEFINITE_FAILURE && category !== CATEGORY.INDEFINITE) {
    throw new CodecError('invalid_enum_value', 'submission_error_category', category);
  }
  const failure = failureBody(fields.u8(), fields);
  if (isIndefinite(failure) !== (category === CATEGORY.INDEFINITE)) {
    throw new CodecError('invalid_enum_value', 'submission_error_category', category);
  }
  return failure;
}

function submitOf(tag: number, fields: FieldReader): SubmitResponse {
  if (tag === RESPONSE.SUBMIT_REJECTED) return {type: 'submit_rejected', failure: failureOf(fields)};
  if (tag !== RESPONSE.SUBMIT_COMMITTED) throw new CodecError('invalid_response_tag', null, tag);
  return {
    type: 'submit_committed',
    appliedLsn: fields.u64(),
    resultCode: fields.name(RESULT_NAMES, 'result_code'),
    reservationId: fields.opt128(),
    deadlineSlot: fields.opt64(),
    fromRetryCache: fields.bool(),
  };
}

function reservationOf(fields: FieldReader): ReservationFound {
  return {
    type: 'reservation_found',
    reservationId: fields.u128(),
    resourceId: fields.u128(),
    holderId: fields.u128(),
    state: fields.name(RESERVATION_STATE_NAMES, 'reservation_state'),
    createdLsn: fields.u64(),
    deadlineSlot: fields.u64(),
    releasedLsn: fields.opt64(),
    retireAfterSlot: fields.opt64(),
  };
}

function resourceOf(fields: FieldReader): ShownResource {
  return {
    resourceId: fields.u128(),
    state: fields.name(RESOURCE_STATE_NAMES, 'resource_state'),
    currentReservationId: fields.opt128(),
    version: fields.u64(),
  };
}

function leaseOf(fields: FieldReader): ShownLease {
  return {
    reservationId: fields.u128(),
    holderId: fields.u128(),
    state: fields.name(RESERVATION_STATE_NAMES, 'reservation_state'),
    leaseEpoch: fields.u64(),
    createdLsn: fields.u64(),
    deadlineSlot: fields.u64(),
    releasedLsn: fields.opt64(),
    retireAfterSlot: fields.opt64(),
    resourceIds: Array.from({length: fields.expectCount(fields.u32(), SIZE.ID)}, () => fields.u128()),
  };
}

/** As many as the page says that it has, of at least `minBytes` each. */
function entriesOf<Entry>(fields: FieldReader, minBytes: number, entryOf: (fields: FieldReader) => Entry): Entry[] {
  return Array.from({length: fields.expectCount(fields.u16(), minBytes)}, () => entryOf(fields));
}

function metricsOf(fields: FieldReader): MetricsResponse {
  return {
    type: 'metrics',
    queueDepth: fields.u32(),
    queueCapacity: fields.u32(),
    acceptingWrites: fields.bool(),
    startupKind: fields.name(STARTUP_KIND_NAMES, 'recovery_startup_kind'),
    loadedSnapshotLsn: fields.opt64(),
    replayedWalFrameCount: fields.u32(),
    replayedWalLastLsn: fields.opt64(),
    activeSnapshotLsn: fields.opt64(),
    lastAppliedLsn: fields.opt64(),
    lastRequestSlot: fields.opt64(),
    logicalSlotLag: fields.u64(),
    expirationBacklog: fields.u32(),
    operationTableUsed: fields.u32(),
    operationTableCapacity: fields.u32(),
    operationTableUtilizationPct: fields.u8(),
  };
}

function responseOf(tag: number, fields: FieldReader): ApiResponse {
  switch (tag) {
    case RESPONSE.RESOURCE_FOUND:
      return {type: 'resource_found', ...resourceOf(fields)};
    case RESPONSE.RESOURCE_NOT_FOUND:
      return {type: 'resource_not_found'};
    case RESPONSE.RESOURCE_FENCE_NOT_APPLIED:
      return {type: 'resource_fence_not_applied', requiredLsn: fields.u64(), lastAppliedLsn: fields.opt64()};
    case RESPONSE.RESERVATION_FOUND:
      return reservationOf(fields);
    case RESPONSE.RESERVATION_NOT_FOUND:
      return {type: 'reservation_not_found'};
    case RESPONSE.RESERVATION_RETIRED:
      return {type: 'reservation_retired'};
    case RESPONSE.RESERVATION_FENCE_NOT_APPLIED:
      return {type: 'reservation_fence_not_applied', requiredLsn: fields.u64(), lastAppliedLsn: fields.opt64()};
    case RESPONSE.METRICS:
      return metricsOf(fields);
    case RESPONSE.RESOURCE_ENGINE_HALTED:
      return {type: 'resource_engine_halted'};
    case RESPONSE.RESERVATION_ENGINE_HALTED:
      return {type: 'reservation_engine_halted'};
    case RESPONSE.TICK_APPLIED:
      return {type: 'tick_applied', processedCount: fields.u32(), lastAppliedLsn: fields.opt64()};
    case RESPONSE.TICK_REJECTED:
      return {type: 'tick_rejected', failure: failureOf(fields)};
    case RESPONSE.BATCH_RESULT: {
      const count = fields.expectCount(fields.u16(), MEMBER_BYTES_MIN);
      return {type: 'batch_result', results: Array.from({length: count}, () => submitOf(fields.u8(), fields))};
    }
    case RESPONSE.LEASE_FOUND:
      return {type: 'lease_found', ...leaseOf(fields)};
    case RESPONSE.RESOURCES_PAGE: {
      const page = {lastAppliedLsn: fields.opt64(), next: fields.opt64()};
      return {type: 'resources_page', ...page, resources: entriesOf(fields, SIZE.RESOURCE_ENTRY_MIN, resourceOf)};
    }
    case RESPONSE.RESERVATIONS_PAGE: {
      const page = {lastAppliedLsn: fields.opt64(), next: fields.opt64()};
      return {type: 'reservations_page', ...page, leases: entriesOf(fields, SIZE.LEASE_ENTRY_MIN, leaseOf)};
    }
    default:
      return submitOf(tag, fields);
  }
}

/** Decodes the response of `length` bytes at `offset`, without length prefix. Throws CodecError and nothing else. */
export function decodeResponseAt(view: DataView, offset: number, length: number): ApiResponse {
  const fields = new FieldReader(view, offset, length);
  const response = responseOf(fields.u8(), fields);
  fields.finish();
  return response;
}

/** Decodes a response frame, without length prefix. Throws CodecError and nothing else. */
export function decodeResponse(frame: Uint8Array): ApiResponse {
  return decodeResponseAt(viewOf(frame), 0, frame.byteLength);
}
