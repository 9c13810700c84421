/**
 * Larger capacities and windows for a directory that has been created with smaller ones, while nobody uses it. The state
 * is brought to its last lsn under the old configuration, carried over record by record into one of the new
 * configuration, written as a snapshot with a new log behind it, and only then is the directory switched over
 * (storage/switch_over.ts). The old log, snapshots and CONFIG are kept in `before-<lsn>/`: answers in the old log came
 * about under the old configuration, so it is never replayed under the new one.
 *
 *   verify → carry over → stage in after-<lsn>/ → verify → CONFIG there (decided) → move
 */
import {AllocDb, bigintOfU64, checkInvariants, digestOf, hiOf, loOf, U64_MAX, writeU128} from '@allocdb/core';
import {type FileIo, joinPath, nodeFileIo} from '@allocdb/wal';
import {configIssues, configToJson, type DatabaseConfig, frameIssues, growthIssues} from '../config.ts';
import {OpenError} from '../errors.ts';
import {type CreatedWith, readConfigFile, writeConfigFile} from '../storage/config_file.ts';
import {namesOf} from '../storage/directory_reading.ts';
import {SnapshotWriter} from '../storage/snapshot_writer.ts';
import {inTurns} from '../storage/steps.ts';
import {finishSwitchOver, newSwitchOver, removeUndecided, takeBack} from '../storage/switch_over.ts';
import {assertFinished} from '../storage/unfinished.ts';
import {verifyDirectorySteps} from '../storage/verify_directory.ts';
import {carryOverSteps} from './carry_over.ts';
import {copyErrorOf} from './copy_error.ts';
import {type OnProgress, ProgressReporter} from './progress.ts';
import {restOf} from './rest.ts';
import {beginLog, segmentBytesOf} from './rewrite_log.ts';

/** The largest frame that an engine writes unless it is told otherwise: what one tick expires must fit it. */
const FRAME_BYTES: number = 8 << 20;

export interface ReconfigureOptions {
  readonly onProgress?: OnProgress;
  /** Gives it up with its reason, as long as nothing is decided. */
  readonly signal?: AbortSignal;
  readonly io?: FileIo;
}

/** What became of a directory. */
export interface ReconfigureInfo {
  /** False where it had this configuration before. */
  readonly isChanged: boolean;
  /** Where the old files are, below the directory; null where none were set aside: only limits of the engine changed. */
  readonly kept: string | null;
  /** Last lsn and digest of the state that was carried over; null where none was. */
  readonly lsn: bigint | null;
  readonly digest: bigint | null;
  readonly durationMs: number;
}

/** What the steps share. */
interface Work {
  readonly io: FileIo;
  readonly dir: string;
  readonly progress: ProgressReporter;
  readonly rest: () => Promise<void>;
}

/**
 * Gives a directory another configuration: capacities and windows of the core may grow, the engine's limits be any. Rejects
 * with OpenError: `invalid_config`, naming every field that cannot be so; `locked`, `missing_config`, `unfinished`;
 * `not_verified` where the directory is not sound; `storage_full`, `io`. Up to the moment at which it is decided nothing
 * was changed; from then on the directory opens under the new configuration, also where moving files has failed.
 */
export async function reconfigureDirectory(
  dir: string,
  config: DatabaseConfig,
  options: ReconfigureOptions = {},
): Promise<ReconfigureInfo> {
  const {io = nodeFileIo, signal, onProgress} = options;
  const now = (): number => io.now();
  const started = now();
  const progress = new ProgressReporter(now, onProgress);
  const done = await locked(io, dir, signal, () => reconfigure({io, dir, progress, rest: restOf(signal)}, config));
  progress.end();
  return {...done, durationMs: now() - started};
}

/** Runs an action while the directory is locked to write, and reports its errors as opening would. */
async function locked<T>(
  io: FileIo,
  dir: string,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  // Not to leave a lock where there is nothing to lock.
  namesOf(io, dir);
  let release = (): void => undefined;
  try {
    const lock = io.lock(dir);
    release = () => lock.release();
    return await action();
  } catch (error) {
    throw signal?.aborted && error === signal.reason ? error : copyErrorOf(error, dir);
  } finally {
    release();
  }
}

async function reconfigure(work: Work, config: DatabaseConfig): Promise<Omit<ReconfigureInfo, 'durationMs'>> {
  const {io, dir} = work;
  const names = namesOf(io, dir);
  assertFinished(dir, names);
  finishSwitchOver(io, dir, names);
  const created = readConfigFile(io, dir);
  if (created === null) throw new OpenError('missing_config', `${dir} holds no database`);
  assertPossible(dir, created.config, config);
  const nothing = {kept: null, lsn: null, digest: null};
  const [before, after] = [configToJson(created.config), configToJson(config)];
  if (JSON.stringify(before) === JSON.stringify(after)) return {isChanged: false, ...nothing};
  const next = {...created, config};
  if (JSON.stringify(before.core) === JSON.stringify(after.core)) {
    writeConfigFile(io, dir, next);
    return {isChanged: true, ...nothing};
  }
  removeUndecided(io, dir);
  const {db, lsn, digest} = await carriedOver(work, created, next);
  const {staging, kept} = newSwitchOver(io, dir, lsn);
  const stagingDir = joinPath(dir, staging);
  try {
    await stage(work, stagingDir, db, lsn, digest);
    const staged = await verifiedState(work, stagingDir, next);
    if (digestOf(staged) !== digest) {
      throw new OpenError('not_verified', `the state of ${dir} is another under the new configuration`);
    }
    await work.rest();
    writeConfigFile(io, stagingDir, next);
  } catch (error) {
    discardStaging(io, stagingDir);
    throw error;
  }
  finishSwitchOver(io, dir, namesOf(io, dir));
  return {isChanged: true, kept, lsn, digest};
}

function assertPossible(dir: string, before: DatabaseConfig, after: DatabaseConfig): void {
  const issues = [...configIssues(after), ...growthIssues(before.core, after.core)];
  if (issues.length === 0 && frameIssues(before, FRAME_BYTES).length === 0)
    issues.push(...frameIssues(after, FRAME_BYTES));
  if (issues.length > 0) throw new OpenError('invalid_config', `${dir} cannot be given this configuration:`, issues);
}

/** The state of a directory, all of which was verified. */
async function verifiedState({io, progress, rest}: Work, dir: string, created: CreatedWith): Promise<AllocDb> {
  const steps = verifyDirectorySteps({io, dir, created}, progress);
  const {report, db} = await inTurns(steps, () => io.now(), rest);
  if (report.problems.length === 0) return db;
  throw new OpenError('not_verified', `${dir} is not sound, and stays as it is:`, report.problems);
}

interface CarriedState {
  readonly db: AllocDb;
  readonly lsn: bigint;
  readonly digest: bigint;
}

/** The state of the directory, all of it replayed, under the new configuration. */
async function carriedOver(work: Work, created: CreatedWith, next: CreatedWith): Promise<CarriedState> {
  const {io, dir, progress, rest} = work;
  const old = await verifiedState(work, dir, created);
  const lsn = bigintOfU64(old.lastLsnLo, old.lastLsnHi);
  if (lsn === U64_MAX) throw new OpenError('lsn_out_of_range', `${dir} has used its last lsn: no log can follow`);
  const db = new AllocDb(next.config.core, next.hashSeed);
  const problem = await inTurns(carryOverSteps(old, db, progress), () => io.now(), rest);
  if (problem !== null) {
    throw new OpenError('invalid_config', `what ${dir} holds does not fit the new configuration:`, [problem]);
  }
  const violations = checkInvariants(db);
  if (violations.length > 0) {
    throw new OpenError('invariant_violation', `the state of ${dir} is not sound when carried over:`, violations);
  }
  return {db, lsn, digest: digestOf(old)};
}

/** Writes the new directory, all but its CONFIG. */
async function stage(
  {io, dir, rest}: Work,
  stagingDir: string,
  db: AllocDb,
  lsn: bigint,
  digest: bigint,
): Promise<void> {
  const segmentBytes = segmentBytesOf(io, joinPath(dir, 'wal'));
  const [walDir, snapshotDir] = ['wal', 'snapshots'].map(part => joinPath(stagingDir, part)) as [string, string];
  for (const path of [stagingDir, walDir, snapshotDir]) io.makeDir(path);
  io.syncDir(stagingDir);
  io.syncDir(dir);
  const writer = new SnapshotWriter(io, snapshotDir, db);
  await writer.write(rest);
  writer.publish();
  const wal = beginLog(io, walDir, segmentBytes, lsn);
  const lanes = new Int32Array(4);
  writeU128(lanes, 0, digest);
  if (lsn > 0n) wal.writeSnapshotMarkerSync(loOf(lsn), hiOf(lsn), new Uint8Array(lanes.buffer));
  wal.closeSync();
}

function discardStaging(io: FileIo, stagingDir: string): void {
  try {
    takeBack(io, stagingDir);
  } catch {
    // Whichever of the two it is by now, the directory opens; the error that led here is the one to report.
  }
}
