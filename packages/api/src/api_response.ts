/**
 * Responses as objects: the types alone. Ids are u128 and lsns, slots, versions, epochs and lags u64, all bigint; counts
 * are u32 and stay numbers; closed sets are string literals; an absent value is null.
 *
 * A failure's category is not a field: the code decides it (`isIndefinite`), and a frame in which the two disagree is
 * no frame.
 */
import type {OVERFLOW_NAMES, RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES, ResultName} from '@allocdb/core';
import type {STARTUP_KIND_NAMES} from './constants.ts';

/** State of a resource. */
export type ResourceStateName = Exclude<(typeof RESOURCE_STATE_NAMES)[number], ''>;
/** State of a reservation; released, expired and revoked are terminal. */
export type ReservationStateName = Exclude<(typeof RESERVATION_STATE_NAMES)[number], ''>;
/** What slot arithmetic would have overflowed. */
export type OverflowName = Exclude<(typeof OVERFLOW_NAMES)[number], 'none'>;
/** How the engine came up. */
export type StartupKindName = Exclude<(typeof STARTUP_KIND_NAMES)[number], ''>;

/** Why a command or a tick was not answered. */
export type SubmissionFailure =
  | {code: 'engine_halted' | 'storage_failure' | 'storage_full'}
  | {code: 'invalid_request'; reason: 'buffer_too_short' | 'invalid_layout'}
  | {code: 'invalid_request'; reason: 'invalid_command_tag'; commandTag: number}
  | {code: 'slot_overflow'; kind: OverflowName; requestSlot: bigint; delta: bigint}
  | {code: 'command_too_large'; encodedLen: bigint; maxCommandBytes: bigint}
  | {code: 'lsn_exhausted'; lastAppliedLsn: bigint}
  | {code: 'overloaded'; queueDepth: number; queueCapacity: number};

/** True when the failure leaves open whether the command was executed; false when it certainly was not. */
export function isIndefinite(failure: SubmissionFailure): boolean {
  return failure.code === 'engine_halted' || failure.code === 'storage_failure';
}

/** The answer to a submit, alone or as a member of a batch. */
export type SubmitResponse =
  | {
      type: 'submit_committed';
      appliedLsn: bigint;
      resultCode: ResultName;
      reservationId: bigint | null;
      deadlineSlot: bigint | null;
      fromRetryCache: boolean;
    }
  | {type: 'submit_rejected'; failure: SubmissionFailure};

/** A reservation's life so far, as both answers about it tell it. */
interface ReservationHistory {
  state: ReservationStateName;
  createdLsn: bigint;
  deadlineSlot: bigint;
  releasedLsn: bigint | null;
  retireAfterSlot: bigint | null;
}

/** get_reservation found it; of a bundle `resourceId` is the first member. */
export interface ReservationFound extends ReservationHistory {
  type: 'reservation_found';
  reservationId: bigint;
  resourceId: bigint;
  holderId: bigint;
}

/** A resource as it is shown. */
export interface ShownResource {
  resourceId: bigint;
  state: ResourceStateName;
  currentReservationId: bigint | null;
  version: bigint;
}

/** A reservation as it is shown with its epoch and its members, which are in the order of the request. */
export interface ShownLease extends ReservationHistory {
  reservationId: bigint;
  holderId: bigint;
  leaseEpoch: bigint;
  resourceIds: readonly bigint[];
}

/** get_resource found it. */
export interface ResourceFound extends ShownResource {
  type: 'resource_found';
}

/** get_lease found it. */
export interface LeaseFound extends ShownLease {
  type: 'lease_found';
}

/** One page of a scan: what is shown is so at `lastAppliedLsn`, null for a database in which nothing happened yet. */
interface Page {
  lastAppliedLsn: bigint | null;
  /** Position of the next page; null when the end was reached. */
  next: bigint | null;
}

/** A page of scan_resources. It may be empty and not the last one. */
export interface ResourcesPage extends Page {
  type: 'resources_page';
  resources: readonly ShownResource[];
}

/** A page of scan_reservations. It may be empty and not the last one. */
export interface ReservationsPage extends Page {
  type: 'reservations_page';
  leases: readonly ShownLease[];
}

/** The metrics of the wire. */
export interface MetricsResponse {
  type: 'metrics';
  queueDepth: number;
  queueCapacity: number;
  acceptingWrites: boolean;
  startupKind: StartupKindName;
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
  /** Floor of the percentage. */
  operationTableUtilizationPct: number;
}

/** Any response of the database. */
export type ApiResponse =
  | SubmitResponse
  | ResourceFound
  | {type: 'resource_not_found' | 'resource_engine_halted'}
  | {type: 'reservation_not_found' | 'reservation_retired' | 'reservation_engine_halted'}
  | {
      type: 'resource_fence_not_applied' | 'reservation_fence_not_applied';
      requiredLsn: bigint;
      lastAppliedLsn: bigint | null;
    }
  | ReservationFound
  | LeaseFound
  | ResourcesPage
  | ReservationsPage
  | MetricsResponse
  | {type: 'tick_applied'; processedCount: number; lastAppliedLsn: bigint | null}
  | {type: 'tick_rejected'; failure: SubmissionFailure}
  | {type: 'batch_result'; results: readonly SubmitResponse[]};
