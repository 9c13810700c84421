/**
 * A simulated disk that watches the order of writes and syncs and knows by itself what is durable.
 *
 * A data frame counts as proven when a sync of its file has returned, and of the directory where the file got its name
 * after. Whatever breaks the order is collected in `violations`; the largest buffer that anybody read into is kept too.
 */

import {SimDisk} from '../src/testing/index.ts';
import {DATA_FRAME} from './campaign/log_bytes.ts';

const FRAME_MAGIC = 0x464c4157;

interface WrittenFrame {
  readonly handle: number;
  readonly lastLsn: bigint;
}

export class RecordingDisk extends SimDisk {
  readonly violations: string[] = [];
  /** The synced lsns of all frames, in the order in which they were written. */
  readonly syncedLsns: bigint[] = [];
  dataFrames = 0;
  largestBuffer = 0;
  #unsynced: WrittenFrame[] = [];
  #synced = 0n;
  /** Synced in a file that has no synced name yet. */
  #waitsForName: bigint | null = null;
  readonly #staged: Set<number> = new Set();
  readonly #paths: Map<number, string> = new Map();

  override open(path: string, mode: 'read' | 'write' | 'create'): number {
    const handle = super.open(path, mode);
    this.#paths.set(handle, path);
    if (path.endsWith('.tmp')) this.#staged.add(handle);
    return handle;
  }

  override read(handle: number, into: Uint8Array, offset: number, length: number, position: number): number {
    this.largestBuffer = Math.max(this.largestBuffer, into.byteLength);
    return super.read(handle, into, offset, length, position);
  }

  override write(handle: number, from: Uint8Array, offset: number, length: number, position: number): number {
    const view = new DataView(from.buffer, from.byteOffset + offset, length);
    if (length >= 48 && view.getUint32(0, true) === FRAME_MAGIC) this.#frame(handle, view);
    return super.write(handle, from, offset, length, position);
  }

  override datasync(handle: number): void {
    super.datasync(handle);
    for (const {lastLsn} of this.#unsynced.filter(frame => frame.handle === handle)) {
      if (this.#staged.has(handle)) this.#waitsForName = lastLsn;
      else this.#synced = lastLsn;
    }
    this.#unsynced = this.#unsynced.filter(frame => frame.handle !== handle);
  }

  override rename(from: string, to: string): void {
    super.rename(from, to);
    for (const handle of this.#staged) if (this.#paths.get(handle) === from) this.#staged.delete(handle);
  }

  override syncDir(path: string): void {
    super.syncDir(path);
    if (this.#waitsForName !== null) this.#synced = this.#waitsForName;
    this.#waitsForName = null;
  }

  #frame(handle: number, view: DataView): void {
    const lsn = view.getBigUint64(8, true);
    const records = view.getUint32(16, true);
    const synced = view.getBigUint64(24, true);
    const isData = view.getUint8(6) === DATA_FRAME;
    this.syncedLsns.push(synced);
    if (synced !== this.#synced) this.violations.push(`lsn ${lsn} says ${synced} is synced, ${this.#synced} is`);
    if (!isData) return;
    this.dataFrames++;
    if (this.#unsynced.length > 0) this.violations.push(`lsn ${lsn} was written behind an unsynced frame`);
    if (this.#waitsForName !== null) this.violations.push(`lsn ${lsn} was written behind an unnamed segment`);
    this.#unsynced.push({handle, lastLsn: lsn + BigInt(records) - 1n});
  }
}
