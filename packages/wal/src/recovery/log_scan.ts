/**
 * Reads a log directory as it is, changes nothing, and says where the log ends and how.
 *
 * The verdict: damage that anything proves to lie in durable bytes is thrown as `corruption`, `gap` or
 * `missing_segment`; damage that nothing proves is a torn tail, described here and cut in `log_repair.ts`.
 * Proofs are later frames and segments (`frame_walker.ts`), the caller's floor, and the file `clean`.
 */

import {WalError} from '../errors.ts';
import type {FileIo} from '../file_io.ts';
import {FRAME_HEADER_BYTES, FRAME_KIND} from '../format/format.ts';
import {
  decodeMarker,
  firstLsnOf,
  firstLsnOfName,
  type SegmentInfo,
  type SnapshotMarker,
} from '../format/segment_header.ts';
import {Lanes} from '../format/words.ts';
import {LogWalker} from '../read/log_walker.ts';
import {listSegments, type SegmentList} from './segment_list.ts';

export interface ScanOptions {
  readonly io: FileIo;
  readonly dir: string;
  readonly maxReadFrameBytes: number;
  /** An lsn that the caller knows to have been durable; 0 for none. */
  readonly floor: bigint;
  /** Where an empty log begins. */
  readonly firstLsn: bigint;
  /** `all` verifies every frame of the log, `tail` those of the last segment. */
  readonly verify: 'all' | 'tail';
}

/** The end of the last segment. */
export interface LogTail {
  readonly segment: SegmentInfo;
  /** Where the next frame goes, and where the bytes that must be cut end. */
  readonly endOffset: number;
  readonly dirtyEnd: number;
  /** In a recycled segment, where only headers can be told from old bytes: the blocks that must be cut. */
  readonly tornHeaders: readonly number[];
  readonly lastDataOffset: number;
  readonly lastDataBytes: number;
  /** No frame of this segment is in doubt. */
  readonly proven: boolean;
  readonly sealed: boolean;
}

export interface LogScan {
  readonly list: SegmentList;
  /** Null for an empty directory. */
  readonly tail: LogTail | null;
  readonly next: Lanes;
  readonly link: number;
  readonly marker: SnapshotMarker | null;
  /** Frames with records, records and stepped-over bytes in the part that was verified. */
  readonly frames: number;
  readonly records: number;
  readonly skippedBytes: number;
}

export function scanLog(options: ScanOptions): LogScan {
  const list = listSegments(options.io, options.dir);
  if (list.segments.length === 0) return scanEmpty(options, list);
  const scan = scanSegments(options, list);
  checkBlankLast(list, scan.next);
  checkKnownLsns(options, list, scan);
  return scan;
}

export function lastLsnOf(scan: LogScan): bigint {
  return scan.next.before(new Lanes()).toBigint();
}

function scanEmpty(options: ScanOptions, list: SegmentList): LogScan {
  const blankFirst = list.blankLast === null ? null : firstLsnOfName(list.blankLast);
  const evidence = list.hasCleanFile ? 'a clean file is there' : options.floor > 0n ? 'the floor' : null;
  if (evidence !== null) {
    throw new WalError('missing_log', `no log is in ${options.dir}`, {lsn: options.floor, evidence});
  }
  if (list.blankLast !== null && blankFirst !== options.firstLsn) {
    throw new WalError('corruption', 'the only segment is empty', {
      segment: list.blankLast,
      offset: 0,
      evidence: `a new log would begin at lsn ${options.firstLsn}`,
    });
  }
  const next = new Lanes();
  next.set(Number(BigInt.asIntN(32, options.firstLsn)), Number(BigInt.asIntN(32, options.firstLsn >> 32n)));
  return {list, tail: null, next, link: 0, marker: null, frames: 0, records: 0, skippedBytes: 0};
}

function scanSegments(options: ScanOptions, list: SegmentList): LogScan {
  const {io, dir, maxReadFrameBytes} = options;
  const {segments} = list;
  const lastIndex = segments.length - 1;
  const startIndex = options.verify === 'all' ? 0 : lastIndex;
  const last = segments[lastIndex] as SegmentInfo;
  const lastLimit = last.sizeBytes;
  const walker = new LogWalker({io, dir, maxReadFrameBytes}, {segments, lastLimit}, startIndex);
  const {frames: walk} = walker;
  let marker = segments[startIndex]?.marker ?? null;
  let frames = 0;
  let records = 0;
  try {
    while (walker.step()) {
      if (walk.head.kind === FRAME_KIND.DATA) frames++;
      records += walk.head.records;
      if (walk.head.kind === FRAME_KIND.SNAPSHOT) {
        marker = decodeMarker(walk.window.bytes, walk.frameIndex + FRAME_HEADER_BYTES);
      }
    }
  } finally {
    walker.close();
  }
  const tail: LogTail = {
    segment: last,
    endOffset: walk.position,
    dirtyEnd: walk.dirtyEnd,
    tornHeaders: [...walk.tornHeaders],
    lastDataOffset: walk.lastDataOffset,
    lastDataBytes: walk.lastDataBytes,
    proven: walk.proven,
    sealed: walk.sealed,
  };
  const {next, link, skippedBytes} = walk;
  return {list, tail, next, link, marker, frames, records, skippedBytes};
}

function checkBlankLast(list: SegmentList, next: Lanes): void {
  if (list.blankLast === null || firstLsnOfName(list.blankLast) === next.toBigint()) return;
  throw new WalError('corruption', 'frames are missing before the next segment', {
    segment: list.blankLast,
    offset: 0,
    lsn: next.toBigint(),
    evidence: 'its name begins at another lsn',
  });
}

function checkKnownLsns(options: ScanOptions, list: SegmentList, scan: LogScan): void {
  const {clean, segments} = list;
  const {segment, endOffset} = scan.tail as LogTail;
  const last = lastLsnOf(scan);
  const place = {segment: segment.name, offset: endOffset, lsn: scan.next.toBigint()};
  if (clean?.uuid.some((byte, index) => byte !== segment.uuid[index])) {
    throw new WalError('corruption', 'the clean file is of another log', {...place, evidence: 'another log uuid'});
  }
  if (clean !== null && last < clean.lastLsn) {
    const evidence = `the log was closed at lsn ${clean.lastLsn}`;
    throw new WalError('corruption', 'the end of a closed log is damaged', {...place, evidence});
  }
  if (last < options.floor) {
    const evidence = `lsn ${options.floor} is known to be durable`;
    throw new WalError('corruption', 'the log ends too early', {...place, evidence});
  }
  const first = firstLsnOf(segments[0] as SegmentInfo);
  if (options.floor > 0n && first > options.floor + 1n) {
    const evidence = `the log begins at lsn ${first}`;
    throw new WalError('missing_segment', 'the log begins too late', {lsn: options.floor + 1n, evidence});
  }
}
