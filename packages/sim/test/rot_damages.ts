/**
 * Damages to data directories, in three workloads that tests and campaigns share: every bit of every file flipped by
 * itself; small files cut at every length, their bytes zeroed and swapped; and damages of any kind within one sector, on
 * directories of any history. Each damage is judged by `rot_judge.ts`, and counted by its verdict.
 *
 * Damage never spans more than a sector of the log, because the proof of a frame lies in another sector than the frame: who
 * takes both away leaves a log that ended earlier.
 */
import {Random} from '@allocdb/sim';
import type {SimDisk} from '@allocdb/wal/testing';
import {buildDirectory, DIR, ENDINGS, filesOf, type RotDirectory} from './rot_directory.ts';
import {judge, type Place, type Verdict} from './rot_judge.ts';

export type RotCounts = {damages: number} & Record<Verdict, number>;

/** The directories of which every bit is flipped. */
const BITS_SEED = 1;
const CHUNK_BITS = 1024;
const SECTOR_BYTES = 512;
/** One more command is written, and the directory opened once more, after so many damages. */
const GOES_ON_EVERY = 8;
const RANDOM_DAMAGES = 60;

export function noCounts(): RotCounts {
  return {damages: 0, refused: 0, set_aside: 0, unneeded: 0, harmless: 0, cut: 0};
}

interface Chunk {
  readonly directory: RotDirectory;
  readonly path: string;
  readonly first: number;
  readonly count: number;
}

let fixed: Promise<RotDirectory[]> | null = null;

/** One directory for each ending, of one history. */
export function fixedDirectories(): Promise<RotDirectory[]> {
  fixed ??= Promise.all(ENDINGS.map(ending => buildDirectory(BITS_SEED, ending)));
  return fixed;
}

function isSmall(path: string): boolean {
  return !/\.(?:seg|tmp)$/.test(path);
}

async function chunksOf(itemsIn: (bytes: number) => number, takes: (path: string) => boolean): Promise<Chunk[]> {
  const directories = await fixedDirectories();
  return directories.flatMap(directory =>
    filesOf(directory.disk)
      .filter(takes)
      .flatMap(path => {
        const items = itemsIn(directory.disk.contentOf(path).length);
        return Array.from({length: Math.ceil(items / CHUNK_BITS)}, (_, index) => {
          const first = index * CHUNK_BITS;
          return {directory, path, first, count: Math.min(CHUNK_BITS, items - first)};
        });
      }),
  );
}

/**
 * Pieces in which all bits of the fixed directories come; seeds of the campaign are their numbers. Small files come first,
 * then what a segment's frames fill, last the zeros behind them and in its header.
 */
export async function bitChunks(): Promise<readonly Chunk[]> {
  const chunks = await chunksOf(
    bytes => 8 * bytes,
    () => true,
  );
  const rank = ({directory, path, first, count}: Chunk): number => {
    if (isSmall(path)) return 0;
    const bytes = directory.disk.contentOf(path).subarray(first >> 3, (first + count) >> 3);
    return bytes.some(byte => byte !== 0) ? 1 : 2;
  };
  return chunks.sort((a, b) => rank(a) - rank(b));
}

/** Flips every `stride`-th bit of a chunk, one at a time. */
export function flipBits({directory, path, first, count}: Chunk, stride: number, counts: RotCounts): void {
  for (let bit = first + (((-first % stride) + stride) % stride); bit < first + count; bit += stride) {
    const byte = bit >> 3;
    const {disk} = directory;
    disk.flipBit(path, byte, bit & 7);
    try {
      const place = {path, start: byte, end: byte + 1};
      judged(counts, directory, disk, place, bit % GOES_ON_EVERY === 0, `bit ${bit & 7} of byte ${byte} flipped`);
    } finally {
      disk.flipBit(path, byte, bit & 7);
    }
  }
}

const EDITS = ['cut', 'zeroed', 'zeroed to the end', 'swapped with the next', 'swapped across the file'] as const;

/** Pieces in which all edits of the small files come. */
export async function editChunks(): Promise<readonly Chunk[]> {
  return chunksOf(bytes => EDITS.length * bytes, isSmall);
}

/** Edits small files: cuts at every length, each byte zeroed, each rest zeroed, each byte swapped with two others. */
export function editFiles({directory, path, first, count}: Chunk, stride: number, counts: RotCounts): void {
  const original = directory.disk.contentOf(path);
  for (let item = first + (((-first % stride) + stride) % stride); item < first + count; item += stride) {
    const edit = EDITS[item % EDITS.length] as (typeof EDITS)[number];
    const at = Math.floor(item / EDITS.length);
    const content = edited(original, edit, at);
    if (Buffer.compare(content, original) === 0) continue;
    const disk = directory.disk.fork();
    disk.replaceContent(path, content);
    const place = {path, start: 0, end: original.length};
    judged(counts, directory, disk, place, item % GOES_ON_EVERY === 0, `${edit} at ${at} of ${original.length}`);
  }
}

function edited(original: Uint8Array, edit: (typeof EDITS)[number], at: number): Uint8Array {
  const content = original.slice();
  const swap = (other: number): void => {
    content[at] = original[other] ?? 0;
    content[other] = original[at] ?? 0;
  };
  switch (edit) {
    case 'cut':
      return content.slice(0, at);
    case 'zeroed':
      content[at] = 0;
      return content;
    case 'zeroed to the end':
      return content.fill(0, at);
    case 'swapped with the next':
      swap(Math.min(at + 1, original.length - 1));
      return content;
    case 'swapped across the file':
      swap((at + (original.length >> 1)) % original.length);
      return content;
  }
}

type SectorDamage = (content: Uint8Array, start: number, end: number, random: Random, others: Uint8Array) => void;

/** What may happen to a sector; `others` is a sector from anywhere in the directory. */
const SECTOR_DAMAGES: readonly SectorDamage[] = [
  (content, start, end, random) => {
    const at = random.between(start, end - 1);
    content[at] = (content[at] ?? 0) ^ (1 << random.below(8));
  },
  (content, start, end, random) => {
    for (let left = random.between(2, 20); left > 0; left--)
      content[random.between(start, end - 1)] = random.below(256);
  },
  (content, start, end) => content.fill(0, start, end),
  (content, start, end) => content.fill(0xff, start, end),
  (content, start, end, random) => content.fill(0, random.between(start, end - 1), end),
  (content, start, end, random) => {
    for (let at = start; at < end; at++) content[at] = random.below(256);
  },
  (content, start, end, _random, others) => content.set(others.subarray(0, end - start), start),
  (content, start, end) => content.subarray(start, end).reverse(),
];

/** A directory of the seed's own history, damaged in many places, one at a time. */
export async function damageAtRandom(seed: number): Promise<RotCounts> {
  const random = new Random(BigInt(seed)).fork('damage');
  const directory = await buildDirectory(seed + BITS_SEED, random.pick(ENDINGS));
  const files = filesOf(directory.disk);
  const counts = noCounts();
  while (counts.damages < RANDOM_DAMAGES) {
    const path = random.pickFrom(files) ?? '';
    const original = directory.disk.contentOf(path);
    const start = random.below(Math.ceil(original.length / SECTOR_BYTES)) * SECTOR_BYTES;
    const end = Math.min(start + SECTOR_BYTES, original.length);
    const kind = random.below(SECTOR_DAMAGES.length);
    const content = original.slice();
    SECTOR_DAMAGES[kind]?.(content, start, end, random, anySector(directory.disk, files, random));
    if (Buffer.compare(content, original) === 0) continue;
    const disk = directory.disk.fork();
    disk.replaceContent(path, content);
    const what = `damage ${kind} of the sector at ${start}`;
    judged(counts, directory, disk, {path, start, end}, counts.damages % GOES_ON_EVERY === 0, what);
  }
  return counts;
}

function anySector(disk: SimDisk, files: readonly string[], random: Random): Uint8Array {
  const content = disk.contentOf(random.pickFrom(files) ?? '');
  const start = random.below(Math.ceil(content.length / SECTOR_BYTES)) * SECTOR_BYTES;
  const sector = new Uint8Array(SECTOR_BYTES);
  sector.set(content.subarray(start, start + SECTOR_BYTES));
  return sector;
}

function judged(
  counts: RotCounts,
  directory: RotDirectory,
  disk: SimDisk,
  place: Place,
  goesOn: boolean,
  what: string,
): void {
  try {
    counts[judge(directory, disk, place, goesOn)]++;
    counts.damages++;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${place.path.slice(DIR.length + 1)} of ${directory.name}, ${what}: ${message}`, {cause: error});
  }
}
