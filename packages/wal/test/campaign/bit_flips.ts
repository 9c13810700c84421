/**
 * Every bit of a log of 256 KiB flipped, one at a time: each flip is refused with a typed error, or harmless.
 *
 * Three such logs: closed (seal and `clean` file), idle (the last frame proven by a marker), and open (each frame proven
 * by the next; the last one, which nothing proves, may be cut whole). Never other data, never another kind of error.
 * For each flip the whole directory is judged as opening would, and the segment that holds it is read with its joint to
 * the next one; one flip in `OPEN_EVERY` is also opened for writing, on a fork of its own, and read from end to end.
 */

import {isWalError, READ, type ReadOptions, readWal, STATUS, type Wal, type WalErrorCode} from '../../src/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {DIR, openSmall} from '../support.ts';
import {NOISE, payloadStart, Violation} from './history.ts';
import {DATA_FRAME, framesIn, holdSameBytes, SECTOR_BYTES} from './log_bytes.ts';

const SEGMENT_BYTES = 32_768;
const SEGMENTS = 8;
const CHUNK_BITS: number = SECTOR_BYTES * 8;
const OPEN_EVERY = 61;
const OPTIONS = {segmentBytes: SEGMENT_BYTES, maxFrameBytes: 6000, maxRecordBytes: 2048} as const;

const REFUSALS: ReadonlySet<WalErrorCode> = new Set<WalErrorCode>([
  'corruption',
  'gap',
  'missing_segment',
  'unsupported_version',
  'too_large',
]);

export type BitCounts = {
  bits: number;
  refused: number;
  harmless: number;
  /** Flips in the last frame of the open log that cost this frame. */
  cut: number;
  /** How many of the flips were opened for writing too. */
  opened: number;
};

type Ending = 'closed' | 'idle' | 'open';

interface Log {
  readonly ending: Ending;
  readonly disk: SimDisk;
  readonly files: readonly LogFile[];
  readonly records: readonly number[];
  /** The frame that nothing proves, if any. */
  readonly unproven: {readonly name: string; readonly start: number; readonly end: number; readonly firstLsn: number};
}

interface LogFile {
  readonly name: string;
  readonly bytes: number;
  /** What to read to see all of a segment: its records and the first one behind it. */
  readonly read: ReadOptions & {readonly from: bigint; readonly to: bigint};
}

interface Chunk {
  readonly log: Log;
  readonly file: LogFile;
  readonly firstBit: number;
  readonly bits: number;
}

let built: Chunk[] | null = null;

/** The chunks that the bits of all logs come in; a seed is the number of one, from 1 on. */
export function bitChunks(): number {
  return chunks().length;
}

export function totalBits(): number {
  return chunks().reduce((sum, {bits}) => sum + bits, 0);
}

/** Flips each bit of one chunk. */
export function runBitChunk(seed: number): BitCounts {
  const chunk = chunks()[seed - 1];
  if (chunk === undefined) throw new RangeError(`chunks are 1 to ${bitChunks()}`);
  const counts = noCounts();
  const {disk} = chunk.log;
  const before = disk.fork();
  for (let bit = 0; bit < chunk.bits; bit++) judge(chunk, bit, counts, (seed + bit) % OPEN_EVERY === 0);
  if (!holdSameBytes(disk, before, DIR)) throw new Violation('reading changed the directory');
  return counts;
}

/** Flips `count` bits anywhere, each opened for writing too. */
export function sampleBits(seed: number, count: number): BitCounts {
  const random = new SimRandom(seed);
  const counts = noCounts();
  const all = chunks();
  while (counts.bits < count) {
    const chunk = all[random.below(all.length)] as Chunk;
    judge(chunk, random.below(chunk.bits), counts, true);
  }
  return counts;
}

function noCounts(): BitCounts {
  return {bits: 0, refused: 0, harmless: 0, cut: 0, opened: 0};
}

function judge({log, file, firstBit}: Chunk, bit: number, counts: BitCounts, opens: boolean): void {
  const {disk, ending} = log;
  const byte = (firstBit + bit) >> 3;
  const path = `${DIR}/${file.name}`;
  const mayCut = file.name === log.unproven.name && byte >= log.unproven.start && byte < log.unproven.end;
  disk.flipBit(path, byte, bit & 7);
  try {
    const outcome = outcomeOf(() => readBack(log, disk, file.read), mayCut ? log.unproven.firstLsn : 0);
    counts.bits++;
    counts[outcome]++;
    if (!opens) return;
    counts.opened++;
    checkOpening(log, outcome, mayCut);
  } catch (error) {
    const place = `bit ${bit & 7} of byte ${byte} of ${file.name} in the ${ending} log`;
    throw new Violation(`${place}: ${error instanceof Error ? error.message : String(error)}`, {cause: error});
  } finally {
    disk.flipBit(path, byte, bit & 7);
  }
}

type Outcome = 'refused' | 'harmless' | 'cut';

/** Runs a reading that answers the last lsn it saw, 0 for all that it should see. */
function outcomeOf(read: () => number, cutAt: number): Outcome {
  let last = 0;
  try {
    last = read();
  } catch (error) {
    if (isWalError(error) && REFUSALS.has(error.code)) return 'refused';
    throw error;
  }
  if (last === 0) return 'harmless';
  if (last !== cutAt - 1) throw new Violation(`records end at lsn ${last}`);
  return 'cut';
}

/** Reads, compares, and answers 0 where nothing is missing, or the last lsn that is there. */
function readBack(log: Log, disk: SimDisk, read: ReadOptions & {readonly from: bigint; readonly to: bigint}): number {
  const cursor = readWal({dir: DIR, io: disk, maxReadFrameBytes: 8192}, read);
  let expected = Number(read.from);
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event !== READ.RECORD) continue;
      const bytes = log.records[expected] as number;
      const start = payloadStart(expected, 1);
      const end = cursor.offset + cursor.length;
      const isSame =
        cursor.lsnLo === expected &&
        cursor.type === 1 &&
        cursor.stampLo === expected &&
        NOISE.compare(cursor.bytes, cursor.offset, end, start, start + bytes) === 0;
      if (!isSame) throw new Violation(`lsn ${expected} reads as other data`);
      expected++;
    }
  } finally {
    cursor.close();
  }
  return expected > Number(read.to) ? 0 : expected - 1;
}

/** Opens the flipped log for writing: the same outcome, and a refusal changes nothing. */
function checkOpening(log: Log, outcome: Outcome, mayCut: boolean): void {
  const fork = log.disk.fork();
  const all = {from: 1n, to: BigInt(log.records.length - 1)};
  let wal: Wal;
  try {
    wal = openSmall(fork, OPTIONS);
  } catch (error) {
    if (!isWalError(error) || !REFUSALS.has(error.code)) throw error;
    if (outcome !== 'refused') throw new Violation(`reading found the log ${outcome}, opening refused it`);
    if (!holdSameBytes(fork, log.disk, DIR)) throw new Violation('a refused opening changed the directory');
    return;
  }
  if (outcome === 'refused') throw new Violation('reading refused the log, opening did not');
  wal.abandon();
  const again = outcomeOf(() => readBack(log, fork, all), mayCut ? log.unproven.firstLsn : 0);
  if (again !== outcome) throw new Violation(`reading found the log ${outcome}, after opening it was ${again}`);
}

function chunks(): Chunk[] {
  built ??= (['closed', 'idle', 'open'] as const).flatMap(ending => chunksOf(buildLog(ending)));
  return built;
}

function chunksOf(log: Log): Chunk[] {
  return log.files.flatMap(file => {
    const count = Math.ceil((file.bytes * 8) / CHUNK_BITS);
    return Array.from({length: count}, (_, index) => {
      const firstBit = index * CHUNK_BITS;
      return {log, file, firstBit, bits: Math.min(CHUNK_BITS, file.bytes * 8 - firstBit)};
    });
  });
}

/** Fills all segments but the last, and half of that. */
function buildLog(ending: Ending): Log {
  const disk = new SimDisk({seed: 5});
  const wal = openSmall(disk, OPTIONS);
  const random = new SimRandom(6);
  const records: number[] = [0];
  let frameFirst = 1;
  let inLast = 0;
  while (wal.metrics.segments < SEGMENTS || inLast < SEGMENT_BYTES / 2) {
    if (random.chance(0.2)) wal.markIdle();
    if (random.chance(0.1)) wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16).fill(7));
    frameFirst = wal.nextLsnLo;
    for (let left = 1 + random.below(8); left > 0; left--) {
      const lsn = wal.nextLsnLo;
      const bytes = random.chance(0.1) ? random.below(1500) : random.below(400);
      const status = wal.append(1, 1, lsn, 0, NOISE, payloadStart(lsn, 1), bytes);
      if (status !== STATUS.OK) throw new Error(`append answered ${status}`);
      records[lsn] = bytes;
    }
    const before = wal.metrics.bytesWritten;
    wal.commitSync();
    if (wal.metrics.segments === SEGMENTS) inLast += wal.metrics.bytesWritten - before;
  }
  if (ending === 'closed') wal.closeSync();
  if (ending === 'idle') wal.markIdle();
  wal.abandon();
  disk.endProcess();
  const last = records.length - 1;
  return {ending, disk, records, files: filesOf(disk, last), unproven: unprovenOf(disk, ending, frameFirst)};
}

function filesOf(disk: SimDisk, last: number): LogFile[] {
  const names = disk.list(DIR);
  const firsts = names.filter(name => name.endsWith('.seg')).map(name => BigInt(name.slice(4, 24)));
  return names.map((name, index) => {
    const bytes = disk.contentOf(`${DIR}/${name}`).length;
    const isSegment = name.endsWith('.seg');
    const at = index - (names.length - firsts.length);
    const from = isSegment ? (firsts[at] as bigint) : (firsts.at(-1) as bigint);
    return {name, bytes, read: {from, to: (isSegment ? firsts[at + 1] : undefined) ?? BigInt(last)}};
  });
}

function unprovenOf(disk: SimDisk, ending: Ending, firstLsn: number): Log['unproven'] {
  const name = disk.list(DIR).at(-1) as string;
  const frame = framesIn(disk.contentOf(`${DIR}/${name}`)).at(-1);
  if (ending !== 'open' || frame?.kind !== DATA_FRAME) return {name: '', start: 0, end: 0, firstLsn: 0};
  return {name, start: frame.start, end: frame.end, firstLsn};
}
