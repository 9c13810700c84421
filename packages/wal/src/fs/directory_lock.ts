/**
 * One exclusive lock for a directory: flock(2) on its file `LOCK`, taken by flock(1) on an inherited descriptor.
 *
 * The lock belongs to the open descriptor, so it ends with the process however the process ends: no heartbeat, no
 * timeout, no stealing. The holder writes its pid into the file for the error message only; the pid decides nothing.
 * The file itself is never removed: removing it would let two processes hold "the" lock on two different files.
 */

import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import {WalError} from '../errors.ts';
import type {DirectoryLock} from '../file_io.ts';
import {FILE} from '../format/format.ts';

const HELD_EXIT_STATUS = 1;

/**
 * Locks an existing directory for this process, or throws `locked` (with the holder's pid) or `lock_unavailable`.
 * A second lock of the same directory is refused within one process too.
 */
export function lockDirectory(dir: string): DirectoryLock {
  const path = `${dir}/${FILE.LOCK}`;
  const handle = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);
  try {
    acquire(dir, path, handle);
  } catch (error) {
    fs.closeSync(handle);
    throw error;
  }
  let held = true;
  return {
    release(): void {
      if (!held) return;
      held = false;
      fs.ftruncateSync(handle, 0);
      fs.closeSync(handle);
    },
  };
}

function acquire(dir: string, path: string, handle: number): void {
  const result = spawnSync('flock', ['-x', '-n', '3'], {stdio: ['ignore', 'ignore', 'ignore', handle]});
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
  fs.ftruncateSync(handle, 0);
  fs.writeSync(handle, `${process.pid}\n`, 0);
}

function readPid(path: string): number | null {
  const pid = Number.parseInt(fs.readFileSync(path, 'utf8'), 10);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
}
