/**
 * A data directory as the checks read it: its configuration, a state to begin from, and the records behind it. Nothing is
 * changed, and nothing but the lock is touched, where it can be; the lock is held until `close`.
 *
 * The state is that before the first record where the log reaches back to the beginning, and else the oldest snapshot
 * whose log is whole: outcomes are known from there on, presence in the log from its first record on.
 */
import {AllocDb, type CoreConfig, U64_MAX} from '@allocdb/core';
import {type DirectoryLock, type FileIo, inspectWal, joinPath, type LogCursor, nodeFileIo, readWal} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {type CreatedWith, readConfigFile} from '../storage/config_file.ts';
import {openErrorOf, snapshotLsns} from '../storage/data_directory.ts';
import {snapshotName} from '../storage/snapshot_format.ts';
import {loadSnapshot} from '../storage/snapshot_loading.ts';

/** A log, and the state that it is to be replayed from. */
export interface HistoryLog {
  readonly core: CoreConfig;
  /** First lsn of the log; one behind the last where it is empty. */
  readonly firstLsn: bigint;
  /** The state before the first record whose outcome can be known. It is changed by the check. */
  readonly db: AllocDb;
  /** Reads all records from `firstLsn` on; to be closed. */
  records(): LogCursor;
}

/** A {@link HistoryLog} that holds its directory. */
export interface DirectoryLog extends HistoryLog, Disposable {
  close(): void;
}

/** Opens a directory that no process uses. Throws OpenError. */
export function openDirectoryLog(dir: string, io: FileIo = nodeFileIo): DirectoryLog {
  let lock: DirectoryLock | null = null;
  try {
    const created = readConfigFile(io, dir);
    if (created === null) throw new OpenError('missing_config', `${dir} holds no database`);
    lock = io.lock(dir, 'read');
    return openLocked(io, dir, created, lock);
  } catch (error) {
    lock?.release();
    throw openErrorOf(error, dir);
  }
}

function openLocked(io: FileIo, dir: string, {config, hashSeed}: CreatedWith, lock: DirectoryLock): DirectoryLog {
  const snapshotDir = joinPath(dir, 'snapshots');
  const lsns = snapshotLsns(io, snapshotDir).reverse();
  const newest = lsns.at(-1) ?? 0n;
  const options = {
    dir: joinPath(dir, 'wal'),
    io,
    floor: newest,
    firstLsn: newest === U64_MAX ? U64_MAX : newest + 1n,
  };
  const {firstLsn} = inspectWal(options);
  let db = new AllocDb(config.core, hashSeed);
  if (firstLsn > 1n) {
    const problems: string[] = [];
    const base = lsns.find(lsn => {
      if (lsn + 1n < firstLsn) return false;
      db = new AllocDb(config.core, hashSeed);
      const problem = loadSnapshot(io, joinPath(snapshotDir, snapshotName(lsn)), db);
      if (problem !== null) problems.push(`${snapshotName(lsn)}: ${problem}`);
      return problem === null;
    });
    if (base === undefined) throw new OpenError('corrupt_snapshot', 'no snapshot can be read:', problems);
  }
  const close = (): void => lock.release();
  return {core: config.core, firstLsn, db, records: () => readWal(options, firstLsn), close, [Symbol.dispose]: close};
}
