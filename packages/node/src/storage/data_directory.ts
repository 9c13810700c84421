/**
 * A data directory and how it is opened: lock, configuration, newest readable snapshot, log, replay, check. What comes
 * back is a state that is exactly what the log says, or an OpenError; corruption changes no file.
 *
 *   LOCK   CONFIG   wal/   snapshots/snapshot-<lsn>.snap
 *
 * Not here: serving requests, and writing checkpoints while doing so (checkpointer.ts).
 */

import {STARTUP_KIND} from '@allocdb/api';
import {AllocDb, bigintOfU64, U64_MAX} from '@allocdb/core';
import {
  type CommitMode,
  type DirectoryLock,
  type FileIo,
  FRAME_HEADER_BYTES,
  inspectWal,
  isWalError,
  joinPath,
  parentPath,
  RECORD_HEADER_BYTES,
  readWal,
  Wal,
} from '@allocdb/wal';
import {configIssues, coreDifferences, type DatabaseConfig, frameIssues} from '../config.ts';
import type {RecoveryFacts} from '../engine/reads.ts';
import {OpenError} from '../errors.ts';
import {newHashSeed, readConfigFile, writeConfigFile} from './config_file.ts';
import {checkSound, Replayer} from './replay.ts';
import {lsnOfSnapshotName, snapshotName} from './snapshot_format.ts';
import {loadSnapshot} from './snapshot_loading.ts';
import {finishSwitchOver, removeUndecided} from './switch_over.ts';
import {assertFinished} from './unfinished.ts';

/** Names that a directory may hold before it is one: our own, and what a fresh file system has at its root. */
const OWN_NAMES: readonly string[] = ['LOCK', 'CONFIG.tmp', 'wal', 'snapshots', 'lost+found'];

/** How to open a directory. */
export interface DirectoryOptions {
  readonly io: FileIo;
  readonly dir: string;
  /** Null to open with what the directory was created with. Required where there is none yet. */
  readonly config: DatabaseConfig | null;
  readonly commitMode: CommitMode;
  readonly segmentBytes: number;
  readonly maxFrameBytes: number;
  /** Milliseconds of a slot by the clock of whoever opens, or null where slots come from outside. */
  readonly slotMs: number | null;
}

/** An open directory. */
export interface DataDirectory {
  readonly config: DatabaseConfig;
  readonly db: AllocDb;
  readonly wal: Wal;
  readonly lock: DirectoryLock;
  readonly snapshotDir: string;
  readonly recovery: RecoveryFacts;
  /** Bytes of a torn tail that opening cut off; nothing that was acknowledged. */
  readonly cutBytes: number;
  /** Bytes of log that opening replayed. */
  readonly replayedLogBytes: number;
}

/** Opens or creates a directory. Throws OpenError. */
export function openDirectory(options: DirectoryOptions): DataDirectory {
  const {io, dir} = options;
  let lock: DirectoryLock;
  try {
    io.makeDir(dir);
    lock = io.lock(dir);
  } catch (error) {
    throw openErrorOf(error, dir);
  }
  try {
    return {...openLocked(options), lock};
  } catch (error) {
    lock.release();
    throw openErrorOf(error, dir);
  }
}

function openLocked(options: DirectoryOptions): Omit<DataDirectory, 'lock'> {
  const {io, dir} = options;
  const names = io.list(dir);
  assertFinished(dir, names);
  finishSwitchOver(io, dir, names);
  const created = readConfigFile(io, dir);
  if (created !== null) {
    const differences = options.config === null ? [] : coreDifferences(created.config.core, options.config.core);
    // Under slots of another length holds would end early by everybody's clock but the log's.
    if (created.slotMs !== null && options.slotMs !== null && created.slotMs !== options.slotMs) {
      differences.push(`slot_ms: created with ${created.slotMs}, given ${options.slotMs}`);
    }
    if (differences.length > 0) {
      throw new OpenError('config_mismatch', `${dir} was created with another configuration:`, differences);
    }
  }
  const config = options.config ?? created?.config;
  if (config === undefined) {
    throw new OpenError('missing_config', `${dir} holds no database, and no configuration was given to create one`);
  }
  const issues = [...configIssues(config), ...frameIssues(config, options.maxFrameBytes)];
  if (issues.length > 0) throw new OpenError('invalid_config', 'the configuration cannot be used:', issues);
  const snapshotDir = joinPath(dir, 'snapshots');
  const hashSeed = created?.hashSeed ?? newHashSeed(io);
  if (created === null) prepareNew(io, dir, snapshotDir);
  const opened = recover(options, config, hashSeed, snapshotDir, created === null);
  try {
    if (created === null) writeConfigFile(io, dir, {config, hashSeed, slotMs: options.slotMs});
    else removeUndecided(io, dir);
  } catch (error) {
    opened.wal.abandon();
    throw error;
  }
  return {...opened, config, snapshotDir};
}

/** Makes the directories of a new database; refuses to settle among foreign files or on the remains of another one. */
function prepareNew(io: FileIo, dir: string, snapshotDir: string): void {
  const foreign = io.list(dir).filter(name => !OWN_NAMES.includes(name));
  if (foreign.length > 0) {
    throw new OpenError('not_empty', `${dir} holds no database and is not empty: ${foreign.slice(0, 3).join(', ')}`);
  }
  // What will be acknowledged must not vanish with the name of the directory that holds it.
  io.syncDir(parentPath(dir));
  io.makeDir(joinPath(dir, 'wal'));
  io.makeDir(snapshotDir);
  io.syncDir(dir);
}

function recover(
  options: DirectoryOptions,
  config: DatabaseConfig,
  hashSeed: Int32Array,
  snapshotDir: string,
  isNew: boolean,
): Omit<DataDirectory, 'lock' | 'config' | 'snapshotDir'> {
  const {io, dir} = options;
  const names = io.list(dir);
  if (!names.includes('wal') || !names.includes('snapshots')) {
    throw new OpenError('missing_log', `${dir} has lost its log or its snapshots`);
  }
  const configIsGone = `${dir} holds a log or snapshots, but its CONFIG is gone`;
  // Before they are read: under another configuration than their own they would only look damaged.
  if (isNew && snapshotLsns(io, snapshotDir).length > 0) throw new OpenError('missing_config', configIsGone);
  const {db, loaded, rejected} = loadNewest(io, snapshotDir, config, hashSeed);
  const snapshotLsn = loaded ?? 0n;
  const log = {
    io,
    dir: joinPath(dir, 'wal'),
    maxFrameBytes: options.maxFrameBytes,
    firstLsn: snapshotLsn === U64_MAX ? U64_MAX : snapshotLsn + 1n,
    // A snapshot has its name only after the log is durable through its lsn; that holds for a rotten one too.
    floor: rejected[0] ?? snapshotLsn,
  };
  // Until the state is known to be sound the log is only read: opening it for writing cuts a torn tail.
  const found = inspectWal(log);
  if (isNew && found.lastLsn !== null) throw new OpenError('missing_config', configIsGone);
  const replayer = new Replayer(db);
  if (snapshotLsn < U64_MAX) {
    const isMarked = found.marker !== null && found.marker.lsn > snapshotLsn;
    if (isMarked) replayer.expectMarkers(readWal(log, snapshotLsn + 1n));
    replayer.replay(readWal(log, snapshotLsn + 1n));
  }
  checkSound(db);
  const wal = Wal.open({
    ...log,
    lock: false,
    // Replay has just read all that recovery needs; what is retained before it is for `verify` to look at.
    verify: 'tail',
    commitMode: options.commitMode,
    segmentBytes: options.segmentBytes,
    maxRecordBytes: options.maxFrameBytes - FRAME_HEADER_BYTES - RECORD_HEADER_BYTES,
  });
  try {
    // What was replayed and what is written behind must be one log: a read may see what no disk has kept.
    const last = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
    if (wal.nextLsn !== (last === U64_MAX ? null : last + 1n)) {
      throw new OpenError('corrupt_log', `the log of ${dir} ends elsewhere than it was just read to, at lsn ${last}`);
    }
    tidySnapshots(io, snapshotDir, rejected);
    const replayedLast = replayer.records === 0 ? null : bigintOfU64(db.lastLsnLo, db.lastLsnHi);
    const recovery: RecoveryFacts = {
      startupKind: startupKind(loaded !== null, replayer.records > 0),
      loadedSnapshotLsn: snapshotLsn === 0n ? null : snapshotLsn,
      replayedRecords: replayer.records,
      replayedLastLsn: replayedLast,
    };
    return {db, wal, recovery, cutBytes: wal.recovery.cutBytes, replayedLogBytes: replayer.logBytes};
  } catch (error) {
    wal.abandon();
    throw error;
  }
}

function startupKind(snapshot: boolean, replayed: boolean): number {
  if (snapshot) return replayed ? STARTUP_KIND.SNAPSHOT_AND_WAL : STARTUP_KIND.SNAPSHOT_ONLY;
  return replayed ? STARTUP_KIND.WAL_ONLY : STARTUP_KIND.FRESH_START;
}

/** Lsns of the snapshots in a directory, newest first. */
export function snapshotLsns(io: FileIo, snapshotDir: string): bigint[] {
  const lsns = io.list(snapshotDir).map(lsnOfSnapshotName);
  return lsns.filter(lsn => lsn !== null).sort((a, b) => (a < b ? 1 : -1));
}

interface LoadedSnapshot {
  readonly db: AllocDb;
  /** Lsn of the snapshot that was loaded, or null when there is none at all. */
  readonly loaded: bigint | null;
  /** Newer snapshots that are not what they were written as. */
  readonly rejected: readonly bigint[];
}

/** Loads the newest snapshot that is sound. A rotten one costs a longer replay; if none is sound, that is an error. */
export function loadNewest(
  io: FileIo,
  snapshotDir: string,
  config: DatabaseConfig,
  hashSeed: Int32Array,
): LoadedSnapshot {
  const rejected: bigint[] = [];
  const problems: string[] = [];
  for (const lsn of snapshotLsns(io, snapshotDir)) {
    const db = new AllocDb(config.core, hashSeed);
    const problem = loadSnapshot(io, joinPath(snapshotDir, snapshotName(lsn)), db);
    if (problem === null) return {db, loaded: lsn, rejected};
    rejected.push(lsn);
    problems.push(`${snapshotName(lsn)}: ${problem}`);
  }
  if (problems.length > 0) throw new OpenError('corrupt_snapshot', 'no snapshot can be read:', problems);
  return {db: new AllocDb(config.core, hashSeed), loaded: null, rejected};
}

/** Removes unfinished snapshots; sets rotten ones, which replay has just made superfluous, aside as evidence. */
function tidySnapshots(io: FileIo, snapshotDir: string, rejected: readonly bigint[]): void {
  const unfinished = io.list(snapshotDir).filter(name => name.endsWith('.snap.tmp'));
  for (const name of unfinished) io.unlink(joinPath(snapshotDir, name));
  for (const name of rejected.map(snapshotName)) {
    io.rename(joinPath(snapshotDir, name), joinPath(snapshotDir, `${name}.rotten`));
  }
  if (unfinished.length + rejected.length > 0) io.syncDir(snapshotDir);
}

/** Turns what the log or the system threw into an OpenError; others pass. */
export function openErrorOf(error: unknown, dir: string): unknown {
  if (isWalError(error)) {
    const holder = error.holderPid === null ? '' : ` by process ${error.holderPid}`;
    switch (error.code) {
      case 'locked':
        return new OpenError('locked', `${dir} is in use${holder}`, [], error);
      case 'missing_log':
      case 'missing_segment':
        return new OpenError('missing_log', `the log of ${dir} is not complete: ${error.message}`, [], error);
      case 'unsupported_version':
        return new OpenError('unsupported_version', error.message, [], error);
      case 'corruption':
      case 'gap':
      case 'too_large':
        return new OpenError('corrupt_log', `the log of ${dir} is damaged: ${error.message}`, [], error);
      default:
        return new OpenError('io', `${dir}: ${error.message}`, [], error);
    }
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/^E[A-Z]+$/.test(code)) return new OpenError('io', `${dir}: ${(error as Error).message}`, [], error);
  return error;
}
