/**
 * `@allocdb/wal/nodedb`: the records of a multi-model store, and what such a store needs of its log.
 *
 * `WalManager` appends and replays; tombstones, surrogates, applied transactions, time anchors, the checkpoint gate and the
 * audit log each stand alone over it.
 */

export {AuditLog, type PurgeBegunEntry} from './audit_log.ts';
export {
  type AuditNote,
  type AuditTypes,
  auditTypes,
  createAuditRegistry,
  NOTE_BYTES_MAX,
  type PurgeBegun,
} from './audit_types.ts';
export {CalvinAppliedSet} from './calvin_applied.ts';
export {CheckpointGate} from './checkpoint_gate.ts';
export {
  type CalvinApplied,
  type Checkpoint,
  COLLECTION_BYTES_MAX,
  type CollectionTombstoned,
  type ControlTypes,
  type ControlValues,
  KEY_BYTES_MAX,
  type LsnMsAnchor,
  type PurgeEngine,
  type SurrogateAlloc,
  type SurrogateBind,
  type TemporalPurge,
} from './control_types.ts';
export {type DataTypeName, type DataTypes, PAYLOAD_BYTES_MAX} from './data_types.ts';
export type {LogSource} from './log_source.ts';
export {LsnTimeAnchors} from './lsn_time_anchors.ts';
export {
  createNodedbRegistry,
  type NodedbType,
  type NodedbTypeName,
  type NodedbTypes,
  nodedbTypes,
} from './record_types.ts';
export {type DataRecord, type ReplayHandlers, type ReplayOptions, type ReplayReport, replay} from './replay.ts';
export {
  type SetTimer,
  SURROGATE_MAX,
  SurrogateAllocator,
  type SurrogateOptions,
} from './surrogate_allocator.ts';
export {type CollectionKey, extractTombstones, type Tombstone, TombstoneSet} from './tombstones.ts';
export type {TransactionMember} from './transaction.ts';
export {type Owner, WalManager} from './wal_manager.ts';
