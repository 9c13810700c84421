/**
 * The JSON form of a configuration: what it says is read back, and whatever is wrong is named, all of it at once.
 */
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {coreDifferences, coreFingerprint, frameIssues} from '../src/config.ts';
import {
  configIssues,
  configOfJson,
  configOfLimits,
  configToJson,
  type DatabaseConfig,
  parseConfig,
} from '../src/index.ts';
import {CONFIG, configWith, openErrorOf} from './support.ts';

type Json = Record<string, Record<string, unknown>>;

function json(): Json {
  return structuredClone(configToJson(CONFIG)) as Json;
}

function issuesOf(value: unknown): readonly string[] {
  const error = openErrorOf(() => configOfJson(value));
  expect(error.code).toBe('invalid_config');
  return error.issues;
}

function changed(section: string, name: string, value: unknown): Json {
  const copy = json();
  copy[section] = {...copy[section], [name]: value};
  return copy;
}

const validConfig: fc.Arbitrary<DatabaseConfig> = fc
  .record({
    shardId: fc.bigInt({min: 0n, max: 2n ** 64n - 1n}),
    maxResources: fc.integer({min: 4, max: 1 << 20}),
    maxReservations: fc.integer({min: 8, max: 1 << 20}),
    maxOperations: fc.integer({min: 1, max: 1 << 20}),
    maxBundleSize: fc.integer({min: 1, max: 4}),
    maxTtlSlots: fc.bigInt({min: 10n, max: 100_000n}),
    maxClientRetryWindowSlots: fc.bigInt({min: 0n, max: 2n ** 63n}),
    reservationHistoryWindowSlots: fc.bigInt({min: 0n, max: 10n}),
    maxExpirationBucketLen: fc.integer({min: 1, max: 8}),
    operationWindowSlots: fc.option(fc.bigInt({min: 1n, max: 2n ** 64n - 1n})),
  })
  .chain(core =>
    fc
      .record({
        maxSubmissionQueue: fc.integer({min: 1, max: 0xffff_ffff}),
        maxCommandBytes: fc.integer({min: 1, max: 0xffff_ffff}),
        maxExpirationsPerTick: fc.integer({min: 1, max: 0xffff_ffff}),
      })
      .map(engine => ({core, engine})),
  );

test('what is written can be read back', () => {
  fc.assert(
    fc.property(validConfig, config => {
      expect(configIssues(config)).toEqual([]);
      expect(parseConfig(JSON.stringify(configToJson(config)))).toEqual(config);
    }),
  );
});

test('u64 are decimal strings and u32 numbers; a u64 may also be a small number', () => {
  const {core, engine} = configToJson(CONFIG) as Json;
  expect(core).toMatchObject({shard_id: '7', max_resources: 64, max_ttl_slots: '100'});
  expect(engine).toEqual({max_submission_queue: 1000, max_command_bytes: 256, max_expirations_per_tick: 16});
  expect(core).not.toHaveProperty('operation_window_slots');
  expect(configOfJson(changed('core', 'max_ttl_slots', 99)).core.maxTtlSlots).toBe(99n);
  expect(configOfJson(changed('core', 'operation_window_slots', null)).core.operationWindowSlots).toBeNull();
});

describe('what cannot be read is named', () => {
  test('text that is no JSON, values that are no objects', () => {
    expect(openErrorOf(() => parseConfig('{')).code).toBe('invalid_config');
    for (const value of [null, 3, 'x', [], undefined])
      expect(issuesOf(value)[0]).toBe('the configuration: must be an object');
    expect(issuesOf({core: [], engine: 3}).filter(issue => issue.endsWith('object'))).toEqual([
      'core: must be an object',
      'engine: must be an object',
    ]);
  });

  test('every field that is missing', () => {
    for (const section of ['core', 'engine']) {
      for (const name of Object.keys(json()[section] ?? {})) {
        const copy = json();
        delete copy[section]?.[name];
        expect(issuesOf(copy)).toEqual([`${section}.${name}: missing`]);
        expect(issuesOf(changed(section, name, null))).toEqual([`${section}.${name}: missing`]);
      }
    }
    expect(issuesOf({}).filter(issue => issue.endsWith('missing'))).toHaveLength(12);
  });

  test('every key that is unknown', () => {
    expect(issuesOf({...json(), extra: 1})).toEqual(['extra: unknown key; known are core and engine']);
    expect(issuesOf(changed('core', 'maxResources', 1))).toEqual(['core.maxResources: unknown key']);
    expect(issuesOf(changed('engine', 'speed', 1))).toEqual(['engine.speed: unknown key']);
  });

  test('every value of another type or width', () => {
    for (const value of ['64', -1, 1.5, 2 ** 32, true, {}, Number.NaN]) {
      expect(issuesOf(changed('core', 'max_resources', value))).toEqual([
        expect.stringMatching(/^core\.max_resources: must be a whole number below 2\^32/),
      ]);
    }
    for (const value of ['', '0x10', '-1', '1.0', ' 1', 2 ** 53, -1, true, String(2n ** 64n), '9'.repeat(30)]) {
      expect(issuesOf(changed('core', 'max_ttl_slots', value))).toEqual([
        expect.stringMatching(/^core\.max_ttl_slots: must be a decimal string below 2\^64/),
      ]);
    }
  });

  test('all at once', () => {
    const bad = {core: {...json()['core'], max_resources: 'x', max_ttl_slots: -1, odd: 1}, engine: {}};
    expect(issuesOf(bad)).toHaveLength(6);
  });
});

describe('what cannot be opened is named', () => {
  const cases: [string, string, unknown, string][] = [
    ['core', 'max_resources', 0, 'zero_capacity'],
    ['core', 'max_ttl_slots', '0', 'zero_capacity'],
    ['core', 'operation_window_slots', '0', 'zero_capacity'],
    ['core', 'max_bundle_size', 65, 'out_of_range'],
    ['core', 'reservation_history_window_slots', '101', 'out_of_range'],
    ['core', 'max_client_retry_window_slots', String(2n ** 64n - 1n), 'out_of_range'],
    ['core', 'max_expiration_bucket_len', 65, 'out_of_range'],
    ['core', 'max_operations', 0xffff_ffff, 'too_large'],
    ['engine', 'max_submission_queue', 0, 'zero_capacity'],
    ['engine', 'max_command_bytes', 0, 'zero_capacity'],
    ['engine', 'max_expirations_per_tick', 0, 'zero_capacity'],
  ];
  test.each(cases)('%s.%s', (section, name, value, code) => {
    expect(issuesOf(changed(section, name, value))).toEqual([
      expect.stringMatching(new RegExp(`^${section}\\.${name}: ${code}: `)),
    ]);
  });

  test('limits given as objects are checked likewise', () => {
    expect(
      configIssues(configWith({maxSubmissionQueue: 1.5, maxCommandBytes: -1, maxExpirationsPerTick: 2 ** 32})),
    ).toEqual([
      expect.stringMatching(/^engine\.max_submission_queue: out_of_range/),
      expect.stringMatching(/^engine\.max_command_bytes: out_of_range/),
      expect.stringMatching(/^engine\.max_expirations_per_tick: out_of_range/),
    ]);
  });
});

test('configurations differ in the fields they differ in, and so do their fingerprints', () => {
  const base = CONFIG.core;
  const prints = new Set([coreFingerprint(base).join()]);
  const variants: Partial<DatabaseConfig['core']>[] = [
    {shardId: base.shardId + (1n << 40n)},
    {maxResources: 63},
    {maxReservations: 65},
    {maxOperations: 513},
    {maxBundleSize: 5},
    {maxTtlSlots: 101n},
    {maxClientRetryWindowSlots: 51n},
    {reservationHistoryWindowSlots: 9n},
    {maxExpirationBucketLen: 63},
    {operationWindowSlots: 150n},
  ];
  for (const variant of variants) {
    const other = {...base, ...variant};
    expect(coreDifferences(base, other)).toHaveLength(1);
    prints.add(coreFingerprint(other).join());
  }
  expect(prints.size).toBe(variants.length + 1);
  expect(coreDifferences(base, {...base})).toEqual([]);
});

test('limits that people choose give a configuration that can be opened', () => {
  fc.assert(
    fc.property(
      fc.integer({min: 1, max: 1_000_000}),
      fc.integer({min: 1, max: 1_000_000}),
      fc.integer({min: 1, max: 1_000_000}),
      fc.bigInt({min: 1n, max: 1_000_000n}),
      fc.integer({min: 1, max: 60_000}),
      (maxResources, maxReservations, maxOperations, maxTtlSlots, slotMs) => {
        const config = configOfLimits({maxResources, maxReservations, maxOperations, maxTtlSlots}, slotMs);
        expect([...configIssues(config), ...frameIssues(config, 8 << 20)]).toEqual([]);
      },
    ),
  );
});
