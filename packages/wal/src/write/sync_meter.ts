/**
 * How long the disk takes to sync, and what follows from it: block for it, or hand it to the thread pool.
 *
 * A blocking sync stops the event loop for its whole time; a handed-off one costs two thread hops, each of which waits for a
 * processor where all are busy. What counts is therefore how long the disk takes when nothing is in its way: estimated low,
 * since whatever else the machine does only adds to a sample. An average would leave the faster way for the slower one
 * under load, whose hops then keep it there. Samples taken on the thread pool are corrected for the hops of a quiet machine.
 */

import type {FileIo} from '../file_io.ts';

/** On a disk that syncs in 0.2 ms blocking halves p50 and p99 from 50,000 to 400,000 records a second. */
const INLINE_MS_MAX = 0.5;
const HOPS_MS = 0.08;
const FASTER_WEIGHT: number = 1 / 8;
const SLOWER_WEIGHT: number = 1 / 64;

/** `inline` blocks, `async` uses the thread pool, `adaptive` follows the measured time of syncs. */
export type CommitMode = 'inline' | 'async' | 'adaptive';

export class SyncMeter {
  readonly #mode: CommitMode;
  lastMs = 0;
  /** What a sync takes when nothing is in its way. */
  unhinderedMs = 0;
  syncs = 0;

  constructor(mode: CommitMode) {
    this.#mode = mode;
  }

  get prefersInline(): boolean {
    return this.#mode === 'adaptive' ? this.unhinderedMs < INLINE_MS_MAX : this.#mode === 'inline';
  }

  sync(io: FileIo, handle: number): void {
    const started = io.now();
    io.datasync(handle);
    this.#record(io.now() - started, 0);
  }

  async syncAsync(io: FileIo, handle: number): Promise<void> {
    const started = io.now();
    await io.datasyncAsync(handle);
    this.#record(io.now() - started, HOPS_MS);
  }

  #record(elapsedMs: number, overheadMs: number): void {
    const sample = Math.max(0, elapsedMs - overheadMs);
    const more = sample - this.unhinderedMs;
    this.lastMs = elapsedMs;
    if (this.syncs++ === 0) this.unhinderedMs = sample;
    else this.unhinderedMs += more * (more < 0 ? FASTER_WEIGHT : SLOWER_WEIGHT);
  }
}
