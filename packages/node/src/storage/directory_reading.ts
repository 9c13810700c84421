/**
 * A data directory that is only looked at: locked as a reader does, so that nobody writes meanwhile, and its
 * configuration read. What reads directories without opening them begins here: verification, replay, restoring.
 */

import {U64_MAX} from '@allocdb/core';
import {type DirectoryLock, type FileIo, joinPath, type ReadWalOptions} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {type CreatedWith, readConfigFile} from './config_file.ts';
import {openErrorOf} from './data_directory.ts';
import {assertNotSwitching} from './switch_over.ts';
import {assertFinished} from './unfinished.ts';

/** Where a database lies and what it was created with. */
export interface DirectoryToRead {
  readonly io: FileIo;
  readonly dir: string;
  readonly created: CreatedWith;
}

/** One that is locked until it is let go. */
export interface LockedDirectory extends DirectoryToRead {
  readonly lock: DirectoryLock;
}

/**
 * Locks a directory to read it. Throws OpenError `locked`, `missing_config`, `corrupt_config`, `unsupported_version`,
 * `unfinished` or `io`; touches nothing but the lock, and where nothing can be written not even that.
 */
export function lockToRead(io: FileIo, dir: string): LockedDirectory {
  const names = namesOf(io, dir);
  try {
    assertFinished(dir, names);
    assertNotSwitching(io, dir, names);
    const created = readConfigFile(io, dir);
    if (created === null) throw new OpenError('missing_config', `${dir} holds no database`);
    return {io, dir, created, lock: io.lock(dir, 'read')};
  } catch (error) {
    throw openErrorOf(error, dir);
  }
}

/** Names in a directory that must be there. Throws OpenError `missing_config`. */
export function namesOf(io: FileIo, dir: string): string[] {
  try {
    return io.list(dir);
  } catch (error) {
    throw new OpenError('missing_config', `${dir} cannot be read: ${String((error as Error).message)}`, [], error);
  }
}

/** How its log is read, as opening has it: a snapshot, here the newest one's lsn, stands for a log that reaches it. */
export function logToRead({io, dir}: DirectoryToRead, newest: bigint): ReadWalOptions {
  return {dir: joinPath(dir, 'wal'), io, floor: newest, firstLsn: newest === U64_MAX ? U64_MAX : newest + 1n};
}
