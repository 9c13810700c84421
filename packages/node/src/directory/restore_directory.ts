/**
 * A directory written anew from a backup, or from the directory of an engine that is stopped: all of it, or its state at a
 * point in the past. The source is only read. What is written has the records of the source through that point, under a
 * log id of its own, since from there on it has a history of its own.
 *
 *   replay the source → mark → snapshots → log → verify, digests equal → CONFIG → mark away
 */
import {bigintOfU64, digestOf} from '@allocdb/core';
import {type FileIo, joinPath, nodeFileIo, readWal} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {openErrorOf, snapshotLsns} from '../storage/data_directory.ts';
import {type DirectoryToRead, lockToRead, logToRead} from '../storage/directory_reading.ts';
import {stateAtSteps} from '../storage/state_at.ts';
import {inTurns} from '../storage/steps.ts';
import {verifyDirectorySteps} from '../storage/verify_directory.ts';
import {copyErrorOf} from './copy_error.ts';
import {closeSnapshots, copySnapshots, openSnapshots} from './copy_snapshot.ts';
import {assertFree, NewDirectory} from './new_directory.ts';
import {type OnProgress, ProgressReporter} from './progress.ts';
import {assertLsn} from './replay_until.ts';
import {restOf} from './rest.ts';
import {beginLog, rewriteSteps, segmentBytesOf} from './rewrite_log.ts';
import {verifyCopy} from './verified_copy.ts';

export interface RestoreOptions {
  /** Restores the state at this lsn, and nothing behind it; everything if left out. */
  readonly atLsn?: bigint;
  readonly onProgress?: OnProgress;
  /** Gives it up with its reason; what was written is removed. */
  readonly signal?: AbortSignal;
  readonly io?: FileIo;
}

/** A restored directory. */
export interface RestoreInfo {
  /** Last lsn in it; the next command gets the one behind. 0 for the state before the first command. */
  readonly lsn: bigint;
  /** Slot of the last command; null before the first. */
  readonly slot: bigint | null;
  /** Of the state, as replay of the source gave it and as verification of the result did. */
  readonly digest: bigint;
  /** Lsn of the newest snapshot in it, or null. */
  readonly snapshotLsn: bigint | null;
  /** Records in its log. */
  readonly records: bigint;
  readonly bytes: number;
  readonly durationMs: number;
}

/** What the source says of the point to restore. */
interface Point {
  readonly lsn: bigint;
  readonly slot: bigint | null;
  readonly digest: bigint;
  readonly logFirstLsn: bigint;
}

/**
 * Restores `from` into `to`, which must be empty or not there. Resolves when the result is durable and verified. Rejects
 * with OpenError: `lsn_out_of_range`, naming what is kept; `not_empty`, `storage_full`, `not_verified` and `io` of the
 * target; what opening throws of a source that is in use or not sound. Then nothing is left of the target.
 */
export async function restoreDirectory(from: string, to: string, options: RestoreOptions = {}): Promise<RestoreInfo> {
  const {io = nodeFileIo, signal, onProgress, atLsn = null} = options;
  assertLsn(atLsn);
  const now = (): number => io.now();
  const started = now();
  const progress = new ProgressReporter(now, onProgress);
  const rest = restOf(signal);
  const source = lockToRead(io, from);
  let target: NewDirectory | null = null;
  try {
    assertFree(io, to);
    const point = await findPoint(source, atLsn, progress, rest);
    target = NewDirectory.begin(io, to, 'restore');
    await writeSnapshots(source, point, target, rest);
    await writeLog(source, point, target, progress, rest);
    const {created} = source;
    const verify: Parameters<typeof verifyCopy>[1] = async (copy, told) =>
      (await inTurns(verifyDirectorySteps(copy, told), now, rest)).report;
    const {report, snapshotLsn} = await verifyCopy({io, dir: to, created}, verify, progress);
    if (report.digest !== point.digest || (report.lsn ?? 0n) !== point.lsn) {
      const [is, was] = [report.digest ?? 0n, point.digest].map(digest => digest.toString(16));
      throw new OpenError('not_verified', `what was written to ${to} has digest ${is} at ${report.lsn}, not ${was}`);
    }
    progress.end();
    signal?.throwIfAborted();
    const {lsn, slot, digest, logFirstLsn} = point;
    const records = logFirstLsn > lsn ? 0n : lsn + 1n - logFirstLsn;
    return {lsn, slot, digest, snapshotLsn, records, bytes: target.finish(created), durationMs: now() - started};
  } catch (error) {
    target?.discard();
    throw signal?.aborted && error === signal.reason ? error : copyErrorOf(error, to);
  } finally {
    source.lock.release();
  }
}

async function findPoint(
  source: DirectoryToRead,
  atLsn: bigint | null,
  progress: ProgressReporter,
  rest: () => Promise<void>,
): Promise<Point> {
  try {
    const steps = stateAtSteps(source, atLsn, progress);
    const {db, lsn, logFirstLsn} = await inTurns(steps, () => source.io.now(), rest);
    const slot = db.hasSlot ? bigintOfU64(db.lastSlotLo, db.lastSlotHi) : null;
    return {lsn, slot, digest: digestOf(db), logFirstLsn};
  } catch (error) {
    throw openErrorOf(error, source.dir);
  }
}

/** All snapshots up to the point from which the log goes on. */
async function writeSnapshots(
  {io, dir}: DirectoryToRead,
  {lsn, logFirstLsn}: Point,
  target: NewDirectory,
  rest: () => Promise<void>,
): Promise<void> {
  const snapshotDir = joinPath(dir, 'snapshots');
  const lsns = snapshotLsns(io, snapshotDir).filter(snapshot => snapshot <= lsn && snapshot + 1n >= logFirstLsn);
  const snapshots = openSnapshots(io, snapshotDir, lsns);
  try {
    await copySnapshots(io, snapshots, target.snapshotDir, rest);
  } finally {
    closeSnapshots(io, snapshots);
  }
}

async function writeLog(
  source: DirectoryToRead,
  {lsn, logFirstLsn}: Point,
  target: NewDirectory,
  progress: ProgressReporter,
  rest: () => Promise<void>,
): Promise<void> {
  const {io, dir} = source;
  const isEmpty = logFirstLsn > lsn;
  const segmentBytes = segmentBytesOf(io, joinPath(dir, 'wal'));
  const wal = beginLog(io, target.walDir, segmentBytes, isEmpty ? lsn : logFirstLsn - 1n);
  if (isEmpty) {
    wal.closeSync();
    return;
  }
  progress.begin('copy', 'records', Number(lsn + 1n - logFirstLsn));
  const cursor = readWal(logToRead(source, 0n), {from: logFirstLsn, to: lsn});
  await inTurns(rewriteSteps({dir, cursor, through: lsn}, wal, progress), () => io.now(), rest);
}
