/**
 * Files of truncated segments become the next ones: what they held is no frame, no evidence and no torn tail.
 */

import {expect, test} from 'vitest';
import {isWalError, verifyWal, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {SimRandom} from '../src/testing/sim_random.ts';
import {
  append,
  commitFrame,
  DIR,
  damage,
  errorOf,
  imageOf,
  openSmall,
  payloadOf,
  readAll,
  segmentNames,
} from './support.ts';

const BLOCK_BYTES = 512;

/** Goes on until every segment of the log has had another life before. */
function recycleAll(wal: Wal): void {
  for (let frame = 0; frame < 60; frame++) {
    commitFrame(wal, 4, 250);
    wal.truncateBefore(wal.durableLsn - 30n);
  }
}

function recycledLog(seed = 5): {disk: SimDisk; wal: Wal} {
  const disk = new SimDisk({seed});
  const wal = openSmall(disk);
  recycleAll(wal);
  return {disk, wal};
}

/** Counts the files that were created, which is what recycling saves. */
class CountingDisk extends SimDisk {
  created = 0;

  override open(path: string, mode: 'read' | 'write' | 'create'): number {
    if (mode === 'create' && path.includes('spare')) this.created++;
    return super.open(path, mode);
  }
}

test('a log that is truncated as fast as it grows creates no files', () => {
  const disk = new CountingDisk();
  const wal = openSmall(disk);
  recycleAll(wal);
  const {created} = disk;
  const {rolls} = wal.metrics;
  recycleAll(wal);
  expect(wal.metrics.rolls - rolls).toBeGreaterThan(5);
  expect(disk.created).toBe(created);
  expect(verifyWal({dir: DIR, io: disk}).lastLsn).toBe(480n);
});

test('at most recycleMax files are kept, with 0 none, and files of another size never', () => {
  for (const [recycleMax, kept] of [
    [0, 0],
    [1, 1],
    [3, 3],
  ] as const) {
    const disk = new SimDisk();
    const wal = openSmall(disk, {recycleMax});
    for (let frame = 0; frame < 40; frame++) commitFrame(wal, 4, 250);
    expect(wal.truncateBefore(wal.durableLsn)).toBeGreaterThan(4);
    expect(wal.metrics.sparesReady).toBe(kept);
    wal.closeSync();
    expect(disk.list(DIR).filter(name => name.includes('spare'))).toEqual([]);
  }
  const disk = new SimDisk();
  const small = openSmall(disk);
  for (let frame = 0; frame < 20; frame++) commitFrame(small, 4, 250);
  small.closeSync();
  const large = openSmall(disk, {segmentBytes: 32_768});
  for (let frame = 0; frame < 20; frame++) commitFrame(large, 4, 250);
  large.truncateBefore(70n);
  expect(large.metrics.sparesReady).toBe(0);
});

test('the old bytes behind the last frame are a clean end', () => {
  const {disk, wal} = recycledLog();
  const last = wal.durableLsn;
  wal.abandon();
  disk.endProcess();
  const again = openSmall(disk);
  expect(again.recovery).toMatchObject({ending: 'unclean', cutBytes: 0, lastLsn: last});
  again.closeSync();
  expect(openSmall(disk).recovery).toMatchObject({ending: 'clean', cutBytes: 0, lastLsn: last});
});

test('a torn frame in a recycled segment is cut, whatever of it arrived, and nothing else', () => {
  const endings = {unclean: 0, torn: 0};
  for (let seed = 1; seed <= 150; seed++) {
    const {disk, wal} = recycledLog(seed);
    const last = wal.durableLsn;
    for (let i = 0; i < 6; i++) append(wal, 600);
    disk.arm({call: 2, kind: 'power_cut'});
    expect(errorOf(() => wal.commitSync()).code).toBe('failed');
    disk.restart();
    const again = openSmall(disk);
    const {ending, cutBytes} = again.recovery;
    if (again.durableLsn === last + 6n) expect(ending).toBe('unclean');
    else {
      expect(again.durableLsn).toBe(last);
      expect(cutBytes === 0).toBe(ending === 'unclean');
      endings[ending as 'unclean' | 'torn']++;
    }
    const image = imageOf(disk);
    again.abandon();
    disk.endProcess();
    const twice = openSmall(disk);
    expect([twice.recovery.cutBytes, imageOf(disk)]).toEqual([0, image]);
    commitFrame(twice, 1);
    const found = readAll(twice.read(last));
    expect(found.lsns.length).toBe(Number(twice.durableLsn - last) + 1);
  }
  expect(endings.torn).toBeGreaterThan(20);
  expect(endings.unclean).toBeGreaterThan(20);
});

test('cutting a torn frame behind a lost marker touches its header only, so that cutting may be interrupted anywhere', () => {
  const {disk, wal} = recycledLog();
  const name = segmentNames(disk).at(-1) as string;
  const before = disk.contentOf(`${DIR}/${name}`);
  const last = wal.durableLsn;
  wal.markIdle();
  commitFrame(wal, 2, 400);
  wal.abandon();
  disk.endProcess();
  const after = disk.contentOf(`${DIR}/${name}`);
  const marker = after.findIndex((byte, at) => byte !== before[at]) & -BLOCK_BYTES;
  const frame = marker + BLOCK_BYTES;
  damage(disk, name, content => {
    content.set(before.subarray(marker, frame), marker);
    content.fill(7, frame + BLOCK_BYTES, frame + BLOCK_BYTES + 9);
  });
  const again = openSmall(disk);
  expect(again.recovery).toMatchObject({ending: 'torn', cutBytes: 2 * BLOCK_BYTES, lastLsn: last});
  const repaired = disk.contentOf(`${DIR}/${name}`);
  expect(repaired.subarray(marker, frame)).toEqual(before.subarray(marker, frame));
  expect(repaired.subarray(frame, frame + BLOCK_BYTES)).toEqual(new Uint8Array(BLOCK_BYTES));
});

test('damage to proven data in recycled segments is refused, sector by sector', () => {
  const {disk, wal} = recycledLog();
  wal.markIdle();
  wal.abandon();
  disk.endProcess();
  const random = new SimRandom(3);
  let refused = 0;
  for (const name of segmentNames(disk)) {
    const original = disk.contentOf(`${DIR}/${name}`);
    const view = new DataView(original.buffer);
    for (let at = 4096; at < original.length; ) {
      const bytes = (48 + view.getUint32(at + 20, true) + BLOCK_BYTES - 1) & -BLOCK_BYTES;
      // What follows the last frame of a segment is of an earlier life: another lsn than this segment continues with.
      if (view.getUint32(at, true) !== 0x464c4157 || view.getBigUint64(at + 8, true) < firstLsnOf(name)) break;
      for (let sector = at; original[at + 6] === 1 && sector < at + bytes; sector += BLOCK_BYTES) {
        for (const kind of ['flip', 'zero', 'garbage'] as const) {
          const damaged = disk.fork();
          damage(damaged, name, content => spoil(content, sector, kind, random));
          const error = errorOf(() => openSmall(damaged));
          if (error.code !== 'corruption' && error.code !== 'gap') expect.fail(`${kind} at ${name} ${sector}`);
          refused++;
        }
      }
      at += bytes;
    }
  }
  expect(refused).toBeGreaterThan(90);
});

function firstLsnOf(name: string): bigint {
  return BigInt(name.slice(4, 24));
}

function spoil(content: Uint8Array, sector: number, kind: 'flip' | 'zero' | 'garbage', random: SimRandom): void {
  const at = sector + random.below(BLOCK_BYTES);
  if (kind === 'flip') content[at] = (content[at] as number) ^ (1 << random.below(8));
  else if (kind === 'zero') content.fill(0, sector, sector + BLOCK_BYTES);
  else for (let i = 0; i < BLOCK_BYTES; i++) content[sector + i] = random.below(256);
}

test('a frame of an earlier life, put back where it was, is no frame: the salt is another', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  const first = segmentNames(disk)[0] as string;
  for (let frame = 0; frame < 20; frame++) commitFrame(wal, 4, 250);
  const before = disk.contentOf(`${DIR}/${first}`);
  wal.truncateBefore(60n);
  for (let frame = 0; frame < 12; frame++) commitFrame(wal, 4, 250);
  wal.abandon();
  disk.endProcess();
  const recycled = segmentNames(disk).find(name => {
    const content = disk.contentOf(`${DIR}/${name}`);
    return content[56] === 1;
  }) as string;
  damage(disk, recycled, content => content.set(before.subarray(4096, 4096 + 1536), 4096));
  const error = errorOf(() => openSmall(disk));
  expect(error).toMatchObject({code: 'corruption', segment: recycled, offset: 4096});
});

test('readers and pins keep files from being recycled under them', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (let frame = 0; frame < 40; frame++) commitFrame(wal, 4, 250);
  const cursor = wal.read(1n);
  expect(wal.truncateBefore(70n)).toBe(0);
  for (let i = 0; i < 10; i++) cursor.next();
  const pin = wal.pin(70n);
  cursor.close();
  const removed = wal.truncateBefore(150n);
  expect(removed).toBeGreaterThan(0);
  expect(wal.firstLsn).toBeLessThanOrEqual(70n);
  expect(errorOf(() => wal.pin(1n))).toMatchObject({code: 'missing_segment', lsn: 1n});
  pin.advance(110n);
  pin.advance(5n);
  expect(wal.truncateBefore(150n)).toBeGreaterThan(0);
  expect(wal.firstLsn).toBeGreaterThan(70n);
  pin.release();
  pin.release();
  expect(wal.truncateBefore(150n)).toBeGreaterThan(0);
  expect(readAll(wal.read(150n)).payloads[0]).toEqual(payloadOf(150n, 250));
});

test('every call of a truncation failing leaves a log that opens with everything that was to stay', () => {
  const build = (): {disk: SimDisk; wal: Wal} => {
    const disk = new SimDisk({seed: 9});
    const wal = openSmall(disk);
    for (let frame = 0; frame < 20; frame++) commitFrame(wal, 4, 250);
    return {disk, wal};
  };
  const model = build();
  const callsBefore = model.disk.calls;
  model.wal.truncateBefore(70n);
  const calls = model.disk.calls - callsBefore;
  expect(calls).toBeGreaterThan(5);
  for (let call = 1; call <= calls; call++) {
    for (const kind of ['EIO', 'power_cut'] as const) {
      const {disk, wal} = build();
      disk.arm({call, kind});
      try {
        wal.truncateBefore(70n);
      } catch (error) {
        expect(isWalError(error) && error.code).toBe('failed');
      }
      disk.restart();
      const again = openSmall(disk);
      expect(readAll(again.read(70n)).lsns).toEqual(Array.from({length: 11}, (_, i) => 70n + BigInt(i)));
      expect(disk.list(DIR).filter(name => name.includes('spare'))).toEqual([]);
    }
  }
});
