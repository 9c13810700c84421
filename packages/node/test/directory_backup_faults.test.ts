/**
 * Backups that do not come to their end: any call of one fails, the disk is full, power is lost or the process ends. The
 * engine goes on, its directory is as it was, and what is there of the backup is nothing, or marked, or all of it.
 */
import {digestOf} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {beforeAll, describe, expect, test, vi} from 'vitest';
import {isOpenError, type SingleNodeEngine, verifyDirectory} from '../src/index.ts';
import {fill, SMALL, treeOf} from './directory_support.ts';
import {afterPowerCut, CONFIG, create, DIR, openErrorOf, openOn, said} from './support.ts';

// Each of these goes through every call; on a busy machine that takes its time.
vi.setConfig({testTimeout: 300_000});

const TO = '/backup';

let original: SimDisk = new SimDisk();
let digest: bigint = 0n;
let calls: number = 0;

beforeAll(async () => {
  const disk = new SimDisk();
  const engine = openOn(disk, SMALL);
  for (let i = 0; i < 2; i++) {
    fill(engine);
    await engine.checkpoint();
  }
  fill(engine);
  digest = digestOf(engine.db);
  engine.closeNow();
  original = disk.fork(1);
  const {disk: copy, engine: again} = opened(1);
  const before = copy.calls;
  await again.backup(TO);
  calls = copy.calls - before;
});

function opened(seed: number): {disk: SimDisk; engine: SingleNodeEngine} {
  const disk = original.fork(seed);
  return {disk, engine: openOn(disk, SMALL)};
}

async function attempt(engine: SingleNodeEngine): Promise<unknown> {
  const error: unknown = await engine.backup(TO).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error !== null && !isOpenError(error)) throw error;
  return error;
}

function stateOf(disk: SimDisk): 'nothing' | 'unfinished' | 'whole' {
  if (!disk.list('/').includes('backup')) return 'nothing';
  const names = disk.list(TO);
  if (names.length === 0) return 'nothing';
  if (names.includes('UNFINISHED')) {
    for (const config of [null, CONFIG]) {
      const error = openErrorOf(() => openOn(disk, {...SMALL, dir: TO, config}));
      expect([error.code, error.message]).toEqual(['unfinished', expect.stringContaining('remove it')]);
    }
    expect(openErrorOf(() => verifyDirectory(TO, disk)).code).toBe('unfinished');
    return 'unfinished';
  }
  expect(verifyDirectory(TO, disk)).toMatchObject({problems: [], digest});
  const engine = openOn(disk, {...SMALL, dir: TO, config: null});
  expect(digestOf(engine.db)).toBe(digest);
  return 'whole';
}

function expectSourceSound(disk: SimDisk): void {
  const engine = openOn(disk, SMALL);
  expect(digestOf(engine.db)).toBe(digest);
  engine.closeNow();
  expect(verifyDirectory(DIR, disk).problems).toEqual([]);
}

describe('whatever becomes of a backup, it is all or recognisably not', () => {
  test('power is lost, or the process ends, at any call', async () => {
    const ends = new Set<string>();
    for (let call = 1; call <= calls; call++) {
      const {disk, engine} = opened(call);
      disk.arm({call, kind: 'power_cut'});
      await attempt(engine);
      expect(disk.isDown).toBe(true);
      ends.add(stateOf(disk.fork(call)));
      const cuts = [call, call + 1000, call + 2000].map(seed => afterPowerCut(disk, seed));
      for (const left of cuts) ends.add(stateOf(left));
      for (const left of cuts.slice(0, 1)) expectSourceSound(left);
    }
    expect(ends).toEqual(new Set(['nothing', 'unfinished', 'whole']));
  });

  test.each([
    ['EIO', false, 1],
    ['EIO', true, 4],
    ['ENOSPC', false, 3],
    ['short', false, 5],
  ] as const)('a call fails with %s, for good: %s; every %i.', async (kind, forever, step) => {
    for (let call = step; call <= calls; call += step) {
      const {disk, engine} = opened(call);
      const source = treeOf(disk, DIR);
      disk.arm({call, kind, forever});
      const error = await attempt(engine);
      disk.arm(null);
      const left = stateOf(disk.fork(call));
      if (error === null) expect(left).toBe('whole');
      else if (!forever && call < calls - 3) expect([call, left]).toEqual([call, 'nothing']);
      if (kind === 'short') expect(error).toBeNull();
      // Nothing but the backup has noticed.
      expect([engine.state, treeOf(disk, DIR)]).toEqual(['running', source]);
      expect(engine.directory.wal.metrics.pins).toBe(0);
      expect(said(engine.handleApiRequest(create(60n)))).toMatch(/^ok@/);
      if (left === 'nothing') expect(await attempt(engine)).toBeNull();
      await engine.close();
    }
  });

  test('a full disk, at any size that is too small: a clear error, nothing left, and the log still has its room', async () => {
    let refused = 0;
    for (let spare = 0; ; spare += 5000) {
      const {disk, engine} = opened(1);
      // The engine's next segment has its room already.
      engine.handleApiRequest(create(50n));
      disk.spaceBytes = spare + [...treeOf(disk, '/').values()].reduce((sum, text) => sum + bytesOf(text), 0);
      const error = await attempt(engine);
      expect(said(engine.handleApiRequest(create(51n)))).toMatch(/^ok@/);
      if (error === null) break;
      expect(error).toMatchObject({code: 'storage_full', message: expect.stringContaining(`no room for ${TO}`)});
      expect(disk.list('/')).toEqual(['data']);
      refused++;
      await engine.close();
    }
    expect(refused).toBeGreaterThan(5);
  });

  test('a log that fails meanwhile ends it, with what the log says', async () => {
    const {disk, engine} = opened(2);
    const backup = engine.backup(TO);
    disk.arm({call: 1, kind: 'EIO'});
    engine.handleApiRequest(create(50n));
    disk.arm(null);
    expect(engine.state).toBe('halted');
    await expect(backup).rejects.toThrow('the log failed');
    expect(disk.list('/')).toEqual(['data']);
    await expect(engine.backup(TO)).rejects.toThrow('the log failed');
    expect(disk.list('/')).toEqual(['data']);
  });
});

function bytesOf(base64: string): number {
  return Buffer.from(base64, 'base64').length;
}
