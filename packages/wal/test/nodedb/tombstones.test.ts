/**
 * Tombstones: strictly below, the largest wins, keys do not mix; extraction from a log refuses what it cannot read.
 */

import fc from 'fast-check';
import {expect, test} from 'vitest';
import {encodePayload} from '../../src/index.ts';
import {extractTombstones, nodedbTypes, type Tombstone, TombstoneSet} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {openManager, recordErrorOf, SCOPE, text} from './support.ts';

const small = fc.bigInt(0n, 3n);
const lsns = fc.bigInt(0n, 12n);
const keys = fc.record({database: small, tenant: small, collection: fc.constantFrom('', 'a', '1 a', 'a 1')});
const tombstones = fc.array(
  fc.tuple(keys, lsns).map(([key, purgeLsn]): Tombstone => ({...key, purgeLsn})),
  {maxLength: 12},
);

/** By definition, without a table. */
function isVoid(
  all: readonly Tombstone[],
  {database, tenant, collection}: Omit<Tombstone, 'purgeLsn'>,
  lsn: bigint,
): boolean {
  return all.some(
    stone =>
      stone.database === database && stone.tenant === tenant && stone.collection === collection && lsn < stone.purgeLsn,
  );
}

function setOf(all: readonly Tombstone[]): TombstoneSet {
  const set = new TombstoneSet();
  for (const tombstone of all) set.insert(tombstone);
  return set;
}

test('a set answers as the definition does, whatever the order and however it was merged', () => {
  fc.assert(
    fc.property(tombstones, tombstones, keys, lsns, (some, others, key, lsn) => {
      const all = [...some, ...others];
      const merged = setOf(others.toReversed());
      merged.merge(setOf(some));
      for (const set of [setOf(all), setOf(all.toReversed()), merged]) {
        expect(set.isTombstoned(key, lsn)).toBe(isVoid(all, key, lsn));
        expect(set.size).toBe(new Set(all.map(stone => `${stone.database},${stone.tenant},${stone.collection}`)).size);
      }
    }),
  );
});

test('dropBefore forgets exactly those that void nothing from there on', () => {
  fc.assert(
    fc.property(tombstones, lsns, keys, lsns, (all, from, key, above) => {
      const set = setOf(all);
      const before = set.size;
      const dropped = set.dropBefore(from);
      expect(set.size).toBe(before - dropped);
      for (const {purgeLsn} of set) expect(purgeLsn > from).toBe(true);
      const lsn = from + above;
      expect(set.isTombstoned(key, lsn)).toBe(isVoid(all, key, lsn));
    }),
  );
});

test('a write at the purge lsn itself stays', () => {
  const key = {database: 1n, tenant: 1n, collection: 'c'};
  const set = setOf([{...key, purgeLsn: 5n}]);
  expect([4n, 5n, 6n].map(lsn => set.isTombstoned(key, lsn))).toEqual([true, false, false]);
});

test('extraction takes the tombstones out of everything else, unknown required records included', () => {
  const manager = openManager(new SimDisk());
  manager.appendPut(SCOPE, text('x'));
  manager.appendCollectionTombstone({tenant: 1n, database: 2n}, 'a', 9n);
  manager.wal.appendRecord({type: 999, payload: text('?')});
  manager.appendCollectionTombstone({tenant: 1n, database: 2n}, 'a', 4n);
  manager.appendCollectionTombstone({tenant: 2n, database: 1n}, 'a', 5n);
  manager.wal.commitSync();
  const found = extractTombstones(manager.wal.read());
  expect([...found]).toEqual([
    {tenant: 1n, database: 2n, collection: 'a', purgeLsn: 9n},
    {tenant: 2n, database: 1n, collection: 'a', purgeLsn: 5n},
  ]);
});

test('a malformed tombstone, and one without a scope, are errors', () => {
  const {id: type} = nodedbTypes.CollectionTombstoned;
  const payload = encodePayload(nodedbTypes.CollectionTombstoned, {collection: 'c', purgeLsn: 3n});
  for (const record of [
    {type, payload},
    {type, payload: payload.subarray(1), scope: SCOPE},
  ]) {
    const {wal} = openManager(new SimDisk());
    wal.appendRecord(record);
    wal.commitSync();
    const error = recordErrorOf(() => extractTombstones(wal.read()));
    expect(error).toMatchObject({code: 'malformed', lsn: 1n, typeName: 'CollectionTombstoned'});
  }
});
