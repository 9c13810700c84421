/**
 * How large what a database writes is, from the formats themselves: records and frames of the log by the size of a group,
 * a snapshot by the rows in it, and the room on disk that a configuration needs in the worst case.
 */
import {
  BUNDLE_HEADER_BYTES,
  CLIENT_HEADER_BYTES,
  EXPIRE_BYTES,
  OPERATION_RECORD,
  RESERVATION_RECORD,
  RESOURCE_RECORD,
} from '@allocdb/core';
import {FRAME_HEADER_BYTES, RECORD_HEADER_BYTES} from '@allocdb/wal';
import {BLOCK, BLOCK_RECORD_BYTES, DIGEST_BYTES, HEADER} from '../storage/snapshot_format.ts';

/** Frames begin on multiples of this, as the engine opens its log. */
const FRAME_BLOCK_BYTES = 512;
const ID_BYTES = 16;
const SLOTS_BYTES = 8;
const WORD_BYTES = 4;

/** Bytes of the record of a reserve of so many resources; that of every other command of a client is no larger. */
export function reserveRecordBytes(resources: number): number {
  const single = CLIENT_HEADER_BYTES + 1 + 2 * ID_BYTES + SLOTS_BYTES;
  return RECORD_HEADER_BYTES + (resources === 1 ? single : BUNDLE_HEADER_BYTES + ID_BYTES * resources);
}

/** Bytes of the record of an expiration. */
export const EXPIRE_RECORD_BYTES: number = RECORD_HEADER_BYTES + EXPIRE_BYTES;

/** Bytes of a frame with so many bytes of records, padding included. */
export function frameBytes(recordBytes: number): number {
  return FRAME_BLOCK_BYTES * Math.ceil((FRAME_HEADER_BYTES + recordBytes) / FRAME_BLOCK_BYTES);
}

/** Log bytes of each record, where so many records of this size go into a frame. */
export function logBytesPerRecord(recordBytes: number, groupSize: number): number {
  return frameBytes(recordBytes * groupSize) / groupSize;
}

/** Rows of the tables that a snapshot holds. */
export interface SnapshotRows {
  readonly resources: number;
  readonly reservations: number;
  readonly operations: number;
}

/** Bytes of a snapshot with so many rows, of reservations with so many members each. */
export function snapshotBytes({resources, reservations, operations}: SnapshotRows, bundleSize: number): number {
  const section = (rows: number, words: number): number => {
    const bytes = WORD_BYTES * words;
    const perBlock = Math.max(1, Math.floor(BLOCK_RECORD_BYTES / bytes));
    return rows * bytes + Math.ceil(rows / perBlock) * BLOCK.HEADER_BYTES;
  };
  const trailer = BLOCK.HEADER_BYTES + DIGEST_BYTES;
  return (
    HEADER.BYTES +
    section(resources, RESOURCE_RECORD.WORDS) +
    section(reservations, RESERVATION_RECORD.MEMBERS + 4 * bundleSize) +
    section(operations, OPERATION_RECORD.WORDS) +
    trailer
  );
}

/** Settings of a server that decide how much it keeps on disk; those of `allocdb serve` where nothing was said. */
export interface DiskSettings {
  readonly retainLogBytes: number;
  readonly checkpointEveryBytes: number;
}

/** What `allocdb serve` keeps unless told otherwise. */
export const DEFAULT_DISK: DiskSettings = {retainLogBytes: 8192 * 2 ** 20, checkpointEveryBytes: 256 * 2 ** 20};

/** Size of a file of the log, unless an engine is told otherwise. */
export const SEGMENT_BYTES: number = 64 << 20;
/** Files that are made ready before they are needed. */
const SPARE_SEGMENTS = 3;
/** Two are kept, one is being written. */
const SNAPSHOTS = 3;

/** Room on disk that a database takes at most, and what must be free for the next checkpoint and segments. */
export interface DiskNeed {
  readonly totalBytes: number;
  readonly aheadBytes: number;
}

/** The room for snapshots of this size under these settings. */
export function diskNeed(snapshot: number, {retainLogBytes, checkpointEveryBytes}: DiskSettings): DiskNeed {
  const spares = SPARE_SEGMENTS * SEGMENT_BYTES;
  return {
    totalBytes: retainLogBytes + 2 * checkpointEveryBytes + spares + SNAPSHOTS * snapshot,
    aheadBytes: checkpointEveryBytes + spares + snapshot,
  };
}
