// The closed sets of the model: names inside, their wire numbers by position.
//
// Written down from the specification and on purpose not shared with the engine: if the two ever disagree about a
// number, a comparison has to fail.

export const RESULT_NAMES = [
  'ok',
  'noop',
  'already_exists',
  'resource_table_full',
  'resource_not_found',
  'resource_busy',
  'ttl_out_of_range',
  'reservation_table_full',
  'reservation_not_found',
  'reservation_retired',
  'expiration_index_full',
  'operation_table_full',
  'operation_conflict',
  'invalid_state',
  'holder_mismatch',
  'slot_overflow',
  'bundle_too_large',
  'stale_epoch',
] as const;
export type ResultName = (typeof RESULT_NAMES)[number];

export const RESOURCE_STATES = ['available', 'reserved', 'confirmed', 'revoking'] as const;
export type ResourceState = (typeof RESOURCE_STATES)[number];

export const RESERVATION_STATES = ['reserved', 'confirmed', 'released', 'expired', 'revoking', 'revoked'] as const;
export type ReservationState = (typeof RESERVATION_STATES)[number];

export const SLOT_OVERFLOW_KINDS = ['operation_window', 'deadline', 'reservation_history'] as const;
export type SlotOverflowKind = (typeof SLOT_OVERFLOW_KINDS)[number];

export const STARTUP_KINDS = ['fresh_start', 'wal_only', 'snapshot_only', 'snapshot_and_wal'] as const;
export type StartupKind = (typeof STARTUP_KINDS)[number];

/** The wire number of a name: every closed set is numbered from 1 in the order written above. */
export function wireNumber<Name extends string>(names: readonly Name[], name: Name): number {
  return names.indexOf(name) + 1;
}

export function resultCode(name: ResultName): number {
  return wireNumber(RESULT_NAMES, name);
}
