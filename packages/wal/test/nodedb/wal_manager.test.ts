/**
 * One append for each type: what stands in the log afterwards, with which number, flag and scope.
 */

import {expect, test} from 'vitest';
import {type LogRecord, readWal} from '../../src/index.ts';
import {createNodedbRegistry, nodedbTypes, type TransactionMember, WalManager} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {DIR, SMALL} from '../support.ts';
import {openManager, recordErrorOf, SCOPE, text} from './support.ts';

test('every append writes its type and scope and returns its lsn', async () => {
  const disk = new SimDisk();
  const manager = WalManager.open({dir: DIR, io: disk, background: false, idleMarkerMs: 0, ...SMALL});
  const owner = {tenant: 5n, database: 6n};
  const owned = {...owner, vshard: 0};
  const payload = text('p');
  const purge = {engine: 'edge', collection: 'c', cutoffMs: 1n, purgedCount: 2n} as const;
  const applied = {epoch: 1n, position: 2, vshard: 9};
  const members = [{type: 'Put', payload}] as const;
  const appended: [string, bigint, LogRecord['scope'], unknown][] = [
    ['Put', manager.appendPut(SCOPE, payload), SCOPE, payload],
    ['Delete', manager.appendDelete(SCOPE, payload), SCOPE, payload],
    ['VectorPut', manager.appendVectorPut(SCOPE, payload), SCOPE, payload],
    ['VectorDelete', manager.appendVectorDelete(SCOPE, payload), SCOPE, payload],
    ['VectorParams', manager.appendVectorParams(SCOPE, payload), SCOPE, payload],
    ['CrdtDelta', manager.appendCrdtDelta(SCOPE, payload), SCOPE, payload],
    ['TimeseriesBatch', manager.appendTimeseriesBatch(SCOPE, payload), SCOPE, payload],
    ['LogBatch', manager.appendLogBatch(SCOPE, payload), SCOPE, payload],
    ['ArrayPut', manager.appendArrayPut(SCOPE, payload), SCOPE, payload],
    ['ArrayDelete', manager.appendArrayDelete(SCOPE, payload), SCOPE, payload],
    ['Transaction', manager.appendTransaction(SCOPE, members), SCOPE, members],
    ['SurrogateAlloc', manager.appendSurrogateAlloc(7), null, {hi: 7}],
    [
      'SurrogateBind',
      manager.appendSurrogateBind(7, 'c', payload),
      null,
      {surrogate: 7, collection: 'c', key: payload},
    ],
    ['Checkpoint', manager.appendCheckpoint(SCOPE, 3n), SCOPE, {lsn: 3n}],
    ['CollectionTombstoned', manager.appendCollectionTombstone(owner, 'c', 4n), owned, {collection: 'c', purgeLsn: 4n}],
    ['LsnMsAnchor', manager.appendLsnMsAnchor({lsn: 1n, wallMs: 2n}), null, {lsn: 1n, wallMs: 2n}],
    ['TemporalPurge', manager.appendTemporalPurge(owner, purge), owned, purge],
    ['CalvinApplied', manager.appendCalvinApplied(applied), {tenant: 0n, database: 0n, vshard: 9}, applied],
  ];
  expect(appended.map(([name]) => name)).toEqual(Object.values(nodedbTypes).map(({name}) => name));
  await manager.commit();
  expect(manager.wal.durableLsn).toBe(BigInt(appended.length));
  const records = [...createNodedbRegistry().read(manager.wal.read())];
  expect(records).toEqual(appended.map(([type, lsn, scope, value]) => ({lsn, stamp: 0n, scope, type, value})));
  for (const {type, required} of [...manager.wal.pages()].flatMap(page => page.records)) {
    const known = Object.values(nodedbTypes).find(({id}) => id === type);
    expect([type, required]).toEqual([type, known?.required]);
  }
  await manager.close();
  expect([...createNodedbRegistry().read(readWal({dir: DIR, io: disk}))]).toEqual(records);
});

test('a refused append takes no lsn: too large for its type, out of its width, or past a full frame', async () => {
  const manager = openManager(new SimDisk());
  const error = recordErrorOf(() => manager.appendPut(SCOPE, new Uint8Array((16 << 20) + 1)));
  expect(error).toMatchObject({code: 'too_large', typeName: 'Put'});
  expect(() => manager.appendSurrogateAlloc(2 ** 32)).toThrow(RangeError);
  expect(() => manager.appendPut({...SCOPE, vshard: -1}, text(''))).toThrow(RangeError);
  expect(() => manager.appendPut(SCOPE, new Uint8Array(3000))).toThrow('larger than this log takes');
  expect(manager.wal.nextLsn).toBe(1n);
  const fill = (): bigint => manager.appendPut(SCOPE, new Uint8Array(1900));
  expect([fill(), fill()]).toEqual([1n, 2n]);
  expect(fill).toThrow('commit first');
  expect(await manager.whenRoom(fill)).toBe(3n);
  expect(manager.wal.durableLsn).toBe(2n);
  await manager.close();
});

test('a name from outside its closed set is refused before anything is appended, and the log stays readable', async () => {
  const manager = openManager(new SimDisk());
  const owner = {tenant: 5n, database: 6n};
  const purge = {engine: 'edge', collection: 'c', cutoffMs: 1n, purgedCount: 2n} as const;
  for (const engine of ['graph', '', 'toString']) {
    const unknown = {...purge, engine} as unknown as typeof purge;
    expect(() => manager.appendTemporalPurge(owner, unknown)).toThrow(RangeError);
  }
  const members = [{type: 'Upsert', payload: text('p')}] as unknown as readonly TransactionMember[];
  expect(() => manager.appendTransaction(SCOPE, members)).toThrow(RangeError);
  expect([manager.wal.nextLsn, manager.wal.openRecords]).toEqual([1n, 0]);
  manager.appendTemporalPurge(owner, purge);
  await manager.commit();
  expect([...createNodedbRegistry().read(manager.wal.read())]).toMatchObject([{lsn: 1n, value: purge}]);
  await manager.close();
});
