/**
 * The digest by its definition, as the tests compute it from the model: it is the core's, also for one fixed state whose
 * value is written down here, and it tells every field of every record from another value.
 */
import {digestOf, encodeClientRequest} from '@allocdb/core';
import {Model, type ModelConfig, Random, type State} from '@allocdb/sim';
import {expect, test} from 'vitest';
import {CoreDriver} from './core_driver.ts';
import {digestOfModel} from './equivalence_digest.ts';
import {randomHashSeed} from './equivalence_pair.ts';

const CONFIG: ModelConfig = {
  shardId: 3n,
  maxResources: 8,
  maxReservations: 8,
  maxBundleSize: 4,
  maxOperations: 40,
  maxTtlSlots: 20n,
  maxClientRetryWindowSlots: 20n,
  reservationHistoryWindowSlots: 2n,
  maxExpirationBucketLen: 8,
  operationWindowSlots: null,
  maxSubmissionQueue: 8,
  maxCommandBytes: 256,
  maxExpirationsPerTick: 8,
};

type Commands = Parameters<typeof encodeClientRequest>[0]['command'][];

/** Every kind of command; resources, reservations and operations in several states, and one that has retired. */
const COMMANDS: Commands = [
  ...[1n, 2n, 3n, 4n, 1n << 127n].map(resourceId => ({kind: 'create_resource', resourceId}) as const),
  {kind: 'reserve', resourceId: 1n, holderId: 9n, ttlSlots: 5n},
  {kind: 'reserve_bundle', resourceIds: [3n, 2n], holderId: 1n << 90n, ttlSlots: 7n},
  {kind: 'reserve', resourceId: 4n, holderId: 9n, ttlSlots: 5n},
  {kind: 'confirm', reservationId: (3n << 64n) | 6n, holderId: 9n},
  {kind: 'confirm_fenced', reservationId: (3n << 64n) | 7n, holderId: 1n << 90n, leaseEpoch: 1n},
  {kind: 'release_fenced', reservationId: (3n << 64n) | 8n, holderId: 9n, leaseEpoch: 1n},
  {kind: 'revoke', reservationId: (3n << 64n) | 7n},
  {kind: 'reserve', resourceId: 4n, holderId: 9n, ttlSlots: 5n},
  {kind: 'release', reservationId: (3n << 64n) | 13n, holderId: 9n},
  {kind: 'reclaim', reservationId: (3n << 64n) | 13n},
];

function filled(): {model: Model; core: CoreDriver} {
  const model = new Model(CONFIG);
  const core = new CoreDriver(CONFIG, null, randomHashSeed(new Random(5n)));
  COMMANDS.forEach((command, index) => {
    const slot = BigInt(index);
    const payload = encodeClientRequest({operationId: slot + 1n, clientId: 1n, command});
    expect(core.submit(slot, payload, true)).toEqual(model.submit(slot, payload));
  });
  return {model, core};
}

test('it is the digest of the core, and a fixed one', () => {
  const {model, core} = filled();
  const {state} = model.machine;
  expect([state.resources.size, state.reservations.size, state.operations.size]).toEqual([5, 3, 15]);
  expect(state.maxRetiredReservationId).toBe((3n << 64n) | 8n);
  expect(digestOf(core.db)).toBe(digestOfModel(state));
  // It is stored in snapshots and markers: another value means another format of records.
  expect(digestOfModel(state).toString(16)).toMatchInlineSnapshot(`"243907606dbd280fd345854dcccdb9b0"`);
});

test('it differs where any field of any record does', () => {
  const original = digestOfModel(filled().model.machine.state);
  const digests = new Set([original]);
  const changed = (what: string, change: (state: State) => void): void => {
    const {state} = filled().model.machine;
    change(state);
    const digest = digestOfModel(state);
    expect([what, digests.has(digest)]).toEqual([what, false]);
    digests.add(digest);
  };
  const other = (value: unknown, name: string): unknown => {
    if (typeof value === 'bigint') return value + (1n << 40n);
    if (value === null) return 77n;
    if (Array.isArray(value)) return value.toReversed().concat(5n);
    if (name === 'fingerprint') return `${String(value).slice(0, -2)}ff`;
    if (name === 'result') return value === 'ok' ? 'noop' : 'ok';
    return value === 'confirmed' ? 'reserved' : 'confirmed';
  };
  // These follow from others and are not in a record of their own.
  const derived = new Set(['operations.reservationId', 'reservations.createdLsn']);
  for (const table of ['resources', 'reservations', 'operations'] as const) {
    const rows = (state: State): Record<string, unknown>[] => [...(state[table] as Map<bigint, never>).values()];
    const {state} = filled().model.machine;
    for (const [index, row] of rows(state).entries()) {
      for (const name of Object.keys(row)) {
        if (derived.has(`${table}.${name}`)) continue;
        changed(`${table} ${index} ${name}`, altered => {
          const target = rows(altered)[index] as Record<string, unknown>;
          target[name] = other(target[name], name);
        });
      }
      changed(`${table} ${index} gone`, altered => {
        const map = altered[table] as Map<bigint, never>;
        map.delete([...map.keys()][index] as bigint);
      });
    }
  }
  for (const name of ['lastAppliedLsn', 'lastRequestSlot', 'maxRetiredReservationId'] as const) {
    changed(name, state => {
      state[name] = (state[name] ?? 0n) + 1n;
    });
  }
  expect(digests.size).toBeGreaterThan(150);
});
