/**
 * The audit log: no purge without its entry, whatever fails when, and what a crash leaves is named.
 */

import {expect, test} from 'vitest';
import {isWalError} from '../../src/index.ts';
import {AuditLog} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {SMALL} from '../support.ts';
import {text} from './support.ts';

const OWNER = {tenant: 4n, database: 5n};
const SCOPE = {...OWNER, vshard: 0};
const PURGE = {engine: 'document', collection: 'orders', cutoffMs: 1000n} as const;

function open(disk: SimDisk): AuditLog {
  return AuditLog.open({dir: '/audit', io: disk, background: false, idleMarkerMs: 0, ...SMALL});
}

test('a purge leaves two entries, any other entry one, and they are there after a loss of power', async () => {
  const disk = new SimDisk();
  const audit = open(disk);
  expect(await audit.note({kind: 'login', detail: text('who')})).toBe(1n);
  expect(await audit.purge(OWNER, PURGE, async () => 12n)).toBe(12n);
  disk.restart();
  const again = open(disk);
  expect([...again.entries()]).toEqual([
    {lsn: 1n, stamp: 0n, scope: null, type: 'AuditNote', value: {kind: 'login', detail: text('who')}},
    {lsn: 2n, stamp: 0n, scope: SCOPE, type: 'PurgeBegun', value: PURGE},
    {lsn: 3n, stamp: 2n, scope: SCOPE, type: 'TemporalPurge', value: {...PURGE, purgedCount: 12n}},
  ]);
  expect([...again.entries({from: 3n})]).toHaveLength(1);
  expect(again.unfinished()).toEqual([]);
  await again.close();
});

test('the entry is durable when the purge runs', async () => {
  const disk = new SimDisk();
  const audit = open(disk);
  let copy = disk;
  await audit.purge(OWNER, PURGE, () => {
    copy = disk.fork();
    return 1n;
  });
  copy.restart();
  expect(open(copy).unfinished()).toEqual([{lsn: 1n, stamp: 0n, scope: SCOPE, type: 'PurgeBegun', value: PURGE}]);
});

test('a purge of an engine that there is not is refused before its entry, and the log stays readable', async () => {
  const disk = new SimDisk();
  const audit = open(disk);
  let runs = 0;
  const unknown = {...PURGE, engine: 'graph'} as unknown as typeof PURGE;
  const refused = audit.purge(OWNER, unknown, () => BigInt(++runs));
  await expect(refused).rejects.toThrow(RangeError);
  expect(runs).toBe(0);
  expect(await audit.purge(OWNER, PURGE, () => 1n)).toBe(1n);
  await audit.close();
  const again = open(disk);
  expect([...again.entries()].map(({lsn, type}) => [lsn, type])).toEqual([
    [1n, 'PurgeBegun'],
    [2n, 'TemporalPurge'],
  ]);
  expect(again.unfinished()).toEqual([]);
  await again.close();
});

test('a purge that fails is reported as unfinished until one like it is done', async () => {
  const audit = open(new SimDisk());
  const cause = new Error('the purge itself');
  const failing = audit.purge(OWNER, PURGE, () => {
    throw cause;
  });
  await expect(failing).rejects.toBe(cause);
  const others = [
    [{...OWNER, tenant: 9n}, PURGE],
    [{...OWNER, database: 9n}, PURGE],
    [OWNER, {...PURGE, engine: 'edge'}],
    [OWNER, {...PURGE, collection: 'others'}],
    [OWNER, {...PURGE, cutoffMs: 999n}],
  ] as const;
  for (const [owner, purge] of others) await audit.purge(owner, purge, () => 3n);
  expect(audit.unfinished()).toEqual([{lsn: 1n, stamp: 0n, scope: SCOPE, type: 'PurgeBegun', value: PURGE}]);
  await audit.purge(OWNER, {...PURGE, cutoffMs: 1001n}, () => {
    expect(audit.unfinished()).toHaveLength(2);
    return 3n;
  });
  expect(audit.unfinished()).toEqual([]);
});

test('if any call of the disk fails before the entry is durable, the purge does not run; none runs unseen', async () => {
  const seen = {refused: 0, unfinished: 0, done: 0};
  for (let call = 1; call <= 12; call++) {
    const disk = new SimDisk({seed: call});
    const audit = open(disk);
    await audit.note({kind: 'first', detail: text('')});
    let runs = 0;
    disk.arm({call, kind: 'EIO', forever: true});
    const purge = audit.purge(OWNER, PURGE, () => {
      runs++;
      return 1n;
    });
    const [result] = await Promise.allSettled([purge]);
    if (result.status === 'rejected' && !isWalError(result.reason)) throw result.reason;
    disk.arm(null);
    disk.restart();
    const again = open(disk);
    const types = [...again.entries({from: 2n})].map(({type}) => type);
    expect(types).toEqual(['PurgeBegun', 'TemporalPurge'].slice(0, types.length));
    expect(types.length).toBeGreaterThanOrEqual(result.status === 'fulfilled' ? 2 : runs);
    expect(again.unfinished()).toHaveLength(types.length === 1 ? 1 : 0);
    if (result.status === 'fulfilled') seen.done++;
    else if (runs > 0) seen.unfinished++;
    else seen.refused++;
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
});

test('a full disk refuses the purge and not the process; with space it goes on', async () => {
  const disk = new SimDisk();
  const audit = open(disk);
  disk.spaceBytes = 0;
  const detail = new Uint8Array(1500);
  const filling = Array.from({length: 40}, () => audit.note({kind: 'fill', detail}));
  const outcomes = await Promise.allSettled(filling);
  const refused = outcomes.filter(({status}) => status === 'rejected');
  expect(refused[0]).toMatchObject({reason: {code: 'storage_full'}});
  const large = {...PURGE, collection: 'c'.repeat(255)};
  let runs = 0;
  const run = (): bigint => BigInt(++runs);
  while ((await Promise.allSettled([audit.purge(OWNER, large, run)]))[0]?.status === 'fulfilled');
  const before = runs;
  await expect(audit.purge(OWNER, large, run)).rejects.toMatchObject({code: 'storage_full'});
  expect(runs).toBe(before);
  disk.spaceBytes = Number.POSITIVE_INFINITY;
  expect(await audit.purge(OWNER, large, run)).toBe(BigInt(before + 1));
});
