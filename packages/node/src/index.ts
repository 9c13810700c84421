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
export {AnswerBuffer} from './engine/answer_buffer.ts';
export {RECORD_TYPE} from './engine/command_log.ts';
export {DEFAULT_CHECKPOINT, type EngineOptions} from './engine/engine_options.ts';
export {ExpirationTicker} from './engine/expiration_ticker.ts';
export {LatencyHistogram} from './engine/latency_histogram.ts';
export type {CommandCount, EngineMetrics, TableFill} from './engine/metrics.ts';
export type {RecoveryFacts} from './engine/reads.ts';
export {type EngineState, SingleNodeEngine} from './engine/single_node_engine.ts';
export {type SlotClock, type SlotPolicy, TRUST_REQUEST_SLOTS} from './engine/slot_source.ts';
export {isOpenError, OpenError, type OpenErrorCode} from './errors.ts';
export {configOfLimits, type DatabaseLimits} from './limits.ts';
export {lastSlotOf, type OpenDbOptions, openDb} from './open_db.ts';
export type {CheckpointInfo, CheckpointOptions} from './storage/checkpointer.ts';
export {type DirectoryReport, type SnapshotVerdict, verifyDirectory} from './storage/verify_directory.ts';
