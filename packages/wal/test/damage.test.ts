/**
 * Damage to what is proven is refused, and damage to what is not proven never costs more than the unproven.
 *
 * Each case forks a disk that holds a finished log, changes some bytes on the platter, and opens it.
 */

import fc from 'fast-check';
import {expect, test} from 'vitest';
import {readWal, verifyWal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {SimRandom} from '../src/testing/sim_random.ts';
import {sampleBits} from './campaign/bit_flips.ts';
import {
  DAMAGE_KINDS,
  damageIsRefused,
  dataSectors,
  type FinishedLog,
  finishedLog,
  openCode,
  type Proof,
} from './campaign/damages.ts';
import {HEADER_BYTES, SECTOR_BYTES} from './campaign/log_bytes.ts';
import {append, commitFrame, DIR, damage, errorOf, openSmall, readAll, segmentNames} from './support.ts';

const RECORDS_PER_FRAME = 3;
const FRAMES = 24;
/** Damage is random within a sector, so each sector has several turns. */
const ROUNDS = 8;
const LAST = BigInt(RECORDS_PER_FRAME * FRAMES);

function stairs(proof: Proof): FinishedLog {
  const frames = Array.from({length: FRAMES}, (_, frame) => Array(RECORDS_PER_FRAME).fill(100 + frame * 20));
  return finishedLog(proof, frames);
}

for (const proof of ['idle', 'seal', 'floor'] as const) {
  test(`proven by ${proof}: every kind of damage in every sector is refused, and nothing is touched`, () => {
    const log = stairs(proof);
    const random = new SimRandom(11);
    const sectors = dataSectors(log.disk);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const sector of sectors) {
        for (const kind of DAMAGE_KINDS) if (damageIsRefused(log, sector, kind, random)) refused++;
      }
    }
    expect(refused).toBeGreaterThan(2000);
  });
}

test('a flipped bit anywhere in a log is refused or harmless, for readers and for opening', () => {
  const counts = sampleBits(17, 3000);
  expect(counts).toMatchObject({bits: 3000, opened: 3000});
  expect(counts.refused).toBeGreaterThan(1000);
  expect(counts.harmless).toBeGreaterThan(100);
  expect(counts.cut).toBeGreaterThan(0);
});

test('any flipped byte of the last, unproven frame costs that frame and nothing else', () => {
  const {disk: base} = stairs('none');
  const name = segmentNames(base).at(-1) as string;
  const lastFrame = dataSectors(base).slice(-2);
  const random = new SimRandom(5);
  for (const sector of lastFrame) {
    for (let at = sector.at; at < sector.at + SECTOR_BYTES; at += 1 + random.below(3)) {
      const disk = base.fork();
      damage(disk, name, content => {
        content[at] = (content[at] as number) ^ (1 + random.below(255));
      });
      const wal = openSmall(disk);
      expect(wal.recovery.ending).toBe('torn');
      expect(wal.durableLsn).toBeGreaterThanOrEqual(LAST - BigInt(RECORDS_PER_FRAME));
      expect(wal.durableLsn).toBeLessThan(LAST);
      expect(readAll(wal.read(1n)).lsns.length).toBe(Number(wal.durableLsn));
      wal.abandon();
    }
  }
});

/** Two logs with one past: both continue the same disk, with frames of these record sizes. */
function twoHistories(one: number[][], other: number[][]): [SimDisk, SimDisk] {
  const base = new SimDisk();
  const begun = openSmall(base);
  commitFrame(begun, 1);
  begun.abandon();
  const [left, right] = [base.fork(1), base.fork(2)];
  for (const [disk, frames, salt] of [
    [left, one, 1],
    [right, other, 2],
  ] as const) {
    const wal = openSmall(disk);
    for (const frame of frames) {
      for (const bytes of frame) append(wal, bytes, salt);
      wal.commitSync();
    }
    wal.abandon();
  }
  return [left, right];
}

/** Bytes that are right in themselves, from another history of the same log. */
function graft(into: SimDisk, from: SimDisk, name: string, start: number, end: number): void {
  const content = from.contentOf(`${DIR}/${name}`);
  damage(into, name, target => target.set(content.subarray(start, end), start));
}

test('a frame that follows another frame than the one before it is a broken link', () => {
  const [disk, other] = twoHistories([[100], [100]], [[100], [100]]);
  graft(disk, other, segmentNames(disk)[0] as string, HEADER_BYTES + 1024, HEADER_BYTES + 1536);
  expect(() => openSmall(disk)).toThrow(/broken link/);
});

test('a frame that begins at another lsn than the next one is a gap', () => {
  const [disk, other] = twoHistories([[100], [100]], [[100, 100], [100]]);
  graft(disk, other, segmentNames(disk)[0] as string, HEADER_BYTES + 1024, HEADER_BYTES + 1536);
  const error = errorOf(() => openSmall(disk));
  expect(error).toMatchObject({code: 'gap', lsn: 3n, offset: HEADER_BYTES + 1024});
});

test('a segment that follows another segment than the one before it is a broken link', () => {
  const frames = Array.from({length: 16}, () => [700]);
  const [disk, other] = twoHistories(frames, frames);
  const second = segmentNames(disk)[1] as string;
  disk.replaceContent(`${DIR}/${second}`, other.contentOf(`${DIR}/${second}`));
  expect(() => openSmall(disk)).toThrow(`${second} follows another frame`);
});

test('a copy of a frame in another place is no frame', () => {
  const {disk} = stairs('none');
  const name = segmentNames(disk).at(-1) as string;
  const end = (dataSectors(disk).at(-1)?.at ?? 0) + SECTOR_BYTES;
  damage(disk, name, content => content.copyWithin(end, HEADER_BYTES, HEADER_BYTES + 2048));
  const wal = openSmall(disk);
  expect(wal.recovery).toMatchObject({ending: 'torn', cutBytes: 2048, lastLsn: LAST});
});

test('a lost or damaged control frame between two data frames does not stop the log', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  commitFrame(wal, 1);
  wal.markIdle();
  wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16));
  commitFrame(wal, 1);
  wal.markIdle();
  wal.abandon();
  const name = segmentNames(disk)[0] as string;
  const zeroed = disk.fork();
  damage(zeroed, name, content => content.fill(0, HEADER_BYTES + 512, HEADER_BYTES + 1536));
  damage(disk, name, content => content.fill(99, HEADER_BYTES + 600, HEADER_BYTES + 700));
  for (const damaged of [disk, zeroed]) {
    expect(readAll(readWal({dir: DIR, io: damaged})).lsns).toEqual([1n, 2n]);
    expect(verifyWal({dir: DIR, io: damaged}).skippedBytes).toBeGreaterThan(0);
    expect(openSmall(damaged).recovery).toMatchObject({ending: 'unclean', lastLsn: 2n});
  }
});

test('arbitrary bytes in place of a segment throw nothing but our error, or open', () => {
  const {disk: base} = stairs('idle');
  const name = segmentNames(base).at(-1) as string;
  const original = base.contentOf(`${DIR}/${name}`);
  const edits = fc.array(fc.record({at: fc.nat({max: original.length - 1}), bytes: fc.uint8Array({maxLength: 600})}), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(edits, fc.nat({max: original.length}), (changes, length) => {
      const content = original.slice(0, length);
      for (const {at, bytes} of changes) {
        if (at < content.length) content.set(bytes.subarray(0, content.length - at), at);
      }
      const disk = base.fork();
      disk.replaceContent(`${DIR}/${name}`, content);
      if (openCode(disk, 0n) !== 'opened') return;
      disk.endProcess();
      expect(openCode(disk, 0n)).toBe('opened');
      expect(verifyWal({dir: DIR, io: disk}).lastLsn).toBeLessThanOrEqual(LAST);
    }),
    {numRuns: 300},
  );
});
