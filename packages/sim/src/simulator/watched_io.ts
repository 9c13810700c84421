// The files of one process of the simulated machine: `FileIo` over a `SimDisk`, where every call is seen.
//
// A call may be the point where the process ends, or may be made to fail: both are armed by whoever owns `Armed`. What a
// failing call has done by then is the disk's own business. An asynchronous call does nothing by itself: it waits in `pending` until the
// schedule lets it take its effect, and again until it is told to whoever waits for it. Once the process has ended, every
// call fails and nothing that it does reaches the disk.
import type {DirectoryLock, FileIo, OpenMode} from '@allocdb/wal';
import type {SimDisk} from '@allocdb/wal/testing';
import type {Random} from '../random.ts';
import {CRASH_POINTS, type FileCall, fileKindOf} from './crash_points.ts';
import {type Armed, type ArmedCrash, type ArmedFault, type FailedCall, strikes} from './faults.ts';
import {FrameWatch} from './frame_watch.ts';

export interface PendingCall {
  readonly path: string;
  /** Its effect; false while it has not been. */
  hasRun: boolean;
  step(): void;
}

export class WatchedIo implements FileIo {
  readonly disk: SimDisk;
  readonly watch: FrameWatch = new FrameWatch();
  readonly failed: FailedCall[] = [];
  pending: PendingCall[] = [];
  life: 'opening' | 'running' = 'opening';
  /** The crash that has ended the process. */
  endedBy: ArmedCrash | null = null;
  calls = 0;
  /** Durable, and the engine has heard of it. */
  knownLsn = 0n;
  /** Whether the engine takes no completion of a frame any more. */
  isLogOver: () => boolean = () => false;
  /** Newest snapshot that was published in this process. */
  publishedLsn: bigint | null = null;
  /** Harness of the simulator's own tests: a sync that says it was made and was not. */
  liesAboutSync = false;
  readonly #armed: Armed;
  #isLeft = false;
  readonly #paths: Map<number, string> = new Map();
  #published: string | null = null;
  #truncated = false;
  #repaired: string | null = null;
  /** Durable by the asynchronous call that has its effect now. */
  #reached: bigint | null = null;
  #isLater = false;

  constructor(disk: SimDisk, armed: Armed) {
    this.disk = disk;
    this.#armed = armed;
    this.watch.onReach = lsn => {
      if (this.#isLater) this.#reached = lsn;
      else this.#know(lsn);
    };
  }

  /** The failed call for which something was thrown, by the chain of its causes; null where no call is to blame. */
  causeOf(error: unknown): FailedCall | null {
    for (let at = error; at instanceof Error; at = at.cause) {
      const failed = this.failed.find(one => one.error === at);
      if (failed !== undefined) return failed;
    }
    return null;
  }

  /** A frame is being written, as far as the engine knows. */
  get isWriting(): boolean {
    return this.watch.begunLsn > this.knownLsn;
  }

  get isDead(): boolean {
    return this.endedBy !== null;
  }

  /** Ends the process here: nothing that it does from now on reaches anything. */
  end(by: ArmedCrash): void {
    this.endedBy ??= by;
  }

  /** What the process leaves to the system: of the calls that were under way each has its effect, or not. */
  abandon(random: Random): void {
    this.#isLeft = true;
    for (const call of this.pending) if (!call.hasRun && random.chance(50)) call.step();
    this.pending = [];
  }

  open(path: string, mode: OpenMode): number {
    const handle = this.#call('open', path, () => this.disk.open(path, mode));
    this.#paths.set(handle, path);
    return handle;
  }

  close(handle: number): void {
    this.#call('close', this.#path(handle), () => this.disk.close(handle));
    this.#paths.delete(handle);
  }

  size(handle: number): number {
    return this.#call('size', this.#path(handle), () => this.disk.size(handle));
  }

  read(handle: number, into: Uint8Array, offset: number, length: number, position: number): number {
    return this.#call('read', this.#path(handle), () => this.disk.read(handle, into, offset, length, position));
  }

  write(handle: number, from: Uint8Array, offset: number, length: number, position: number): number {
    const path = this.#path(handle);
    const kind = fileKindOf(path);
    const isOfSegment = kind === 'segment' || kind === 'spare';
    this.#begins(path, from, offset, position);
    const count = this.#call('write', path, () => {
      const written = this.disk.write(handle, from, offset, length, position);
      if (isOfSegment) this.watch.wrote(path, position, written);
      return written;
    });
    if (this.life === 'opening' && kind === 'segment') this.#repaired = path;
    return count;
  }

  datasync(handle: number): void {
    const path = this.#path(handle);
    this.#call('datasync', path, () => {
      if (!this.liesAboutSync) this.disk.datasync(handle);
      this.watch.synced(path);
    });
  }

  writeAsync(handle: number, from: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    this.#begins(this.#path(handle), from, offset, position);
    return this.#later(this.#path(handle), () => this.write(handle, from, offset, length, position));
  }

  datasyncAsync(handle: number): Promise<void> {
    return this.#later(this.#path(handle), () => this.datasync(handle));
  }

  rename(from: string, to: string): void {
    this.#call('rename', from, () => this.disk.rename(from, to), to);
    // Handles go with their file.
    for (const [handle, path] of this.#paths) if (path === from) this.#paths.set(handle, to);
    const kind = fileKindOf(from);
    if (kind === 'unfinished') this.#published = to;
    if (kind === 'segment') this.#truncated = true;
    this.watch.renamed(from, fileKindOf(to) === 'segment' ? to : null);
  }

  renameAsync(from: string, to: string): Promise<void> {
    return this.#later(from, () => this.rename(from, to));
  }

  unlink(path: string): void {
    this.#call('unlink', path, () => this.disk.unlink(path));
    if (fileKindOf(path) === 'segment') this.#truncated = true;
  }

  unlinkAsync(path: string): Promise<void> {
    return this.#later(path, () => this.unlink(path));
  }

  list(dir: string): string[] {
    return this.#call('list', dir, () => this.disk.list(dir));
  }

  makeDir(path: string): boolean {
    return this.#call('makeDir', path, () => this.disk.makeDir(path));
  }

  removeDir(path: string): void {
    this.#call('removeDir', path, () => this.disk.removeDir(path));
  }

  syncDir(path: string): void {
    const kind = fileKindOf(path);
    const published = this.#published;
    if (kind === 'snapshot_dir') this.#published = null;
    this.#call(
      'syncDir',
      path,
      () => {
        this.disk.syncDir(path);
        if (kind === 'log_dir') this.watch.logDirSynced();
        if (kind === 'snapshot_dir' && published !== null) this.publishedLsn = lsnOfName(published) || null;
      },
      null,
      kind === 'snapshot_dir' && published !== null,
      kind === 'log_dir' && this.#truncated,
    );
    if (kind === 'log_dir') this.#truncated = false;
  }

  syncDirAsync(path: string): Promise<void> {
    return this.#later(path, () => this.syncDir(path));
  }

  lock(dir: string): DirectoryLock {
    return this.disk.lock(dir);
  }

  now(): number {
    return this.disk.now();
  }

  randomFill(into: Uint8Array): void {
    this.disk.randomFill(into);
  }

  #begins(path: string, from: Uint8Array, offset: number, position: number): void {
    const kind = fileKindOf(path);
    if (this.isDead || (kind !== 'segment' && kind !== 'spare')) return;
    this.watch.begins(path, kind === 'segment', from, offset, position);
  }

  #path(handle: number): string {
    return this.#paths.get(handle) ?? '';
  }

  #call<T>(
    name: FileCall['name'],
    path: string,
    run: () => T,
    to: string | null = null,
    publishes = false,
    truncates = false,
  ): T {
    if (this.#isLeft) return run();
    if (this.isDead) throw powerIsOff();
    const kind = fileKindOf(path);
    const frame = kind === 'segment' || kind === 'spare' ? this.watch.pendingFrame(path) : null;
    const call: FileCall = {
      name,
      kind,
      toKind: to === null ? null : fileKindOf(to),
      life: this.life,
      hasClient: frame?.hasClient ?? false,
      hasInternal: frame?.hasInternal ?? false,
      completes: publishes ? 'publish' : truncates && this.life === 'running' ? 'truncation' : null,
      repairs: name === 'datasync' && path === this.#repaired && this.life === 'opening',
    };
    this.calls++;
    const moment = this.#crashMoment(call);
    if (moment === 'before') throw powerIsOff();
    if (moment === 'within') {
      this.#stopWithin(call, run);
      throw powerIsOff();
    }
    const result = this.#attempt(call, run);
    if (moment === 'after') throw powerIsOff();
    return result;
  }

  /** The call begins, the machine stops: the disk decides how far it got. A system whose process dies goes on syncing. */
  #stopWithin(call: FileCall, run: () => unknown): void {
    if (call.name === 'datasync' && this.endedBy?.how === 'kill') return;
    this.disk.arm({call: 1, kind: 'power_cut'});
    try {
      run();
    } catch {
      // Nobody is left to hear of it.
    }
  }

  #attempt<T>(call: FileCall, run: () => T): T {
    const fault = this.#faultFor(call);
    if (fault !== null) this.disk.arm({call: 1, kind: fault.kind});
    try {
      return run();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (code === 'EIO' || code === 'ENOSPC') this.failed.push({call, code, armed: fault !== null, error});
      throw error;
    } finally {
      if (fault !== null) this.disk.arm(null);
    }
  }

  #crashMoment(call: FileCall): 'before' | 'within' | 'after' | null {
    const {crash} = this.#armed;
    if (crash === null || crash.point === null) return null;
    const point = CRASH_POINTS[crash.point];
    if (point.at !== 'call' || !point.hits(call)) return null;
    if (crash.skip > 0) {
      crash.skip--;
      return null;
    }
    this.#armed.crash = null;
    this.endedBy = crash;
    return point.moment;
  }

  #faultFor(call: FileCall): ArmedFault | null {
    const {faults} = this.#armed;
    const fault = faults.find(one => strikes(one, call));
    if (fault === undefined) return null;
    if (fault.skip > 0) {
      fault.skip--;
      return null;
    }
    fault.times--;
    if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
    return fault;
  }

  /** Of a call that ends the process nobody hears, even where it has had its effect. */
  #know(lsn: bigint): void {
    if (lsn > this.knownLsn && !this.isDead && !this.isLogOver()) this.knownLsn = lsn;
  }

  #later<T>(path: string, run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.isDead) return;
      let tell: () => void = () => undefined;
      const pending: PendingCall = {
        path,
        hasRun: false,
        step: () => {
          if (pending.hasRun) {
            this.pending.splice(this.pending.indexOf(pending), 1);
            tell();
            return;
          }
          pending.hasRun = true;
          this.#isLater = true;
          this.#reached = null;
          try {
            const value = run();
            const reached = this.#reached;
            tell = () => {
              if (reached !== null) this.#know(reached);
              resolve(value);
            };
          } catch (error) {
            tell = () => reject(error);
          } finally {
            this.#isLater = false;
          }
        },
      };
      this.pending.push(pending);
    });
  }
}

function lsnOfName(path: string): bigint {
  return BigInt(/snapshot-(\d+)\.snap$/.exec(path)?.[1] ?? 0);
}

function powerIsOff(): Error {
  return Object.assign(new Error('EPOWER: the process has ended'), {code: 'EPOWER'});
}
