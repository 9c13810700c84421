/**
 * Damage to what is proven is refused, and damage to what is not proven never costs more than the unproven.
 *
 * Each case forks a disk that holds a finished log, changes some bytes on the platter, and opens it.
 */

import fc from 'fast-check';
import {expect, test} from 'vitest';
import {isWalError, readWal, verifyWal, type Wal} from '../src/index.ts';
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

const HEADER_BYTES = 4096;
const SECTOR_BYTES = 512;
const RECORDS_PER_FRAME = 3;
const FRAMES = 24;
/** Damage is random within a sector, so each sector has several turns. */
const ROUNDS = 8;
const LAST = BigInt(RECORDS_PER_FRAME * FRAMES);

type Ending = 'idle' | 'seal' | 'floor' | 'none';

function finishedLog(ending: Ending): SimDisk {
  const disk = new SimDisk({seed: 3});
  const wal: Wal = openSmall(disk);
  for (let frame = 0; frame < FRAMES; frame++) {
    for (let i = 0; i < RECORDS_PER_FRAME; i++) append(wal, 100 + frame * 20);
    wal.commitSync();
  }
  if (ending === 'seal') wal.closeSync();
  else {
    if (ending === 'idle') wal.markIdle();
    wal.abandon();
  }
  disk.endProcess();
  if (ending === 'seal') disk.unlink(`${DIR}/clean`);
  return disk;
}

/** Every byte of a segment that belongs to a data frame, as [start, end) of sectors. */
function dataSectors(disk: SimDisk, name: string): number[] {
  const content = disk.contentOf(`${DIR}/${name}`);
  const view = new DataView(content.buffer);
  const sectors: number[] = [];
  for (let at = HEADER_BYTES; at < content.length; ) {
    if (view.getUint32(at, true) !== 0x464c4157) break;
    const bytes = (48 + view.getUint32(at + 20, true) + SECTOR_BYTES - 1) & -SECTOR_BYTES;
    if (content[at + 6] === 1) for (let s = at; s < at + bytes; s += SECTOR_BYTES) sectors.push(s);
    at += bytes;
  }
  return sectors;
}

interface Place {
  readonly name: string;
  readonly sector: number;
  readonly original: Uint8Array;
  readonly isLast: boolean;
}

/** Every sector of every data frame. */
function placesOf(disk: SimDisk): Place[] {
  const names = segmentNames(disk);
  return names.flatMap(name => {
    const original = disk.contentOf(`${DIR}/${name}`);
    const isLast = name === names.at(-1);
    return dataSectors(disk, name).map(sector => ({name, sector, original, isLast}));
  });
}

type Damage = (content: Uint8Array, sector: number, random: SimRandom) => void;

const DAMAGES: Record<string, Damage> = {
  flip: (content, sector, random) => {
    const at = sector + random.below(SECTOR_BYTES);
    content[at] = (content[at] as number) ^ (1 << random.below(8));
  },
  zero: (content, sector) => {
    content.fill(0, sector, sector + SECTOR_BYTES);
  },
  garbage: (content, sector, random) => {
    for (let at = sector; at < sector + SECTOR_BYTES; at++) content[at] = random.below(256);
  },
  misdirected: (content, sector, random) => {
    const from = HEADER_BYTES + SECTOR_BYTES * random.below((content.length - HEADER_BYTES) / SECTOR_BYTES);
    content.copyWithin(sector, from, from + SECTOR_BYTES);
  },
  'zero to the end': (content, sector) => {
    content.fill(0, sector, Math.min(content.length, sector + 3 * SECTOR_BYTES));
  },
};

function openCode(disk: SimDisk, floor: bigint): string {
  try {
    openSmall(disk, {floor}).abandon();
  } catch (error) {
    if (isWalError(error)) return error.code;
    throw error;
  }
  return 'opened';
}

for (const ending of ['idle', 'seal', 'floor'] as const) {
  test(`proven by ${ending}: every kind of damage in every sector is refused, and nothing is touched`, () => {
    const base = finishedLog(ending);
    const floor = ending === 'floor' ? LAST : 0n;
    const random = new SimRandom(11);
    let cases = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const {name, sector, original, isLast} of placesOf(base)) {
        for (const [kind, change] of Object.entries(DAMAGES)) {
          const content = original.slice();
          change(content, sector, random);
          // The last segment's proof itself may be among three zeroed sectors; a copy may be of an equal sector.
          const isProofGone = kind === 'zero to the end' && isLast && ending !== 'floor';
          if (isProofGone || Buffer.compare(content, original) === 0) continue;
          const disk = base.fork(cases++);
          disk.replaceContent(`${DIR}/${name}`, content);
          const image = round === 0 ? imageOf(disk) : null;
          const code = openCode(disk, floor);
          if (code !== 'corruption' && code !== 'gap') expect.fail(`${kind} at ${name} ${sector}: ${code}`);
          if (image !== null) expect(imageOf(disk)).toEqual(image);
        }
      }
    }
    expect(cases).toBeGreaterThan(2000);
  });
}

test('any flipped byte of the last, unproven frame costs that frame and nothing else', () => {
  const base = finishedLog('none');
  const name = segmentNames(base).at(-1) as string;
  const sectors = dataSectors(base, name);
  const lastFrame = sectors.slice(-2);
  const random = new SimRandom(5);
  for (const sector of lastFrame) {
    for (let at = sector; at < sector + SECTOR_BYTES; at += 1 + random.below(3)) {
      const disk = base.fork();
      damage(disk, name, content => {
        content[at] = (content[at] as number) ^ (1 + random.below(255));
      });
      const wal = openSmall(disk);
      expect(wal.recovery.ending).toBe('torn');
      expect(wal.durableLsn).toBeGreaterThanOrEqual(LAST - BigInt(RECORDS_PER_FRAME));
      expect(wal.durableLsn).toBeLessThan(LAST);
      expect(readAll(wal.read(1n)).payloads[0]).toEqual(payloadOf(1n, 100));
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
  const disk = finishedLog('none');
  const name = segmentNames(disk).at(-1) as string;
  const end = (dataSectors(disk, name).at(-1) as number) + SECTOR_BYTES;
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
  const base = finishedLog('idle');
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
