/**
 * Opens a directory for writing: lock, sync, scan, repair, and the first segment of a log that has none.
 *
 * Invariant: until the scan has found the log sound, no file but the lock is touched; whatever fails, lock and handles
 * are given back.
 */

import {guardIo, WalError} from '../errors.ts';
import {type DirectoryLock, type FileIo, parentPath} from '../file_io.ts';
import {UUID_BYTES} from '../format/format.ts';
import {firstLsnOf, type SnapshotMarker} from '../format/segment_header.ts';
import type {ResolvedWalOptions} from '../log_options.ts';
import {LogWriter} from '../write/log_writer.ts';
import {SegmentWriter} from '../write/segment_writer.ts';
import {SparePool} from '../write/spare_pool.ts';
import {SyncMeter} from '../write/sync_meter.ts';
import {repairLog, syncBeforeReading} from './log_repair.ts';
import {type LogScan, lastLsnOf, scanLog} from './log_scan.ts';

/**
 * What opening found.
 * - `fresh`: no log was there, one has been begun
 * - `clean`: the last writer closed it
 * - `unclean`: the last writer did not close it; nothing had to be cut
 * - `torn`: an unfinished last write has been cut off; it was never reported durable
 */
export type LogEnding = 'fresh' | 'clean' | 'unclean' | 'torn';

export interface WalRecovery {
  readonly ending: LogEnding;
  /** Bytes cut off the end. */
  readonly cutBytes: number;
  /** The oldest lsn of the log, or where it will begin. */
  readonly firstLsn: bigint;
  /** The newest lsn; null while the log holds no record. */
  readonly lastLsn: bigint | null;
  /** The last snapshot marker, even if its segment is no longer there. */
  readonly marker: SnapshotMarker | null;
  readonly segments: number;
}

export interface OpenedLog {
  readonly lock: DirectoryLock | null;
  readonly recovery: WalRecovery;
  readonly spares: SparePool;
  readonly meter: SyncMeter;
  readonly writer: LogWriter;
}

export function openLog(options: ResolvedWalOptions): OpenedLog {
  const {io, dir} = options;
  guardIo(`creating ${dir}`, () => makeDirDurable(io, dir));
  const lock = options.lock ? guardIo(`locking ${dir}`, () => io.lock(dir)) : null;
  try {
    guardIo('syncing the log before reading it', () => syncBeforeReading(io, dir));
    const scan = scanLog(options);
    return {lock, recovery: describe(scan), ...guardIo('repairing the log', () => startWriting(options, scan))};
  } catch (error) {
    lock?.release();
    throw error;
  }
}

/** What a scan says about a log, also where nobody is going to write. */
export function describe(scan: LogScan): WalRecovery {
  const {list, tail, next, marker} = scan;
  const first = list.segments[0];
  const firstLsn = first === undefined ? next.toBigint() : firstLsnOf(first);
  const lastLsn = lastLsnOf(scan);
  const cutBytes = tail === null ? 0 : tail.dirtyEnd - tail.endOffset;
  return {
    ending: endingOf(scan, cutBytes, lastLsn),
    cutBytes,
    firstLsn,
    lastLsn: lastLsn >= firstLsn ? lastLsn : null,
    marker,
    segments: list.segments.length,
  };
}

function endingOf(scan: LogScan, cutBytes: number, lastLsn: bigint): LogEnding {
  if (scan.tail === null) return 'fresh';
  if (cutBytes > 0) return 'torn';
  return scan.list.clean?.lastLsn === lastLsn ? 'clean' : 'unclean';
}

function makeDirDurable(io: FileIo, dir: string): void {
  if (io.makeDir(dir)) io.syncDir(parentPath(dir));
}

function startWriting(options: ResolvedWalOptions, scan: LogScan): Omit<OpenedLog, 'lock' | 'recovery'> {
  const {io, dir} = options;
  const handle = repairLog(io, dir, scan);
  const holder: {writer: LogWriter | null} = {writer: null};
  const spares = new SparePool(options, error => holder.writer?.fail(error));
  const meter = new SyncMeter(options.commitMode);
  const segments = segmentWriter(options, scan, handle, spares);
  try {
    if (handle < 0) beginFirstSegment(io, segments, spares, scan);
    const {tail, next, link, marker} = scan;
    const start = {next, link, marker, proven: tail?.proven ?? true, sealed: tail?.sealed ?? false};
    const writer = new LogWriter({...options, segments, spares, meter}, start);
    holder.writer = writer;
    return {spares, meter, writer};
  } catch (error) {
    segments.release();
    spares.release();
    throw error;
  }
}

function segmentWriter(options: ResolvedWalOptions, scan: LogScan, handle: number, spares: SparePool): SegmentWriter {
  const {tail, list} = scan;
  if (tail !== null) {
    const active = {info: tail.segment, handle, stagedPath: null, offset: tail.endOffset};
    return new SegmentWriter({...options, spares}, tail.segment.uuid, [...list.segments], active);
  }
  const uuid = new Uint8Array(UUID_BYTES);
  options.io.randomFill(uuid);
  return new SegmentWriter({...options, spares}, uuid, [], null);
}

function beginFirstSegment(io: FileIo, segments: SegmentWriter, spares: SparePool, scan: LogScan): void {
  if (!spares.ensure(1)) throw new WalError('storage_full', 'no space for the first segment of the log');
  const staged = segments.stageNext(scan.next, scan.link, null);
  io.datasync(staged.handle);
  segments.promote(staged);
}
