/**
 * A log directory read without being opened for writing: nothing on disk is changed, no lock is taken.
 *
 * Only for a log that nobody is writing, or a copy of one: beside a writer the end that is seen here may be in the
 * middle of a frame. What opening would cut off is not shown and is reported.
 */

import type {FileIo} from '../file_io.ts';
import {nodeFileIo} from '../fs/node_file_io.ts';
import {READ_FRAME_BYTES} from '../log_options.ts';
import {describe, type WalRecovery} from '../recovery/log_open.ts';
import {type LogScan, scanLog} from '../recovery/log_scan.ts';
import {LogCursor, READ} from './log_cursor.ts';
import type {ReadOptions} from './record_filter.ts';

export interface ReadWalOptions {
  readonly dir: string;
  /** Default: the file system. */
  readonly io?: FileIo;
  /** Bound for the frames that are read. Default 64 MiB. */
  readonly maxReadFrameBytes?: number;
  /** An lsn that the caller knows to have been durable. Default 0: none. */
  readonly floor?: bigint;
  /** Where the log would begin if it is empty. Default 1. */
  readonly firstLsn?: bigint;
}

/** `ending` is what opening would find, `cutBytes` what it would cut. */
export interface WalReport extends WalRecovery {
  readonly frames: number;
  readonly records: number;
  readonly snapshotMarkers: number;
  /** Bytes between frames that hold no intact frame; only control frames can be missing there. */
  readonly skippedBytes: number;
}

/**
 * Reads a directory from this lsn (default: its first), or what the options choose, to the end that opening would find. Throws like `Wal.open`, and
 * `missing_segment` for an lsn below the first. Close the cursor.
 */
export function readWal(options: ReadWalOptions, from?: bigint | ReadOptions): LogCursor {
  const scan = scanReadOnly(options);
  return cursorOver(options, scan, typeof from === 'bigint' ? {from} : (from ?? {}));
}

/** What opening would find, from the last segment alone. Throws like `Wal.open`; changes nothing. */
export function inspectWal(options: ReadWalOptions): WalRecovery {
  return describe(scanReadOnly(options));
}

/** Verifies every frame and record of a directory and says what it holds. Throws like `Wal.open`; changes nothing. */
export function verifyWal(options: ReadWalOptions): WalReport {
  const steps = verifySteps(options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** `verifyWal`, pausing after each frame. */
export function* verifySteps(options: ReadWalOptions): Generator<void, WalReport> {
  const scan = scanReadOnly(options);
  const recovery = describe(scan);
  const cursor = cursorOver(options, scan, {});
  const counts = {frames: 0, records: 0, snapshotMarkers: 0};
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event === READ.RECORD) counts.records++;
      else if (event === READ.SNAPSHOT_MARKER) counts.snapshotMarkers++;
      else {
        counts.frames++;
        yield;
      }
    }
    return {...recovery, ...counts, skippedBytes: cursor.skippedBytes};
  } finally {
    cursor.close();
  }
}

export function scanReadOnly(options: ReadWalOptions, verify: 'all' | 'tail' = 'tail'): LogScan {
  const {dir, io = nodeFileIo, maxReadFrameBytes = READ_FRAME_BYTES, floor = 0n, firstLsn = 1n} = options;
  return scanLog({io, dir, maxReadFrameBytes, floor, firstLsn, verify});
}

function cursorOver(options: ReadWalOptions, scan: LogScan, read: ReadOptions): LogCursor {
  const {dir, io = nodeFileIo, maxReadFrameBytes = READ_FRAME_BYTES} = options;
  const {tail, list} = scan;
  const chain = tail === null ? null : {segments: list.segments, lastLimit: tail.endOffset};
  const from = read.from ?? describe(scan).firstLsn;
  return new LogCursor({io, dir, maxReadFrameBytes, chain, read: {...read, from}, pin: null});
}
