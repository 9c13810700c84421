/**
 * How a directory passes from one configuration to another without a moment at which it is neither.
 *
 *   after-<lsn>/    the new CONFIG, wal/ and snapshots/ while they are written
 *   before-<lsn>/   the old ones from then on, a directory that opens by itself; kept until somebody deletes it
 *
 * The new one is decided when its CONFIG, the last file that is written, has its name. Before that, `after-` is rubbish and
 * the old one is what opens. From then on every opening finishes the move: old files to `before-`, then new files to their
 * places, CONFIG last on either way. Each step may be repeated after a crash at any point: which way a file in wal/ has to
 * go is said by whether `before-` has its CONFIG, and what says it is durable before a file goes the other way.
 */
import {type FileIo, joinPath} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {CONFIG_NAME, readConfigFile} from './config_file.ts';

/** Directories of a database. */
const PARTS = ['wal', 'snapshots'] as const;

/** Names in the directory that is switched over. */
export interface SwitchOver {
  readonly staging: string;
  readonly kept: string;
}

const STAGING = /^after-(\d+(?:-\d+)?)$/;

/** Names for a switch at an lsn; one that an earlier switch at the same lsn took is followed by a number. */
export function newSwitchOver(io: FileIo, dir: string, lsn: bigint): SwitchOver {
  const names = io.list(dir);
  for (let count = 1; ; count++) {
    const place = count === 1 ? String(lsn) : `${lsn}-${count}`;
    const [staging, kept] = [`after-${place}`, `before-${place}`];
    if (!names.includes(staging) && !names.includes(kept)) return {staging, kept};
  }
}

/** The switch that is decided and not finished, or null. */
function decidedSwitchOver(io: FileIo, dir: string, names: readonly string[]): SwitchOver | null {
  for (const staging of names.filter(name => STAGING.test(name))) {
    if (!hasConfig(namesIn(io, joinPath(dir, staging)))) continue;
    return {staging, kept: staging.replace('after', 'before')};
  }
  return null;
}

/** Throws OpenError `unfinished` where only opening can say what the directory is. For who may not write. */
export function assertNotSwitching(io: FileIo, dir: string, names: readonly string[]): void {
  if (decidedSwitchOver(io, dir, names) === null) return;
  throw new OpenError('unfinished', `a reconfiguration of ${dir} was interrupted: open it once, which finishes it`);
}

/** Finishes a decided switch; the caller holds the lock. Throws OpenError `corrupt_config`, having changed nothing. */
export function finishSwitchOver(io: FileIo, dir: string, names: readonly string[]): void {
  const decided = decidedSwitchOver(io, dir, names);
  if (decided === null) return;
  const [staging, kept] = [joinPath(dir, decided.staging), joinPath(dir, decided.kept)];
  readConfigFile(io, staging);
  // Whoever decided it may have ended before that was durable: nothing may be moved on the strength of it until then.
  io.syncDir(staging);
  io.makeDir(kept);
  for (const part of PARTS) io.makeDir(joinPath(kept, part));
  io.syncDir(kept);
  io.syncDir(dir);
  if (!io.list(kept).includes(CONFIG_NAME)) {
    for (const part of PARTS) moveFiles(io, joinPath(dir, part), joinPath(kept, part));
    io.rename(joinPath(dir, CONFIG_NAME), joinPath(kept, CONFIG_NAME));
  }
  // Before the first new file takes its place: what is in wal/ now is old or new by this name alone.
  io.syncDir(kept);
  io.syncDir(dir);
  for (const part of PARTS) moveFiles(io, joinPath(staging, part), joinPath(dir, part));
  io.rename(joinPath(staging, CONFIG_NAME), joinPath(dir, CONFIG_NAME));
  io.syncDir(dir);
  io.syncDir(staging);
  removeUndecided(io, dir);
}

/** Removes what a switch has left that was never decided, or is finished. */
export function removeUndecided(io: FileIo, dir: string): void {
  const rests = io.list(dir).filter(name => STAGING.test(name));
  for (const name of rests) {
    const staging = joinPath(dir, name);
    const held = namesIn(io, staging);
    if (held === null || hasConfig(held)) continue;
    // That it has no CONFIG, or that this has moved up, must not be undone by a loss of power once files are missing.
    io.syncDir(dir);
    io.syncDir(staging);
    removeFiles(io, staging);
    io.removeDir(staging);
  }
  if (rests.length > 0) io.syncDir(dir);
}

/** Takes back a switch that was prepared and perhaps decided, and of which no file was moved yet. */
export function takeBack(io: FileIo, staging: string): void {
  if (hasConfig(namesIn(io, staging))) {
    io.unlink(joinPath(staging, CONFIG_NAME));
    // Durably undecided before anything is missing from it.
    io.syncDir(staging);
  }
  removeFiles(io, staging);
  io.removeDir(staging);
}

/** Removes the files of a database from a directory, those to `keep` excepted; durable on return. */
export function removeFiles(io: FileIo, dir: string, keep: readonly string[] = []): void {
  for (const name of io.list(dir)) {
    const path = joinPath(dir, name);
    if (keep.includes(name)) continue;
    if (PARTS.some(part => part === name)) {
      for (const file of io.list(path)) io.unlink(joinPath(path, file));
      io.syncDir(path);
      io.removeDir(path);
    } else io.unlink(path);
  }
  io.syncDir(dir);
}

/** Moves all files, also where an earlier attempt has moved them and then removed their directory. */
function moveFiles(io: FileIo, from: string, to: string): void {
  const names = namesIn(io, from);
  for (const name of names ?? []) io.rename(joinPath(from, name), joinPath(to, name));
  io.syncDir(to);
  if (names !== null) io.syncDir(from);
}

function hasConfig(names: readonly string[] | null): boolean {
  return names?.includes(CONFIG_NAME) ?? false;
}

/** Names in a directory; null where there is no such directory. */
function namesIn(io: FileIo, dir: string): string[] | null {
  try {
    return io.list(dir);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}
