/**
 * `@allocdb/wal`: a durable log of records for one writer, with group commit and proven tails.
 *
 * `Wal` writes and reads one directory; `readWal` and `verifyWal` look at one without opening it. `FileIo` is the
 * boundary to the system; `@allocdb/wal/testing` has one in memory that loses power on request.
 */

export {crc32c} from './checksum.ts';
export {isWalError, WalError, type WalErrorCode, type WalErrorDetail} from './errors.ts';
export {
  type DirectoryLock,
  type FileIo,
  joinPath,
  type OpenMode,
  parentPath,
  readFully,
  writeFully,
  writeFullyAsync,
} from './file_io.ts';
export {FRAME_HEADER_BYTES, RECORD_FLAG, RECORD_HEADER_BYTES} from './format.ts';
export {lockDirectory} from './fs/directory_lock.ts';
export {nodeFileIo} from './fs/node_file_io.ts';
export {type LogCursor, READ, type ReadEvent} from './log_cursor.ts';
export type {LogEnding, WalRecovery} from './log_open.ts';
export type {WalOptions} from './log_options.ts';
export type {WalMetrics} from './metrics.ts';
export type {RecordInput} from './record_input.ts';
export type {SnapshotMarker} from './segment_header.ts';
export {STATUS, type Status} from './status.ts';
export type {CommitMode} from './sync_meter.ts';
export {Wal} from './wal.ts';
export {inspectWal, type ReadWalOptions, readWal, verifyWal, type WalReport} from './wal_reader.ts';
