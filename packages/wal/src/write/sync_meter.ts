/**
 * How long the disk takes to sync, and what follows from it: block for it, or hand it to the thread pool.
 *
 * A blocking sync stops the event loop for its whole time, a handed-off one costs two thread hops. The break-even is
 * near 250 us (one client: 98 us against 169 us on a disk that syncs in 90 us). Samples taken on the thread pool
 * contain the hops, so they are corrected before they are averaged.
 */

import type {FileIo} from '../file_io.ts';

const INLINE_MS_MAX = 0.25;
const HOPS_MS = 0.08;
const WEIGHT: number = 1 / 8;

/** `inline` blocks, `async` uses the thread pool, `adaptive` follows the measured time of syncs. */
export type CommitMode = 'inline' | 'async' | 'adaptive';

export class SyncMeter {
  readonly #mode: CommitMode;
  lastMs = 0;
  averageMs = 0;
  syncs = 0;

  constructor(mode: CommitMode) {
    this.#mode = mode;
  }

  get prefersInline(): boolean {
    return this.#mode === 'adaptive' ? this.averageMs < INLINE_MS_MAX : this.#mode === 'inline';
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
    this.lastMs = elapsedMs;
    this.averageMs = this.syncs === 0 ? sample : this.averageMs + (sample - this.averageMs) * WEIGHT;
    this.syncs++;
  }
}
