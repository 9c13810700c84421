/**
 * The simulated disk as a process sees it: `FileIo` over files and names in memory, with handles, locks and a clock.
 *
 * Invariant: every call is counted and may be made to fail; a call that fails has done nothing, or part of its work
 * where a real one may have. An asynchronous call takes effect at one moment between its start and its end.
 * Not here: what happens to the disk from outside, power cuts and damage (`sim_disk.ts`).
 */

import {WalError} from '../errors.ts';
import type {DirectoryLock, FileIo, OpenMode} from '../file_io.ts';
import {parentPath} from '../file_io.ts';
import {SimFaults, systemError, throwFault} from './sim_faults.ts';
import {SECTOR_BYTES, SimFile} from './sim_file.ts';
import {SimNames} from './sim_names.ts';
import type {SimRandom} from './sim_random.ts';

const CALL_MS = 0.001;

export class SimSystem implements FileIo {
  /** How long a sync takes, and how many bytes files may have together. */
  syncMs = 0.1;
  spaceBytes: number = Number.POSITIVE_INFINITY;
  protected readonly faults: SimFaults = new SimFaults();
  protected readonly random: SimRandom;
  protected readonly asyncTurnsMax: number;
  protected names: SimNames = new SimNames(new Map([['/', 'directory']]), new Map([['/', 'directory']]));
  protected readonly handles: Map<number, SimFile> = new Map();
  protected readonly locks: Map<string, DirectoryLock> = new Map();
  protected asyncCalls = 0;
  /** Counts processes: what one has begun does not end in the next. */
  protected process = 0;
  protected nowMs = 0;
  #nextHandle = 3;

  constructor(random: SimRandom, asyncTurnsMax: number) {
    this.random = random;
    this.asyncTurnsMax = asyncTurnsMax;
  }

  open(path: string, mode: OpenMode): number {
    this.#call();
    const entry = this.names.get(path);
    if (mode === 'create') {
      if (entry !== undefined) throw systemError('EEXIST', path);
      if (this.names.get(parentPath(path)) !== 'directory') throw systemError('ENOENT', path);
      this.names.add(path, new SimFile());
    }
    const handle = this.#nextHandle++;
    this.handles.set(handle, this.fileAt(path));
    return handle;
  }

  close(handle: number): void {
    if (!this.handles.delete(handle)) throw systemError('EBADF', `handle ${handle}`);
  }

  size(handle: number): number {
    this.#call();
    return this.#opened(handle).size;
  }

  read(handle: number, into: Uint8Array, offset: number, length: number, position: number): number {
    this.#call();
    return this.#opened(handle).read(into, offset, length, position);
  }

  write(handle: number, from: Uint8Array, offset: number, length: number, position: number): number {
    const file = this.#opened(handle);
    const kind = this.#count();
    if (kind === 'EIO' || kind === 'ENOSPC' || kind === 'power_cut') {
      file.write(from.subarray(offset, offset + this.random.below(length + 1)), position);
    }
    throwFault(kind);
    const endMax = Math.max(file.size, this.spaceBytes - this.#usedBytes() + file.size);
    const count = Math.min(kind === 'short' ? Math.ceil(length / 2) : length, Math.max(0, endMax - position));
    if (count === 0 && length > 0) throw systemError('ENOSPC', 'write');
    const source = from.subarray(offset, offset + count);
    if (kind === 'lost' || kind === 'misdirected') file.writeLost(source, position);
    else file.write(source, position);
    if (kind === 'misdirected') {
      const sectors = Math.ceil(file.size / SECTOR_BYTES);
      file.misdirect(source, SECTOR_BYTES * this.random.below(sectors));
    }
    return count;
  }

  datasync(handle: number): void {
    const file = this.#opened(handle);
    this.nowMs += this.syncMs;
    const kind = this.#count();
    if (kind === 'EIO' || kind === 'ENOSPC' || kind === 'power_cut') file.failSync(this.random);
    throwFault(kind);
    file.sync();
  }

  writeAsync(h: number, from: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#later(() => this.write(h, from, offset, length, position));
  }

  datasyncAsync(handle: number): Promise<void> {
    return this.#later(() => this.datasync(handle));
  }

  rename(from: string, to: string): void {
    this.#call();
    this.fileAt(from);
    this.names.rename(from, to);
  }

  renameAsync(from: string, to: string): Promise<void> {
    return this.#later(() => this.rename(from, to));
  }

  unlink(path: string): void {
    this.#call();
    this.fileAt(path);
    this.names.remove(path);
  }

  unlinkAsync(path: string): Promise<void> {
    return this.#later(() => this.unlink(path));
  }

  list(dir: string): string[] {
    this.#call();
    if (this.names.get(dir) !== 'directory') throw systemError('ENOENT', dir);
    return this.names.list(dir);
  }

  makeDir(path: string): boolean {
    this.#call();
    if (this.names.get(path) !== undefined) return false;
    if (this.names.get(parentPath(path)) !== 'directory') throw systemError('ENOENT', path);
    this.names.add(path, 'directory');
    return true;
  }

  removeDir(path: string): void {
    this.#call();
    const entry = this.names.get(path);
    if (entry !== 'directory') throw systemError(entry === undefined ? 'ENOENT' : 'ENOTDIR', path);
    if (this.names.list(path).length > 0) throw systemError('ENOTEMPTY', path);
    this.names.remove(path);
  }

  syncDir(path: string): void {
    this.#call();
    if (this.names.get(path) !== 'directory') throw systemError('ENOENT', path);
    this.names.sync(path);
  }

  syncDirAsync(path: string): Promise<void> {
    return this.#later(() => this.syncDir(path));
  }

  lock(dir: string): DirectoryLock {
    if (this.locks.has(dir)) throw new WalError('locked', `${dir} is in use`, {holderPid: null});
    const lock: DirectoryLock = {
      release: () => {
        if (this.locks.get(dir) === lock) this.locks.delete(dir);
      },
    };
    this.locks.set(dir, lock);
    return lock;
  }

  now(): number {
    return this.nowMs;
  }

  randomFill(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.random.below(256);
  }

  #count(): ReturnType<SimFaults['next']> {
    this.nowMs += CALL_MS;
    return this.faults.next();
  }

  #call(): void {
    throwFault(this.#count());
  }

  /** The call takes effect at some turn between now and when its promise settles. */
  async #later<T>(run: () => T): Promise<T> {
    const process = this.process;
    const turns = 1 + this.#turns();
    this.asyncCalls++;
    try {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      if (this.process !== process) throw systemError('EBADF', 'the process has ended');
      const result = run();
      for (let turn = this.#turns(); turn > 0; turn--) await Promise.resolve();
      if (this.faults.isDown || this.process !== process) throwFault('off');
      return result;
    } finally {
      this.asyncCalls--;
    }
  }

  #turns(): number {
    return this.asyncTurnsMax === 0 ? 0 : this.random.below(this.asyncTurnsMax + 1);
  }

  protected fileAt(path: string): SimFile {
    const entry = this.names.get(path);
    if (entry === undefined) throw systemError('ENOENT', path);
    if (entry === 'directory') throw systemError('EISDIR', path);
    return entry;
  }

  #opened(handle: number): SimFile {
    const file = this.handles.get(handle);
    if (file === undefined) throw systemError('EBADF', `handle ${handle}`);
    return file;
  }

  #usedBytes(): number {
    if (this.spaceBytes === Number.POSITIVE_INFINITY) return 0;
    let total = 0;
    for (const file of this.names.files()) total += file.size;
    return total;
  }
}
