import {describe, expect, test} from 'vitest';
import {COMMAND, DECODE} from './command.ts';
import {
  isTerminal,
  OVERFLOW,
  OVERFLOW_NAMES,
  RESERVATION_STATE,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE,
  RESOURCE_STATE_NAMES,
  RESULT,
  RESULT_NAMES,
} from './result.ts';

/** Stored and sent numbers: entries are added at the end of each set, none is ever changed. */
const KNOWN_RESULTS = [
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
];

function byNumber(set: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(set).sort(([, a], [, b]) => a - b);
  return entries.map(([name, number]) => `${number} ${name.toLowerCase()}`);
}

const numbered = (names: readonly string[]): string[] =>
  names.map((name, number) => `${number} ${name}`).filter(line => !line.endsWith(' '));

describe('numbers that are stored and sent', () => {
  test('of results are fixed', () => {
    expect(RESULT_NAMES.slice(1, 1 + KNOWN_RESULTS.length)).toEqual(KNOWN_RESULTS);
  });

  test('have the names that people see', () => {
    expect(byNumber(RESULT)).toEqual(numbered(RESULT_NAMES));
    expect(byNumber(RESOURCE_STATE)).toEqual(numbered(RESOURCE_STATE_NAMES));
    expect(byNumber(RESERVATION_STATE)).toEqual(numbered(RESERVATION_STATE_NAMES));
    expect(byNumber(OVERFLOW)).toEqual(numbered(OVERFLOW_NAMES));
  });

  test('of states, overflows, tags and decode errors are fixed', () => {
    expect(byNumber(RESOURCE_STATE)).toEqual(['1 available', '2 reserved', '3 confirmed', '4 revoking']);
    expect(byNumber(RESERVATION_STATE).join()).toBe('1 reserved,2 confirmed,3 released,4 expired,5 revoking,6 revoked');
    expect(byNumber(OVERFLOW).join()).toBe('0 none,1 operation_window,2 deadline,3 reservation_history');
    expect(byNumber(DECODE).join()).toBe('0 none,1 buffer_too_short,2 invalid_command_tag,3 invalid_layout');
    expect(byNumber(COMMAND).slice(0, 5).join()).toBe('1 create_resource,2 reserve,3 confirm,4 release,5 expire');
    expect(byNumber(COMMAND).slice(5, 10).join()).toBe(
      '16 reserve_bundle,17 confirm_fenced,18 release_fenced,19 revoke,20 reclaim',
    );
  });

  test('of states say which are over', () => {
    expect([1, 2, 3, 4, 5, 6].filter(isTerminal)).toEqual([3, 4, 6]);
  });
});
