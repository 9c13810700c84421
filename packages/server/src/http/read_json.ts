/**
 * What reads are answered with, as JSON: views of the facade with the names and the text of this port, and the problems
 * that an answer without a view is.
 */
import type {FenceNotApplied, LeaseView, Metrics, ResourceView} from '@allocdb/api';
import {type Problem, problemOf} from './problem.ts';

/** Members of an answer. */
export type Json = Readonly<Record<string, unknown>>;

/** The lsn that a query names; 0n, which is no fence, without one: the handle's own lsns are other clients'. */
export function fenceOf({required_lsn: lsn}: {readonly required_lsn?: string}): {requiredLsn: bigint} {
  return {requiredLsn: lsn === undefined ? 0n : BigInt(lsn)};
}

/** The problem of a fence that is not reached. */
export function fenceProblem({requiredLsn, lastAppliedLsn}: FenceNotApplied): Problem {
  return problemOf('fence_not_applied', {
    required_lsn: String(requiredLsn),
    last_applied_lsn: textOrNull(lastAppliedLsn),
  });
}

/** A resource. */
export function resourceJson({id, state, reservation, version}: ResourceView): Json {
  return {id, state, reservation, version: String(version)};
}

/** A reservation with its epoch and members. */
export function reservationJson(lease: LeaseView): Json {
  const {id, holder, state, epoch, resources, createdLsn, deadlineSlot, releasedLsn, retireAfterSlot} = lease;
  return {
    id,
    holder,
    state,
    epoch: String(epoch),
    resources,
    created_lsn: String(createdLsn),
    deadline_slot: String(deadlineSlot),
    released_lsn: textOrNull(releasedLsn),
    retire_after_slot: textOrNull(retireAfterSlot),
  };
}

/** The counters, with the server's time. */
export function metricsJson(metrics: Metrics, currentSlot: bigint, slotDurationMs: number): Json {
  const named = Object.entries(metrics).map(([name, value]: [string, unknown]) => [
    name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
    typeof value === 'bigint' ? String(value) : value,
  ]);
  return {...Object.fromEntries(named), current_slot: String(currentSlot), slot_duration_ms: slotDurationMs};
}

/** A 64-bit number as text. */
export function textOrNull(value: bigint | null): string | null {
  return value === null ? null : String(value);
}
