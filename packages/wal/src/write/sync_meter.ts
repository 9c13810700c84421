/**
 * How long the disk takes to sync, and what follows from it: block for it, or hand it to the thread pool.
 *
 * A blocking sync stops the event loop for its whole time; a handed-off one costs two thread hops, each of which waits for a
 * processor where all are busy. What counts is therefore how long the disk takes when nothing is in its way: estimated low,
 * since whatever else the machine does only adds to a sample. An average would leave the faster way for the slower one
 * under load. What a sync takes on the thread pool says more about processors than about the disk and is not counted: while
 * syncs are handed off, one of several is made blocking, to learn whether the disk has become faster.
 */

import type {FileIo} from '../file_io.ts';

/**
 * On two processors and a disk that syncs in 0.2 ms blocking halves p50 and p99 from 50,000 to 400,000 records a second, and
 * while a snapshot is written beside, when a sync takes 0.6 ms blocking and 2 ms handed off, it does more.
 */
const INLINE_MS_MAX = 1;
/** While syncs are handed off, one of so many is made blocking. */
const PROBE_EVERY = 16;
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
    if (this.#mode !== 'adaptive') return this.#mode === 'inline';
    return this.unhinderedMs < INLINE_MS_MAX || this.syncs % PROBE_EVERY === 0;
  }

  sync(io: FileIo, handle: number): void {
    const started = io.now();
    io.datasync(handle);
    this.#count(io.now() - started);
    const more = this.lastMs - this.unhinderedMs;
    if (this.syncs === 1) this.unhinderedMs = this.lastMs;
    else this.unhinderedMs += more * (more < 0 ? FASTER_WEIGHT : SLOWER_WEIGHT);
  }

  async syncAsync(io: FileIo, handle: number): Promise<void> {
    const started = io.now();
    await io.datasyncAsync(handle);
    this.#count(io.now() - started);
  }

  #count(elapsedMs: number): void {
    this.lastMs = elapsedMs;
    this.syncs++;
  }
}
