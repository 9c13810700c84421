/**
 * What a client history is made of: attempts of operations, reads and ticks, as whoever sent them saw them. The lines of
 * a history file are these objects in JSON (`history_line.ts`); `docs/history.md` is the reference.
 *
 * Times are of one monotonic clock that all recorders share, in any unit: only their order counts. Ids, lsns, slots,
 * epochs and versions are bigint. Not here: what is checked (`check_history.ts`).
 */
import {type ApiResponse, isIndefinite, type ReservationStateName, type ResourceStateName} from '@allocdb/api';
import type {Command, CoreConfig, ResultName} from '@allocdb/core';

/** The first line: how the rest is to be read. */
export interface HistoryHeader {
  readonly type: 'history';
  readonly version: 1;
  /**
   * `empty`: the history has every attempt of every client from the first lsn of a new database on. `unknown`: something
   * was there before. Without a log only `empty` lets the beginning be judged.
   */
  readonly begins: 'empty' | 'unknown';
  /** The database's core configuration where the recorder knows it; a log brings its own. */
  readonly core: CoreConfig | null;
}

/** When something was sent and when its answer came; null where none came. */
export interface Span {
  /** Who sent it: the id in the command, or for reads and ticks any number. */
  readonly client: bigint;
  readonly sent: number;
  readonly came: number | null;
  /** The connection that carried it and its place in the order of sending there; null where that is not known. */
  readonly connection: string | null;
  readonly place: number;
  /** Number of its line, from 1. */
  readonly line: number;
}

/** What came back for an attempt. */
export type AttemptAnswer =
  | {
      readonly type: 'committed';
      readonly lsn: bigint;
      readonly result: ResultName;
      readonly reservationId: bigint | null;
      readonly deadlineSlot: bigint | null;
      readonly fromRetryCache: boolean;
    }
  /** Nothing happened and nothing will. */
  | {readonly type: 'definite'; readonly code: string}
  /** It may have happened. */
  | {readonly type: 'indefinite'; readonly code: string}
  /** No answer: the connection ended, or the recorder did. */
  | {readonly type: 'nothing'};

/** One sending of one operation. */
export interface Attempt extends Span {
  readonly type: 'attempt';
  readonly operation: bigint;
  readonly command: Command;
  readonly answer: AttemptAnswer;
}

/** A resource as it was shown. */
export interface ShownResource {
  readonly state: ResourceStateName;
  readonly reservationId: bigint | null;
  readonly version: bigint;
}

/** A reservation as it was shown; epoch and all members only by get_lease, the first member only by get_reservation. */
export interface ShownReservation {
  readonly holderId: bigint;
  readonly state: ReservationStateName;
  readonly createdLsn: bigint;
  readonly deadlineSlot: bigint;
  readonly releasedLsn: bigint | null;
  readonly leaseEpoch: bigint | null;
  readonly resourceIds: readonly bigint[];
}

/** What came back for a read. */
export type ReadAnswer =
  | ({readonly type: 'resource'} & ShownResource)
  | ({readonly type: 'reservation'} & ShownReservation)
  | {readonly type: 'not_found' | 'retired'}
  | {readonly type: 'fence_not_applied'; readonly lastLsn: bigint | null}
  | {readonly type: 'nothing'};

/** One read. */
export interface Read extends Span {
  readonly type: 'read';
  readonly kind: 'get_resource' | 'get_reservation' | 'get_lease';
  readonly id: bigint;
  /** The fence, or null. */
  readonly requiredLsn: bigint | null;
  /** The reader's slot where the server believes it; null where the server has its own. */
  readonly slot: bigint | null;
  readonly answer: ReadAnswer;
}

/** One tick that somebody asked for. */
export interface Tick extends Span {
  readonly type: 'tick';
  readonly slot: bigint;
  readonly answer:
    | {readonly type: 'applied'; readonly count: number; readonly lastLsn: bigint | null}
    | {readonly type: 'definite' | 'indefinite'; readonly code: string}
    | {readonly type: 'nothing'};
}

/** Any line but the first. */
export type HistoryEntry = Attempt | Read | Tick;

/** What a submit's response is in a history; null for a response that is none of a submit. */
export function answerOf(response: ApiResponse): AttemptAnswer | null {
  if (response.type === 'submit_rejected') {
    return {type: isIndefinite(response.failure) ? 'indefinite' : 'definite', code: response.failure.code};
  }
  if (response.type !== 'submit_committed') return null;
  const {appliedLsn, resultCode, reservationId, deadlineSlot, fromRetryCache} = response;
  return {type: 'committed', lsn: appliedLsn, result: resultCode, reservationId, deadlineSlot, fromRetryCache};
}

/** What a read's response is in a history: `nothing` for one that shows nothing, as that of a halted engine. */
export function readAnswerOf(response: ApiResponse): ReadAnswer {
  switch (response.type) {
    case 'resource_found': {
      const {state, currentReservationId, version} = response;
      return {type: 'resource', state, reservationId: currentReservationId, version};
    }
    case 'reservation_found':
    case 'lease_found': {
      const {holderId, state, createdLsn, deadlineSlot, releasedLsn} = response;
      const isLease = response.type === 'lease_found';
      return {
        type: 'reservation',
        holderId,
        state,
        createdLsn,
        deadlineSlot,
        releasedLsn,
        leaseEpoch: isLease ? response.leaseEpoch : null,
        resourceIds: isLease ? response.resourceIds : [response.resourceId],
      };
    }
    case 'resource_not_found':
    case 'reservation_not_found':
      return {type: 'not_found'};
    case 'reservation_retired':
      return {type: 'retired'};
    case 'resource_fence_not_applied':
    case 'reservation_fence_not_applied':
      return {type: 'fence_not_applied', lastLsn: response.lastAppliedLsn};
    default:
      return {type: 'nothing'};
  }
}

/** Lsn of a reservation id. */
export function lsnOfReservation(id: bigint): bigint {
  return BigInt.asUintN(64, id);
}
