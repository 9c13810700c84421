/**
 * Makes a scanned log ready to be written: what opening changes on disk, in the order in which it must happen.
 *
 * Invariant: repeating it after a crash at any point gives the same bytes. First the names (the clean file is gone,
 * durably, before any byte changes), then the bytes: the torn tail becomes zeros (in a recycled segment just the blocks of
 * its headers: whatever else was overwritten cannot be told apart from the old bytes, and the next try must not) and the one frame that may never have
 * reached the disk is written again, since a kernel that failed a sync shows bytes that it does not hold on disk.
 */

import {type FileIo, joinPath, readFully, writeFully} from '../file_io.ts';
import {FILE} from '../format/format.ts';
import {isSegmentName} from '../format/segment_header.ts';
import type {LogScan, LogTail} from './log_scan.ts';

const ZEROS: Uint8Array = new Uint8Array(1 << 16);

/** Syncs the last segment and the directory, so that what is read next is not only in memory. */
export function syncBeforeReading(io: FileIo, dir: string): void {
  const last = io.list(dir).filter(isSegmentName).at(-1);
  if (last === undefined) return;
  const handle = io.open(joinPath(dir, last), 'write');
  try {
    io.datasync(handle);
  } finally {
    io.close(handle);
  }
  io.syncDir(dir);
}

/** Repairs and returns the open handle of the last segment, or -1 where the directory holds no segment. */
export function repairLog(io: FileIo, dir: string, scan: LogScan): number {
  const {list, tail} = scan;
  const doomed = [...list.leftovers];
  if (list.hasCleanFile) doomed.push(FILE.CLEAN);
  if (list.blankLast !== null) doomed.push(list.blankLast);
  for (const name of doomed) io.unlink(joinPath(dir, name));
  if (doomed.length > 0) io.syncDir(dir);
  if (tail === null) return -1;
  const handle = io.open(joinPath(dir, tail.segment.name), 'write');
  try {
    repairTail(io, handle, tail);
  } catch (error) {
    io.close(handle);
    throw error;
  }
  return handle;
}

function repairTail(io: FileIo, handle: number, tail: LogTail): void {
  const isTorn = tail.dirtyEnd > tail.endOffset;
  const isInDoubt = tail.lastDataOffset >= 0 && !tail.proven;
  if (tail.segment.isRecycled) {
    const {blockBytes} = tail.segment;
    for (const at of tail.tornHeaders) writeFully(io, handle, ZEROS, blockBytes, at);
  } else {
    for (let at = tail.endOffset; at < tail.dirtyEnd; at += ZEROS.length) {
      writeFully(io, handle, ZEROS, Math.min(ZEROS.length, tail.dirtyEnd - at), at);
    }
  }
  if (isInDoubt) {
    const frame = new Uint8Array(tail.lastDataBytes);
    readFully(io, handle, frame, 0, frame.length, tail.lastDataOffset);
    writeFully(io, handle, frame, frame.length, tail.lastDataOffset);
  }
  if (isTorn || isInDoubt) io.datasync(handle);
}
