// API responses as plain objects, and their bytes.
//
// Absent on purpose: answers that need a fault or load to occur (engine_halted, overloaded, storage_failure,
// storage_full). The model never fails and never queues. A frame that did not decode is answered by the marker frame
// E0 that the vectors use, which is no response of the API.
import {ByteWriter, type CodecProblem} from './bytes.ts';
import {
  RESERVATION_STATES,
  RESOURCE_STATES,
  resultCode,
  SLOT_OVERFLOW_KINDS,
  STARTUP_KINDS,
  type StartupKind,
  wireNumber,
} from './codes.ts';
import type {Committed, Reservation, Resource, SlotOverflow} from './state.ts';

export type InvalidRequest = Extract<
  CodecProblem,
  {kind: 'buffer_too_short'} | {kind: 'invalid_command_tag'} | {kind: 'invalid_layout'}
>;

export type Failure =
  | {code: 'invalid_request'; reason: InvalidRequest}
  | {code: 'slot_overflow'; overflow: SlotOverflow}
  | {code: 'command_too_large'; encodedLen: bigint; maxCommandBytes: bigint}
  | {code: 'lsn_exhausted'; lastAppliedLsn: bigint};

export type SubmitAnswer = Committed | {kind: 'rejected'; failure: Failure};

export interface Metrics {
  queueDepth: number;
  queueCapacity: number;
  acceptingWrites: boolean;
  startupKind: StartupKind;
  loadedSnapshotLsn: bigint | null;
  replayedWalFrameCount: number;
  replayedWalLastLsn: bigint | null;
  activeSnapshotLsn: bigint | null;
  lastAppliedLsn: bigint | null;
  lastRequestSlot: bigint | null;
  logicalSlotLag: bigint;
  expirationBacklog: number;
  operationTableUsed: number;
  operationTableCapacity: number;
  operationTableUtilizationPct: number;
}

export type ApiResponse =
  | SubmitAnswer
  | {kind: 'resource_found'; resource: Resource}
  | {kind: 'resource_not_found'}
  | {kind: 'resource_fence_not_applied'; requiredLsn: bigint; lastAppliedLsn: bigint | null}
  | {kind: 'reservation_found'; reservation: Reservation}
  | {kind: 'lease_found'; reservation: Reservation}
  | {kind: 'resources_page'; lastAppliedLsn: bigint | null; next: bigint | null; resources: Resource[]}
  | {kind: 'reservations_page'; lastAppliedLsn: bigint | null; next: bigint | null; reservations: Reservation[]}
  | {kind: 'reservation_not_found'}
  | {kind: 'reservation_retired'}
  | {kind: 'reservation_fence_not_applied'; requiredLsn: bigint; lastAppliedLsn: bigint | null}
  | {kind: 'metrics'; metrics: Metrics}
  | {kind: 'tick_applied'; processedCount: number; lastAppliedLsn: bigint | null}
  | {kind: 'tick_rejected'; failure: Failure}
  | {kind: 'batch'; answers: SubmitAnswer[]}
  | {kind: 'codec_error'; problem: CodecProblem};

const DEFINITE = 1;

function writeFailure(writer: ByteWriter, failure: Failure): void {
  writer.u8(DEFINITE);
  switch (failure.code) {
    case 'invalid_request': {
      const {reason} = failure;
      writer.u8(2);
      if (reason.kind === 'invalid_command_tag') writer.u8(2).u8(reason.tag);
      else writer.u8(reason.kind === 'buffer_too_short' ? 1 : 3);
      return;
    }
    case 'slot_overflow': {
      const {overflow, requestSlot, delta} = failure.overflow;
      writer.u8(3).u8(wireNumber(SLOT_OVERFLOW_KINDS, overflow)).u64(requestSlot).u64(delta);
      return;
    }
    case 'command_too_large':
      writer.u8(4).u64(failure.encodedLen).u64(failure.maxCommandBytes);
      return;
    case 'lsn_exhausted':
      writer.u8(5).u64(failure.lastAppliedLsn);
      return;
  }
}

function writeSubmit(writer: ByteWriter, answer: SubmitAnswer): void {
  if (answer.kind === 'rejected') {
    writer.u8(2);
    writeFailure(writer, answer.failure);
    return;
  }
  writer.u8(1).u64(answer.appliedLsn).u8(resultCode(answer.result));
  writer.opt128(answer.reservationId).opt64(answer.deadlineSlot).bool(answer.fromRetryCache);
}

function writeReservation(writer: ByteWriter, reservation: Reservation): void {
  const [first] = reservation.members;
  if (first === undefined) throw new Error('a reservation without members');
  writer.u8(6).u128(reservation.reservationId).u128(first).u128(reservation.holderId);
  writer.u8(wireNumber(RESERVATION_STATES, reservation.state));
  writer.u64(reservation.createdLsn).u64(reservation.deadlineSlot);
  writer.opt64(reservation.releasedLsn).opt64(reservation.retireAfterSlot);
}

function writeResource(writer: ByteWriter, resource: Resource): void {
  writer.u128(resource.resourceId).u8(wireNumber(RESOURCE_STATES, resource.state));
  writer.opt128(resource.currentReservationId).u64(resource.version);
}

function writeLease(writer: ByteWriter, reservation: Reservation): void {
  writer.u128(reservation.reservationId).u128(reservation.holderId);
  writer.u8(wireNumber(RESERVATION_STATES, reservation.state)).u64(reservation.leaseEpoch);
  writer.u64(reservation.createdLsn).u64(reservation.deadlineSlot);
  writer.opt64(reservation.releasedLsn).opt64(reservation.retireAfterSlot);
  writer.u32(reservation.members.length);
  for (const resourceId of reservation.members) writer.u128(resourceId);
}

function writeMetrics(writer: ByteWriter, metrics: Metrics): void {
  writer.u8(10).u32(metrics.queueDepth).u32(metrics.queueCapacity).bool(metrics.acceptingWrites);
  writer.u8(wireNumber(STARTUP_KINDS, metrics.startupKind)).opt64(metrics.loadedSnapshotLsn);
  writer.u32(metrics.replayedWalFrameCount).opt64(metrics.replayedWalLastLsn).opt64(metrics.activeSnapshotLsn);
  writer.opt64(metrics.lastAppliedLsn).opt64(metrics.lastRequestSlot).u64(metrics.logicalSlotLag);
  writer.u32(metrics.expirationBacklog).u32(metrics.operationTableUsed).u32(metrics.operationTableCapacity);
  writer.u8(metrics.operationTableUtilizationPct);
}

function writeCodecError(writer: ByteWriter, problem: CodecProblem): void {
  writer.u8(0xe0);
  switch (problem.kind) {
    case 'buffer_too_short':
      writer.u8(1);
      return;
    case 'invalid_request_tag':
      writer.u8(2).u8(problem.tag);
      return;
    case 'invalid_enum_value':
      writer.u8(4).u8(problem.value).raw(new TextEncoder().encode(problem.enumKind));
      return;
    case 'invalid_layout':
      writer.u8(5);
      return;
    case 'invalid_command_tag':
      throw new Error('a command tag is never a fault of the frame');
  }
}

export function encodeApiResponse(response: ApiResponse): Uint8Array {
  const writer = new ByteWriter();
  switch (response.kind) {
    case 'committed':
    case 'rejected':
      writeSubmit(writer, response);
      break;
    case 'resource_found':
      writeResource(writer.u8(3), response.resource);
      break;
    case 'resource_not_found':
      writer.u8(4);
      break;
    case 'resource_fence_not_applied':
      writer.u8(5).u64(response.requiredLsn).opt64(response.lastAppliedLsn);
      break;
    case 'reservation_found':
      writeReservation(writer, response.reservation);
      break;
    case 'lease_found':
      writeLease(writer.u8(17), response.reservation);
      break;
    case 'resources_page':
      writer.u8(18).opt64(response.lastAppliedLsn).opt64(response.next).u16(response.resources.length);
      for (const resource of response.resources) writeResource(writer, resource);
      break;
    case 'reservations_page':
      writer.u8(19).opt64(response.lastAppliedLsn).opt64(response.next).u16(response.reservations.length);
      for (const reservation of response.reservations) writeLease(writer, reservation);
      break;
    case 'reservation_not_found':
      writer.u8(7);
      break;
    case 'reservation_retired':
      writer.u8(8);
      break;
    case 'reservation_fence_not_applied':
      writer.u8(9).u64(response.requiredLsn).opt64(response.lastAppliedLsn);
      break;
    case 'metrics':
      writeMetrics(writer, response.metrics);
      break;
    case 'tick_applied':
      writer.u8(13).u32(response.processedCount).opt64(response.lastAppliedLsn);
      break;
    case 'tick_rejected':
      writer.u8(14);
      writeFailure(writer, response.failure);
      break;
    case 'batch':
      writer.u8(16).u16(response.answers.length);
      for (const answer of response.answers) writeSubmit(writer, answer);
      break;
    case 'codec_error':
      writeCodecError(writer, response.problem);
      break;
  }
  return writer.finish();
}
