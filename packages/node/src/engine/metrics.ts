/**
 * The engine's typed metrics: what the wire's metrics body says, and everything newer. Plain data with bigint for lsns
 * and slots; turning it into Prometheus text or JSON is the caller's.
 */
import {FAILURE} from '@allocdb/api';
import {bigintOfU64, COMMAND, hiOf, loOf, RESULT_NAMES} from '@allocdb/core';
import type {Checkpointer} from '../storage/checkpointer.ts';
import type {DataDirectory} from '../storage/data_directory.ts';
import type {LatencyHistogram} from './latency_histogram.ts';
import type {RecoveryFacts} from './reads.ts';
import type {Stepper} from './stepper.ts';

/** How full a table is. */
export interface TableFill {
  readonly used: number;
  readonly capacity: number;
}

/** Applied commands of one kind that had one result. */
export interface CommandCount {
  readonly kind: string;
  readonly result: string;
  readonly count: number;
}

/** Commands that were not sequenced, for one reason. */
export interface RefusalCount {
  readonly reason: string;
  readonly count: number;
}

/** Everything that is counted and measured. Durations in milliseconds, sizes in bytes. */
export interface EngineMetrics {
  readonly acceptingWrites: boolean;
  readonly halted: boolean;
  readonly queueDepth: number;
  readonly queueCapacity: number;
  /** Most commands that ever waited at once. */
  readonly queueHighWater: number;
  readonly recovery: RecoveryFacts;
  readonly lastAppliedLsn: bigint | null;
  readonly durableLsn: bigint | null;
  readonly lastRequestSlot: bigint | null;
  readonly logicalSlotLag: bigint;
  readonly expirationBacklog: number;
  readonly resources: TableFill;
  readonly reservations: TableFill;
  readonly operations: TableFill;
  readonly longestProbe: number;
  readonly commands: readonly CommandCount[];
  /** One entry for each reason that there is. */
  readonly refusals: readonly RefusalCount[];
  readonly retries: number;
  readonly expirations: number;
  readonly frames: number;
  readonly records: number;
  readonly logBytes: number;
  readonly logBytesSinceCheckpoint: number;
  readonly checkpoints: number;
  readonly checkpointFailures: number;
  readonly lastCheckpointLsn: bigint | null;
  readonly lastCheckpointDurationMs: number | null;
  /** Since the last one finished; null while none has since the engine opened. */
  readonly lastCheckpointAgeMs: number | null;
  readonly commitLatency: LatencyHistogram;
  readonly syncLatency: LatencyHistogram;
}

/** Reads the metrics of an engine, with slots judged at `currentSlot`. */
export function readMetrics(
  stepper: Stepper,
  directory: DataDirectory,
  checkpoints: Checkpointer,
  currentSlot: bigint,
): EngineMetrics {
  const {db, counters, limits} = stepper;
  const {wal} = directory;
  const log = wal.metrics;
  const lastLsn = db.isEmpty ? null : bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  const appliedSlot = db.hasSlot ? bigintOfU64(db.lastSlotLo, db.lastSlotHi) : null;
  const lastSlot = stepper.halted ? stepper.reads.durableSlot : appliedSlot;
  return {
    acceptingWrites: !stepper.halted && (db.lastLsnLo !== -1 || db.lastLsnHi !== -1),
    halted: stepper.halted,
    queueDepth: stepper.queueDepth,
    queueCapacity: limits.maxSubmissionQueue,
    queueHighWater: counters.queueHighWater,
    recovery: directory.recovery,
    // What a halted engine has applied and not made durable is thrown away.
    lastAppliedLsn: stepper.halted ? wal.durableLsn || null : lastLsn,
    durableLsn: wal.durableLsn || null,
    lastRequestSlot: lastSlot,
    logicalSlotLag: lastSlot === null || lastSlot > currentSlot ? 0n : currentSlot - lastSlot,
    expirationBacklog: db.wheel.countDue(loOf(currentSlot), hiOf(currentSlot)),
    resources: {used: db.resources.count, capacity: db.resources.capacity},
    reservations: {used: db.reservationsUsed, capacity: db.reservations.capacity},
    operations: {used: db.operations.used, capacity: db.operations.capacity},
    longestProbe: Math.max(
      db.resources.index.longestProbe,
      db.reservations.index.longestProbe,
      db.operations.index.longestProbe,
    ),
    commands: commandCounts(stepper),
    refusals: refusalCounts(stepper),
    retries: counters.retries,
    expirations: counters.expirations,
    frames: counters.frames,
    records: log.records,
    logBytes: log.bytesWritten,
    logBytesSinceCheckpoint: checkpoints.logBytesSince,
    checkpoints: checkpoints.count,
    checkpointFailures: checkpoints.failures,
    lastCheckpointLsn: checkpoints.last?.lsn ?? null,
    lastCheckpointDurationMs: checkpoints.last?.durationMs ?? null,
    lastCheckpointAgeMs: checkpoints.ageMs,
    commitLatency: counters.commitLatency,
    syncLatency: counters.syncLatency,
  };
}

function commandCounts(stepper: Stepper): CommandCount[] {
  const counts: CommandCount[] = [];
  for (const [name, tag] of Object.entries(COMMAND)) {
    RESULT_NAMES.forEach((result, code) => {
      const count = stepper.counters.commandsOf(tag, code);
      if (count > 0) counts.push({kind: name.toLowerCase(), result, count});
    });
  }
  return counts;
}

function refusalCounts({counters}: Stepper): RefusalCount[] {
  // What fails while it is being stored was sequenced, and is counted as a command.
  return Object.entries(FAILURE)
    .filter(([, code]) => code !== FAILURE.STORAGE_FAILURE)
    .map(([name, code]) => ({reason: name.toLowerCase(), count: counters.refusalsOf(code)}));
}
