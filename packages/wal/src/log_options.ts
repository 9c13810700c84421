/**
 * The options of a log, their defaults and their bounds.
 *
 * A bad option is the caller's mistake and a `RangeError`. Sizes are in bytes and bounded so that a frame of the
 * largest size, a marker and a proving block always fit into one fresh segment.
 */

import type {FileIo} from './file_io.ts';
import {
  BLOCK_BYTES_MAX,
  FRAME_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  roundUp,
  SEGMENT_HEADER_BYTES,
} from './format/format.ts';
import {isBlockSize} from './format/segment_header.ts';
import {U64_MAX} from './format/words.ts';
import {nodeFileIo} from './fs/node_file_io.ts';
import type {CommitMode} from './write/sync_meter.ts';

/** Bound of frames that are read, unless another is given. */
export const READ_FRAME_BYTES: number = 64 << 20;

const SEGMENT_BYTES_MAX: number = 1 << 30;

export interface WalOptions {
  /** Directory of the log; created (one level) when it is not there. */
  readonly dir: string;
  /** Default: the file system. */
  readonly io?: FileIo;
  /** Size of new segments. Default 64 MiB; a multiple of 4096. */
  readonly segmentBytes?: number;
  /** Frames begin on multiples of this; at least the disk's atomic write. Default 512; at most 4096. */
  readonly blockBytes?: number;
  /** Largest payload. Default 1 MiB, or what fits a frame if that is less. */
  readonly maxRecordBytes?: number;
  /** Largest frame that is written, header included. Default 4 MiB, or what fits a segment. */
  readonly maxFrameBytes?: number;
  /** Largest frame that is read: a log may have been written with larger ones. Default 64 MiB, or maxFrameBytes. */
  readonly maxReadFrameBytes?: number;
  /** Default `adaptive`. */
  readonly commitMode?: CommitMode;
  /** Lsn of the first record of an empty log. Default 1. */
  readonly firstLsn?: bigint;
  /** An lsn that the caller knows to have been durable: a log that does not reach it is refused. Default 0: none. */
  readonly floor?: bigint;
  /** False where the caller holds a lock on the directory or its parent. Default true. */
  readonly lock?: boolean;
  /** What opening verifies: all frames, or those of the last segment, where a crash can have left marks. Default `all`. */
  readonly verify?: 'all' | 'tail';
  /** Prepares the next segment from the thread pool. False for a driver that calls `prepareStep`. Default true. */
  readonly background?: boolean;
  /** Files of truncated segments that are kept ready for the next ones instead of being removed. Default 2. */
  readonly recycleMax?: number;
  /** Segments the log may have; `append` refuses with `TOO_MANY_SEGMENTS` what needs another. Default: no bound. */
  readonly maxSegments?: number;
  /** Bytes appended and not yet durable; `append` refuses with `PENDING_FULL`. Default: two of the largest frames. */
  readonly maxPendingBytes?: number;
  /** After `commit` has had nothing to do for so long, the last frame is proven by a marker; 0 for never. Default 5. */
  readonly idleMarkerMs?: number;
}

export type ResolvedWalOptions = Required<WalOptions>;

export function resolveOptions(options: WalOptions): ResolvedWalOptions {
  const segmentBytes = options.segmentBytes ?? 64 << 20;
  const blockBytes = options.blockBytes ?? 512;
  const fitsSegment = segmentBytes - SEGMENT_HEADER_BYTES - 3 * BLOCK_BYTES_MAX;
  const maxFrameBytes = options.maxFrameBytes ?? Math.min(4 << 20, fitsSegment);
  const fitsFrame = maxFrameBytes - FRAME_HEADER_BYTES - RECORD_HEADER_BYTES;
  const resolved: ResolvedWalOptions = {
    dir: options.dir,
    io: options.io ?? nodeFileIo,
    segmentBytes,
    blockBytes,
    maxFrameBytes,
    maxReadFrameBytes: Math.max(maxFrameBytes, options.maxReadFrameBytes ?? READ_FRAME_BYTES),
    maxRecordBytes: options.maxRecordBytes ?? Math.min(1 << 20, fitsFrame),
    commitMode: options.commitMode ?? 'adaptive',
    firstLsn: options.firstLsn ?? 1n,
    floor: options.floor ?? 0n,
    lock: options.lock ?? true,
    verify: options.verify ?? 'all',
    background: options.background ?? true,
    recycleMax: options.recycleMax ?? 2,
    maxSegments: options.maxSegments ?? Number.POSITIVE_INFINITY,
    maxPendingBytes: options.maxPendingBytes ?? 2 * maxFrameBytes,
    idleMarkerMs: options.idleMarkerMs ?? 5,
  };
  checkSizes(resolved, fitsFrame);
  checkRange(resolved.firstLsn >= 1n && resolved.firstLsn <= U64_MAX, 'firstLsn is from 1 to 2^64 - 1');
  checkRange(resolved.floor >= 0n && resolved.floor <= U64_MAX, 'floor is from 0 to 2^64 - 1');
  checkRange(resolved.recycleMax >= 0, 'recycleMax is not negative');
  checkRange(resolved.maxSegments >= 2, 'maxSegments is at least 2');
  checkRange(resolved.maxPendingBytes >= maxFrameBytes, 'maxPendingBytes holds at least one frame');
  checkRange(resolved.idleMarkerMs >= 0, 'idleMarkerMs is not negative');
  return resolved;
}

function checkSizes(options: ResolvedWalOptions, fitsFrame: number): void {
  const {segmentBytes, blockBytes, maxFrameBytes, maxRecordBytes} = options;
  checkRange(isBlockSize(blockBytes), 'blockBytes is 512, 1024, 2048 or 4096');
  const isWhole = Number.isSafeInteger(segmentBytes) && segmentBytes % BLOCK_BYTES_MAX === 0;
  checkRange(isWhole && segmentBytes <= SEGMENT_BYTES_MAX, 'segmentBytes is a multiple of 4096, at most 1 GiB');
  checkRange(Number.isSafeInteger(maxFrameBytes) && fitsFrame >= 1, 'maxFrameBytes holds at least one record');
  const used = SEGMENT_HEADER_BYTES + roundUp(maxFrameBytes, blockBytes) + 2 * blockBytes;
  checkRange(used <= segmentBytes, 'maxFrameBytes fits a segment with room for two more blocks');
  const fits = Number.isSafeInteger(maxRecordBytes) && maxRecordBytes >= 0 && maxRecordBytes <= fitsFrame;
  checkRange(fits, 'maxRecordBytes fits maxFrameBytes');
}

function checkRange(holds: boolean, rule: string): void {
  if (!holds) throw new RangeError(rule);
}
