/**
 * The operations on files that the log and its users need, and nothing else.
 *
 * Everything that is not deterministic goes through here: files, the monotonic clock and randomness. Two
 * implementations exist, one over the file system and one in memory that can lose power; one suite runs on both.
 * Operations throw the system's error, with its `code` ('ENOENT', 'EEXIST', 'ENOSPC', 'EIO', …).
 * A name becomes durable by `syncDir` of its directory, content and size by `datasync`.
 */

/** How a file is opened: `create` fails with EEXIST where the name is taken; the others with ENOENT where it is not. */
export type OpenMode = 'read' | 'write' | 'create';

/** A lock that is held until it is released or the process ends. */
export interface DirectoryLock {
  release(): void;
}

export interface FileIo {
  open(path: string, mode: OpenMode): number;
  close(handle: number): void;
  size(handle: number): number;
  /** Reads up to `length` bytes; fewer only at the end of the file. */
  read(handle: number, into: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes at a position and returns how many bytes were taken, which may be fewer than asked. */
  write(handle: number, from: Uint8Array, offset: number, length: number, position: number): number;
  /** Content and size are durable on return. After a failure nobody knows which of them are. */
  datasync(handle: number): void;
  writeAsync(handle: number, from: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  datasyncAsync(handle: number): Promise<void>;
  rename(from: string, to: string): void;
  renameAsync(from: string, to: string): Promise<void>;
  unlink(path: string): void;
  /** The same on the thread pool: to let go of a large file takes as long as it has pages in memory. */
  unlinkAsync(path: string): Promise<void>;
  /** Names in a directory, sorted. */
  list(dir: string): string[];
  /** Creates one directory; false where it already is. */
  makeDir(path: string): boolean;
  /** Removes a directory, which must be empty ('ENOTEMPTY'). */
  removeDir(path: string): void;
  /** Creations, renames and removals in this directory are durable on return. */
  syncDir(path: string): void;
  syncDirAsync(path: string): Promise<void>;
  /**
   * Takes the exclusive lock of a directory, or throws `locked`. Who only reads says so, and then may hold it together with
   * other readers where nothing can be written; an implementation may take the exclusive lock for readers too.
   */
  lock(dir: string, use?: 'write' | 'read'): DirectoryLock;
  /** Milliseconds of a monotonic clock. */
  now(): number;
  randomFill(into: Uint8Array): void;
}

/** Writes all bytes, however many calls it takes. */
export function writeFully(io: FileIo, handle: number, from: Uint8Array, length: number, position: number): void {
  let done = 0;
  while (done < length) done += progress(io.write(handle, from, done, length - done, position + done));
}

export async function writeFullyAsync(
  io: FileIo,
  handle: number,
  from: Uint8Array,
  length: number,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < length) done += progress(await io.writeAsync(handle, from, done, length - done, position + done));
}

/** Reads `length` bytes or up to the end of the file; returns how many. */
export function readFully(
  io: FileIo,
  handle: number,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const count = io.read(handle, into, offset + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

export function joinPath(dir: string, name: string): string {
  return dir.endsWith('/') ? dir + name : `${dir}/${name}`;
}

export function parentPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const cut = trimmed.lastIndexOf('/');
  if (cut < 0) return '.';
  return cut === 0 ? '/' : trimmed.slice(0, cut);
}

function progress(count: number): number {
  if (count > 0) return count;
  throw Object.assign(new Error('EIO: a write took no bytes'), {code: 'EIO'});
}
