/**
 * Checks a data directory without opening it for writing: the configuration, every byte of the log, every snapshot,
 * the state that log and oldest snapshot give, its invariants, and every digest on the way. Touches nothing but the lock,
 * and where nothing can be written not even that; refuses beside a process that holds it.
 */
import {AllocDb, bigintOfU64, checkInvariants, digestOf, U64_MAX} from '@allocdb/core';
import {type FileIo, isWalError, joinPath, nodeFileIo, readWal, verifySteps} from '@allocdb/wal';
import {isOpenError} from '../errors.ts';
import {snapshotLsns} from './data_directory.ts';
import {type DirectoryToRead, lockToRead, logToRead} from './directory_reading.ts';
import {Replayer} from './replay.ts';
import {snapshotName} from './snapshot_format.ts';
import {loadSnapshotSteps} from './snapshot_loading.ts';
import {NO_PROGRESS, type Progress, runSteps, type Steps} from './steps.ts';

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

/** Verifies a directory. Throws OpenError `locked`, `missing_config`, `unfinished` or `io` where it cannot be looked at. */
export function verifyDirectory(dir: string, io: FileIo = nodeFileIo): DirectoryReport {
  const directory = lockToRead(io, dir);
  try {
    return runSteps(verifyDirectorySteps(directory)).report;
  } finally {
    directory.lock.release();
  }
}

/** What was found, and the state that was reached. */
export interface VerifiedDirectory {
  readonly report: DirectoryReport;
  readonly db: AllocDb;
}

/** {@link verifyDirectory} in pieces, of a directory that nobody else uses. */
export function* verifyDirectorySteps(
  directory: DirectoryToRead,
  progress: Progress = NO_PROGRESS,
): Steps<VerifiedDirectory> {
  const {io, dir, created} = directory;
  const problems: string[] = [];
  const snapshotDir = joinPath(dir, 'snapshots');
  let lsns: bigint[] = [];
  try {
    lsns = snapshotLsns(io, snapshotDir).reverse();
  } catch (error) {
    problems.push(`snapshots: ${messageOf(error)}`);
  }
  const log = logToRead(directory, lsns.at(-1) ?? 0n);
  const loaded: {lsn: bigint; problem: string | null; digest: bigint | null}[] = [];
  let base: {lsn: bigint; db: AllocDb} | null = null;
  for (const lsn of lsns) {
    const db = new AllocDb(created.config.core, created.hashSeed);
    const problem = yield* loadSnapshotSteps(io, joinPath(snapshotDir, snapshotName(lsn)), db);
    if (problem !== null) problems.push(`${snapshotName(lsn)}: ${problem}`);
    loaded.push({lsn, problem, digest: problem === null ? digestOf(db) : null});
    if (problem === null) base ??= {lsn, db};
  }
  let tornBytes = 0;
  let logFirstLsn = 0n;
  let records = 0;
  try {
    const found = yield* verifySteps(log);
    tornBytes = found.cutBytes;
    logFirstLsn = found.firstLsn;
    records = Number((found.lastLsn ?? 0n) - (base?.lsn ?? 0n));
  } catch (error) {
    problems.push(messageOf(error));
  }
  const db = base?.db ?? new AllocDb(created.config.core, created.hashSeed);
  const replayer = new Replayer(db);
  const reached = new Map<bigint, bigint>();
  progress.begin('verify', 'records', Math.max(0, records));
  try {
    yield* replayer.markerSteps(readWal(log));
    replayer.compareHere();
    for (const {lsn, digest} of loaded) if (digest !== null) replayer.watch(lsn, actual => reached.set(lsn, actual));
    if (base === null || base.lsn < U64_MAX) {
      yield* replayer.replaySteps(readWal(log, (base?.lsn ?? 0n) + 1n), progress);
    }
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
  const report = {
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
  return {report, db};
}

function messageOf(error: unknown): string {
  if (isWalError(error) || isOpenError(error)) return error.message;
  if (error instanceof Error && 'code' in error) return error.message;
  throw error;
}
