/**
 * The configuration of a database: the state machine's part, which is fixed when a directory is created, and the
 * engine's limits, which may differ at each opening. Its JSON form is what files and the command line carry: snake_case,
 * u64 as decimal strings, u32 as numbers; unknown keys are errors, and every offending field is named at once.
 */
import {
  BUNDLE_HEADER_BYTES,
  type CoreConfig,
  EXPIRE_BYTES,
  Hash128,
  operationWindowOf,
  validateCoreConfig,
  WIRE_BUNDLE_MEMBERS_MAX,
} from '@allocdb/core';
import {FRAME_HEADER_BYTES, RECORD_HEADER_BYTES} from '@allocdb/wal';
import {OpenError} from './errors.ts';

/** Bounds of the engine, each at least 1. */
export interface EngineLimits {
  /** Most commands that are sequenced and not yet answered; beyond it `overloaded`. Pipelined use only. */
  maxSubmissionQueue: number;
  /** Longest client payload in bytes; each member of a batch on its own. */
  maxCommandBytes: number;
  /** Most holds that one tick expires. */
  maxExpirationsPerTick: number;
}

/** Everything that opening a directory needs to know. */
export interface DatabaseConfig {
  core: CoreConfig;
  engine: EngineLimits;
}

type Width = 'u32' | 'u64';

const CORE_FIELDS: readonly [keyof CoreConfig, string, Width][] = [
  ['shardId', 'shard_id', 'u64'],
  ['maxResources', 'max_resources', 'u32'],
  ['maxReservations', 'max_reservations', 'u32'],
  ['maxBundleSize', 'max_bundle_size', 'u32'],
  ['maxOperations', 'max_operations', 'u32'],
  ['maxTtlSlots', 'max_ttl_slots', 'u64'],
  ['maxClientRetryWindowSlots', 'max_client_retry_window_slots', 'u64'],
  ['reservationHistoryWindowSlots', 'reservation_history_window_slots', 'u64'],
  ['maxExpirationBucketLen', 'max_expiration_bucket_len', 'u32'],
  ['operationWindowSlots', 'operation_window_slots', 'u64'],
];
const ENGINE_FIELDS: readonly [keyof EngineLimits, string, Width][] = [
  ['maxSubmissionQueue', 'max_submission_queue', 'u32'],
  ['maxCommandBytes', 'max_command_bytes', 'u32'],
  ['maxExpirationsPerTick', 'max_expirations_per_tick', 'u32'],
];
const OPTIONAL_FIELDS: readonly string[] = ['operation_window_slots'];

const NAME_OF_FIELD = new Map<string, string>(
  [...CORE_FIELDS, ...ENGINE_FIELDS].map(([field, name]) => [field, name] as const),
);

/** What is wrong with a configuration, one line a field, in snake_case; empty when it can be opened. */
export function configIssues(config: DatabaseConfig): string[] {
  const issues = validateCoreConfig(config.core).map(
    issue => `core.${NAME_OF_FIELD.get(issue.field) ?? issue.field}: ${issue.code}: ${issue.message}`,
  );
  for (const [field, name] of ENGINE_FIELDS) {
    const value = config.engine[field];
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      issues.push(`engine.${name}: out_of_range: must be a 32-bit unsigned integer, got ${value}`);
    } else if (value === 0) issues.push(`engine.${name}: zero_capacity: must be at least 1`);
  }
  return issues;
}

/** Bytes of the longest payload that is a command. */
const COMMAND_BYTES_MAX: number = BUNDLE_HEADER_BYTES + 16 * WIRE_BUNDLE_MEMBERS_MAX;

/**
 * Which limits do not fit a frame of the log, one line a field: the records of a tick are in one frame, and so is a
 * command. A batch may take several.
 */
export function frameIssues(config: DatabaseConfig, maxFrameBytes: number): string[] {
  const {maxCommandBytes, maxExpirationsPerTick} = config.engine;
  const issues: string[] = [];
  const room = maxFrameBytes - FRAME_HEADER_BYTES;
  const report = (name: string, what: string, needed: number, most: number): void => {
    if (needed <= room) return;
    issues.push(
      `engine.${name}: too_large: ${what} take ${needed} bytes, a frame of the log has ${room}: at most ${most}`,
    );
  };
  const expire = RECORD_HEADER_BYTES + EXPIRE_BYTES;
  const perTick = Math.min(maxExpirationsPerTick, config.core.maxReservations);
  report('max_expirations_per_tick', 'the records of one tick', perTick * expire, Math.floor(room / expire));
  // What is longer than the longest command is refused by decoding and never gets to the log.
  const command = RECORD_HEADER_BYTES + Math.min(maxCommandBytes, COMMAND_BYTES_MAX);
  report('max_command_bytes', 'a command and its header', command, room - RECORD_HEADER_BYTES);
  return issues;
}

/** Reads the JSON form. Throws OpenError `invalid_config` naming every offending field. */
export function parseConfig(text: string): DatabaseConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new OpenError('invalid_config', 'the configuration is not JSON', [String(error)], error);
  }
  return configOfJson(json);
}

/** The same for a value that was parsed already. */
export function configOfJson(json: unknown): DatabaseConfig {
  const issues: string[] = [];
  const root = objectOf(json, 'the configuration', issues);
  for (const key of Object.keys(root)) {
    if (key !== 'core' && key !== 'engine') issues.push(`${key}: unknown key; known are core and engine`);
  }
  const core = readFields('core', root['core'], CORE_FIELDS, issues);
  const engine = readFields('engine', root['engine'], ENGINE_FIELDS, issues);
  if (issues.length > 0) throw new OpenError('invalid_config', 'the configuration cannot be used:', issues);
  // Every field was read with the type that its width says.
  const config = {core, engine} as unknown as DatabaseConfig;
  const violations = configIssues(config);
  if (violations.length > 0) throw new OpenError('invalid_config', 'the configuration cannot be used:', violations);
  return config;
}

/** The JSON form of a configuration; the inverse of {@link configOfJson}. */
export function configToJson(config: DatabaseConfig): {core: object; engine: object} {
  const write = (values: object, fields: readonly (readonly [string, string, Width])[]): object =>
    Object.fromEntries(
      fields
        .map(([field, name]) => [name, (values as Record<string, unknown>)[field]] as const)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
    );
  return {core: write(config.core, CORE_FIELDS), engine: write(config.engine, ENGINE_FIELDS)};
}

/** Names and values of the core fields in which two configurations differ, one line each. */
export function coreDifferences(created: CoreConfig, given: CoreConfig): string[] {
  return CORE_FIELDS.filter(([field]) => created[field] !== given[field]).map(
    ([field, name]) => `core.${name}: created with ${created[field]}, given ${given[field]}`,
  );
}

/**
 * In which core fields a configuration is not one that a directory with the other can be given, one line each: capacities
 * and windows may only grow, what else there is stays. The window of operations is compared as what it comes to.
 */
export function growthIssues(created: CoreConfig, given: CoreConfig): string[] {
  const issues: string[] = [];
  for (const [field, name] of CORE_FIELDS) {
    const isWindow = field === 'operationWindowSlots';
    const [before, after] = [created, given].map(core => (isWindow ? operationWindowOf(core) : core[field])) as [
      bigint,
      bigint,
    ];
    if (field === 'shardId' && before !== after) {
      issues.push(`core.${name}: created with ${before}, given ${after}: it stays for good`);
    } else if (after < before) issues.push(`core.${name}: created with ${before}, given ${after}: it can only grow`);
  }
  return issues;
}

/** 16 bytes that identify the core configuration, for headers of files that depend on it. */
export function coreFingerprint(core: CoreConfig): Int32Array {
  const hash = new Hash128();
  hash.begin(CORE_FIELDS.length);
  for (const [field] of CORE_FIELDS) {
    const value = core[field];
    const wide = BigInt(value ?? 0);
    hash.block(value === null ? 0 : 1, Number(BigInt.asIntN(32, wide)), Number(BigInt.asIntN(32, wide >> 32n)), 0);
  }
  hash.end();
  return hash.lanes.slice();
}

function objectOf(value: unknown, name: string, issues: string[]): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  issues.push(`${name}: must be an object`);
  return {};
}

function readFields(
  section: string,
  value: unknown,
  fields: readonly (readonly [string, string, Width])[],
  issues: string[],
): Record<string, unknown> {
  const values = objectOf(value, section, issues);
  const known = new Set(fields.map(([, name]) => name));
  for (const key of Object.keys(values)) {
    if (!known.has(key)) issues.push(`${section}.${key}: unknown key`);
  }
  const result: Record<string, unknown> = {};
  for (const [field, name, width] of fields) {
    const raw = values[name];
    if (raw === undefined || raw === null) {
      if (OPTIONAL_FIELDS.includes(name)) result[field] = null;
      else issues.push(`${section}.${name}: missing`);
      continue;
    }
    const number = width === 'u32' ? readU32(raw) : readU64(raw);
    if (number === null) {
      const form = width === 'u32' ? 'a whole number below 2^32' : 'a decimal string below 2^64';
      issues.push(`${section}.${name}: must be ${form}, got ${JSON.stringify(raw)}`);
    }
    result[field] = number;
  }
  return result;
}

function readU32(raw: unknown): number | null {
  return typeof raw === 'number' && Number.isInteger(raw) && raw >= 0 && raw <= 0xffff_ffff ? raw : null;
}

function readU64(raw: unknown): bigint | null {
  if (typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0) return BigInt(raw);
  if (typeof raw !== 'string' || !/^\d{1,20}$/.test(raw)) return null;
  const value = BigInt(raw);
  return value <= 0xffff_ffff_ffff_ffffn ? value : null;
}
