/**
 * The records of a log written once more, as a log of its own with an id of its own: for a state that goes on elsewhere
 * from a point in the past. Type, slot, note and payload of each record stay as they were, and so does its lsn; frames are
 * filled up, since nobody waits for one of them. Snapshot markers come along as far as their snapshot is of the part.
 */

import {U64_MAX} from '@allocdb/core';
import {
  type FileIo,
  FRAME_HEADER_BYTES,
  joinPath,
  type LogCursor,
  READ,
  RECORD_HEADER_BYTES,
  type ReadEvent,
  STATUS,
  type Status,
  Wal,
} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {openErrorOf} from '../storage/data_directory.ts';
import type {Progress, Steps} from '../storage/steps.ts';
import {sizeOf} from './new_directory.ts';

const SEGMENT_NAME = /^wal-\d{20}\.seg$/;
const SEGMENT_BYTES: number = 64 << 20;
const FRAME_BYTES: number = 4 << 20;
/** What a segment has besides its largest frame, and a little more. */
const SEGMENT_EXTRA_BYTES = 8192;
const RECORDS_A_STEP = 256;

/** Size of the segments of a log: of its largest, or the default where it has none. */
export function segmentBytesOf(io: FileIo, walDir: string): number {
  const names = io.list(walDir).filter(name => SEGMENT_NAME.test(name));
  return names.length === 0 ? SEGMENT_BYTES : Math.max(...names.map(name => sizeOf(io, joinPath(walDir, name))));
}

/** Begins a log in an empty directory, whose first record will be the one behind `lsn`. */
export function beginLog(io: FileIo, walDir: string, segmentBytes: number, lsn: bigint): Wal {
  const maxFrameBytes = Math.min(FRAME_BYTES, segmentBytes - SEGMENT_EXTRA_BYTES);
  return Wal.open({
    io,
    dir: walDir,
    lock: false,
    segmentBytes,
    maxFrameBytes,
    maxRecordBytes: maxFrameBytes - FRAME_HEADER_BYTES - RECORD_HEADER_BYTES,
    firstLsn: lsn === U64_MAX ? U64_MAX : lsn + 1n,
    commitMode: 'inline',
    background: false,
  });
}

/** What is written once more: what the cursor shows, which begins where the log does and ends with an lsn. */
export interface Original {
  /** Directory of the database. */
  readonly dir: string;
  readonly cursor: LogCursor;
  readonly through: bigint;
}

/** Writes it and closes the log: all of it is durable at the end. Whatever fails, both are let go of. */
export function* rewriteSteps({dir, cursor, through}: Original, wal: Wal, progress: Progress): Steps<void> {
  const next = (): ReadEvent => {
    try {
      return cursor.next();
    } catch (error) {
      throw openErrorOf(error, dir);
    }
  };
  try {
    let untold = 0;
    for (let event = next(); event !== READ.END; event = next()) {
      if (event === READ.RECORD) {
        appendRecord(wal, cursor);
        if (++untold < RECORDS_A_STEP) continue;
        progress.add(untold);
        untold = 0;
        yield;
      } else if (event === READ.SNAPSHOT_MARKER && cursor.lsn <= through) {
        wal.commitSync();
        const status = wal.writeSnapshotMarkerSync(cursor.lsnLo, cursor.lsnHi, cursor.payload());
        // A full log does without: the digest stands in the snapshot too.
        if (status !== STATUS.LSN_EXHAUSTED) expectOk(status);
      }
    }
    wal.closeSync();
    progress.add(untold);
  } finally {
    cursor.close();
    wal.abandon();
  }
}

function appendRecord(wal: Wal, cursor: LogCursor): void {
  const {type, flags, stampLo, stampHi, bytes, offset, length} = cursor;
  const append = (): Status => wal.append(type, flags, stampLo, stampHi, bytes, offset, length);
  let status = append();
  if (status === STATUS.FRAME_FULL || status === STATUS.PENDING_FULL) {
    wal.commitSync();
    status = append();
  }
  expectOk(status);
}

function expectOk(status: Status): void {
  if (status === STATUS.OK) return;
  if (status === STATUS.STORAGE_FULL) throw new OpenError('storage_full', 'the disk is full');
  throw new OpenError('io', `a record was refused by the log that it is written to (${status})`);
}
