/**
 * The state of a directory at an lsn of its past: the newest sound snapshot at or below it, and the log from there as far
 * as it and no further. Reads only. What cannot be reached any more, because the log was cut, is named with what can.
 */
import {AllocDb, bigintOfU64} from '@allocdb/core';
import {inspectWal, joinPath, readWal} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {snapshotLsns} from './data_directory.ts';
import {type DirectoryToRead, logToRead} from './directory_reading.ts';
import {checkSound, Replayer} from './replay.ts';
import {snapshotName} from './snapshot_format.ts';
import {loadSnapshotSteps} from './snapshot_loading.ts';
import type {Progress, Steps} from './steps.ts';

/** A state, and how it came about. */
export interface StateAt {
  readonly db: AllocDb;
  /** 0 for the state before the first command. */
  readonly lsn: bigint;
  /** Records that were replayed. */
  readonly records: number;
  /** Where the log of the directory begins. */
  readonly logFirstLsn: bigint;
}

/**
 * Brings the state to `until`, or as far as the log goes. Throws OpenError `lsn_out_of_range` with the range that is
 * possible, or what opening throws of a log or snapshot that is not sound.
 */
export function* stateAtSteps(directory: DirectoryToRead, until: bigint | null, progress: Progress): Steps<StateAt> {
  const {io, dir} = directory;
  const snapshotDir = joinPath(dir, 'snapshots');
  const lsns = snapshotLsns(io, snapshotDir);
  const log = logToRead(directory, lsns[0] ?? 0n);
  const found = inspectWal(log);
  const last = found.lastLsn ?? found.firstLsn - 1n;
  const lsn = until ?? last;
  const usable = lsns.filter(snapshot => snapshot + 1n >= found.firstLsn);
  const base =
    lsn > last
      ? null
      : yield* newestSound(
          directory,
          usable.filter(snapshot => snapshot <= lsn),
        );
  if (base === null && (lsn > last || found.firstLsn > 1n)) {
    throw yield* outOfRange(directory, lsn, usable, found.firstLsn, last);
  }
  const db = base ?? emptyState(directory);
  const replayer = new Replayer(db);
  const from = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  if (from < lsn) {
    progress.begin('replay', 'records', Number(lsn - from));
    const isMarked = found.marker !== null && found.marker.lsn > from;
    if (isMarked) yield* replayer.markerSteps(readWal(log, from + 1n));
    yield* replayer.replaySteps(readWal(log, {from: from + 1n, to: lsn}), progress);
  }
  const reached = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  if (reached !== lsn) throw new OpenError('corrupt_log', `the log of ${dir} ends at lsn ${reached}, before ${lsn}`);
  checkSound(db);
  return {db, lsn, records: replayer.records, logFirstLsn: found.firstLsn};
}

function emptyState({created}: DirectoryToRead): AllocDb {
  return new AllocDb(created.config.core, created.hashSeed);
}

/** The state of the first of these snapshots that is sound, or null. */
function* newestSound(directory: DirectoryToRead, lsns: readonly bigint[]): Steps<AllocDb | null> {
  const {io, dir} = directory;
  for (const lsn of lsns) {
    const db = emptyState(directory);
    const path = joinPath(joinPath(dir, 'snapshots'), snapshotName(lsn));
    if ((yield* loadSnapshotSteps(io, path, db)) === null) return db;
  }
  return null;
}

function* outOfRange(
  directory: DirectoryToRead,
  lsn: bigint,
  usable: readonly bigint[],
  firstLsn: bigint,
  last: bigint,
): Steps<OpenError> {
  let oldest = firstLsn === 1n ? 0n : null;
  if (oldest === null) {
    const db = yield* newestSound(directory, [...usable].reverse());
    if (db === null) {
      return new OpenError(
        'corrupt_snapshot',
        `no snapshot of ${directory.dir} is sound, and its log begins at ${firstLsn}`,
      );
    }
    oldest = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  }
  const range = `what is kept reaches from lsn ${oldest} to ${last}`;
  return new OpenError('lsn_out_of_range', `${directory.dir} has no state at lsn ${lsn}: ${range}`);
}
