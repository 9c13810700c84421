/**
 * The engine's public surface, by name. API codecs are re-exported as the engine's own.
 */

export {BUNDLE_HEADER_BYTES, memoryBytesOf, operationWindowOf} from '@allocdb/core';
export * from './api.ts';
export {MonotonicSlotClock, type Scheduler} from './clock.ts';
export {
  configIssues,
  configOfJson,
  configToJson,
  type DatabaseConfig,
  type EngineLimits,
  parseConfig,
} from './config.ts';
export type {BackupInfo, BackupOptions} from './directory/backup.ts';
export type {DirectoryProgress, OnProgress} from './directory/progress.ts';
export {
  type ReconfigureInfo,
  type ReconfigureOptions,
  reconfigureDirectory,
} from './directory/reconfigure_directory.ts';
export {type ReplayInfo, type ReplayOptions, replayUntil} from './directory/replay_until.ts';
export {type RestoreInfo, type RestoreOptions, restoreDirectory} from './directory/restore_directory.ts';
export {AnswerBuffer} from './engine/answer_buffer.ts';
export {ChangeFeed} from './engine/change_feed.ts';
export {RECORD_TYPE} from './engine/command_log.ts';
export {framesOf} from './engine/engine_feed.ts';
export {DEFAULT_CHECKPOINT, type EngineOptions} from './engine/engine_options.ts';
export {ExpirationTicker} from './engine/expiration_ticker.ts';
export {LatencyHistogram} from './engine/latency_histogram.ts';
export type {CommandCount, EngineMetrics, RefusalCount, TableFill} from './engine/metrics.ts';
export type {HistoryOptions} from './engine/readable_engine.ts';
export type {RecoveryFacts} from './engine/reads.ts';
export {type EngineState, SingleNodeEngine} from './engine/single_node_engine.ts';
export {type SlotClock, type SlotPolicy, TRUST_REQUEST_SLOTS} from './engine/slot_source.ts';
export type {StateMap} from './engine/state_map.ts';
export {EngineTransport} from './engine_transport.ts';
export {isOpenError, OpenError, type OpenErrorCode} from './errors.ts';
export {type ClockFacts, ClockWatch} from './insight/clock_watch.ts';
export {type DirectoryConfig, readDirectoryConfig} from './insight/created_with.ts';
export {
  type DirectoryFacts,
  type DoctorFinding,
  type DoctorNeeds,
  examine,
  type FindingLevel,
  findingLines,
  type KernelFacts,
  type LockFacts,
  type MachineFacts,
  worstOf,
} from './insight/doctor.ts';
export {
  DEFAULT_DISK,
  type DiskNeed,
  type DiskSettings,
  diskNeed,
  frameBytes,
  logBytesPerRecord,
  reserveRecordBytes,
  type SnapshotRows,
  snapshotBytes,
} from './insight/file_sizes.ts';
export {
  type HistoryEventJson,
  type HistoryJson,
  type HoldingJson,
  historyToJson,
  type ReasonJson,
} from './insight/history_json.ts';
export {eventLine, historyJsonLines, historyLines} from './insight/history_lines.ts';
export {
  type DirectorySource,
  type HistoryQuery,
  type HistorySource,
  historyOf,
  historySteps,
  type OpenHistoryOptions,
  openHistory,
} from './insight/history_of.ts';
export {
  type InspectedConfig,
  type InspectedEntry,
  type InspectedRecord,
  type InspectLogOptions,
  inspectLog,
} from './insight/inspect_log.ts';
export {
  type InspectSnapshotOptions,
  inspectSnapshot,
  type SectionInspection,
  type SnapshotInspection,
} from './insight/inspect_snapshot.ts';
export {type KnownState, knownInState} from './insight/known_state.ts';
export {type Holding, type HoldingState, isOver, type Standing} from './insight/ownership.ts';
export {type GroupedLog, type Plan, type PlanInput, plan} from './insight/plan.ts';
export type {PlanWarning, PlanWarningCode} from './insight/plan_warnings.ts';
export {planLines, planToJson} from './insight/plan_words.ts';
export {
  cgroupOf,
  chosenOf,
  cpuMaxOf,
  cpuQuotaOf,
  limitOf,
  type Mount,
  meminfoOf,
  memoryLimitOf,
  mountOf,
  numberOf,
  withParents,
} from './insight/proc_text.ts';
export type {Bound, Bounds, Reason} from './insight/reasons.ts';
export {changeOfRecord, type EngineRecord} from './insight/record_change.ts';
export {
  type HistoryEnd,
  type HistoryEvent,
  type HistoryReport,
  OperationSearch,
  type OperationStory,
  ResourceHistory,
  type ResourceHistoryQuery,
  subjectsOf,
} from './insight/resource_history.ts';
export type {SnapshotHeader} from './insight/snapshot_blocks.ts';
export {
  type OperationRecord,
  type ReservationRecord,
  type ResourceRecord,
  SECTION_NAMES,
  type SectionName,
  type SnapshotRecord,
} from './insight/snapshot_records.ts';
export type {Subjects} from './insight/subjects.ts';
export {probeSync, type SyncProbeOptions, type SyncSpeed} from './insight/sync_probe.ts';
export {countText, durationText, sizeText} from './insight/words.ts';
export {configOfLimits, type DatabaseLimits, slotsOfHold} from './limits.ts';
export {lastSlotOf, type OpenDbOptions, openDb} from './open_db.ts';
export type {CheckpointInfo, CheckpointOptions} from './storage/checkpointer.ts';
export {slotMsOf} from './storage/config_file.ts';
export {type DirectoryReport, type SnapshotVerdict, verifyDirectory} from './storage/verify_directory.ts';
