/**
 * Restoring: the state at any lsn that is kept, with the records through it and a log id of its own; the whole; and what
 * is left where it fails, is killed or is refused.
 */
import {digestOf} from '@allocdb/core';
import {readWal} from '@allocdb/wal';
import {type DiskFault, SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {beforeAll, describe, expect, test, vi} from 'vitest';
import {type DirectoryProgress, isOpenError, replayUntil, restoreDirectory, verifyDirectory} from '../src/index.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {createDirectoryAt} from '../src/testing/index.ts';
import {
  digestAt,
  failingTwice,
  feed,
  fill,
  logIdOf,
  populate,
  RandomRequests,
  recordsOf,
  refusalOf,
  SMALL,
  TickingDisk,
  treeOf,
} from './directory_support.ts';
import {afterPowerCut, CONFIG, create, DIR, openErrorOf, openOn, said, WAL_DIR} from './support.ts';

// Each of these goes through every call; on a busy machine that takes its time.
vi.setConfig({testTimeout: 300_000});

const TO = '/restored';
const TO_WAL = `${TO}/wal`;

async function populated(seed: number): Promise<SimDisk> {
  const disk = new SimDisk({seed});
  const engine = openOn(disk, SMALL);
  await populate(engine, seed);
  engine.closeNow();
  return disk;
}

describe('the state at an lsn', () => {
  test('is that of a fresh engine which was fed the same prefix, whatever the history', async () => {
    const runs = fc.asyncProperty(
      fc.integer({min: 1, max: 1 << 30}),
      fc.nat(),
      fc.boolean(),
      async (seed, at, torn) => {
        const disk = new SimDisk({seed});
        const engine = openOn(disk, SMALL);
        const requests = await populate(engine, seed);
        // A clean end, or that of a process which was killed in the middle of a write.
        if (torn) {
          disk.arm({call: 1, kind: 'power_cut'});
          feed(engine, new RandomRequests(seed + 1).take(1));
          disk.restart();
        } else engine.closeNow();
        const {snapshots, lsn: last} = verifyDirectory(DIR, disk);
        const oldest = snapshots[0]?.lsn ?? 0n;
        const atLsn = oldest + (BigInt(at) % ((last ?? 0n) - oldest + 1n));
        const source = treeOf(disk, DIR);
        const digest = digestAt(requests, atLsn);
        const before = (await replayUntil(DIR, {io: disk, until: atLsn})).digest;
        const info = await restoreDirectory(DIR, TO, {io: disk, atLsn});
        expect(treeOf(disk, DIR)).toEqual(source);
        expect(info).toMatchObject({lsn: atLsn, digest});
        expect(before).toBe(digest);
        expect(verifyDirectory(TO, disk)).toMatchObject({problems: [], lsn: atLsn || null, digest, tornBytes: 0});
        const [old, restored] = [recordsOf(disk, WAL_DIR), recordsOf(disk, TO_WAL)];
        expect(BigInt(restored.size)).toBe(info.records);
        for (const [lsn, record] of restored) expect([lsn, record]).toEqual([lsn, old.get(lsn)]);
        if (restored.size > 0) expect([...restored.keys()].at(-1)).toBe(atLsn);
        expect(logIdOf(disk, TO_WAL)).not.toBe(logIdOf(disk, WAL_DIR));
        const reopened = openOn(disk, {...SMALL, dir: TO, config: null});
        expect(digestOf(reopened.db)).toBe(digest);
        expect(said(reopened.handleApiRequest(create(99n, 1n << 100n, 1n << 30n)))).toBe(`ok@${atLsn + 1n}`);
        await reopened.checkpoint();
        reopened.closeNow();
        expect(verifyDirectory(TO, disk).problems).toEqual([]);
      },
    );
    await fc.assert(runs, {numRuns: 30});
  });

  test('may lie before the first command, and at each record of a frame', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, SMALL);
    engine.handleApiRequest({
      type: 'submit_batch',
      requestSlot: 1n,
      payloads: new RandomRequests(4).take(20).flatMap(request => (request.type === 'submit' ? [request.payload] : [])),
    });
    const last = engine.durableLsn ?? 0n;
    engine.closeNow();
    const digests = new Set<bigint>();
    for (let atLsn = 0n; atLsn <= last; atLsn++) {
      const copy = disk.fork(1);
      const {digest, records} = await restoreDirectory(DIR, TO, {io: copy, atLsn});
      expect(records).toBe(atLsn);
      digests.add(digest);
      expect(openOn(copy, {dir: TO, config: null}).durableLsn).toBe(atLsn || null);
    }
    expect(digests.size).toBe(Number(last) + 1);
  });

  test('outside of what is kept is refused, naming what is, and leaves nothing', async () => {
    const disk = await populated(1);
    const {snapshots, lsn} = verifyDirectory(DIR, disk);
    for (const atLsn of [(snapshots[0]?.lsn ?? 0n) - 1n, (lsn ?? 0n) + 1n]) {
      const error = await refusalOf(restoreDirectory(DIR, TO, {io: disk, atLsn}));
      expect(error.code).toBe('lsn_out_of_range');
      expect(error.message).toContain(`what is kept reaches from lsn ${snapshots[0]?.lsn} to ${lsn}`);
    }
    expect(disk.list('/')).toEqual(['data']);
  });
});

describe('the whole', () => {
  test('has every record and both snapshots, and the marks of their digests in its log', async () => {
    const disk = await populated(2);
    const {lsn, digest, snapshots} = verifyDirectory(DIR, disk);
    const told: DirectoryProgress[] = [];
    const info = await restoreDirectory(DIR, TO, {io: disk, onProgress: progress => told.push(progress)});
    expect(info).toMatchObject({lsn, digest, snapshotLsn: snapshots.at(-1)?.lsn});
    expect(recordsOf(disk, TO_WAL)).toEqual(recordsOf(disk, WAL_DIR));
    expect(disk.list(`${TO}/snapshots`)).toEqual(snapshots.map(snapshot => snapshotName(snapshot.lsn)));
    for (const {lsn: of} of snapshots) {
      const name = snapshotName(of);
      expect(disk.contentOf(`${TO}/snapshots/${name}`)).toEqual(disk.contentOf(`${DIR}/snapshots/${name}`));
    }
    expect(disk.contentOf(`${TO}/CONFIG`)).toEqual(disk.contentOf(`${DIR}/CONFIG`));
    expect(markersOf(disk, TO_WAL)).toEqual(markersOf(disk, WAL_DIR));
    expect(verifyDirectory(TO, disk).snapshots.map(({matchesReplay}) => matchesReplay)).toEqual([null, true]);
    expect([...new Set(told.map(({phase}) => phase))]).toEqual(['replay', 'copy', 'verify']);
    for (const phase of ['replay', 'copy', 'verify']) {
      const last = told.filter(one => one.phase === phase).at(-1);
      expect(last?.done).toBe(last?.total);
    }
    const bytes = [...treeOf(disk, TO).values()].reduce(
      (sum, content) => sum + Buffer.from(content, 'base64').length,
      0,
    );
    expect(info.bytes).toBe(bytes);
  });

  test('of a restored directory, and of one that begins behind a position', async () => {
    const disk = await populated(3);
    const first = await restoreDirectory(DIR, TO, {io: disk});
    const second = await restoreDirectory(TO, '/again', {io: disk});
    expect({...second, durationMs: 0}).toEqual({...first, durationMs: 0});
    expect(new Set([WAL_DIR, TO_WAL, '/again/wal'].map(dir => logIdOf(disk, dir))).size).toBe(3);
    const behind = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: 900n, slot: 4n}, behind, 64 * 1024);
    expect(await restoreDirectory(DIR, TO, {io: behind})).toMatchObject({lsn: 900n, slot: 4n, records: 0n});
    expect(said(openOn(behind, {dir: TO, config: null}).handleApiRequest(create(1n, 1n, 9n)))).toBe('ok@901');
  });

  test('leaves a rotten snapshot out', async () => {
    const disk = await populated(4);
    const {snapshots, lsn, digest} = verifyDirectory(DIR, disk);
    const [older, newest] = snapshots.map(snapshot => snapshotName(snapshot.lsn));
    disk.flipBit(`${DIR}/snapshots/${newest}`, 300, 1);
    expect(await restoreDirectory(DIR, TO, {io: disk})).toMatchObject({lsn, digest, snapshotLsn: snapshots[0]?.lsn});
    expect(disk.list(`${TO}/snapshots`)).toEqual([older]);
    expect(verifyDirectory(TO, disk)).toMatchObject({problems: [], lsn, digest});
  });
});

function markersOf(disk: SimDisk, dir: string): string[] {
  const markers: string[] = [];
  const cursor = readWal({dir, io: disk});
  for (let event = cursor.next(); event !== 0; event = cursor.next()) {
    if (event === 3) markers.push(`${cursor.lsn} ${Buffer.from(cursor.payload()).toString('hex')}`);
  }
  cursor.close();
  return markers;
}

describe('refused', () => {
  let disk = new SimDisk();
  beforeAll(async () => {
    disk = await populated(6);
  });

  test.each([
    ['a target that holds a file', '/full', 'not_empty'],
    ['a target that holds a database', DIR, 'not_empty'],
    ['a target inside a data directory', `${DIR}/restored`, 'not_empty'],
    ['one deeper inside, by a roundabout name', `/full/../data/./wal/inner`, 'not_empty'],
    ['a target without a parent', '/none/restored', 'io'],
  ])('%s', async (_, to, code) => {
    const copy = disk.fork(1);
    copy.makeDir('/full');
    copy.replaceContent('/full/file', new Uint8Array(3));
    const before = treeOf(copy, '/');
    expect((await refusalOf(restoreDirectory(DIR, to, {io: copy}))).code).toBe(code);
    expect(treeOf(copy, '/')).toEqual(before);
  });

  test('an unfinished target, and an unfinished source', async () => {
    const copy = disk.fork(1);
    const calls = copy.calls;
    await restoreDirectory(DIR, '/measured', {io: copy});
    const killed = disk.fork(1);
    killed.arm({call: Math.floor((copy.calls - calls) * 0.9), kind: 'power_cut'});
    await restoreDirectory(DIR, TO, {io: killed}).catch(() => undefined);
    const left = killed.fork(2);
    expect(left.list(TO)).toContain('UNFINISHED');
    expect((await refusalOf(restoreDirectory(DIR, TO, {io: left}))).message).toContain('not finished');
    expect((await refusalOf(restoreDirectory(TO, '/other', {io: left}))).code).toBe('unfinished');
    expect(openErrorOf(() => openOn(left, {dir: TO, config: CONFIG})).code).toBe('unfinished');
    expect(openErrorOf(() => verifyDirectory(TO, left)).code).toBe('unfinished');
    expect((await refusalOf(replayUntil(TO, {io: left}))).code).toBe('unfinished');
  });

  test('a source in use, a source that is damaged, a target in use', async () => {
    const copy = disk.fork(1);
    const engine = openOn(copy, SMALL);
    expect((await refusalOf(restoreDirectory(DIR, TO, {io: copy}))).code).toBe('locked');
    engine.closeNow();
    copy.makeDir(TO);
    const lock = copy.lock(TO);
    expect((await refusalOf(restoreDirectory(DIR, TO, {io: copy}))).code).toBe('locked');
    lock.release();
    const segment = copy
      .list(WAL_DIR)
      .filter(name => name.endsWith('.seg'))
      .at(-1);
    copy.flipBit(`${WAL_DIR}/${segment}`, 4096 + 20, 1);
    expect((await refusalOf(restoreDirectory(DIR, TO, {io: copy}))).code).toBe('corrupt_log');
    expect(copy.list(TO)).toEqual([]);
  });
});

describe('a restore that does not come to its end', () => {
  let disk = new SimDisk();
  let calls = 0;
  let digest = 0n;

  beforeAll(async () => {
    const engine = openOn(disk, SMALL);
    fill(engine);
    await engine.checkpoint();
    fill(engine);
    await engine.checkpoint();
    fill(engine);
    digest = digestOf(engine.db);
    engine.closeNow();
    const copy = disk.fork(1);
    const before = copy.calls;
    await restoreDirectory(DIR, TO, {io: copy});
    calls = copy.calls - before;
    disk = disk.fork(3);
  });

  /** Nothing, or something that is recognised as unfinished, or the whole; never less. */
  function expectAllOrNothing(left: SimDisk): 'nothing' | 'unfinished' | 'whole' {
    if (!left.list('/').includes('restored')) return 'nothing';
    const names = left.list(TO).filter(name => name !== 'LOCK');
    if (names.length === 0) return 'nothing';
    if (names.includes('UNFINISHED')) {
      expect(openErrorOf(() => openOn(left, {...SMALL, dir: TO})).code).toBe('unfinished');
      return 'unfinished';
    }
    expect(left.list(`${TO}/snapshots`)).toHaveLength(2);
    expect(verifyDirectory(TO, left)).toMatchObject({problems: [], digest});
    expect(digestOf(openOn(left, {...SMALL, dir: TO}).db)).toBe(digest);
    return 'whole';
  }

  test('power is lost, or the process ends, at any call', async () => {
    const ends = new Set<string>();
    for (let call = 1; call <= calls; call++) {
      const copy = disk.fork(call);
      copy.arm({call, kind: 'power_cut'});
      await expect(restoreDirectory(DIR, TO, {io: copy})).rejects.toThrow();
      ends.add(expectAllOrNothing(copy.fork(call)));
      for (const seed of [call, call + 1000, call + 2000]) ends.add(expectAllOrNothing(afterPowerCut(copy, seed)));
    }
    expect(ends).toEqual(new Set(['nothing', 'unfinished', 'whole']));
  });

  test.each([
    ['EIO', 1],
    ['ENOSPC', 3],
    ['short', 5],
  ] as const)('a call fails with %s, every %i.: nothing is left', async (kind, step) => {
    const source = treeOf(disk, DIR);
    for (let call = step; call <= calls; call += step) {
      const copy = disk.fork(call);
      const fault: DiskFault = {call, kind};
      copy.arm(fault);
      const error = await restoreDirectory(DIR, TO, {io: copy}).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error !== null && !isOpenError(error)) throw error;
      copy.arm(null);
      const left = expectAllOrNothing(copy.fork(1));
      if (error === null) expect(left).toBe('whole');
      else if (call < calls - 3) expect([call, left]).toEqual([call, 'nothing']);
      if (kind === 'short') expect(error).toBeNull();
      if (call % 5 !== 0) continue;
      expect(treeOf(copy, DIR)).toEqual(source);
      // No lock and no file is held.
      if (left === 'nothing') expect(await restoreDirectory(DIR, TO, {io: copy})).toMatchObject({digest});
    }
  });

  test('a call fails, and power is lost while what was written is removed', async () => {
    const ends = new Set<string>();
    // Towards the end there is most to be removed, CONFIG among it.
    for (let call = 1; call <= calls; call += call < calls - 30 ? 7 : 1) {
      for (let thenCalls = 1; ; thenCalls++) {
        const copy = disk.fork(call);
        await restoreDirectory(DIR, TO, {io: failingTwice(copy, call, thenCalls)}).catch(() => undefined);
        if (!copy.isDown) break;
        for (let seed = call; seed < call + 4000; seed += 1000) ends.add(expectAllOrNothing(afterPowerCut(copy, seed)));
      }
    }
    expect(ends).toEqual(new Set(['nothing', 'unfinished']));
  });

  test('a full disk, at any size that is too small', async () => {
    let used = 0;
    for (const content of treeOf(disk, '/').values()) used += Buffer.from(content, 'base64').length;
    let refused = 0;
    for (let spare = 0; ; spare += 7_000) {
      const copy = disk.fork(1);
      copy.makeDir(TO);
      copy.spaceBytes = used + spare;
      const error = await restoreDirectory(DIR, TO, {io: copy}).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null) break;
      expect(error).toMatchObject({code: 'storage_full', message: expect.stringContaining(`no room for ${TO}`)});
      expect(copy.list(TO)).toEqual([]);
      refused++;
    }
    expect(refused).toBeGreaterThan(4);
  });

  test('its signal ends it, in any phase, and nothing is left', async () => {
    const ticking = new TickingDisk();
    const engine = openOn(ticking, SMALL);
    fill(engine);
    engine.closeNow();
    for (const phase of ['replay', 'copy', 'verify']) {
      const controller = new AbortController();
      const ended = restoreDirectory(DIR, TO, {
        io: ticking,
        signal: controller.signal,
        onProgress: progress => progress.phase === phase && controller.abort(new Error('enough')),
      });
      await expect(ended).rejects.toThrow('enough');
      expect([phase, ticking.list('/')]).toEqual([phase, ['data']]);
    }
    expect(await restoreDirectory(DIR, TO, {io: ticking})).toMatchObject({records: expect.any(BigInt)});
  });
});
