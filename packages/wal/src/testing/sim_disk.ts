/**
 * A disk in memory behind `FileIo`, for tests: it loses power, fails calls, runs full and can be damaged.
 *
 * Everything is decided by the seed and by the calls made: the same run on the same seed ends with the same bytes.
 * In a power cut each sector and each name that was not synced is kept or lost on its own, so writes tear between
 * sectors and are reordered; kinds of failing calls are in `sim_faults.ts`. Time passes only by calls (`syncMs` for
 * each sync) and by `advance`. Locks end with a power cut.
 * Not modelled: permissions, links, sectors that tear inside.
 */

import {parentPath} from '../file_io.ts';
import type {DiskFault} from './sim_faults.ts';
import {SimFile} from './sim_file.ts';
import {SimRandom} from './sim_random.ts';
import {SimSystem} from './sim_system.ts';

export interface SimDiskOptions {
  readonly seed?: number;
  /** Asynchronous calls take up to so many turns of the microtask queue. Default 0: one turn, always. */
  readonly asyncTurnsMax?: number;
}

const KEEP_PROBABILITIES: readonly number[] = [0, 0.1, 0.5, 0.9, 1];
/** What runs on after an asynchronous call has ended within so many turns without another one. */
const QUIET_TURNS = 30;

export class SimDisk extends SimSystem {
  constructor(options: SimDiskOptions = {}) {
    super(new SimRandom(options.seed ?? 1), options.asyncTurnsMax ?? 0);
  }

  /** Calls so far, without `close`, `now`, `randomFill` and `lock`. */
  get calls(): number {
    return this.faults.calls;
  }

  /** Whether a power cut has struck and `restart` has not been called. */
  get isDown(): boolean {
    return this.faults.isDown;
  }

  /** Whether a power cut now could lose anything. */
  get hasUnsynced(): boolean {
    return this.names.hasUnsynced;
  }

  /** Arms one fault, counted from now; null disarms. */
  arm(fault: DiskFault | null): void {
    this.faults.arm(fault);
  }

  /** Power goes and comes back: unsynced sectors and names are kept or lost by chance, handles and locks are gone. */
  restart(): void {
    const keep = KEEP_PROBABILITIES[this.random.below(KEEP_PROBABILITIES.length)] as number;
    this.names.losePower(this.random, keep);
    this.endProcess();
    this.faults.restart();
  }

  /** The process dies, the machine goes on: nothing is lost but handles and locks. */
  endProcess(): void {
    this.handles.clear();
    this.locks.clear();
    this.process++;
  }

  /** Resolves when no asynchronous call is under way: a process that has lost its disk has ended by then. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      await Promise.resolve();
      if (this.asyncCalls > 0) turn = 0;
    }
  }

  /** A copy that goes its own way, without the handles and locks of this one. */
  fork(seed?: number): SimDisk {
    const copy = new SimDisk({seed: seed ?? this.random.state, asyncTurnsMax: this.asyncTurnsMax});
    copy.names = this.names.fork();
    copy.syncMs = this.syncMs;
    copy.spaceBytes = this.spaceBytes;
    return copy;
  }

  advance(ms: number): void {
    this.nowMs += ms;
  }

  contentOf(path: string): Uint8Array {
    return this.fileAt(path).content();
  }

  /** Puts this content on the platter, whatever was there; creates the file if need be. */
  replaceContent(path: string, content: Uint8Array): void {
    if (this.names.get(path) === undefined) {
      this.names.add(path, new SimFile());
      this.names.sync(parentPath(path));
    }
    this.fileAt(path).replace(content);
  }

  /** Flips bit 0 to 7 of one byte on the platter; the same again undoes it. No call is counted. */
  flipBit(path: string, byte: number, bit: number): void {
    const file = this.fileAt(path);
    if (byte < 0 || byte >= file.size || bit < 0 || bit > 7) throw new RangeError('there is no such bit');
    file.flipBit(byte, bit);
  }
}
