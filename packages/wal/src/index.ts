/**
 * `@allocdb/wal`: a durable log of records for one writer, with group commit and proven tails.
 *
 * `Wal` writes and reads one directory; `readWal` and `verifyWal` look at one without opening it. `FileIo` is the
 * boundary to the system; `@allocdb/wal/testing` has one in memory that loses power on request.
 */

export type {RefusalReason, WriteOutcome} from './coordinator/channel.ts';
export {
  CoordinatorError,
  type CoordinatorErrorCode,
  type CoordinatorErrorDetail,
  type FailureCode,
  isCoordinatorError,
} from './coordinator/coordinator_error.ts';
export {
  type CoordinatorView,
  type Delta,
  type DeltaFactory,
  DURABILITY,
  type Durability,
  type EpochRange,
  type EpochStamped,
  type Flusher,
  type FrozenDelta,
} from './coordinator/delta.ts';
export type {ChannelMetrics, CoordinatorMetrics, FlushReason, PipelineMetrics} from './coordinator/metrics.ts';
export {type CoordinatorOptions, MAIN_CHANNEL} from './coordinator/options.ts';
export type {WaitOptions} from './coordinator/promises.ts';
export type {Ticket} from './coordinator/ticket.ts';
export type {ViewSubscription} from './coordinator/view_feed.ts';
export type {WriteOptions} from './coordinator/waiting_writes.ts';
export {
  DELTA_RECORD_TYPE,
  type DeltaRecord,
  type LoggedDelta,
  readDeltas,
  WalFlusher,
  type WalFlusherOptions,
} from './coordinator/wal_flusher.ts';
export type {WatermarkEpochs} from './coordinator/watermarks.ts';
export {type StopOptions, WriteCoordinator} from './coordinator/write_coordinator.ts';
export type {FlushOptions, WriteHandle} from './coordinator/write_handle.ts';
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
export {crc32c} from './format/checksum.ts';
export {FRAME_HEADER_BYTES, RECORD_FLAG, RECORD_HEADER_BYTES} from './format/format.ts';
export type {RecordScope} from './format/scope.ts';
export type {SnapshotMarker} from './format/segment_header.ts';
export {lockDirectory} from './fs/directory_lock.ts';
export {nodeFileIo} from './fs/node_file_io.ts';
export type {WalOptions} from './log_options.ts';
export type {WalMetrics} from './metrics.ts';
export type {FollowOptions} from './read/follow.ts';
export {type LogCursor, READ, type ReadEvent} from './read/log_cursor.ts';
export type {LogTail, TailOptions} from './read/log_tail.ts';
export type {PageOptions, RecordPage} from './read/pages.ts';
export type {Pin} from './read/pins.ts';
export type {ReadOptions} from './read/record_filter.ts';
export type {LogRecord, RecordView} from './read/record_view.ts';
export {type CopyWalOptions, copyWal} from './read/wal_copy.ts';
export {type DumpEntry, type DumpOptions, dumpWal, type FrameKindName} from './read/wal_dump.ts';
export {inspectWal, type ReadWalOptions, readWal, verifySteps, verifyWal, type WalReport} from './read/wal_reader.ts';
export {type SurveyEntry, type SurveyOptions, surveyWal} from './read/wal_survey.ts';
export {appendTyped, whenRoom} from './records/append_typed.ts';
export {
  COMMAND_BYTES_MAX,
  type CommandRecordTypes,
  commandRecordTypes,
  createCommandRegistry,
} from './records/command_types.ts';
export {PayloadReader} from './records/payload_reader.ts';
export {PayloadWriter} from './records/payload_writer.ts';
export {isRecordError, RecordError, type RecordErrorCode, type RecordErrorDetail} from './records/record_error.ts';
export {RecordRegistry, type TypedRecord, type TypedRecords} from './records/record_registry.ts';
export {
  decodePayload,
  defineRecordType,
  encodePayload,
  opaqueRecordType,
  type PayloadBytes,
  type RecordType,
} from './records/record_type.ts';
export type {LogEnding, WalRecovery} from './recovery/log_open.ts';
export {Wal} from './wal.ts';
export type {RecordInput} from './write/record_input.ts';
export {STATUS, type Status} from './write/status.ts';
export type {CommitMode} from './write/sync_meter.ts';
