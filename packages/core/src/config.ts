/**
 * The configuration of the state machine and its validation. Answers depend on it, so it is fixed when a data directory
 * is created. Every capacity is an upper bound that is allocated at construction; nothing grows later.
 *
 * Validation reports every offending field at once, in documented order; the first one is the machine's verdict.
 */
import {WIRE_BUNDLE_MEMBERS_MAX} from './command.ts';
import {U64_MAX} from './words.ts';

/** Capacities (u32), windows in slots (u64) and the id of this shard (u64). */
export interface CoreConfig {
  /** High 64 bits of every reservation id. */
  shardId: bigint;
  maxResources: number;
  /** Live reservations and terminal ones within their history window. */
  maxReservations: number;
  /** Remembered operations; must hold rate x operation window. */
  maxOperations: number;
  /** Most members of one bundle, 1 to 65,535. */
  maxBundleSize: number;
  /** Longest hold. Also sizes the timing wheel: 13 bytes a slot. */
  maxTtlSlots: bigint;
  /** How long after the longest hold a client may still retry; part of the default operation window. */
  maxClientRetryWindowSlots: bigint;
  /** How long a terminal reservation stays readable, 0 to maxTtlSlots. */
  reservationHistoryWindowSlots: bigint;
  /** Most reservations that may fall due in one slot of the wheel. */
  maxExpirationBucketLen: number;
  /** How long an operation is remembered; maxTtlSlots + maxClientRetryWindowSlots when null. */
  operationWindowSlots: bigint | null;
}

/** One offending field: `code` is closed, `message` says what is wrong and what is possible. */
export interface ConfigIssue {
  field: string;
  code: 'zero_capacity' | 'out_of_range' | 'too_large';
  message: string;
}

/** Largest table that a typed array of 32-bit words and row numbers can address. */
const WORDS_MAX = 2 ** 31;
const U32_MAX = 2 ** 32 - 1;

/** The window for which an operation is remembered, in slots. */
export function operationWindowOf(config: CoreConfig): bigint {
  return config.operationWindowSlots ?? config.maxTtlSlots + config.maxClientRetryWindowSlots;
}

/** Checks a configuration; an empty list means that {@link CoreConfig} can be opened. */
export function validateCoreConfig(config: CoreConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const report = (field: string, code: ConfigIssue['code'], message: string) => issues.push({field, code, message});
  const u64 = (field: keyof CoreConfig, value: bigint) => {
    if (value < 0n || value > U64_MAX) report(field, 'out_of_range', `must be a 64-bit unsigned integer, got ${value}`);
  };
  const u32 = (field: keyof CoreConfig, value: number) => {
    if (!Number.isInteger(value) || value < 0 || value > U32_MAX) {
      report(field, 'out_of_range', `must be a 32-bit unsigned integer, got ${value}`);
    } else if (value === 0) report(field, 'zero_capacity', 'must be at least 1');
  };
  u64('shardId', config.shardId);
  u32('maxResources', config.maxResources);
  u32('maxReservations', config.maxReservations);
  u32('maxOperations', config.maxOperations);
  u32('maxBundleSize', config.maxBundleSize);
  u64('maxTtlSlots', config.maxTtlSlots);
  if (config.maxTtlSlots === 0n) report('maxTtlSlots', 'zero_capacity', 'must be at least 1');
  u32('maxExpirationBucketLen', config.maxExpirationBucketLen);
  u64('maxClientRetryWindowSlots', config.maxClientRetryWindowSlots);
  u64('reservationHistoryWindowSlots', config.reservationHistoryWindowSlots);
  if (config.operationWindowSlots !== null) {
    u64('operationWindowSlots', config.operationWindowSlots);
    if (config.operationWindowSlots === 0n) report('operationWindowSlots', 'zero_capacity', 'must be at least 1');
  }
  if (issues.length > 0) return issues;

  if (config.maxBundleSize > config.maxResources) {
    report('maxBundleSize', 'out_of_range', `must not exceed maxResources (${config.maxResources})`);
  }
  if (config.maxBundleSize > WIRE_BUNDLE_MEMBERS_MAX) {
    report('maxBundleSize', 'out_of_range', `must not exceed ${WIRE_BUNDLE_MEMBERS_MAX}, the count of the wire format`);
  }
  if (config.reservationHistoryWindowSlots > config.maxTtlSlots) {
    report('reservationHistoryWindowSlots', 'out_of_range', `must not exceed maxTtlSlots (${config.maxTtlSlots})`);
  }
  if (config.maxTtlSlots + config.maxClientRetryWindowSlots > U64_MAX) {
    report('maxClientRetryWindowSlots', 'out_of_range', 'maxTtlSlots + maxClientRetryWindowSlots must fit 64 bits');
  }
  if (config.maxTtlSlots + 1n > U64_MAX) report('maxTtlSlots', 'out_of_range', 'maxTtlSlots + 1 must fit 64 bits');
  if (config.maxExpirationBucketLen > config.maxReservations) {
    report('maxExpirationBucketLen', 'out_of_range', `must not exceed maxReservations (${config.maxReservations})`);
  }
  for (const {field, units, wordsPerUnit, extra} of tableSizes(config)) {
    const words = units * wordsPerUnit;
    if (words > WORDS_MAX) {
      const most = Math.floor(WORDS_MAX / wordsPerUnit) - extra;
      report(field, 'too_large', `needs a table of ${words * 4} bytes, possible are ${WORDS_MAX * 4}: at most ${most}`);
    }
  }
  return issues;
}

interface TableSize {
  field: keyof CoreConfig;
  /** Units of the table: the value of `field` plus `extra`. */
  units: number;
  extra: number;
  wordsPerUnit: number;
}

function tableSizes(config: CoreConfig): TableSize[] {
  const table = (field: keyof CoreConfig, wordsPerUnit: number, extra: number): TableSize => ({
    field,
    units: Number(config[field]) + extra,
    extra,
    wordsPerUnit,
  });
  return [
    table('maxResources', 8, 0),
    table('maxReservations', 16, 0),
    table('maxOperations', 16, 0),
    table('maxTtlSlots', 1, 1),
    table('maxBundleSize', config.maxReservations, -1),
  ];
}

/** Smallest power of two of at least twice `capacity`: the cells of a key index, so that its load is at most one half. */
export function indexCells(capacity: number): number {
  let cells = 8;
  while (cells < 2 * capacity) cells *= 2;
  return cells;
}

/** Bytes of memory that the tables, indexes and the wheel of this configuration take. */
export function memoryBytesOf(config: CoreConfig): number {
  const cells = indexCells(config.maxResources) + indexCells(config.maxReservations) + indexCells(config.maxOperations);
  const queue = config.maxReservations * 16;
  const words = tableSizes(config).reduce((sum, {units, wordsPerUnit}) => sum + units * wordsPerUnit, 0);
  return 4 * words + 8 * cells + queue + (Number(config.maxTtlSlots) + 1) * 9;
}
