// The names of answers: what each says, as far as its first bytes tell. So that a run can tell which answers it never saw.
//
// Written down from docs/api.md. Not here: what may be answered when (`oracle.ts`).
import {RESULT_NAMES, SLOT_OVERFLOW_KINDS} from '../model/codes.ts';

const FAILURES: Readonly<Record<number, string>> = {
  1: 'engine_halted',
  2: 'invalid_request',
  3: 'slot_overflow',
  4: 'command_too_large',
  5: 'lsn_exhausted',
  6: 'overloaded',
  7: 'storage_failure',
  16: 'storage_full',
};
const OTHERS: Readonly<Record<number, string>> = {
  3: 'resource_found',
  4: 'resource_not_found',
  5: 'resource_fence_not_applied',
  6: 'reservation_found',
  7: 'reservation_not_found',
  8: 'reservation_retired',
  9: 'reservation_fence_not_applied',
  10: 'metrics',
  11: 'resource_engine_halted',
  12: 'reservation_engine_halted',
  13: 'tick_applied',
  16: 'batch',
  17: 'lease_found',
  18: 'resources_page',
  19: 'reservations_page',
};
const COMMITTED = 1;
const SUBMIT_REJECTED = 2;
const TICK_REJECTED = 14;
const SLOT_OVERFLOW = 3;
/** Never given to a client: slots that overflow are refused before a command is logged, only an expiry does nothing. */
const NEVER: readonly string[] = ['slot_overflow', 'noop'];

/** Of the answer, or the member of a batch, that begins here. */
export function answerCode(bytes: Uint8Array, at = 0): string {
  const tag = bytes[at] ?? 0;
  if (tag === COMMITTED) return `committed ${RESULT_NAMES[(bytes[at + 9] ?? 0) - 1]}`;
  if (tag !== SUBMIT_REJECTED && tag !== TICK_REJECTED) return OTHERS[tag] ?? `tag ${tag}`;
  const failure = bytes[at + 2] ?? 0;
  const which = failure === SLOT_OVERFLOW ? ` ${SLOT_OVERFLOW_KINDS[(bytes[at + 3] ?? 0) - 1]}` : '';
  return `${tag === TICK_REJECTED ? 'tick' : 'submit'} ${FAILURES[failure] ?? failure}${which}`;
}

const OF_TICKS: readonly string[] = [
  'engine_halted',
  'slot_overflow reservation_history',
  'lsn_exhausted',
  'overloaded',
  'storage_failure',
  'storage_full',
];
const OF_SUBMITS: readonly string[] = [
  'engine_halted',
  'invalid_request',
  ...SLOT_OVERFLOW_KINDS.map(kind => `slot_overflow ${kind}`),
  'command_too_large',
  'lsn_exhausted',
  'overloaded',
  'storage_failure',
  'storage_full',
];

/** Every answer that there is. */
export const ANSWER_CODES: readonly string[] = [
  ...RESULT_NAMES.filter(name => !NEVER.includes(name)).map(name => `committed ${name}`),
  ...OF_SUBMITS.map(failure => `submit ${failure}`),
  ...OF_TICKS.map(failure => `tick ${failure}`),
  ...Object.values(OTHERS),
];
