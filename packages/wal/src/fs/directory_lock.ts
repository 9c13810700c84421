/**
 * One exclusive lock for a directory: flock(2) on its file `LOCK`, taken by flock(1) on an inherited descriptor.
 *
 * The lock belongs to the open descriptor, so it ends with the process however the process ends: no heartbeat, no
 * timeout, no stealing. The holder writes its pid into the file for the error message only; the pid decides nothing.
 * The file itself is never removed: removing it would let two processes hold "the" lock on two different files.
 *
 * Who only reads and may not write there, as on a read-only file system, holds a shared lock on the file as it is: writers
 * and readers keep each other out, readers do not. Where such a file system has no `LOCK`, nobody holds the directory.
 */

import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import {systemCode, WalError} from '../errors.ts';
import type {DirectoryLock} from '../file_io.ts';
import {FILE} from '../format/format.ts';

const HELD_EXIT_STATUS = 1;
const READ_ONLY = 'EROFS';
/** What the system says to who may not open the file for writing. */
const NOT_WRITABLE: readonly string[] = [READ_ONLY, 'EACCES', 'EPERM'];

/** The open file, or no file where none can be; one that is not writable is left as it is. */
interface LockFile {
  readonly handle: number | null;
  readonly isWritable: boolean;
}

/**
 * Locks an existing directory for this process, or throws `locked` (with the holder's pid) or `lock_unavailable`, or what
 * the system says where the file cannot be opened. A second lock of the same directory is refused within one process too.
 * To `read` takes the same lock where that is possible, and else one that needs nothing written.
 */
export function lockDirectory(dir: string, use: 'write' | 'read' = 'write'): DirectoryLock {
  const path = `${dir}/${FILE.LOCK}`;
  const {handle, isWritable} = use === 'write' ? openToWrite(path) : openToRead(path);
  if (handle === null) return {release: () => undefined};
  try {
    acquire(dir, path, handle, isWritable);
  } catch (error) {
    fs.closeSync(handle);
    throw error;
  }
  let held = true;
  return {
    release(): void {
      if (!held) return;
      held = false;
      if (isWritable) fs.ftruncateSync(handle, 0);
      fs.closeSync(handle);
    },
  };
}

function openToWrite(path: string): LockFile {
  return {handle: fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644), isWritable: true};
}

function openToRead(path: string): LockFile {
  try {
    return openToWrite(path);
  } catch (refusal) {
    if (!NOT_WRITABLE.includes(systemCode(refusal))) throw refusal;
    try {
      return {handle: fs.openSync(path, fs.constants.O_RDONLY), isWritable: false};
    } catch (error) {
      // Elsewhere somebody with more rights could create it at any moment.
      const isAbsent = systemCode(error) === 'ENOENT' && systemCode(refusal) === READ_ONLY;
      if (isAbsent) return {handle: null, isWritable: false};
      throw refusal;
    }
  }
}

function acquire(dir: string, path: string, handle: number, isWritable: boolean): void {
  // Not exclusive for a reader: some network file systems grant that on a writable descriptor only.
  const mode = isWritable ? '-x' : '-s';
  const result = spawnSync('flock', [mode, '-n', '3'], {stdio: ['ignore', 'ignore', 'ignore', handle]});
  if (result.error !== undefined) {
    throw new WalError('lock_unavailable', `cannot lock ${dir}: flock(1) did not run`, {cause: result.error});
  }
  if (result.status === HELD_EXIT_STATUS) {
    const holderPid = readPid(path);
    const holder = holderPid === null ? 'another process' : `process ${holderPid}`;
    throw new WalError('locked', `${dir} is in use by ${holder}`, {holderPid});
  }
  if (result.status !== 0) {
    throw new WalError('lock_unavailable', `cannot lock ${dir}: flock(1) ended with ${result.status}`);
  }
  if (!isWritable) return;
  fs.ftruncateSync(handle, 0);
  fs.writeSync(handle, `${process.pid}\n`, 0);
}

/** Null also where that process is no more: the holder is then a reader, who could not write a pid. */
function readPid(path: string): number | null {
  const pid = Number.parseInt(fs.readFileSync(path, 'utf8'), 10);
  return Number.isSafeInteger(pid) && pid > 0 && isAlive(pid) ? pid : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
