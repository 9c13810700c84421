/**
 * A directory that is being written as a copy: empty before, marked as unfinished first, and a database only once the mark
 * is gone again. Whoever fails discards it, and nothing is left; whoever is killed leaves the mark, and nothing opens.
 *
 * Not here: what is written into it.
 */
import {type DirectoryLock, type FileIo, joinPath, parentPath} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {CONFIG_NAME, type CreatedWith, writeConfigFile} from '../storage/config_file.ts';
import {removeFiles} from '../storage/switch_over.ts';
import {markFinished, markUnfinished, UNFINISHED} from '../storage/unfinished.ts';

/** Names that an empty directory may have: of a lock that nobody holds, and of a fresh file system. */
const EMPTY_NAMES: readonly string[] = ['LOCK', 'lost+found'];

export class NewDirectory {
  readonly dir: string;
  readonly walDir: string;
  readonly snapshotDir: string;
  private readonly io: FileIo;
  private readonly lock: DirectoryLock;
  /** What was there before; null where the directory itself was not. */
  private readonly before: readonly string[] | null;
  /** All of it is there: from here on nothing is taken back. */
  private isWhole: boolean = false;

  /**
   * Begins a directory; `what` it becomes is for people. Throws OpenError `not_empty`, also for a place inside another
   * database's directory, `locked`, or what the system says; then nothing was written.
   */
  static begin(io: FileIo, dir: string, what: string): NewDirectory {
    const before = assertFree(io, dir);
    const directory = new NewDirectory(io, dir, lockNew(io, dir), before);
    try {
      markUnfinished(io, dir, what);
      for (const inner of [directory.walDir, directory.snapshotDir]) io.makeDir(inner);
      io.syncDir(dir);
      return directory;
    } catch (error) {
      directory.discard();
      throw error;
    }
  }

  private constructor(io: FileIo, dir: string, lock: DirectoryLock, before: readonly string[] | null) {
    this.io = io;
    this.dir = dir;
    this.lock = lock;
    this.before = before;
    this.walDir = joinPath(dir, 'wal');
    this.snapshotDir = joinPath(dir, 'snapshots');
  }

  /** Everything else is written, durable and verified: makes it a database and lets it go. Returns its bytes. */
  finish(created: CreatedWith): number {
    const {io, dir} = this;
    writeConfigFile(io, dir, created);
    const bytes = this.bytes;
    this.isWhole = true;
    markFinished(io, dir);
    this.lock.release();
    return bytes;
  }

  /**
   * Removes what was written, and the directory if it was not there before; what cannot be removed keeps the mark. Where
   * only taking the mark away has failed, the whole is left, with the mark or without.
   */
  discard(): void {
    if (!this.isWhole) this.remove();
    this.lock.release();
  }

  private remove(): void {
    const {io, dir, before} = this;
    try {
      const kept = before ?? [];
      removeFiles(io, dir, [...kept, UNFINISHED, 'LOCK']);
      const rest = io.list(dir).filter(name => !kept.includes(name));
      // The mark goes when nothing is left that it stands for; the lock file last.
      for (const name of [UNFINISHED, 'LOCK']) if (rest.includes(name)) io.unlink(joinPath(dir, name));
      if (before === null) io.removeDir(dir);
      else io.syncDir(dir);
    } catch {
      // The error that led here is the one to report.
    }
  }

  private get bytes(): number {
    const {io, dir, walDir, snapshotDir} = this;
    const paths = [walDir, snapshotDir].flatMap(inner => io.list(inner).map(name => joinPath(inner, name)));
    return [...paths, joinPath(dir, CONFIG_NAME)].reduce((sum, path) => sum + sizeOf(io, path), 0);
  }
}

/**
 * Whether a copy could be written there. Returns the names in the directory, null where it is not there; throws OpenError
 * `not_empty`.
 */
export function assertFree(io: FileIo, dir: string): readonly string[] | null {
  for (const above of ancestorsOf(dir)) {
    const names = namesOrNull(io, above) ?? [];
    if (!names.includes(CONFIG_NAME) || !names.includes('wal')) continue;
    throw new OpenError('not_empty', `${dir} lies inside the data directory ${above}: choose a place outside`);
  }
  const names = namesOrNull(io, dir);
  if (names?.includes(UNFINISHED)) {
    throw new OpenError('not_empty', `${dir} holds a backup or a restore that was not finished: remove it first`);
  }
  const others = (names ?? []).filter(name => !EMPTY_NAMES.includes(name));
  if (others.length === 0) return names;
  throw new OpenError('not_empty', `${dir} is not empty: ${others.slice(0, 3).join(', ')}`);
}

/** Makes the directory if need be and locks it, unless somebody else has come first. */
function lockNew(io: FileIo, dir: string): DirectoryLock {
  const isNew = makeNew(io, dir);
  let lock: DirectoryLock | null = null;
  try {
    if (isNew) io.syncDir(parentPath(dir));
    lock = io.lock(dir);
    assertFree(io, dir);
    return lock;
  } catch (error) {
    lock?.release();
    if (isNew) removeIfEmpty(io, dir);
    throw error;
  }
}

/** Makes the directory; false where it is there. Not the ones above: one that is missing is a typo, or not mounted. */
function makeNew(io: FileIo, dir: string): boolean {
  try {
    return io.makeDir(dir);
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isMissing) throw error;
    const above = parentPath(dir);
    throw new OpenError('io', `${dir} cannot be made: ${above} is not there; make it, or mount it`, [], error);
  }
}

function removeIfEmpty(io: FileIo, dir: string): void {
  try {
    io.removeDir(dir);
  } catch {
    // Then it is somebody else's by now, or the disk is gone.
  }
}

/** Bytes of a file. */
export function sizeOf(io: FileIo, path: string): number {
  const handle = io.open(path, 'read');
  try {
    return io.size(handle);
  } finally {
    io.close(handle);
  }
}

/** The directories above a path. */
function ancestorsOf(dir: string): string[] {
  const absolute = dir.startsWith('/') ? dir : joinPath(process.cwd(), dir);
  const names: string[] = [];
  for (const name of absolute.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names.map((_, count) => `/${names.slice(0, count).join('/')}`);
}

function namesOrNull(io: FileIo, dir: string): string[] | null {
  try {
    return io.list(dir);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    // Who may pass through a directory above may not be allowed to list it.
    if (code === 'ENOENT' || code === 'EACCES') return null;
    throw error;
  }
}
