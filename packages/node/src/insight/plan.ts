/**
 * From a load to a configuration that carries it: tables large enough that no command is refused for want of room while
 * the rate is not exceeded, and what that costs in memory, log, snapshots and recovery. Everything is arithmetic over the
 * formats and a few measured speeds (measured.ts); nothing here looks at a machine.
 *
 * A table is sized for what its window can hold at that rate, whatever the commands are, with a margin for arrivals that
 * are not even.
 */
import {memoryBytesOf} from '@allocdb/core';
import {configIssues, type DatabaseConfig, frameIssues} from '../config.ts';
import {DEFAULT_CHECKPOINT} from '../engine/engine_options.ts';
import {OpenError} from '../errors.ts';
import {configOfLimits, slotsOfHold} from '../limits.ts';
import {
  DEFAULT_DISK,
  type DiskNeed,
  type DiskSettings,
  diskNeed,
  EXPIRE_RECORD_BYTES,
  frameBytes,
  logBytesPerRecord,
  reserveRecordBytes,
  snapshotBytes,
} from './file_sizes.ts';
import {
  FRAMES_PER_SECOND,
  LOADED_RECORDS_PER_SECOND,
  REPLAYED_RECORDS_PER_SECOND,
  SNAPSHOT_BYTES_PER_SECOND_UNDER_LOAD,
} from './measured.ts';
import {type PlanWarning, warningsOf} from './plan_warnings.ts';

/** A load, in the words of whoever has it. */
export interface PlanInput {
  /** Most requests per second that clients send over a window; a retry within the retry window does not count. */
  readonly ratePerSecond: number;
  /** Longest hold, in milliseconds. */
  readonly holdMs: number;
  /** Resources that will ever exist. */
  readonly resources: number;
  /** For how long a retry gets the first answer; one minute. */
  readonly retryWindowMs?: number;
  /** Milliseconds of a slot; 100. */
  readonly slotMs?: number;
  /** Resources of one hold, at most; it is taken for the size of every hold. Default 1, and bundles of up to 16 allowed. */
  readonly bundleSize?: number;
  /** Part of the requests that are reads, 0 to below 1; 0. */
  readonly readShare?: number;
  /** Part of the commands that are reserves and win, 0 to 1; 1, the worst case. */
  readonly grantShare?: number;
  /** What the server keeps on disk; as `allocdb serve` does. */
  readonly disk?: Partial<DiskSettings>;
  /** Most bytes per second of a checkpoint; 32 MiB. */
  readonly snapshotBytesPerSecond?: number;
  /** Memory of the machine; where it is given, a plan says when it is short. */
  readonly memoryBytes?: number;
}

/** Log bytes where so many commands go into a frame. */
export interface GroupedLog {
  readonly groupSize: number;
  readonly bytesPerCommand: number;
  readonly bytesPerSecond: number;
}

/** A load and everything that follows from it. */
export interface Plan {
  readonly input: Required<Omit<PlanInput, 'disk' | 'memoryBytes'>> & {readonly disk: DiskSettings};
  readonly config: DatabaseConfig;
  /** Commands per second: requests that are no reads. */
  readonly commandsPerSecond: number;
  /** Tables, all of it from the start. */
  readonly memoryBytes: number;
  /** At the group size that the rate gives on the measured disk, expirations included. */
  readonly log: GroupedLog & {readonly bytesPerDay: number; readonly retainedMs: number};
  /** The same for other group sizes. */
  readonly logByGroupSize: readonly GroupedLog[];
  /** `bytes` with full tables; `writeMs` as it is paced, `writeUnderLoadMs` as it was measured. */
  readonly snapshot: {readonly bytes: number; readonly writeMs: number; readonly writeUnderLoadMs: number};
  /** Milliseconds between two checkpoints, from beginning to beginning. */
  readonly checkpointEveryMs: number;
  /** A start after a crash at the worst moment. */
  readonly recovery: {readonly records: number; readonly ms: number};
  readonly diskNeed: DiskNeed;
  readonly warnings: readonly PlanWarning[];
}

/** Arrivals are not even: tables have room for a tenth more than the rate gives, and for this time beyond the window. */
const MARGIN = 1.1;
const SLACK_MS = 1000;
const SLACK_ROWS = 16;

const GROUP_SIZES: readonly number[] = [1, 16, 256, 4096];
/** Largest frame that an engine writes unless told otherwise. */
const FRAME_BYTES: number = 8 << 20;
const EXPIRATIONS_PER_TICK = 10_000;
const DAY_S = 86_400;

/**
 * The configuration for a load, and what it costs. Throws RangeError for a load that is none, and OpenError
 * `invalid_config` where no configuration can carry it, naming the tables that would be too large.
 */
export function plan(input: PlanInput): Plan {
  const load = resolve(input);
  const {slotMs, resources, bundleSize, grantShare, disk, snapshotBytesPerSecond} = load;
  const commandsPerSecond = load.ratePerSecond * (1 - load.readShare);
  const grantsPerSecond = commandsPerSecond * grantShare;
  const config = configFor(input, load, commandsPerSecond, grantsPerSecond);
  const {core} = config;
  const logOf = (groupSize: number): GroupedLog => {
    const bytesPerCommand = logBytesPerRecord(reserveRecordBytes(bundleSize), groupSize);
    return {groupSize, bytesPerCommand, bytesPerSecond: commandsPerSecond * bytesPerCommand};
  };
  const grouped = logOf(Math.max(1, Math.round(commandsPerSecond / FRAMES_PER_SECOND)));
  const bytesPerSecond = grouped.bytesPerSecond + expirationBytesPerSecond(grantsPerSecond, grantShare, slotMs);
  const rows = {resources, reservations: core.maxReservations, operations: core.maxOperations};
  const bytes = snapshotBytes(rows, bundleSize);
  const snapshot = {
    bytes,
    writeMs: (1000 * bytes) / snapshotBytesPerSecond,
    writeUnderLoadMs: (1000 * bytes) / Math.min(snapshotBytesPerSecond, SNAPSHOT_BYTES_PER_SECOND_UNDER_LOAD),
  };
  const checkpointEveryMs = (1000 * disk.checkpointEveryBytes) / bytesPerSecond;
  // Where writing a snapshot takes longer than its interval, the log grows meanwhile.
  const checkpointEveryBytes = Math.max(disk.checkpointEveryBytes, (bytesPerSecond * snapshot.writeUnderLoadMs) / 1000);
  // At worst the next checkpoint was just about to be published.
  const records = Math.ceil((commandsPerSecond * (checkpointEveryMs + snapshot.writeUnderLoadMs)) / 1000);
  const loaded = rows.resources + rows.reservations + rows.operations;
  const ms = 1000 * (loaded / LOADED_RECORDS_PER_SECOND + records / REPLAYED_RECORDS_PER_SECOND);
  const made: Omit<Plan, 'warnings'> = {
    input: load,
    config,
    commandsPerSecond,
    memoryBytes: memoryBytesOf(core),
    log: {
      ...grouped,
      bytesPerSecond,
      bytesPerDay: bytesPerSecond * DAY_S,
      retainedMs: (1000 * disk.retainLogBytes) / bytesPerSecond,
    },
    logByGroupSize: GROUP_SIZES.map(logOf),
    snapshot,
    checkpointEveryMs,
    recovery: {records, ms},
    diskNeed: diskNeed(bytes, {...disk, checkpointEveryBytes}),
  };
  return {...made, warnings: warningsOf(made, input.memoryBytes ?? null)};
}

function resolve(input: PlanInput): Plan['input'] {
  const load = {
    ratePerSecond: input.ratePerSecond,
    holdMs: input.holdMs,
    resources: input.resources,
    retryWindowMs: input.retryWindowMs ?? 60_000,
    slotMs: input.slotMs ?? 100,
    bundleSize: input.bundleSize ?? 1,
    readShare: input.readShare ?? 0,
    grantShare: input.grantShare ?? 1,
    disk: {...DEFAULT_DISK, ...input.disk},
    snapshotBytesPerSecond: input.snapshotBytesPerSecond ?? DEFAULT_CHECKPOINT.bytesPerSecond,
  };
  const {ratePerSecond, holdMs, resources, retryWindowMs, slotMs, bundleSize, readShare, grantShare} = load;
  const positive = {ratePerSecond, holdMs, retryWindowMs, slotMs, bytesPerSecond: load.snapshotBytesPerSecond};
  for (const [name, value] of Object.entries(positive))
    check(Number.isFinite(value) && value > 0, `${name} is above 0`);
  check(Number.isSafeInteger(resources) && resources > 0, 'resources is a whole number above 0');
  check(Number.isSafeInteger(bundleSize) && bundleSize > 0, 'bundleSize is a whole number above 0');
  check(bundleSize <= resources, 'bundleSize is at most the number of resources');
  check(readShare >= 0 && readShare < 1, 'readShare is from 0 to below 1');
  check(grantShare > 0 && grantShare <= 1, 'grantShare is above 0 and at most 1');
  check(load.disk.checkpointEveryBytes > 0 && load.disk.retainLogBytes >= 0, 'disk settings are not negative');
  return load;
}

function configFor(
  input: PlanInput,
  load: Plan['input'],
  commandsPerSecond: number,
  grantsPerSecond: number,
): DatabaseConfig {
  const {slotMs, holdMs, resources, retryWindowMs} = load;
  const maxTtlSlots = slotsOfHold(holdMs, slotMs);
  const operationWindowSlots = BigInt(Math.max(1, Math.ceil(retryWindowMs / slotMs)));
  const limits = {
    maxResources: resources,
    maxOperations: rowsOf(commandsPerSecond, Number(operationWindowSlots), slotMs),
    // The history window follows from the hold, so it is taken from the configuration itself.
    maxReservations: 1,
    maxTtlSlots,
    operationWindowSlots,
    ...(input.bundleSize === undefined ? {} : {maxBundleSize: input.bundleSize}),
  };
  const {core} = configOfLimits(limits, slotMs);
  // Every live reservation owns a resource of its own; the others were granted or live within the history window.
  const ended = rowsOf(grantsPerSecond, Number(core.reservationHistoryWindowSlots), slotMs);
  const config = configOfLimits({...limits, maxReservations: resources + ended}, slotMs);
  const perTick = Math.ceil((2 * grantsPerSecond * slotMs) / 1000);
  const most = Math.floor((FRAME_BYTES - frameBytes(0)) / EXPIRE_RECORD_BYTES);
  const maxExpirationsPerTick = Math.min(most, Math.max(EXPIRATIONS_PER_TICK, perTick));
  const planned = {core: config.core, engine: {...config.engine, maxExpirationsPerTick}};
  const issues = [...configIssues(planned), ...frameIssues(planned, FRAME_BYTES)];
  if (issues.length > 0) throw new OpenError('invalid_config', 'no configuration carries this load:', issues);
  return planned;
}

/** Rows that a window of so many slots, the present one beside, can fill at a rate. */
function rowsOf(perSecond: number, windowSlots: number, slotMs: number): number {
  const windowMs = (windowSlots + 1) * slotMs + SLACK_MS;
  return Math.ceil((MARGIN * perSecond * windowMs) / 1000) + SLACK_ROWS;
}

/** A hold that no second command of its holder ends lapses, and that is logged tick by tick. */
function expirationBytesPerSecond(grantsPerSecond: number, grantShare: number, slotMs: number): number {
  const commandsPerHold = 1 / grantShare;
  const perTick = (grantsPerSecond * Math.max(0, 2 - commandsPerHold) * slotMs) / 1000;
  if (perTick === 0) return 0;
  // A tick with nothing due writes nothing.
  const ticksPerSecond = (1000 / slotMs) * Math.min(1, perTick);
  return ticksPerSecond * frameBytes(Math.max(1, perTick) * EXPIRE_RECORD_BYTES);
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new RangeError(rule);
}
