/**
 * Damage to sectors of proven frames, of any kind and anywhere: every one is refused, and nothing on disk is touched.
 *
 * A log is written, its end proven by an idle marker, a seal or the caller's floor, and then sectors of its data frames
 * are flipped, zeroed, overwritten or replaced by other sectors of the same file, one at a time.
 */

import {isWalError, STATUS} from '../../src/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {DIR, openSmall, segmentNames} from '../support.ts';
import {NOISE, payloadStart, Violation} from './history.ts';
import {DATA_FRAME, framesIn, HEADER_BYTES, holdSameBytes, SECTOR_BYTES} from './log_bytes.ts';

const DAMAGES_PER_LOG = 60;

export type DamageCounts = {
  damages: number;
  refused: number;
};

export const PROOFS = ['idle', 'seal', 'floor', 'none'] as const;

export type Proof = (typeof PROOFS)[number];

export interface FinishedLog {
  readonly disk: SimDisk;
  readonly last: bigint;
  readonly proof: Proof;
}

/** A log whose frames hold records of these sizes, and whose end is proven in this way. */
export function finishedLog(proof: Proof, frames: readonly (readonly number[])[], seed = 3): FinishedLog {
  const disk = new SimDisk({seed});
  const wal = openSmall(disk);
  for (const frame of frames) {
    for (const bytes of frame) {
      const status = wal.append(1, 1, 7, 0, NOISE, payloadStart(wal.nextLsnLo, 1), bytes);
      if (status !== STATUS.OK) throw new Error(`append answered ${status}`);
    }
    wal.commitSync();
  }
  const last = wal.durableLsn;
  if (proof === 'seal') wal.closeSync();
  if (proof === 'idle') wal.markIdle();
  wal.abandon();
  disk.endProcess();
  if (proof === 'seal') disk.unlink(`${DIR}/clean`);
  return {disk, last, proof};
}

/** A sector of a data frame. */
export interface DataSector {
  readonly name: string;
  readonly at: number;
  readonly original: Uint8Array;
  readonly isInLastSegment: boolean;
}

export function dataSectors(disk: SimDisk): DataSector[] {
  const names = segmentNames(disk);
  const sectors: DataSector[] = [];
  for (const name of names) {
    const original = disk.contentOf(`${DIR}/${name}`);
    for (const {start, end, kind} of framesIn(original)) {
      if (kind !== DATA_FRAME) continue;
      for (let at = start; at < end; at += SECTOR_BYTES) {
        sectors.push({name, at, original, isInLastSegment: name === names.at(-1)});
      }
    }
  }
  return sectors;
}

type Damage = (content: Uint8Array, sector: number, random: SimRandom) => void;

const DAMAGES: Readonly<Record<string, Damage>> = {
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

export const DAMAGE_KINDS: readonly string[] = Object.keys(DAMAGES);

/** Damages one sector of a fork and opens it. False where the damage changed nothing, or took the proof with it. */
export function damageIsRefused(log: FinishedLog, sector: DataSector, kind: string, random: SimRandom): boolean {
  const {name, at, original, isInLastSegment} = sector;
  const content = original.slice();
  (DAMAGES[kind] as Damage)(content, at, random);
  // The marker may be among three zeroed sectors of the last segment; a sector may be copied over its equal.
  const isProofGone = kind === 'zero to the end' && isInLastSegment && log.proof !== 'floor';
  if (isProofGone || Buffer.compare(content, original) === 0) return false;
  const disk = log.disk.fork(random.below(1 << 30));
  disk.replaceContent(`${DIR}/${name}`, content);
  const before = disk.fork();
  const code = openCode(disk, log.proof === 'floor' ? log.last : 0n);
  if (code !== 'corruption' && code !== 'gap') throw new Violation(`${kind} at ${name} ${at} was ${code}`);
  if (!holdSameBytes(disk, before, DIR)) throw new Violation(`${kind} at ${name} ${at} was refused and changed`);
  return true;
}

/** The code of the error that opening throws, or `opened`. */
export function openCode(disk: SimDisk, floor: bigint): string {
  try {
    openSmall(disk, {floor}).abandon();
  } catch (error) {
    if (isWalError(error)) return error.code;
    throw error;
  }
  return 'opened';
}

/** One log of any shape, damaged in many places. */
export function runDamageSeed(seed: number): DamageCounts {
  const random = new SimRandom(seed);
  const counts = {damages: 0, refused: 0};
  const frames = Array.from({length: 2 + random.below(30)}, () =>
    Array.from({length: 1 + random.below(5)}, () => random.below(700)),
  );
  const log = finishedLog(PROOFS[random.below(3)] as Proof, frames, seed);
  const sectors = dataSectors(log.disk);
  while (counts.damages < DAMAGES_PER_LOG) {
    const kind = DAMAGE_KINDS[random.below(DAMAGE_KINDS.length)] as string;
    if (!damageIsRefused(log, sectors[random.below(sectors.length)] as DataSector, kind, random)) continue;
    counts.damages++;
    counts.refused++;
  }
  return counts;
}
