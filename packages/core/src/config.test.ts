import {describe, expect, test} from 'vitest';
import {type CoreConfig, indexCells, memoryBytesOf, operationWindowOf, validateCoreConfig} from './config.ts';
import {U64_MAX} from './words.ts';

const VALID: CoreConfig = {
  shardId: 0n,
  maxResources: 100,
  maxReservations: 50,
  maxOperations: 200,
  maxBundleSize: 4,
  maxTtlSlots: 60n,
  maxClientRetryWindowSlots: 10n,
  reservationHistoryWindowSlots: 60n,
  maxExpirationBucketLen: 50,
  operationWindowSlots: null,
};

/** `field code` of every issue, in order. */
function issues(changes: Partial<CoreConfig>): string[] {
  return validateCoreConfig({...VALID, ...changes}).map(({field, code}) => `${field} ${code}`);
}

describe('a configuration', () => {
  test('is accepted at both ends of every range', () => {
    expect(issues({})).toEqual([]);
    expect(issues({shardId: U64_MAX})).toEqual([]);
    expect(issues({maxBundleSize: 100, maxReservations: 50})).toEqual([]);
    expect(issues({reservationHistoryWindowSlots: 0n, maxClientRetryWindowSlots: 0n})).toEqual([]);
    expect(issues({maxClientRetryWindowSlots: U64_MAX - 60n})).toEqual([]);
    expect(issues({operationWindowSlots: 1n})).toEqual([]);
    expect(issues({operationWindowSlots: U64_MAX})).toEqual([]);
    const least = {
      maxResources: 1,
      maxReservations: 1,
      maxOperations: 1,
      maxBundleSize: 1,
      maxTtlSlots: 1n,
      reservationHistoryWindowSlots: 1n,
      maxExpirationBucketLen: 1,
    };
    expect(issues(least)).toEqual([]);
  });

  test.each(['maxResources', 'maxReservations', 'maxOperations', 'maxBundleSize', 'maxExpirationBucketLen'] as const)(
    '%s is a 32-bit count of at least one',
    field => {
      expect(issues({[field]: 0})).toEqual([`${field} zero_capacity`]);
      for (const value of [-1, 1.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(issues({[field]: value})).toEqual([`${field} out_of_range`]);
      }
    },
  );

  test.each([
    'shardId',
    'maxTtlSlots',
    'maxClientRetryWindowSlots',
    'reservationHistoryWindowSlots',
    'operationWindowSlots',
  ] as const)('%s fits 64 bits', field => {
    for (const value of [-1n, U64_MAX + 1n]) expect(issues({[field]: value})).toEqual([`${field} out_of_range`]);
  });

  test('windows that count from one refuse zero', () => {
    expect(issues({maxTtlSlots: 0n})).toEqual(['maxTtlSlots zero_capacity']);
    expect(issues({operationWindowSlots: 0n})).toEqual(['operationWindowSlots zero_capacity']);
  });

  test('is refused where two fields contradict each other', () => {
    expect(issues({maxBundleSize: 101})).toEqual(['maxBundleSize out_of_range']);
    expect(issues({maxResources: 70_000, maxBundleSize: 65_536})).toEqual(['maxBundleSize out_of_range']);
    expect(issues({maxResources: 70_000, maxBundleSize: 65_535})).toEqual([]);
    expect(issues({reservationHistoryWindowSlots: 61n})).toEqual(['reservationHistoryWindowSlots out_of_range']);
    expect(issues({maxClientRetryWindowSlots: U64_MAX - 59n})).toEqual(['maxClientRetryWindowSlots out_of_range']);
    expect(issues({maxExpirationBucketLen: 51})).toEqual(['maxExpirationBucketLen out_of_range']);
    expect(issues({maxTtlSlots: U64_MAX, maxClientRetryWindowSlots: 0n})).toEqual([
      'maxTtlSlots out_of_range',
      'maxTtlSlots too_large',
    ]);
  });

  test('reports every field at once, in order; relations only once the fields are sound', () => {
    expect(
      issues({
        shardId: -1n,
        maxResources: 0,
        maxReservations: 0,
        maxOperations: 0,
        maxBundleSize: 0,
        maxTtlSlots: 0n,
        maxExpirationBucketLen: 0,
        maxClientRetryWindowSlots: -1n,
        reservationHistoryWindowSlots: -1n,
        operationWindowSlots: 0n,
      }),
    ).toEqual([
      'shardId out_of_range',
      'maxResources zero_capacity',
      'maxReservations zero_capacity',
      'maxOperations zero_capacity',
      'maxBundleSize zero_capacity',
      'maxTtlSlots zero_capacity',
      'maxExpirationBucketLen zero_capacity',
      'maxClientRetryWindowSlots out_of_range',
      'reservationHistoryWindowSlots out_of_range',
      'operationWindowSlots zero_capacity',
    ]);
    expect(issues({maxBundleSize: 70_000, reservationHistoryWindowSlots: 61n, maxExpirationBucketLen: 51})).toEqual([
      'maxBundleSize out_of_range',
      'maxBundleSize out_of_range',
      'reservationHistoryWindowSlots out_of_range',
      'maxExpirationBucketLen out_of_range',
    ]);
  });

  test('says what is possible where a table would be too large, and that is possible', () => {
    const messages = (changes: Partial<CoreConfig>) => validateCoreConfig({...VALID, ...changes}).map(i => i.message);
    const tooLarge: [Partial<CoreConfig>, string][] = [
      [
        {maxResources: 2 ** 28 + 1},
        `needs a table of ${2 ** 33 + 32} bytes, possible are ${2 ** 33}: at most ${2 ** 28}`,
      ],
      [
        {maxReservations: 2 ** 32 - 1, maxBundleSize: 1},
        `needs a table of ${(2 ** 32 - 1) * 64} bytes, possible are ${2 ** 33}: at most ${2 ** 27}`,
      ],
      [
        {maxOperations: 2 ** 27 + 1},
        `needs a table of ${2 ** 33 + 64} bytes, possible are ${2 ** 33}: at most ${2 ** 27}`,
      ],
      [
        {maxTtlSlots: 2n ** 31n},
        `needs a table of ${2 ** 33 + 4} bytes, possible are ${2 ** 33}: at most ${2 ** 31 - 1}`,
      ],
      [
        {maxReservations: 2 ** 26, maxBundleSize: 34},
        `needs a table of ${2 ** 28 * 33} bytes, possible are ${2 ** 33}: at most 33`,
      ],
    ];
    for (const [changes, message] of tooLarge) expect(messages(changes)).toEqual([message]);
    expect(messages({maxResources: 2 ** 28})).toEqual([]);
    expect(messages({maxTtlSlots: 2n ** 31n - 1n})).toEqual([]);
    expect(messages({maxReservations: 2 ** 26, maxBundleSize: 33})).toEqual([]);
  });
});

describe('what follows from a configuration', () => {
  test('the operation window is its own where given, else the longest hold and the retry window', () => {
    expect(operationWindowOf(VALID)).toBe(70n);
    expect(operationWindowOf({...VALID, operationWindowSlots: 5n})).toBe(5n);
  });

  test('a key index is at most half full', () => {
    expect([1, 4, 5, 100, 2 ** 20, 2 ** 27].map(indexCells)).toEqual([8, 8, 16, 256, 2 ** 21, 2 ** 28]);
  });

  test('memory is that of tables, indexes, queues and the wheel', () => {
    const small = memoryBytesOf(VALID);
    expect(small).toBe(4 * (800 + 800 + 3_200 + 61 + 150) + 8 * (256 + 128 + 512) + 50 * 16 + 61 * 9);
    expect(memoryBytesOf({...VALID, maxTtlSlots: 1_060n}) - small).toBe(13_000);
    expect(memoryBytesOf({...VALID, maxBundleSize: 5}) - small).toBe(4 * 50);
  });
});
