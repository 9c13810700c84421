/**
 * Surrogates: u32 ids from 1, of which none is ever given out twice, whatever crashes.
 *
 * Policy `reserve`: an id is given out only when a durable watermark record covers it. Policy `flush`: an id is given out
 * only with a durable bind record of its own, and watermarks are for truncation and a quick restore. In both, restoring
 * starts behind the highest watermark and the highest bind of the log.
 * Invariant for truncation: each watermark covers every earlier one and every bind before it, so the log from the newest
 * durable watermark on (`watermarkLsn`) is enough. One allocator for a log. Not here: finding the id of a key.
 */

import {RecordError} from '../records/record_error.ts';
import {controlTypes} from './control_types.ts';
import {recordsOf} from './log_source.ts';
import type {WalManager} from './wal_manager.ts';

export const SURROGATE_MAX = 0xffff_ffff;

const BATCH = 1024;
const FLUSH_EVERY = 1024;
const FLUSH_MS = 200;

/** Runs something once after so many milliseconds; returns how to prevent it. */
export type SetTimer = (run: () => void, ms: number) => () => void;

export interface SurrogateOptions {
  /** Default `reserve`. */
  readonly policy?: 'reserve' | 'flush';
  /** `reserve`: ids that one watermark adds; the next is asked for when less than half of them are left. Default 1024. */
  readonly batch?: number;
  /** `flush`: a watermark follows after so many ids, or so long after the first without one. Default 1024 and 200. */
  readonly flushEvery?: number;
  readonly flushMs?: number;
  /** Default: `setTimeout`, which does not keep the process running. */
  readonly setTimer?: SetTimer;
  /** The highest id known to be given out from elsewhere than the log. Default 0: none. */
  readonly floor?: number;
}

export class SurrogateAllocator {
  readonly #manager: WalManager;
  readonly #options: Required<SurrogateOptions>;
  /** The highest id that was taken: given out, or about to be with its bind record. */
  #taken: number;
  /** The highest watermark that is durable, and the highest that was appended. */
  #covered: number;
  #announced: number;
  #watermarkLsn: bigint | null;
  #extension: Promise<void> | null = null;
  #unmarked = 0;
  #cancelTimer: (() => void) | null = null;

  private constructor(manager: WalManager, options: Required<SurrogateOptions>, restored: Restored) {
    this.#manager = manager;
    this.#options = options;
    this.#taken = Math.max(restored.highest, options.floor);
    this.#covered = this.#taken;
    this.#announced = this.#taken;
    this.#watermarkLsn = restored.watermarkLsn;
  }

  /**
   * Reads what the log says and goes on behind it. Call it when the log has been opened and before anything is appended.
   * Throws `malformed`, and what reading throws.
   */
  static restore(manager: WalManager, options: SurrogateOptions = {}): SurrogateAllocator {
    const resolved = resolve(options);
    return new SurrogateAllocator(manager, resolved, readSurrogates(manager));
  }

  /** The highest id taken so far. */
  get highest(): number {
    return this.#taken;
  }

  /**
   * Records below this lsn are not needed to restore the allocator: what it reports to a `CheckpointGate`. Null while the
   * log has no durable watermark. The binds themselves are the business of whoever looks them up.
   */
  get watermarkLsn(): bigint | null {
    return this.#watermarkLsn;
  }

  /**
   * The next id; a durable watermark covers it when this resolves. Rejects with `ids_exhausted`, with what the append of a
   * watermark throws (a later call tries again), and with `TypeError` under the policy `flush`.
   */
  async allocate(): Promise<number> {
    if (this.#options.policy !== 'reserve') throw new TypeError('under the policy flush ids come from assign');
    while (this.#taken >= this.#covered) {
      if (this.#taken === SURROGATE_MAX) throw exhausted();
      await this.#extend();
    }
    this.#taken++;
    const isLow = this.#covered - this.#taken < this.#options.batch / 2;
    // What prevents the extension is met by whoever needs it.
    if (isLow && this.#covered < SURROGATE_MAX) this.#extend().catch(() => {});
    return this.#taken;
  }

  /**
   * A new id bound to this key; its bind record is durable when this resolves. An id whose binding fails is not given
   * out. Rejects with `ids_exhausted`, `RangeError` for a collection or key that is too long, and as an append does.
   */
  async assign(collection: string, key: Uint8Array): Promise<number> {
    const id = this.#options.policy === 'reserve' ? await this.allocate() : this.#take();
    await this.#manager.whenRoom(() => this.#manager.appendSurrogateBind(id, collection, key));
    await this.#manager.commit();
    return id;
  }

  /** Writes a watermark, durable when this resolves: call it before a checkpoint, so that more can be truncated. */
  async flush(): Promise<void> {
    this.stop();
    await this.#mark(this.#taken);
  }

  /** Ends the timer of the policy `flush`. Nothing is lost by it; ids can still be taken. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #take(): number {
    if (this.#taken === SURROGATE_MAX) throw exhausted();
    this.#taken++;
    this.#unmarked++;
    if (this.#unmarked % this.#options.flushEvery === 0) this.#flushBehind();
    else this.#cancelTimer ??= this.#options.setTimer(() => this.#flushBehind(), this.#options.flushMs);
    return this.#taken;
  }

  /** Nobody waits for it: no id depends on it, and what prevents it is met by the next bind. */
  #flushBehind(): void {
    this.flush().catch(() => {});
  }

  #extend(): Promise<void> {
    this.#extension ??= this.#mark(Math.min(this.#covered + this.#options.batch, SURROGATE_MAX)).finally(() => {
      this.#extension = null;
    });
    return this.#extension;
  }

  /** Appends a watermark that covers `least` and everything up to here, and makes it durable. */
  async #mark(least: number): Promise<void> {
    const {lsn, hi} = await this.#manager.whenRoom(() => {
      // Decided at the append: a watermark below an earlier one would let truncation forget the earlier one.
      const hi = Math.max(least, this.#taken, this.#announced);
      const lsn = this.#manager.appendSurrogateAlloc(hi);
      this.#announced = hi;
      this.#unmarked = 0;
      return {lsn, hi};
    });
    await this.#manager.commit();
    this.#covered = Math.max(this.#covered, hi);
    if (this.#watermarkLsn === null || lsn > this.#watermarkLsn) this.#watermarkLsn = lsn;
  }
}

interface Restored {
  highest: number;
  watermarkLsn: bigint | null;
}

function readSurrogates({wal}: WalManager): Restored {
  const {SurrogateAlloc, SurrogateBind} = controlTypes;
  const restored: Restored = {highest: 0, watermarkLsn: null};
  const cursor = wal.read({types: [SurrogateAlloc.id, SurrogateBind.id]});
  for (const record of recordsOf(cursor, [SurrogateAlloc, SurrogateBind])) {
    const id = record.type === 'SurrogateAlloc' ? record.value.hi : record.value.surrogate;
    if (record.type === 'SurrogateAlloc' && id >= restored.highest) restored.watermarkLsn = record.lsn;
    restored.highest = Math.max(restored.highest, id);
  }
  return restored;
}

function resolve(options: SurrogateOptions): Required<SurrogateOptions> {
  const {policy = 'reserve', batch = BATCH, flushEvery = FLUSH_EVERY, flushMs = FLUSH_MS, floor = 0} = options;
  if (!Number.isSafeInteger(batch) || batch < 1) throw new RangeError('batch is at least 1');
  if (!Number.isSafeInteger(flushEvery) || flushEvery < 1) throw new RangeError('flushEvery is at least 1');
  if (!Number.isInteger(floor) || floor < 0 || floor > SURROGATE_MAX) throw new RangeError('floor is a u32');
  return {policy, batch, flushEvery, flushMs, floor, setTimer: options.setTimer ?? setUnrefTimer};
}

function setUnrefTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

function exhausted(): RecordError {
  return new RecordError('ids_exhausted', `surrogate ${SURROGATE_MAX} has been given out`);
}
