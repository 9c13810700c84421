// The whole state as plain JSON data: lists sorted by id, u64 and u128 as decimal strings.
//
// The form is that of the final-state files beside the vectors, so that a comparison is one deep-equal. Fingerprints
// are left out: how a command is told from another is each implementation's own affair.
import {resultCode} from './codes.ts';
import type {State} from './state.ts';

export interface StateDump {
  last_applied_lsn: string | null;
  last_request_slot: string | null;
  max_retired_reservation_id: string | null;
  resources: {resource_id: string; state: string; current_reservation_id: string | null; version: string}[];
  reservations: {
    reservation_id: string;
    holder_id: string;
    state: string;
    lease_epoch: string;
    created_lsn: string;
    deadline_slot: string;
    released_lsn: string | null;
    retire_after_slot: string | null;
    members: string[];
  }[];
  operations: {
    operation_id: string;
    result_code: number;
    result_reservation_id: string | null;
    result_deadline_slot: string | null;
    applied_lsn: string;
    retire_after_slot: string;
  }[];
}

function text(value: bigint | null): string | null {
  return value === null ? null : String(value);
}

function byId<Row>(table: Map<bigint, Row>): Row[] {
  return [...table].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row);
}

export function dumpState(state: State): StateDump {
  return {
    last_applied_lsn: text(state.lastAppliedLsn),
    last_request_slot: text(state.lastRequestSlot),
    max_retired_reservation_id: text(state.maxRetiredReservationId),
    resources: byId(state.resources).map(row => ({
      resource_id: String(row.resourceId),
      state: row.state,
      current_reservation_id: text(row.currentReservationId),
      version: String(row.version),
    })),
    reservations: byId(state.reservations).map(row => ({
      reservation_id: String(row.reservationId),
      holder_id: String(row.holderId),
      state: row.state,
      lease_epoch: String(row.leaseEpoch),
      created_lsn: String(row.createdLsn),
      deadline_slot: String(row.deadlineSlot),
      released_lsn: text(row.releasedLsn),
      retire_after_slot: text(row.retireAfterSlot),
      members: row.members.map(String),
    })),
    operations: byId(state.operations).map(row => ({
      operation_id: String(row.operationId),
      result_code: resultCode(row.result),
      result_reservation_id: text(row.reservationId),
      result_deadline_slot: text(row.deadlineSlot),
      applied_lsn: String(row.appliedLsn),
      retire_after_slot: String(row.retireAfterSlot),
    })),
  };
}
