/**
 * The file UNFINISHED: a directory that holds it was being written by a backup or a restore which did not end. It is the
 * first name in such a directory and the last that goes, so that whatever is there besides it is never taken for a
 * database, not even for an empty one.
 */
import {type FileIo, joinPath, writeFully} from '@allocdb/wal';
import {OpenError} from '../errors.ts';

export const UNFINISHED = 'UNFINISHED';

/** Marks a directory, durably. `what` is for people. */
export function markUnfinished(io: FileIo, dir: string, what: string): void {
  const text = new TextEncoder().encode(`This directory is a ${what} that was not finished. Remove it.\n`);
  const handle = io.open(joinPath(dir, UNFINISHED), 'create');
  try {
    writeFully(io, handle, text, text.length, 0);
    io.datasync(handle);
  } finally {
    io.close(handle);
  }
  io.syncDir(dir);
}

/** Takes the mark away, durably: everything else in the directory is durable. */
export function markFinished(io: FileIo, dir: string): void {
  io.unlink(joinPath(dir, UNFINISHED));
  io.syncDir(dir);
}

/** Throws OpenError `unfinished` for a directory with the mark, `names` being what is in it. */
export function assertFinished(dir: string, names: readonly string[]): void {
  if (!names.includes(UNFINISHED)) return;
  throw new OpenError('unfinished', `${dir} is a backup or a restore that was not finished: remove it, begin again`);
}
