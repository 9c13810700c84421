/**
 * Replay: order, scopes, tombstones wherever they stand, transactions as a whole, and nothing left out unseen.
 */

import {describe, expect, test} from 'vitest';
import {encodePayload, readWal} from '../../src/index.ts';
import {
  type DataRecord,
  nodedbTypes,
  type ReplayHandlers,
  type ReplayOptions,
  replay,
  TombstoneSet,
  type WalManager,
} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {DIR} from '../support.ts';
import {byPrefix, openManager, recordErrorOf, SCOPE, text, textOf} from './support.ts';

const OWNER = {tenant: SCOPE.tenant, database: SCOPE.database};

interface Seen {
  readonly log: string[];
  readonly handlers: ReplayHandlers;
}

/** Handlers that note `lsn type payload`, and the place in a transaction. */
function listener(): Seen {
  const log: string[] = [];
  const note = ({lsn, type, value, transaction}: DataRecord): void => {
    const part = transaction === null ? '' : ` ${transaction.index + 1}/${transaction.count}`;
    log.push(`${lsn} ${type} ${textOf(value)}${part}`);
  };
  return {log, handlers: {Put: note, Delete: note, VectorPut: note}};
}

function replayed(manager: WalManager, options: Partial<ReplayOptions> = {}): unknown[] {
  const {log, handlers} = listener();
  const report = manager.replay(handlers, {...byPrefix, ...options});
  return [log, report];
}

test('typed records come in order with lsn, stamp and scope', () => {
  const manager = openManager(new SimDisk());
  manager.appendPut(SCOPE, text('a/1'));
  manager.wal.appendRecord({type: 2, payload: text('a/2'), stamp: 8n, scope: {...SCOPE, vshard: 4}});
  manager.appendCheckpoint(SCOPE, 1n);
  manager.wal.commitSync();
  const seen: unknown[] = [];
  const see = (record: unknown): void => {
    seen.push(record);
  };
  const report = manager.replay({Put: see, Delete: see, Checkpoint: see}, byPrefix);
  expect(seen).toEqual([
    {lsn: 1n, stamp: 0n, scope: SCOPE, type: 'Put', value: text('a/1'), transaction: null},
    {lsn: 2n, stamp: 8n, scope: {...SCOPE, vshard: 4}, type: 'Delete', value: text('a/2'), transaction: null},
    {lsn: 3n, stamp: 0n, scope: SCOPE, type: 'Checkpoint', value: {lsn: 1n}},
  ]);
  expect(report).toEqual({applied: 3, dropped: 0, unhandled: 0, unknown: 0});
  const all = {applied: 1, dropped: 0, unhandled: 0, unknown: 0};
  expect(replayed(manager, {from: 2n, to: 2n})).toEqual([['2 Delete a/2'], all]);
  expect(replayed(manager, {scope: {vshard: 3}, to: 2n})).toEqual([['1 Put a/1'], all]);
});

describe('tombstones', () => {
  function dropped(): WalManager {
    const manager = openManager(new SimDisk());
    manager.appendPut(SCOPE, text('gone/1'));
    manager.appendPut(SCOPE, text('kept/2'));
    manager.appendPut({...SCOPE, tenant: 9n}, text('gone/3'));
    manager.appendPut({...SCOPE, vshard: 8}, text('gone/4'));
    manager.appendPut(SCOPE, text('nameless'));
    manager.appendCollectionTombstone(OWNER, 'gone', 6n);
    manager.appendPut(SCOPE, text('gone/7'));
    manager.wal.commitSync();
    return manager;
  }

  test('void the writes before them in all vshards of their owner, and none after', () => {
    const kept = ['2 Put kept/2', '3 Put gone/3', '5 Put nameless', '7 Put gone/7'];
    expect(replayed(dropped())).toEqual([kept, {applied: 4, dropped: 2, unhandled: 1, unknown: 0}]);
  });

  test('hold although the replay reads neither their vshard nor their lsn', () => {
    const [log] = replayed(dropped(), {scope: {vshard: 3}, to: 2n});
    expect(log).toEqual(['2 Put kept/2']);
    const late = dropped();
    late.appendCollectionTombstone(OWNER, 'kept', 100n);
    late.appendPut(SCOPE, text('kept/9'));
    late.wal.commitSync();
    expect(replayed(late, {from: 9n})).toEqual([[], {applied: 0, dropped: 1, unhandled: 0, unknown: 0}]);
  });

  test('are those given instead, where they are given', () => {
    const manager = dropped();
    expect(replayed(manager, {tombstones: new TombstoneSet()})[0]).toHaveLength(6);
    const tombstones = new TombstoneSet();
    tombstones.insert({...OWNER, collection: 'kept', purgeLsn: 3n});
    expect(replayed(manager, {tombstones})[0]).toHaveLength(5);
  });

  test('take members out of a transaction, and the rest is still numbered through', () => {
    const manager = openManager(new SimDisk());
    const put = (value: string): {type: 'Put'; payload: Uint8Array} => ({type: 'Put', payload: text(value)});
    manager.appendTransaction(SCOPE, [put('a/1'), put('gone/1'), {type: 'VectorPut', payload: text('b/1')}]);
    manager.appendTransaction(SCOPE, [put('gone/2')]);
    manager.appendCollectionTombstone(OWNER, 'gone', 3n);
    manager.wal.commitSync();
    const [log, report] = replayed(manager);
    expect(log).toEqual(['1 Put a/1 1/2', '1 VectorPut b/1 2/2']);
    expect(report).toEqual({applied: 2, dropped: 2, unhandled: 1, unknown: 0});
  });
});

describe('handlers', () => {
  test('a required write without one is an error, an optional one is counted, in transactions too', () => {
    const manager = openManager(new SimDisk());
    manager.appendLogBatch(SCOPE, text('l'));
    manager.appendTransaction(SCOPE, [
      {type: 'TimeseriesBatch', payload: text('t')},
      {type: 'Put', payload: text('p')},
    ]);
    manager.wal.appendRecord({type: 998, payload: text('?'), required: false});
    manager.wal.commitSync();
    const report = {applied: 1, dropped: 0, unhandled: 2, unknown: 1};
    expect(replayed(manager)).toEqual([['2 Put p 1/1'], report]);
    manager.appendArrayPut(SCOPE, text('a'));
    manager.wal.commitSync();
    const error = recordErrorOf(() => replayed(manager));
    expect(error).toMatchObject({code: 'no_handler', lsn: 4n, type: 40, typeName: 'ArrayPut'});
  });

  test('none is called for a transaction of which one member has none', () => {
    const manager = openManager(new SimDisk());
    manager.appendTransaction(SCOPE, [
      {type: 'Put', payload: text('p')},
      {type: 'CrdtDelta', payload: text('c')},
    ]);
    manager.wal.commitSync();
    const {log, handlers} = listener();
    expect(recordErrorOf(() => manager.replay(handlers, byPrefix))).toMatchObject({code: 'no_handler', lsn: 1n});
    expect(log).toEqual([]);
  });

  test('what one throws ends the replay, and the log is given back', () => {
    const manager = openManager(new SimDisk());
    for (let lsn = 1; lsn <= 40; lsn++) {
      manager.appendPut(SCOPE, new Uint8Array(1500));
      manager.wal.commitSync();
    }
    const failing = (): never => {
      throw new Error('no');
    };
    expect(() => manager.replay({Put: failing}, {collectionOf: () => null})).toThrow('no');
    expect(manager.wal.truncateBefore(30n)).toBeGreaterThan(0);
  });
});

test('unknown required records and malformed ones end the replay; a write belongs to somebody', () => {
  const wrong: [object, object][] = [
    [
      {type: 999, payload: text('')},
      {code: 'unknown_type', lsn: 2n, type: 999},
    ],
    [
      {type: 50, payload: text('?'), scope: SCOPE},
      {code: 'malformed', lsn: 2n, typeName: 'Transaction'},
    ],
    [
      {type: 1, payload: text('p')},
      {code: 'malformed', lsn: 2n, typeName: 'Put'},
    ],
    [
      {type: 50, payload: encodePayload(nodedbTypes.Transaction, [{type: 'Delete', payload: text('')}])},
      {code: 'malformed', lsn: 2n, typeName: 'Delete'},
    ],
  ];
  for (const [record, expected] of wrong) {
    const manager = openManager(new SimDisk());
    manager.appendPut(SCOPE, text('a/1'));
    manager.wal.appendRecord(record as Parameters<typeof manager.wal.appendRecord>[0]);
    manager.wal.commitSync();
    const {log, handlers} = listener();
    expect(recordErrorOf(() => manager.replay(handlers, byPrefix))).toMatchObject(expected);
    expect(log).toEqual(['1 Put a/1']);
  }
});

test('a log that nobody has open can be replayed', async () => {
  const disk = new SimDisk();
  const manager = openManager(disk);
  manager.appendPut(SCOPE, text('a/1'));
  await manager.close();
  const {log, handlers} = listener();
  replay({read: options => readWal({dir: DIR, io: disk}, options)}, handlers, byPrefix);
  expect(log).toEqual(['1 Put a/1']);
});
