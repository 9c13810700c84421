/**
 * Every fixed response layout, once: writers over 32-bit lanes (low lane first) that put a whole response frame, without
 * length prefix, at an offset and return where it ends. No allocation, no bigint, no range check: the caller keeps
 * SIZE.… bytes of room and passes values of the right width. The object level encodes with these same writers.
 *
 * Answers with many fields (reservation, lease, metrics) come from records and stand in record_writers.ts.
 */
import {CATEGORY, FAILURE, INVALID_REQUEST_REASON, RESPONSE} from './constants.ts';

const {INDEFINITE, DEFINITE_FAILURE} = CATEGORY;
const {
  ENGINE_HALTED,
  INVALID_REQUEST,
  SLOT_OVERFLOW,
  COMMAND_TOO_LARGE,
  LSN_EXHAUSTED,
  OVERLOADED,
  STORAGE_FAILURE,
  STORAGE_FULL,
} = FAILURE;
const {INVALID_COMMAND_TAG} = INVALID_REQUEST_REASON;
const {SUBMIT_COMMITTED, RESOURCE_FOUND, TICK_APPLIED, BATCH_RESULT} = RESPONSE;

/** A u64. */
export function putU64(view: DataView, offset: number, lo: number, hi: number): number {
  view.setInt32(offset, lo, true);
  view.setInt32(offset + 4, hi, true);
  return offset + 8;
}

/** A u128. */
export function putU128(view: DataView, offset: number, w0: number, w1: number, w2: number, w3: number): number {
  view.setInt32(offset, w0, true);
  view.setInt32(offset + 4, w1, true);
  view.setInt32(offset + 8, w2, true);
  view.setInt32(offset + 12, w3, true);
  return offset + 16;
}

/** An opt64; the lanes of an absent value are ignored. */
export function putOptU64(view: DataView, offset: number, present: boolean, lo: number, hi: number): number {
  view.setUint8(offset, present ? 1 : 0);
  return present ? putU64(view, offset + 1, lo, hi) : offset + 1;
}

function putOptU128(
  view: DataView,
  offset: number,
  present: boolean,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  view.setUint8(offset, present ? 1 : 0);
  return present ? putU128(view, offset + 1, w0, w1, w2, w3) : offset + 1;
}

/** Submit committed whose reservation id and deadline are present or absent on their own. */
export function putSubmitCommittedParts(
  view: DataView,
  offset: number,
  appliedLsnLo: number,
  appliedLsnHi: number,
  resultCode: number,
  hasReservationId: boolean,
  id0: number,
  id1: number,
  id2: number,
  id3: number,
  hasDeadlineSlot: boolean,
  deadlineLo: number,
  deadlineHi: number,
  fromRetryCache: boolean,
): number {
  view.setUint8(offset, SUBMIT_COMMITTED);
  let at = putU64(view, offset + 1, appliedLsnLo, appliedLsnHi);
  view.setUint8(at, resultCode);
  at = putOptU128(view, at + 1, hasReservationId, id0, id1, id2, id3);
  at = putOptU64(view, at, hasDeadlineSlot, deadlineLo, deadlineHi);
  view.setUint8(at, fromRetryCache ? 1 : 0);
  return at + 1;
}

/** Submit committed; a grant carries reservation id and deadline together, any other answer neither. */
export function putSubmitCommitted(
  view: DataView,
  offset: number,
  appliedLsnLo: number,
  appliedLsnHi: number,
  resultCode: number,
  hasGrant: boolean,
  id0: number,
  id1: number,
  id2: number,
  id3: number,
  deadlineLo: number,
  deadlineHi: number,
  fromRetryCache: boolean,
): number {
  return putSubmitCommittedParts(
    view,
    offset,
    appliedLsnLo,
    appliedLsnHi,
    resultCode,
    hasGrant,
    id0,
    id1,
    id2,
    id3,
    hasGrant,
    deadlineLo,
    deadlineHi,
    fromRetryCache,
  );
}

/** Tag, category and code: all of a failure without body. `tag` is SUBMIT_REJECTED or TICK_REJECTED, here and below. */
function putRejected(view: DataView, offset: number, tag: number, category: number, code: number): number {
  view.setUint8(offset, tag);
  view.setUint8(offset + 1, category);
  view.setUint8(offset + 2, code);
  return offset + 3;
}

/** Rejected: the engine had halted (indefinite). */
export function putRejectedEngineHalted(view: DataView, offset: number, tag: number): number {
  return putRejected(view, offset, tag, INDEFINITE, ENGINE_HALTED);
}

/** Rejected: the payload is no command. `commandTag` is written with reason INVALID_COMMAND_TAG only. */
export function putRejectedInvalidRequest(
  view: DataView,
  offset: number,
  tag: number,
  reason: number,
  commandTag: number,
): number {
  const at = putRejected(view, offset, tag, DEFINITE_FAILURE, INVALID_REQUEST);
  view.setUint8(at, reason);
  if (reason !== INVALID_COMMAND_TAG) return at + 1;
  view.setUint8(at + 1, commandTag);
  return at + 2;
}

/** Rejected: slot arithmetic would overflow; `kind` is one of core's OVERFLOW. */
export function putRejectedSlotOverflow(
  view: DataView,
  offset: number,
  tag: number,
  kind: number,
  slotLo: number,
  slotHi: number,
  deltaLo: number,
  deltaHi: number,
): number {
  const at = putRejected(view, offset, tag, DEFINITE_FAILURE, SLOT_OVERFLOW);
  view.setUint8(at, kind);
  return putU64(view, putU64(view, at + 1, slotLo, slotHi), deltaLo, deltaHi);
}

/** Rejected: the payload is longer than the configuration allows. Both lengths are u64. */
export function putRejectedCommandTooLarge(
  view: DataView,
  offset: number,
  tag: number,
  encodedLenLo: number,
  encodedLenHi: number,
  maxLo: number,
  maxHi: number,
): number {
  const at = putRejected(view, offset, tag, DEFINITE_FAILURE, COMMAND_TOO_LARGE);
  return putU64(view, putU64(view, at, encodedLenLo, encodedLenHi), maxLo, maxHi);
}

/** Rejected: no log sequence number is left, or too few for a tick. */
export function putRejectedLsnExhausted(
  view: DataView,
  offset: number,
  tag: number,
  lastAppliedLo: number,
  lastAppliedHi: number,
): number {
  const at = putRejected(view, offset, tag, DEFINITE_FAILURE, LSN_EXHAUSTED);
  return putU64(view, at, lastAppliedLo, lastAppliedHi);
}

/** Rejected: the queue is full; depth and capacity in commands, u32 each. */
export function putRejectedOverloaded(
  view: DataView,
  offset: number,
  tag: number,
  queueDepth: number,
  queueCapacity: number,
): number {
  const at = putRejected(view, offset, tag, DEFINITE_FAILURE, OVERLOADED);
  view.setInt32(at, queueDepth, true);
  view.setInt32(at + 4, queueCapacity, true);
  return at + 8;
}

/** Rejected: writing or syncing failed while this was in flight (indefinite). */
export function putRejectedStorageFailure(view: DataView, offset: number, tag: number): number {
  return putRejected(view, offset, tag, INDEFINITE, STORAGE_FAILURE);
}

/** Rejected: no room for the next frame, nothing written. */
export function putRejectedStorageFull(view: DataView, offset: number, tag: number): number {
  return putRejected(view, offset, tag, DEFINITE_FAILURE, STORAGE_FULL);
}

/** A resource as an entry of a page; `state` is one of core's RESOURCE_STATE. */
export function putResourceEntry(
  view: DataView,
  offset: number,
  id0: number,
  id1: number,
  id2: number,
  id3: number,
  state: number,
  hasReservationId: boolean,
  reservation0: number,
  reservation1: number,
  reservation2: number,
  reservation3: number,
  versionLo: number,
  versionHi: number,
): number {
  let at = putU128(view, offset, id0, id1, id2, id3);
  view.setUint8(at, state);
  at = putOptU128(view, at + 1, hasReservationId, reservation0, reservation1, reservation2, reservation3);
  return putU64(view, at, versionLo, versionHi);
}

/** Resource found; `state` is one of core's RESOURCE_STATE. */
export function putResourceFound(
  view: DataView,
  offset: number,
  id0: number,
  id1: number,
  id2: number,
  id3: number,
  state: number,
  hasReservationId: boolean,
  reservation0: number,
  reservation1: number,
  reservation2: number,
  reservation3: number,
  versionLo: number,
  versionHi: number,
): number {
  view.setUint8(offset, RESOURCE_FOUND);
  return putResourceEntry(
    view,
    offset + 1,
    id0,
    id1,
    id2,
    id3,
    state,
    hasReservationId,
    reservation0,
    reservation1,
    reservation2,
    reservation3,
    versionLo,
    versionHi,
  );
}

/**
 * A response that is its tag alone: RESOURCE_NOT_FOUND, RESERVATION_NOT_FOUND, RESERVATION_RETIRED,
 * RESOURCE_ENGINE_HALTED or RESERVATION_ENGINE_HALTED.
 */
export function putTagOnly(view: DataView, offset: number, tag: number): number {
  view.setUint8(offset, tag);
  return offset + 1;
}

/** The fence of a read is not reached; `tag` is RESOURCE_… or RESERVATION_FENCE_NOT_APPLIED. */
export function putFenceNotApplied(
  view: DataView,
  offset: number,
  tag: number,
  requiredLsnLo: number,
  requiredLsnHi: number,
  hasLastApplied: boolean,
  lastAppliedLo: number,
  lastAppliedHi: number,
): number {
  view.setUint8(offset, tag);
  const at = putU64(view, offset + 1, requiredLsnLo, requiredLsnHi);
  return putOptU64(view, at, hasLastApplied, lastAppliedLo, lastAppliedHi);
}

/** Tick applied: how many expire records were processed. */
export function putTickApplied(
  view: DataView,
  offset: number,
  processedCount: number,
  hasLastApplied: boolean,
  lastAppliedLo: number,
  lastAppliedHi: number,
): number {
  view.setUint8(offset, TICK_APPLIED);
  view.setInt32(offset + 1, processedCount, true);
  return putOptU64(view, offset + 5, hasLastApplied, lastAppliedLo, lastAppliedHi);
}

/** Head of a batch result; `count` submit committed or rejected follow, put by their own writers. */
export function putBatchResult(view: DataView, offset: number, count: number): number {
  view.setUint8(offset, BATCH_RESULT);
  view.setUint16(offset + 1, count, true);
  return offset + 3;
}

/**
 * Head of a page; `tag` is RESOURCES_PAGE or RESERVATIONS_PAGE, and `count` entries follow, put by putResourceEntry or by
 * putLeaseEntry with its members.
 */
export function putPageHead(
  view: DataView,
  offset: number,
  tag: number,
  hasLastApplied: boolean,
  lastAppliedLo: number,
  lastAppliedHi: number,
  hasNext: boolean,
  nextLo: number,
  nextHi: number,
  count: number,
): number {
  view.setUint8(offset, tag);
  let at = putOptU64(view, offset + 1, hasLastApplied, lastAppliedLo, lastAppliedHi);
  at = putOptU64(view, at, hasNext, nextLo, nextHi);
  view.setUint16(at, count, true);
  return at + 2;
}
