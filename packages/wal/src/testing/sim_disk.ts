/**
 * A disk in memory behind `FileIo`, for tests: it loses power, fails calls, runs full and can be damaged.
 *
 * Everything is decided by the seed and by the calls made: the same run on the same seed ends with the same bytes.
 * Time passes only by calls (`syncMs` for each sync) and by `advance`. Locks end with a power cut.
 * Not modelled: permissions, links, sectors that tear inside.
 */

import {WalError} from '../errors.ts';
import type {DirectoryLock, FileIo, OpenMode} from '../file_io.ts';
import {parentPath} from '../file_io.ts';
import {SimFile} from './sim_file.ts';
import {SimNames} from './sim_names.ts';
import {SimRandom} from './sim_random.ts';

export interface SimDiskOptions {
  readonly seed?: number;
}

/** What happens to one call, counted from now on; `call` 1 is the next one. */
export interface DiskFault {
  readonly call: number;
  /** `power_cut` stops this call and all later ones until `restart`; `short` makes a write take only half. */
  readonly kind: 'EIO' | 'ENOSPC' | 'short' | 'power_cut';
  /** The calls after it fail likewise. Default false. */
  readonly forever?: boolean;
}

const CALL_MS = 0.001;
const KEEP_PROBABILITIES: readonly number[] = [0, 0.1, 0.5, 0.9, 1];

export class SimDisk implements FileIo {
  /** Calls so far, without `close`, `now`, `randomFill` and `lock`. */
  calls = 0;
  /** How long a sync takes, and how many bytes files may have together. */
  syncMs = 0.1;
  spaceBytes: number = Number.POSITIVE_INFINITY;
  #random: SimRandom;
  #names: SimNames = new SimNames(new Map([['/', 'directory']]), new Map([['/', 'directory']]));
  #handles: Map<number, SimFile> = new Map();
  #nextHandle = 3;
  #locks: Map<string, DirectoryLock> = new Map();
  #fault: DiskFault | null = null;
  #isDown = false;
  #nowMs = 0;

  constructor(options: SimDiskOptions = {}) {
    this.#random = new SimRandom(options.seed ?? 1);
  }

  /** Whether a power cut has struck and `restart` has not been called. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** Arms one fault, counted from now; null disarms. */
  arm(fault: DiskFault | null): void {
    this.#fault = fault === null ? null : {...fault, call: this.calls + fault.call};
  }

  /** Power goes and comes back: unsynced sectors and names are kept or lost by chance, handles and locks are gone. */
  restart(): void {
    const keep = KEEP_PROBABILITIES[this.#random.below(KEEP_PROBABILITIES.length)] as number;
    this.#names.losePower(this.#random, keep);
    this.endProcess();
    this.#isDown = false;
    this.#fault = null;
  }

  /** The process dies, the machine goes on: nothing is lost but handles and locks. */
  endProcess(): void {
    this.#handles.clear();
    this.#locks.clear();
  }

  /** A copy that goes its own way, without the handles and locks of this one. */
  fork(seed?: number): SimDisk {
    const copy = new SimDisk();
    copy.#random = seed === undefined ? this.#random.fork() : new SimRandom(seed);
    copy.#names = this.#names.fork();
    copy.syncMs = this.syncMs;
    copy.spaceBytes = this.spaceBytes;
    return copy;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  contentOf(path: string): Uint8Array {
    return this.#file(path).content();
  }

  /** Puts this content on the platter, whatever was there; creates the file if need be. */
  replaceContent(path: string, content: Uint8Array): void {
    if (this.#names.get(path) === undefined) {
      this.#names.add(path, new SimFile());
      this.#names.sync(parentPath(path));
    }
    this.#file(path).replace(content);
  }

  open(path: string, mode: OpenMode): number {
    this.#call();
    const entry = this.#names.get(path);
    if (mode === 'create') {
      if (entry !== undefined) throw systemError('EEXIST', path);
      if (this.#names.get(parentPath(path)) !== 'directory') throw systemError('ENOENT', path);
      this.#names.add(path, new SimFile());
    }
    const handle = this.#nextHandle++;
    this.#handles.set(handle, this.#file(path));
    return handle;
  }

  close(handle: number): void {
    if (!this.#handles.delete(handle)) throw systemError('EBADF', `handle ${handle}`);
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
    const source = from.subarray(offset, offset + length);
    const isShort = this.#call(() => file.write(source.subarray(0, this.#random.below(length + 1)), position));
    const endMax = Math.max(file.size, this.spaceBytes - this.#usedBytes() + file.size);
    const count = Math.min(isShort ? Math.ceil(length / 2) : length, Math.max(0, endMax - position));
    if (count === 0 && length > 0) throw systemError('ENOSPC', 'write');
    file.write(source.subarray(0, count), position);
    return count;
  }

  datasync(handle: number): void {
    const file = this.#opened(handle);
    this.#nowMs += this.syncMs;
    this.#call(() => file.failSync(this.#random));
    file.sync();
  }

  async writeAsync(h: number, from: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    await Promise.resolve();
    return this.write(h, from, offset, length, position);
  }

  async datasyncAsync(handle: number): Promise<void> {
    await Promise.resolve();
    this.datasync(handle);
  }

  rename(from: string, to: string): void {
    this.#call();
    this.#file(from);
    this.#names.rename(from, to);
  }

  unlink(path: string): void {
    this.#call();
    this.#file(path);
    this.#names.remove(path);
  }

  list(dir: string): string[] {
    this.#call();
    if (this.#names.get(dir) !== 'directory') throw systemError('ENOENT', dir);
    return this.#names.list(dir);
  }

  makeDir(path: string): boolean {
    this.#call();
    if (this.#names.get(path) !== undefined) return false;
    if (this.#names.get(parentPath(path)) !== 'directory') throw systemError('ENOENT', path);
    this.#names.add(path, 'directory');
    return true;
  }

  syncDir(path: string): void {
    this.#call();
    if (this.#names.get(path) !== 'directory') throw systemError('ENOENT', path);
    this.#names.sync(path);
  }

  lock(dir: string): DirectoryLock {
    if (this.#locks.has(dir)) throw new WalError('locked', `${dir} is in use`, {holderPid: null});
    const lock: DirectoryLock = {
      release: () => {
        if (this.#locks.get(dir) === lock) this.#locks.delete(dir);
      },
    };
    this.#locks.set(dir, lock);
    return lock;
  }

  now(): number {
    return this.#nowMs;
  }

  randomFill(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.#random.below(256);
  }

  /** Counts a call and lets the armed fault strike; `partly` is what a failing call may have done. True: a short write. */
  #call(partly: () => void = () => {}): boolean {
    if (this.#isDown) throw systemError('EPOWER', 'the power is off');
    this.calls++;
    this.#nowMs += CALL_MS;
    const fault = this.#fault;
    if (fault === null || this.calls < fault.call) return false;
    if (this.calls > fault.call && fault.forever !== true) return false;
    if (fault.kind === 'short') return true;
    partly();
    if (fault.kind === 'power_cut') this.#isDown = true;
    throw systemError(fault.kind === 'power_cut' ? 'EPOWER' : fault.kind, 'an armed fault');
  }

  #file(path: string): SimFile {
    const entry = this.#names.get(path);
    if (entry === undefined) throw systemError('ENOENT', path);
    if (entry === 'directory') throw systemError('EISDIR', path);
    return entry;
  }

  #opened(handle: number): SimFile {
    const file = this.#handles.get(handle);
    if (file === undefined) throw systemError('EBADF', `handle ${handle}`);
    return file;
  }

  #usedBytes(): number {
    if (this.spaceBytes === Number.POSITIVE_INFINITY) return 0;
    let total = 0;
    for (const file of this.#names.files()) total += file.size;
    return total;
  }
}

function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), {code});
}
