/**
 * What answers that wait for a frame become when that frame, or the one before it, could not be made durable. Answers
 * are self-describing, so this is a function from response bytes to response bytes:
 *
 * a command or tick that was sequenced has an unknown outcome (storage_failure if its own frame was being written,
 * engine_halted if it was not written yet); a read saw a state that is thrown away (engine_halted); what was refused
 * before it was sequenced keeps its definite answer; metrics are those of a halted engine.
 */
import {
  FAILURE,
  INVALID_REQUEST_REASON,
  putRejectedEngineHalted,
  putRejectedStorageFailure,
  putTagOnly,
  RESPONSE,
  SIZE,
} from '@allocdb/api';
import {type AnswerBuffer, LENGTH_BYTES} from './answer_buffer.ts';

/** Writes the metrics of the halted engine at an offset in place of those in `response`; returns where they end. */
export type PutHaltedMetrics = (view: DataView, offset: number, response: Uint8Array) => number;

/** Which failure a sequenced command gets. */
export type HaltFailure = typeof FAILURE.STORAGE_FAILURE | typeof FAILURE.ENGINE_HALTED;

function putFailure(view: DataView, offset: number, tag: number, failure: HaltFailure): number {
  return failure === FAILURE.STORAGE_FAILURE
    ? putRejectedStorageFailure(view, offset, tag)
    : putRejectedEngineHalted(view, offset, tag);
}

/**
 * Rewrites length-prefixed responses in `bytes[from..to)`; appends them to `out`, lengths included, behind `out.end`.
 * Members of a batch before `durableEnd` are durable and stay.
 */
export function rewriteHalted(
  bytes: Uint8Array,
  from: number,
  to: number,
  durableEnd: number,
  failure: HaltFailure,
  putMetrics: PutHaltedMetrics,
  out: AnswerBuffer,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = from; at < to; ) {
    const length = view.getUint32(at, true);
    const response = bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length);
    out.ensure(out.end, LENGTH_BYTES + Math.max(length, SIZE.FIXED_RESPONSE_MAX + SIZE.REJECTED_MAX));
    const start = out.end + LENGTH_BYTES;
    const end =
      response[0] === RESPONSE.BATCH_RESULT
        ? rewriteBatch(response, durableEnd - at - LENGTH_BYTES, failure, out, start)
        : rewriteOne(response, failure, putMetrics, out, start);
    out.view.setUint32(out.end, end - start, true);
    out.end = end;
    at += LENGTH_BYTES + length;
  }
}

function rewriteOne(
  response: Uint8Array,
  failure: HaltFailure,
  putMetrics: PutHaltedMetrics,
  out: AnswerBuffer,
  start: number,
): number {
  const view = out.view;
  switch (response[0]) {
    case RESPONSE.SUBMIT_COMMITTED:
      return putFailure(view, start, RESPONSE.SUBMIT_REJECTED, failure);
    case RESPONSE.TICK_APPLIED:
      return putFailure(view, start, RESPONSE.TICK_REJECTED, failure);
    case RESPONSE.RESOURCE_FOUND:
    case RESPONSE.RESOURCE_NOT_FOUND:
    case RESPONSE.RESOURCE_FENCE_NOT_APPLIED:
    case RESPONSE.RESOURCES_PAGE:
      return putTagOnly(view, start, RESPONSE.RESOURCE_ENGINE_HALTED);
    case RESPONSE.RESERVATION_FOUND:
    case RESPONSE.LEASE_FOUND:
    case RESPONSE.RESERVATION_NOT_FOUND:
    case RESPONSE.RESERVATION_RETIRED:
    case RESPONSE.RESERVATION_FENCE_NOT_APPLIED:
    case RESPONSE.RESERVATIONS_PAGE:
      return putTagOnly(view, start, RESPONSE.RESERVATION_ENGINE_HALTED);
    case RESPONSE.METRICS:
      return putMetrics(view, start, response);
    default:
      // Refused by decoding, by its bounds or by an earlier halt: definite answers stay.
      out.bytes.set(response, start);
      return start + response.length;
  }
}

/** Keeps the members before `durable` in the response and rewrites those behind it. */
function rewriteBatch(
  response: Uint8Array,
  durable: number,
  failure: HaltFailure,
  out: AnswerBuffer,
  start: number,
): number {
  const kept = Math.min(response.length, Math.max(SIZE.BATCH_RESULT_HEADER, durable));
  out.ensure(start, response.length);
  out.bytes.set(response.subarray(0, kept), start);
  const source = new DataView(response.buffer, response.byteOffset, response.byteLength);
  return rewriteMembers(source, kept, response.length, failure, out.view, start + kept);
}

/**
 * Rewrites the members of a batch in `source[from..to)` to `view` at `at`, which may be the same bytes at the same place:
 * a rewritten member is never longer. Returns where they end.
 */
export function rewriteMembers(
  source: DataView,
  from: number,
  to: number,
  failure: HaltFailure,
  view: DataView,
  at: number,
): number {
  let end = at;
  for (let member = from; member < to; ) {
    const length = memberBytes(source, member);
    if (source.getUint8(member) === RESPONSE.SUBMIT_COMMITTED) {
      end = putFailure(view, end, RESPONSE.SUBMIT_REJECTED, failure);
    } else {
      for (let i = 0; i < length; i++) view.setUint8(end + i, source.getUint8(member + i));
      end += length;
    }
    member += length;
  }
  return end;
}

/** Bytes of the submit committed or rejected that begins at `at`. */
function memberBytes(response: DataView, at: number): number {
  if (response.getUint8(at) === RESPONSE.SUBMIT_COMMITTED) {
    const idAt = at + 10;
    const deadlineAt = idAt + 1 + 16 * response.getUint8(idAt);
    return deadlineAt + 1 + 8 * response.getUint8(deadlineAt) + 1 - at;
  }
  switch (response.getUint8(at + 2)) {
    case FAILURE.INVALID_REQUEST:
      return response.getUint8(at + 3) === INVALID_REQUEST_REASON.INVALID_COMMAND_TAG ? 5 : 4;
    case FAILURE.SLOT_OVERFLOW:
      return 20;
    case FAILURE.COMMAND_TOO_LARGE:
      return 19;
    case FAILURE.LSN_EXHAUSTED:
    case FAILURE.OVERLOADED:
      return 11;
    default:
      return 3;
  }
}
