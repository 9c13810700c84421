/**
 * Replay to an lsn: for any history and any lsn that is kept the state is the one that a fresh engine has after the same
 * requests; what is not kept is refused with what is; nothing is written.
 */
import {digestOf} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type DirectoryProgress, replayUntil, verifyDirectory} from '../src/index.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {createDirectoryAt} from '../src/testing/index.ts';
import {digestAt, fill, populate, refusalOf, SMALL, TickingDisk, treeOf} from './directory_support.ts';
import {CONFIG, DIR, openOn, SNAPSHOT_DIR} from './support.ts';

async function populated(seed: number): Promise<{disk: SimDisk; requests: Awaited<ReturnType<typeof populate>>}> {
  const disk = new SimDisk({seed});
  const engine = openOn(disk, SMALL);
  const requests = await populate(engine, seed);
  engine.closeNow();
  return {disk, requests};
}

describe('replay to an lsn', () => {
  test('gives the state of a fresh engine that was fed the same prefix, at any lsn that is kept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({min: 1, max: 1 << 30}), fc.array(fc.nat(), {maxLength: 4}), async (seed, places) => {
        const {disk, requests} = await populated(seed);
        const {snapshots, lsn: last, digest} = verifyDirectory(DIR, disk);
        const oldest = snapshots[0]?.lsn ?? 0n;
        const end = last ?? 0n;
        const before = treeOf(disk, DIR);
        expect(await replayUntil(DIR, {io: disk})).toMatchObject({lsn: end, digest});
        for (const place of [0, Number(end - oldest), ...places]) {
          const lsn = oldest + (BigInt(place) % (end - oldest + 1n));
          const info = await replayUntil(DIR, {io: disk, until: lsn});
          expect([lsn, info.lsn, info.digest]).toEqual([lsn, lsn, digestAt(requests, lsn)]);
          const base = snapshots.filter(snapshot => snapshot.lsn <= lsn).at(-1)?.lsn ?? 0n;
          expect(info.records).toBe(Number(lsn - base));
        }
        expect(treeOf(disk, DIR)).toEqual(before);
      }),
      {numRuns: 12},
    );
  });

  test('tells position and counts', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    fill(engine);
    engine.closeNow();
    expect(await replayUntil(DIR, {io: disk, until: 0n})).toMatchObject({
      lsn: 0n,
      slot: null,
      resources: 0,
      records: 0,
    });
    expect(await replayUntil(DIR, {io: disk, until: 7n})).toMatchObject({slot: 1n, resources: 7, reservations: 0});
    expect(await replayUntil(DIR, {io: disk, until: 12n})).toMatchObject({
      slot: 2n,
      resources: 7,
      reservations: 5,
      operations: 12,
      records: 12,
    });
    expect(await replayUntil(DIR, {io: disk})).toMatchObject({lsn: 17n, slot: 30n, records: 17});
  });

  test('takes an older snapshot where the newest is rotten, and the log alone where that is whole', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    fill(engine);
    await engine.checkpoint();
    fill(engine);
    const {lsn} = await engine.checkpoint();
    const digest = digestOf(engine.db);
    engine.closeNow();
    disk.flipBit(`${SNAPSHOT_DIR}/${snapshotName(lsn)}`, 400, 3);
    expect(await replayUntil(DIR, {io: disk})).toMatchObject({lsn, digest, records: Number(lsn - 17n)});
    disk.flipBit(`${SNAPSHOT_DIR}/${snapshotName(17n)}`, 400, 3);
    expect(await replayUntil(DIR, {io: disk})).toMatchObject({lsn, digest, records: Number(lsn)});
  });

  test('of what is not kept is refused, and the range named', async () => {
    const {disk} = await populated(3);
    const {snapshots, lsn} = verifyDirectory(DIR, disk);
    const [oldest, end] = [snapshots[0]?.lsn ?? 0n, lsn ?? 0n];
    for (const until of [0n, oldest - 1n, end + 1n, 2n ** 64n - 1n]) {
      const error = await refusalOf(replayUntil(DIR, {io: disk, until}));
      expect(error.code).toBe('lsn_out_of_range');
      expect(error.message).toContain(`no state at lsn ${until}: what is kept reaches from lsn ${oldest} to ${end}`);
    }
    await expect(replayUntil(DIR, {io: disk, until: -1n})).rejects.toThrow(RangeError);
    for (const snapshot of snapshots) disk.flipBit(`${SNAPSHOT_DIR}/${snapshotName(snapshot.lsn)}`, 400, 3);
    expect((await refusalOf(replayUntil(DIR, {io: disk, until: end}))).code).toBe('corrupt_snapshot');
  });

  test('where a directory begins behind a position', async () => {
    const disk = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: 500n, slot: 9n}, disk, 64 * 1024);
    expect(await replayUntil(DIR, {io: disk})).toMatchObject({lsn: 500n, slot: 9n, records: 0});
    expect((await refusalOf(replayUntil(DIR, {io: disk, until: 499n}))).message).toContain('from lsn 500 to 500');
  });

  test('refuses a directory in use, damage, and what is no database', async () => {
    const {disk} = await populated(5);
    const engine = openOn(disk.fork(1), SMALL);
    const busy = disk.fork(2);
    openOn(busy, SMALL);
    expect((await refusalOf(replayUntil(DIR, {io: busy}))).code).toBe('locked');
    engine.closeNow();
    expect((await refusalOf(replayUntil('/none', {io: disk}))).code).toBe('missing_config');
    disk.makeDir('/empty');
    expect((await refusalOf(replayUntil('/empty', {io: disk}))).code).toBe('missing_config');
    const segment = disk.list(`${DIR}/wal`).filter(name => name.endsWith('.seg'))[0];
    disk.flipBit(`${DIR}/wal/${segment}`, 5000, 1);
    const first = verifyDirectory(DIR, disk);
    expect(first.problems).not.toEqual([]);
  });

  test('tells how far it is, and ends with its signal', async () => {
    const disk = new TickingDisk();
    const engine = openOn(disk, {segmentBytes: 1 << 20});
    for (let i = 0; i < 100; i++) fill(engine);
    engine.closeNow();
    const told: DirectoryProgress[] = [];
    const {records} = await replayUntil(DIR, {io: disk, onProgress: progress => told.push(progress)});
    expect(told[0]).toEqual({phase: 'replay', unit: 'records', done: 0, total: records});
    expect(told.at(-1)).toEqual({phase: 'replay', unit: 'records', done: records, total: records});
    const controller = new AbortController();
    const ended = replayUntil(DIR, {
      io: disk,
      signal: controller.signal,
      onProgress: ({done}) => done > 0 && controller.abort(new Error('enough')),
    });
    await expect(ended).rejects.toThrow('enough');
    await expect(
      replayUntil(DIR, {
        io: disk,
        onProgress: () => {
          throw new Error('not listening');
        },
      }),
    ).rejects.toThrow('not listening');
    // Every file and the lock were let go of.
    expect(await replayUntil(DIR, {io: disk})).toMatchObject({records});
  });
});
