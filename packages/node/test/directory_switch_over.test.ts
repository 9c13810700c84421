/**
 * A reconfiguration that does not come to its end, at any call of it: the directory opens as the old one or as the new one,
 * with the same state, and as the new one what was set aside is whole. The same for an opening that finishes it and is
 * itself cut short.
 */
import {digestOf} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {beforeAll, describe, expect, test, vi} from 'vitest';
import {
  type DatabaseConfig,
  isOpenError,
  reconfigureDirectory,
  replayUntil,
  restoreDirectory,
  verifyDirectory,
} from '../src/index.ts';
import {failingTwice, fill, isDirectory, refusalOf, treeOf} from './directory_support.ts';
import {afterPowerCut, CONFIG, configWith, create, DIR, openErrorOf, openOn, said} from './support.ts';

// Each of these goes through every call; on a busy machine that takes its time.
vi.setConfig({testTimeout: 300_000});

const OPTIONS = {segmentBytes: 16 * 1024, maxFrameBytes: 4096} as const;
const LARGER: DatabaseConfig = configWith({}, {maxResources: 70, maxTtlSlots: 120n});
const KEPT = `${DIR}/before-29`;
const STAGING = `${DIR}/after-29`;

let original: SimDisk = new SimDisk();
let digest: bigint = 0n;
let calls: number = 0;

beforeAll(async () => {
  const disk = new SimDisk();
  const engine = openOn(disk, OPTIONS);
  fill(engine);
  await engine.checkpoint();
  fill(engine);
  digest = digestOf(engine.db);
  engine.closeNow();
  original = disk.fork(1);
  const copy = original.fork(1);
  const before = copy.calls;
  expect(await reconfigureDirectory(DIR, LARGER, {io: copy})).toMatchObject({lsn: 29n, digest});
  calls = copy.calls - before;
});

/** Which of the two the directory is, once it was opened; thoroughly, also that it goes on. */
function opensAs(disk: SimDisk, isThorough: boolean = true): 'old' | 'new' {
  const engine = openOn(disk, {...OPTIONS, config: null});
  const isNew = engine.config.core.maxResources === LARGER.core.maxResources;
  expect(engine.config).toEqual(isNew ? LARGER : CONFIG);
  expect(digestOf(engine.db)).toBe(digest);
  const names = disk.list(DIR).filter(name => name !== 'LOCK');
  expect(names.filter(name => name.startsWith('after'))).toEqual([]);
  expect(names).toEqual(
    isNew ? ['CONFIG', 'before-29', 'snapshots', 'wal'] : expect.arrayContaining(['CONFIG', 'wal']),
  );
  if (!isThorough) return isNew ? 'new' : 'old';
  expect(said(engine.handleApiRequest(create(64n, 1n << 99n, 99n)))).toBe('ok@30');
  engine.closeNow();
  expect(verifyDirectory(DIR, disk)).toMatchObject({problems: [], lsn: 30n});
  if (isNew) expect(verifyDirectory(KEPT, disk)).toMatchObject({problems: [], lsn: 29n, digest});
  return isNew ? 'new' : 'old';
}

/** What whoever only reads says of it. */
async function reads(disk: SimDisk): Promise<'sound' | 'unfinished'> {
  const before = treeOf(disk, DIR);
  const error: unknown = await replayUntil(DIR, {io: disk}).then(
    info => {
      expect(info).toMatchObject({lsn: 29n, digest});
      expect(verifyDirectory(DIR, disk)).toMatchObject({problems: [], digest});
    },
    (reason: unknown) => reason,
  );
  if (error !== undefined) {
    expect(error).toMatchObject({code: 'unfinished', message: expect.stringContaining('open it once')});
    expect(openErrorOf(() => verifyDirectory(DIR, disk)).code).toBe('unfinished');
    expect((await refusalOf(restoreDirectory(DIR, '/elsewhere', {io: disk}))).code).toBe('unfinished');
  }
  expect(treeOf(disk, DIR)).toEqual(before);
  return error === undefined ? 'sound' : 'unfinished';
}

function reconfigured(disk: SimDisk): Promise<unknown> {
  return reconfigureDirectory(DIR, LARGER, {io: disk});
}

function open(disk: SimDisk): unknown {
  return openOn(disk, {...OPTIONS, config: null});
}

function callsToOpen(disk: SimDisk): number {
  const copy = disk.fork(1);
  const before = copy.calls;
  open(copy);
  return copy.calls - before;
}

function isDecided(disk: SimDisk): boolean {
  return isDirectory(disk, STAGING) && disk.list(STAGING).includes('CONFIG');
}

/** Images of the disk after each call of an action was its last one: the process ended, or the power went. */
async function imagesOf(
  disk: SimDisk,
  call: number,
  action: (disk: SimDisk) => unknown,
  cuts: number,
): Promise<SimDisk[]> {
  const copy = disk.fork(call);
  copy.arm({call, kind: 'power_cut'});
  try {
    await action(copy);
  } catch {
    // It has lost its disk.
  }
  return [copy.fork(call), ...Array.from({length: cuts}, (_, i) => afterPowerCut(copy, call + 1000 * i))];
}

describe('a reconfiguration that is cut short', () => {
  test('at any call leaves the old directory or the new one', async () => {
    const ends: string[] = [];
    for (let call = 1; call <= calls; call++) {
      const images = await imagesOf(original, call, reconfigured, 2);
      for (const [i, image] of images.entries()) {
        // Readers have seen what they can see where the process was killed; the rest is about the disk.
        const said = i === 0 ? await reads(image) : 'and so';
        ends.push(`${said} ${opensAs(image, i === 0)}`);
      }
    }
    expect(new Set(ends)).toEqual(new Set(['sound old', 'unfinished new', 'sound new', 'and so old', 'and so new']));
    expect(ends.filter(end => end === 'unfinished new').length).toBeGreaterThan(20);
  });

  test('is finished by an opening, which may be cut short at any call itself', async () => {
    const images: SimDisk[] = [];
    for (let call = 1; call <= calls; call++) {
      const [image] = (await imagesOf(original, call, reconfigured, 0)) as [SimDisk];
      if (images.length > 0 || isDecided(image)) images.push(image);
    }
    expect(images.length).toBeGreaterThan(20);
    let old = 0;
    for (const [i, image] of images.entries()) {
      const most = callsToOpen(image);
      // Each image at some of its calls, none of the calls left out by all of them; those of the last steps at each.
      const step = isDecided(image) ? 13 : 1;
      for (let call = 1 + (i % step); call <= most; call += step) {
        for (const left of await imagesOf(image, call, open, 2)) if (opensAs(left, false) === 'old') old++;
      }
      if (isDecided(image) || !isDirectory(image, STAGING)) continue;
      // Its CONFIG has moved up, perhaps not on the disk: what the last steps remove must not be missed then.
      for (let call = most - 10; call <= most; call++) {
        for (const left of await imagesOf(image, call, open, 24)) expect(opensAs(left, false)).toBe('new');
      }
    }
    // Decided by a process that ended before this was on the disk, and then the power went too.
    expect(old).toBeLessThan(images.length);
  });

  test('goes on, or begins again, with the next reconfiguration', async () => {
    for (let call = 1; call <= calls; call += 3) {
      const [image] = await imagesOf(original, call, reconfigured, 0);
      const again = await reconfigureDirectory(DIR, LARGER, {io: image as SimDisk});
      expect([call, again.kept ?? 'before-29']).toEqual([call, 'before-29']);
      expect(opensAs(image as SimDisk)).toBe('new');
    }
  });

  test.each([
    ['EIO', 1],
    ['ENOSPC', 3],
    ['short', 5],
  ] as const)('because a call fails with %s, every %i.', async (kind, step) => {
    const before = treeOf(original, DIR);
    let undone = 0;
    for (let call = step; call <= calls; call += step) {
      const disk = original.fork(call);
      disk.arm({call, kind});
      const error: unknown = await reconfigureDirectory(DIR, LARGER, {io: disk}).then(
        () => null,
        (reason: unknown) => reason,
      );
      disk.arm(null);
      if (error !== null && !isOpenError(error)) throw error;
      if (kind === 'short') expect(error).toBeNull();
      const after = treeOf(disk, DIR);
      if (error !== null && !isDirectory(disk, KEPT) && !isDirectory(disk, STAGING)) {
        expect(after).toEqual(before);
        undone++;
      }
      for (const image of [disk.fork(1), afterPowerCut(disk, call)]) {
        const end = opensAs(image, call % 5 === 0);
        if (error === null) expect(end).toBe('new');
      }
    }
    if (kind !== 'short') expect(undone).toBeGreaterThan(calls / step / 2);
  });

  test('because a call fails, and power is lost while that is cleaned up, or by the opening after it', async () => {
    let decided = 1;
    while (!isDecided(((await imagesOf(original, decided, reconfigured, 0)) as [SimDisk])[0])) decided++;
    for (const call of [decided - 12, decided - 6, decided - 3, decided - 1, decided, decided + 1, decided + 2]) {
      for (let thenCalls = 1; ; thenCalls++) {
        const disk = original.fork(call);
        const io = failingTwice(disk, call, thenCalls);
        await reconfigureDirectory(DIR, LARGER, {io}).catch(() => undefined);
        if (!disk.isDown) break;
        for (let seed = call; seed < call + 4000; seed += 1000) opensAs(afterPowerCut(disk, seed), false);
        const killed = disk.fork(call);
        const most = callsToOpen(killed);
        for (let last = Math.max(1, most - 14); last <= most; last++) {
          for (const left of await imagesOf(killed, last, open, 2)) opensAs(left, false);
        }
      }
    }
  });

  test('because the disk is full: the old directory is as it was', async () => {
    const before = treeOf(original, DIR);
    const used = [...before.values()].reduce((sum, content) => sum + Buffer.from(content, 'base64').length, 0);
    let refused = 0;
    for (let spare = 0; ; spare += 2500) {
      const disk = original.fork(1);
      disk.spaceBytes = used + spare;
      const error: unknown = await reconfigureDirectory(DIR, LARGER, {io: disk}).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null) break;
      expect(error).toMatchObject({code: 'storage_full'});
      expect(treeOf(disk, DIR)).toEqual(before);
      refused++;
    }
    expect(refused).toBeGreaterThan(4);
  });

  test('a damaged CONFIG of the new one is refused by opening, and nothing is moved', async () => {
    for (let call = calls; call > 0; call--) {
      const [image] = (await imagesOf(original, call, reconfigured, 0)) as [SimDisk];
      if (!isDecided(image)) continue;
      image.flipBit(`${STAGING}/CONFIG`, 100, 1);
      const before = treeOf(image, DIR);
      expect(openErrorOf(() => openOn(image, {...OPTIONS, config: null})).code).toBe('corrupt_config');
      expect(treeOf(image, DIR)).toEqual(before);
    }
  });
});

test('a file that is named as a directory of a reconfiguration is nobody’s business', () => {
  const disk = original.fork(1);
  disk.replaceContent(`${DIR}/after-3`, new Uint8Array(5));
  expect(verifyDirectory(DIR, disk).problems).toEqual([]);
  openOn(disk, OPTIONS).closeNow();
  expect(disk.contentOf(`${DIR}/after-3`)).toHaveLength(5);
});
