/**
 * What opening makes of what it finds: clean, unclean and torn ends, floors, missing and foreign files, interruptions.
 */

import {createHash} from 'node:crypto';
import {expect, test} from 'vitest';
import {dumpWal, isWalError, readWal, verifyWal, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {append, commitFrame, DIR, damage, errorOf, imageOf, openSmall, readAll, segmentNames} from './support.ts';

const CLEAN = `${DIR}/clean`;

/** A log of three records in three frames, whose writer vanished. */
function uncleanLog(): SimDisk {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (let i = 0; i < 3; i++) commitFrame(wal, 1);
  wal.abandon();
  return disk;
}

function onlySegment(disk: SimDisk): string {
  return segmentNames(disk)[0] as string;
}

test('the bytes of a small log are what version 1 wrote from the beginning', () => {
  const disk = new SimDisk({seed: 42});
  const wal = openSmall(disk);
  const payload = new Uint8Array(600).map((_, index) => index);
  for (let i = 1; i <= 3; i++) wal.append(i, 1, i * 5, -i, payload, i, 130);
  wal.commitSync();
  wal.markIdle();
  wal.appendScoped(9, 1, 1, 0, new Int32Array([1, 2, 3, 4, 5]), payload, 0, 600);
  wal.commitSync();
  wal.writeSnapshotMarkerSync(4, 0, new Uint8Array(16).fill(9));
  wal.closeSync();
  const hash = createHash('sha256');
  for (const name of disk.list(DIR)) hash.update(name).update(disk.contentOf(`${DIR}/${name}`));
  expect(hash.digest('hex').slice(0, 16)).toBe('9faa264a0765b99c');
});

test('an empty directory is a fresh log at the given lsn', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {firstLsn: 2n ** 40n});
  expect(wal.recovery).toEqual({
    ending: 'fresh',
    cutBytes: 0,
    firstLsn: 2n ** 40n,
    lastLsn: null,
    marker: null,
    segments: 0,
  });
  expect([wal.nextLsn, wal.durableLsn]).toEqual([2n ** 40n, 2n ** 40n - 1n]);
  expect(append(wal)).toBe(2n ** 40n);
  wal.closeSync();
  expect(openSmall(disk).recovery).toMatchObject({ending: 'clean', firstLsn: 2n ** 40n, lastLsn: 2n ** 40n});
});

test('an unclean log is opened without a cut, and opening twice gives the same bytes', () => {
  const disk = uncleanLog();
  openSmall(disk).abandon();
  const image = imageOf(disk);
  const wal = openSmall(disk);
  expect(wal.recovery).toMatchObject({ending: 'unclean', cutBytes: 0, lastLsn: 3n});
  wal.abandon();
  expect(imageOf(disk)).toEqual(image);
});

test('a torn last frame is cut, reported, and its lsn is given again', () => {
  const disk = uncleanLog();
  const whole = disk.contentOf(`${DIR}/${onlySegment(disk)}`);
  const grown = openSmall(disk);
  commitFrame(grown, 20);
  grown.abandon();
  damage(disk, onlySegment(disk), content => content.fill(0, 4096 + 3 * 512 + 512, 4096 + 3 * 512 + 1024));
  expect(verifyWal({dir: DIR, io: disk})).toMatchObject({ending: 'torn', lastLsn: 3n, frames: 3});
  expect(readAll(readWal({dir: DIR, io: disk})).lsns).toEqual([1n, 2n, 3n]);
  const wal = openSmall(disk);
  expect(wal.recovery).toMatchObject({ending: 'torn', lastLsn: 3n});
  expect(wal.recovery.cutBytes).toBeGreaterThan(1024);
  expect(disk.contentOf(`${DIR}/${onlySegment(disk)}`)).toEqual(whole);
  expect(append(wal)).toBe(4n);
  wal.closeSync();
  expect(readAll(readWal({dir: DIR, io: disk})).lsns).toEqual([1n, 2n, 3n, 4n]);
});

test('a torn tail that reaches below the floor is corruption', () => {
  const disk = uncleanLog();
  damage(disk, onlySegment(disk), content => content.fill(7, 4096 + 2 * 512, 4096 + 3 * 512));
  const image = imageOf(disk);
  const error = errorOf(() => openSmall(disk, {floor: 3n}));
  expect(error).toMatchObject({code: 'corruption', segment: onlySegment(disk), offset: 4096 + 1024, lsn: 3n});
  expect(imageOf(disk)).toEqual(image);
  const wal = openSmall(disk, {floor: 2n});
  expect(wal.recovery).toMatchObject({ending: 'torn', lastLsn: 2n});
  wal.abandon();
});

test('a log that is known to exist and is not there, or begins too late, is refused', () => {
  const disk = new SimDisk();
  expect(errorOf(() => openSmall(disk, {firstLsn: 8n, floor: 7n})).code).toBe('missing_log');
  expect(errorOf(() => readWal({dir: '/nowhere', io: disk})).code).toBe('missing_log');
  openSmall(disk, {firstLsn: 8n}).closeSync();
  expect(openSmall(disk, {floor: 7n}).recovery.lastLsn).toBeNull();
  disk.endProcess();
  expect(errorOf(() => openSmall(disk, {floor: 6n}))).toMatchObject({code: 'missing_segment', lsn: 7n});
});

test('the clean file: written by close, gone after opening, believed while it is there', () => {
  const disk = uncleanLog();
  openSmall(disk).closeSync();
  expect(disk.list(DIR)).toContain('clean');
  const closed = disk.fork();
  const wal = openSmall(disk);
  expect(wal.recovery.ending).toBe('clean');
  expect(disk.list(DIR)).not.toContain('clean');
  wal.abandon();

  const shortened = closed.fork();
  damage(shortened, onlySegment(shortened), content => content.fill(0, 4096 + 2 * 512));
  expect(errorOf(() => openSmall(shortened))).toMatchObject({code: 'corruption', lsn: 3n});
  expect(shortened.list(DIR)).toContain('clean');

  const lost = closed.fork();
  lost.unlink(`${DIR}/${onlySegment(lost)}`);
  expect(errorOf(() => openSmall(lost)).code).toBe('missing_log');

  const rotten = closed.fork();
  damage(rotten, 'clean', content => content.fill(1, 24, 26));
  expect(openSmall(rotten).recovery).toMatchObject({ending: 'unclean', lastLsn: 3n});

  const foreign = new SimDisk({seed: 5});
  openSmall(foreign).closeSync();
  closed.replaceContent(CLEAN, foreign.contentOf(CLEAN));
  expect(errorOf(() => openSmall(closed))).toMatchObject({code: 'corruption'});
});

test('a clean close is still one after a loss of power', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const disk = uncleanLog().fork(seed);
    openSmall(disk).closeSync();
    disk.restart();
    expect(openSmall(disk).recovery.ending).toBe('clean');
  }
});

test('the clean file is gone for good before the log takes a record', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = uncleanLog().fork(seed);
    openSmall(disk).closeSync();
    const wal = openSmall(disk);
    append(wal);
    wal.freeze();
    wal.writeFrozenSync();
    disk.restart();
    expect(disk.list(DIR)).not.toContain('clean');
  }
});

/** Several segments, all frames durable, closed or not. */
function longLog(close: boolean, seed = 1): SimDisk {
  const disk = new SimDisk({seed});
  const wal: Wal = openSmall(disk);
  for (let frame = 0; frame < 30; frame++) commitFrame(wal, 5, 300);
  if (close) wal.closeSync();
  else wal.abandon();
  expect(segmentNames(disk).length).toBeGreaterThan(3);
  return disk;
}

test('missing, swapped, emptied, renamed and foreign segments are each refused and left alone', () => {
  const base = longLog(false);
  const foreign = longLog(false, 9);
  const [first, second, third] = segmentNames(base).map(name => `${DIR}/${name}`) as [string, string, string];
  const cases: [string, RegExp, (disk: SimDisk) => void][] = [
    ['missing_segment', /segment 1 is followed by segment 3/, disk => disk.unlink(second)],
    ['corruption', /header .* another segment follows/, disk => disk.replaceContent(second, new Uint8Array(0))],
    ['corruption', /header .* another segment follows/, disk => disk.replaceContent(second, new Uint8Array(16_384))],
    ['corruption', /renamed/, disk => disk.rename(second, `${DIR}/wal-00000000000000000007.seg`)],
    ['corruption', /renamed/, disk => disk.replaceContent(second, base.contentOf(third))],
    ['corruption', /name that no writer/, disk => disk.rename(first, `${DIR}/wal-1.seg`)],
    [
      'corruption',
      /missing before the next/,
      disk => disk.replaceContent(second, base.contentOf(second).slice(0, 8192)),
    ],
    ['corruption', /another log uuid/, disk => disk.replaceContent(second, foreign.contentOf(second))],
  ];
  for (const [code, message, change] of cases) {
    const disk = base.fork();
    change(disk);
    const image = imageOf(disk);
    for (const refused of [errorOf(() => openSmall(disk)), errorOf(() => verifyWal({dir: DIR, io: disk}))]) {
      expect(refused.message).toMatch(message);
      expect(refused.code).toBe(code);
    }
    expect(imageOf(disk)).toEqual(image);
  }
});

test('a last segment without header and content is removed; with content it is refused', () => {
  const disk = longLog(false);
  const last = segmentNames(disk).at(-1) as string;
  const lastFirst = BigInt(last.slice(4, 24));
  const blank = disk.fork();
  damage(blank, last, content => content.fill(0));
  const wal = openSmall(blank);
  expect(wal.recovery.lastLsn).toBe(lastFirst - 1n);
  expect(segmentNames(blank)).not.toContain(last);
  commitFrame(wal, 5, 300);
  wal.closeSync();
  expect(verifyWal({dir: DIR, io: blank}).lastLsn).toBe(lastFirst + 4n);

  const headless = disk.fork();
  damage(headless, last, content => content.fill(0, 0, 4096));
  expect(errorOf(() => openSmall(headless))).toMatchObject({code: 'corruption', segment: last, offset: 0});

  const before = segmentNames(disk).at(-2) as string;
  damage(disk, last, content => content.fill(0));
  damage(disk, before, content => content.fill(0, 8192));
  expect(
    errorOf(() => openSmall(disk)),
    'its name proves what is missing',
  ).toMatchObject({code: 'corruption'});
});

test('tail verification leaves older segments to the reader, which finds the damage', () => {
  const disk = longLog(true);
  const second = segmentNames(disk)[1] as string;
  damage(disk, second, content => content.set([1, 2, 3], 5000));
  expect(errorOf(() => openSmall(disk)).code).toBe('corruption');
  const wal = openSmall(disk, {verify: 'tail'});
  expect(errorOf(() => readAll(wal.read(1n)))).toMatchObject({code: 'corruption', segment: second});
  expect(readAll(wal.read(wal.durableLsn)).lsns).toEqual([150n]);
  wal.abandon();
});

test('a frame larger than maxReadFrameBytes is refused by name; one larger than is written now is read', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {maxFrameBytes: 7000});
  commitFrame(wal, 3, 2000);
  wal.closeSync();
  expect(errorOf(() => openSmall(disk, {maxReadFrameBytes: 4096})).code).toBe('too_large');
  const again = openSmall(disk);
  expect(readAll(again.read(1n)).lsns).toEqual([1n, 2n, 3n]);
  again.closeSync();
});

test('a newer format is refused as such', () => {
  const disk = uncleanLog();
  const image = disk.contentOf(`${DIR}/${onlySegment(disk)}`);
  expect(image[8]).toBe(1);
  const view = new DataView(image.buffer);
  view.setUint32(8, 2, true);
  disk.replaceContent(`${DIR}/${onlySegment(disk)}`, image);
  expect(errorOf(() => openSmall(disk)).code, 'damage is not a version').toBe('corruption');
});

test('recovery cut short at any call, by power or by the process, and repeated, ends the same', () => {
  const torn = uncleanLog();
  damage(torn, onlySegment(torn), content => content.fill(3, 4096 + 3 * 512, 4096 + 7 * 512));
  torn.replaceContent(`${DIR}/wal-spare-0.tmp`, new Uint8Array(4096));
  const closed = uncleanLog();
  openSmall(closed).closeSync();
  for (const base of [torn, closed]) {
    const whole = base.fork();
    const before = whole.calls;
    openSmall(whole).abandon();
    const calls = whole.calls - before;
    const expected = imageOf(whole);
    for (let call = 1; call <= calls; call++) {
      for (const [kind, seed] of [
        ['power_cut', 1],
        ['power_cut', 2],
        ['power_cut', 3],
        ['EIO', 4],
      ] as const) {
        const disk = base.fork(seed * 1000 + call);
        disk.arm({call, kind, forever: true});
        errorOf(() => openSmall(disk));
        disk.arm(null);
        if (kind === 'power_cut') disk.restart();
        openSmall(disk).abandon();
        expect(imageOf(disk), `${kind} at call ${call}`).toEqual(expected);
      }
    }
  }
});

test('a dump of a damaged log shows everything before the damage, then the damage, and touches nothing', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (let frame = 0; frame < 4; frame++) commitFrame(wal, 2);
  wal.markIdle();
  wal.abandon();
  disk.endProcess();
  const name = segmentNames(disk)[0] as string;
  const torn = disk.fork();
  damage(torn, name, content => content.fill(7, 4096 + 2560, 4096 + 2700));
  expect([...dumpWal({dir: DIR, io: torn})].at(-1)).toMatchObject({kind: 'end', offset: 4096 + 2560, dirtyBytes: 512});
  damage(disk, name, content => content.fill(7, 4096 + 1100, 4096 + 1200));
  const image = imageOf(disk);
  const entries = [...dumpWal({dir: DIR, io: disk, records: true})];
  expect(entries.map(({kind}) => kind)).toEqual([
    'segment',
    ...['frame', 'record', 'record'],
    ...['frame', 'record', 'record'],
    'damage',
  ]);
  expect(entries.at(-1)).toMatchObject({error: {code: 'corruption', lsn: 5n, offset: 4096 + 1024}});
  expect(imageOf(disk)).toEqual(image);
  expect([...dumpWal({dir: '/nowhere', io: disk})]).toMatchObject([{kind: 'damage', error: {code: 'missing_log'}}]);
});

/** The last lsn of a directory: null for one without a log. */
function lastLsnOf(disk: SimDisk, dir: string): bigint | null | 'refused' {
  try {
    return verifyWal({dir, io: disk}).lastLsn;
  } catch (error) {
    if (isWalError(error)) return 'refused';
    throw error;
  }
}

test('a copy fails with our error at every call, its source goes on, and what is left does not open as a log', async () => {
  const build = (): {disk: SimDisk; wal: Wal} => {
    const disk = new SimDisk({seed: 2});
    const wal = openSmall(disk);
    for (let frame = 0; frame < 12; frame++) commitFrame(wal, 4, 300);
    return {disk, wal};
  };
  const model = build();
  const before = model.disk.calls;
  await model.wal.copyTo({to: '/copy'});
  const calls = model.disk.calls - before;
  for (let call = 1; call <= calls; call++) {
    const {disk, wal} = build();
    disk.arm({call, kind: call % 2 === 0 ? 'EIO' : 'ENOSPC'});
    await expect(wal.copyTo({to: '/copy'}), `call ${call}`).rejects.toMatchObject({code: 'io'});
    disk.arm(null);
    commitFrame(wal, 1);
    expect(wal.truncateBefore(40n)).toBeGreaterThan(0);
    wal.closeSync();
    for (const seed of [1, 2, 3]) {
      const crashed = disk.fork(seed);
      crashed.restart();
      if (crashed.list('/').includes('copy')) expect(['refused', null, 48n]).toContain(lastLsnOf(crashed, '/copy'));
    }
  }
  expect(calls).toBeGreaterThan(20);
});
