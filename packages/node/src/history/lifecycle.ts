/**
 * What a command does to one reservation, written down a second time and independently of the machine: state and command
 * in, result and next state out. The checks of ownership and of time rest on this, not on what core thinks.
 *
 * By `docs/semantics.md`: over comes first, then the holder, then the epoch, then the state.
 */
import type {Command, ResultName} from '@allocdb/core';
import {RESERVATION_STATE as STATE} from '@allocdb/core';

/** The engine's own command. */
export interface Expire {
  readonly kind: 'expire';
  readonly reservationId: bigint;
  readonly deadlineSlot: bigint;
}

/** A command that names a reservation. */
export type Act = Extract<Command, {reservationId: bigint}> | Expire;

/** What was granted, as far as later commands depend on it. */
export interface Grant {
  readonly id: bigint;
  readonly lsn: bigint;
  readonly holderId: bigint;
  readonly resourceIds: readonly bigint[];
  readonly deadlineSlot: bigint;
  /** Line of the answer; 0 where only the log knows it. */
  readonly line: number;
}

export interface Step {
  readonly result: ResultName;
  /** Equal to the state before unless the result is ok. */
  readonly next: number;
}

/** True for the states in which a reservation owns nothing. */
export function isOver(state: number): boolean {
  return state === STATE.RELEASED || state === STATE.EXPIRED || state === STATE.REVOKED;
}

/** The result of a command on a reservation in this state, and the state after it. */
export function stepOf(state: number, grant: Grant, act: Act): Step {
  const refused = (result: ResultName): Step => ({result, next: state});
  if (act.kind === 'expire') {
    const isDue = state === STATE.RESERVED && act.deadlineSlot === grant.deadlineSlot;
    return isDue ? {result: 'ok', next: STATE.EXPIRED} : refused('noop');
  }
  if (isOver(state)) return refused('reservation_retired');
  switch (act.kind) {
    case 'revoke':
      return state === STATE.CONFIRMED ? {result: 'ok', next: STATE.REVOKING} : refused('invalid_state');
    case 'reclaim':
      return state === STATE.REVOKING ? {result: 'ok', next: STATE.REVOKED} : refused('invalid_state');
    default:
      break;
  }
  if (act.holderId !== grant.holderId) return refused('holder_mismatch');
  const epoch = state === STATE.REVOKING ? 2n : 1n;
  if ('leaseEpoch' in act && act.leaseEpoch !== epoch) return refused('stale_epoch');
  if (act.kind === 'confirm' || act.kind === 'confirm_fenced') {
    return state === STATE.RESERVED ? {result: 'ok', next: STATE.CONFIRMED} : refused('invalid_state');
  }
  const canRelease = state === STATE.RESERVED || state === STATE.CONFIRMED;
  return canRelease ? {result: 'ok', next: STATE.RELEASED} : refused('invalid_state');
}
