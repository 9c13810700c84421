/**
 * For tests and tools: a data directory that begins somewhere else than at lsn 1, and the stages of opening one by one.
 */
import {AllocDb, hiOf, loOf, U64_MAX} from '@allocdb/core';
import {type DirectoryLock, type FileIo, joinPath, nodeFileIo, parentPath, Wal} from '@allocdb/wal';
import {configIssues, type DatabaseConfig, frameIssues} from '../config.ts';
import {OpenError} from '../errors.ts';
import {newHashSeed, readConfigFile, writeConfigFile} from '../storage/config_file.ts';
import {openErrorOf} from '../storage/data_directory.ts';
import {SnapshotWriter} from '../storage/snapshot_writer.ts';

export {type CreatedWith, readConfigFile} from '../storage/config_file.ts';
export {lsnOfSnapshotName, snapshotName} from '../storage/snapshot_format.ts';
export {loadSnapshot} from '../storage/snapshot_loading.ts';
export {dumpState, type StateDump} from './dump_state.ts';

/** Where the directory begins: the position of an otherwise empty snapshot. */
export interface StartPosition {
  /** Below 2^64 - 1: behind the last lsn there is no log that could begin. */
  readonly lsn: bigint;
  readonly slot: bigint;
}

/** The longest frame of an engine for which nothing else was said. */
const FRAME_BYTES = 8 << 20;

/**
 * Creates a data directory that holds an empty snapshot at a position and a log that begins behind it. Resolves when all
 * of it is durable; rejects with OpenError `not_empty` where a database is already, and, before anything is written, with
 * `invalid_config` or, for a position that there is not, RangeError.
 */
export async function createDirectoryAt(
  dir: string,
  config: DatabaseConfig,
  start: StartPosition,
  io: FileIo = nodeFileIo,
  segmentBytes: number = 64 << 20,
): Promise<void> {
  if (start.lsn < 0n || start.lsn >= U64_MAX) throw new RangeError('no log can begin behind the last lsn, 2^64 - 1');
  if (start.slot < 0n || start.slot > U64_MAX) throw new RangeError('a slot is a whole number below 2^64');
  const issues = [...configIssues(config), ...frameIssues(config, Math.min(FRAME_BYTES, segmentBytes >> 1))];
  if (issues.length > 0) throw new OpenError('invalid_config', 'the configuration cannot be used:', issues);
  const lock = lockNew(io, dir);
  try {
    if (readConfigFile(io, dir) !== null) throw new OpenError('not_empty', `${dir} holds a database already`);
    const names = io.list(dir).filter(name => name !== 'LOCK');
    if (names.length > 0) throw new OpenError('not_empty', `${dir} is not empty: ${names.slice(0, 3).join(', ')}`);
    const hashSeed = newHashSeed(io);
    const snapshotDir = joinPath(dir, 'snapshots');
    io.makeDir(snapshotDir);
    io.makeDir(joinPath(dir, 'wal'));
    const db = new AllocDb(config.core, hashSeed);
    db.restorePosition(loOf(start.lsn), hiOf(start.lsn), loOf(start.slot), hiOf(start.slot));
    const writer = new SnapshotWriter(io, snapshotDir, db);
    await writer.write(async () => undefined);
    writer.publish();
    Wal.open({
      io,
      dir: joinPath(dir, 'wal'),
      lock: false,
      segmentBytes,
      firstLsn: start.lsn + 1n,
      floor: 0n,
    }).closeSync();
    io.syncDir(dir);
    writeConfigFile(io, dir, {config, hashSeed, slotMs: null});
  } catch (error) {
    throw openErrorOf(error, dir);
  } finally {
    lock.release();
  }
}

function lockNew(io: FileIo, dir: string): DirectoryLock {
  try {
    if (io.makeDir(dir)) io.syncDir(parentPath(dir));
    return io.lock(dir);
  } catch (error) {
    throw openErrorOf(error, dir);
  }
}
