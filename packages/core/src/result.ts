/**
 * The closed set of results that a command can have, numbered as on the wire, and the states of a resource and of a
 * reservation. Numbers are what tables store and formats carry; names are what people see. The two meet here only.
 *
 * NOOP and SLOT_OVERFLOW never occur in the answer to a client's command; decoders accept them all the same.
 */

/** Result codes of commands. */
export const RESULT = {
  OK: 1,
  NOOP: 2,
  ALREADY_EXISTS: 3,
  RESOURCE_TABLE_FULL: 4,
  RESOURCE_NOT_FOUND: 5,
  RESOURCE_BUSY: 6,
  TTL_OUT_OF_RANGE: 7,
  RESERVATION_TABLE_FULL: 8,
  RESERVATION_NOT_FOUND: 9,
  RESERVATION_RETIRED: 10,
  EXPIRATION_INDEX_FULL: 11,
  OPERATION_TABLE_FULL: 12,
  OPERATION_CONFLICT: 13,
  INVALID_STATE: 14,
  HOLDER_MISMATCH: 15,
  SLOT_OVERFLOW: 16,
  BUNDLE_TOO_LARGE: 17,
  STALE_EPOCH: 18,
} as const;
/** One of {@link RESULT}. */
export type ResultCode = (typeof RESULT)[keyof typeof RESULT];

/** Names by code, in lower snake case; index 0 is unused. */
export const RESULT_NAMES = [
  '',
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
/** Name of a result, without the unused entry. */
export type ResultName = Exclude<(typeof RESULT_NAMES)[number], ''>;

/** States of a resource. */
export const RESOURCE_STATE = {AVAILABLE: 1, RESERVED: 2, CONFIRMED: 3, REVOKING: 4} as const;
/** Names by resource state; index 0 is unused. */
export const RESOURCE_STATE_NAMES = ['', 'available', 'reserved', 'confirmed', 'revoking'] as const;

/** States of a reservation. RELEASED, EXPIRED and REVOKED are terminal. */
export const RESERVATION_STATE = {RESERVED: 1, CONFIRMED: 2, RELEASED: 3, EXPIRED: 4, REVOKING: 5, REVOKED: 6} as const;
/** Names by reservation state; index 0 is unused. */
export const RESERVATION_STATE_NAMES = [
  '',
  'reserved',
  'confirmed',
  'released',
  'expired',
  'revoking',
  'revoked',
] as const;

/** True for the states in which a reservation owns nothing and only waits to be retired. */
export function isTerminal(state: number): boolean {
  return (
    state === RESERVATION_STATE.RELEASED || state === RESERVATION_STATE.EXPIRED || state === RESERVATION_STATE.REVOKED
  );
}

/** What slot arithmetic would have overflowed, numbered as on the wire; NONE when nothing would. */
export const OVERFLOW = {NONE: 0, OPERATION_WINDOW: 1, DEADLINE: 2, RESERVATION_HISTORY: 3} as const;
/** Names by overflow kind. */
export const OVERFLOW_NAMES = ['none', 'operation_window', 'deadline', 'reservation_history'] as const;
