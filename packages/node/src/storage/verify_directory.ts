/**
 * Checks a data directory without opening it for writing: the configuration, every byte of the log, every snapshot,
 * the state that log and oldest snapshot give, its invariants, and every digest on the way. Touches nothing but the lock,
 * and where nothing can be written not even that; refuses beside a process that holds it.
 */
import {AllocDb, bigintOfU64, checkInvariants, digestOf, U64_MAX} from '@allocdb/core';
import {type FileIo, isWalError, joinPath, nodeFileIo, readWal, verifyWal} from '@allocdb/wal';
import {isOpenError, OpenError} from '../errors.ts';
import {type CreatedWith, readConfigFile} from './config_file.ts';
import {openErrorOf, snapshotLsns} from './data_directory.ts';
import {Replayer} from './replay.ts';
import {snapshotName} from './snapshot_format.ts';
import {loadSnapshot} from './snapshot_loading.ts';

/** One snapshot file. */
export interface SnapshotVerdict {
  readonly lsn: bigint;
  /** What is wrong with the file, or null. */
  readonly problem: string | null;
  /** Whether replay gave the same digest at its lsn; null where replay does not pass there. */
  readonly matchesReplay: boolean | null;
}

/** What was found. Sound if `problems` is empty. */
export interface DirectoryReport {
  readonly problems: readonly string[];
  /** Last lsn, slot, digest and counts of the state that was reached; null where none could be. */
  readonly lsn: bigint | null;
  readonly slot: bigint | null;
  readonly digest: bigint | null;
  readonly resources: number;
  readonly reservations: number;
  readonly operations: number;
  readonly replayedRecords: number;
  readonly logFirstLsn: bigint;
  /** Bytes of an unfinished write that opening would cut off. */
  readonly tornBytes: number;
  readonly snapshots: readonly SnapshotVerdict[];
}

/** Verifies a directory. Throws OpenError `locked`, `missing_config` or `io` where it cannot be looked at. */
export function verifyDirectory(dir: string, io: FileIo = nodeFileIo): DirectoryReport {
  try {
    io.list(dir);
  } catch (error) {
    throw new OpenError('missing_config', `${dir} cannot be read: ${String((error as Error).message)}`, [], error);
  }
  const created = readConfigFile(io, dir);
  if (created === null) throw new OpenError('missing_config', `${dir} holds no database`);
  let lock: {release(): void};
  try {
    lock = io.lock(dir, 'read');
  } catch (error) {
    throw openErrorOf(error, dir);
  }
  try {
    return verifyLocked(io, dir, created);
  } finally {
    lock.release();
  }
}

function verifyLocked(io: FileIo, dir: string, created: CreatedWith): DirectoryReport {
  const problems: string[] = [];
  const snapshotDir = joinPath(dir, 'snapshots');
  let lsns: bigint[] = [];
  try {
    lsns = snapshotLsns(io, snapshotDir).reverse();
  } catch (error) {
    problems.push(`snapshots: ${messageOf(error)}`);
  }
  const newest = lsns.at(-1) ?? 0n;
  const walOptions = {
    dir: joinPath(dir, 'wal'),
    io,
    // As opening has it: a snapshot stands for a log that reaches it.
    floor: newest,
    firstLsn: newest === U64_MAX ? U64_MAX : newest + 1n,
  };
  const loaded = lsns.map(lsn => {
    const db = new AllocDb(created.config.core, created.hashSeed);
    const problem = loadSnapshot(io, joinPath(snapshotDir, snapshotName(lsn)), db);
    return {lsn, problem, digest: problem === null ? digestOf(db) : null};
  });
  for (const {lsn, problem} of loaded) {
    if (problem !== null) problems.push(`${snapshotName(lsn)}: ${problem}`);
  }
  let tornBytes = 0;
  let logFirstLsn = 0n;
  try {
    const log = verifyWal(walOptions);
    tornBytes = log.cutBytes;
    logFirstLsn = log.firstLsn;
  } catch (error) {
    problems.push(messageOf(error));
  }
  const base = loaded.find(snapshot => snapshot.problem === null)?.lsn ?? null;
  const db = new AllocDb(created.config.core, created.hashSeed);
  if (base !== null) loadSnapshot(io, joinPath(snapshotDir, snapshotName(base)), db);
  const replayer = new Replayer(db);
  const reached = new Map<bigint, bigint>();
  try {
    replayer.expectMarkers(readWal(walOptions));
    for (const {lsn, digest} of loaded) if (digest !== null) replayer.watch(lsn, actual => reached.set(lsn, actual));
    if (base === null || base < U64_MAX) replayer.replay(readWal(walOptions, (base ?? 0n) + 1n));
    problems.push(...checkInvariants(db));
  } catch (error) {
    problems.push(messageOf(error));
  }
  const snapshots = loaded.map(({lsn, problem, digest}) => {
    const actual = reached.get(lsn);
    return {lsn, problem, matchesReplay: actual === undefined || digest === null ? null : actual === digest};
  });
  for (const {lsn, matchesReplay} of snapshots) {
    if (matchesReplay === false) problems.push(`${snapshotName(lsn)}: replay of the log gives another digest`);
  }
  return {
    problems: [...new Set(problems)],
    lsn: db.isEmpty ? null : bigintOfU64(db.lastLsnLo, db.lastLsnHi),
    slot: db.hasSlot ? bigintOfU64(db.lastSlotLo, db.lastSlotHi) : null,
    digest: digestOf(db),
    resources: db.resources.count,
    reservations: db.reservationsUsed,
    operations: db.operations.used,
    replayedRecords: replayer.records,
    logFirstLsn,
    tornBytes,
    snapshots,
  };
}

function messageOf(error: unknown): string {
  if (isWalError(error) || isOpenError(error)) return error.message;
  if (error instanceof Error && 'code' in error) return error.message;
  throw error;
}
