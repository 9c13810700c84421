/**
 * What waits for the flusher: frozen deltas and storage flushes, one after the other, in order.
 *
 * Invariants: at most one call of the flusher runs; every request is answered, by its outcome or by the error that closed
 * the line. Storage flushes with no delta between them share a call. The first failure closes the line: nothing is retried,
 * because nobody knows what a failed flush has left.
 */

import type {CoordinatorError} from './coordinator_error.ts';
import type {EpochStamped, Flusher} from './delta.ts';
import type {Deferred} from './promises.ts';
import {Fifo} from './queues.ts';

export interface FlushLineOptions<Frozen, Snapshot> {
  readonly flusher: Flusher<Frozen, Snapshot>;
  /** Bound of the deltas that wait or are being written. */
  readonly deltasMax: number;
  readonly clock: () => number;
  readonly onWritten: (snapshot: Snapshot, end: number) => void;
  /** Called before a storage flush; `onDurable` gets what it returned. */
  readonly beforeStorage: () => number;
  readonly onDurable: (end: number) => void;
  /** Must close the line. */
  readonly onFailure: (code: 'flush_failed' | 'storage_flush_failed', cause: unknown) => void;
}

interface StorageJob {
  readonly kind: 'storage';
  readonly waiters: Deferred<void>[];
}

type Job<Frozen> = {readonly kind: 'delta'; readonly delta: EpochStamped<Frozen>} | StorageJob;

export class FlushLine<Frozen, Snapshot> {
  readonly #options: FlushLineOptions<Frozen, Snapshot>;
  readonly #jobs: Fifo<Job<Frozen>> = new Fifo();
  #running: Promise<void> | null = null;
  #closed: CoordinatorError | null = null;
  /** Deltas that wait or are being written. */
  deltas = 0;
  flushMs = 0;
  storageFlushes = 0;
  storageFlushMs = 0;

  constructor(options: FlushLineOptions<Frozen, Snapshot>) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.deltas < this.#options.deltasMax;
  }

  /** There must be room. */
  pushDelta(delta: EpochStamped<Frozen>): void {
    this.deltas++;
    this.#push({kind: 'delta', delta});
  }

  /** Settles the waiter after a storage flush that begins after everything pushed so far was written. */
  pushStorage(waiter: Deferred<void>): void {
    const last = this.#jobs.last;
    if (this.#closed !== null) waiter.reject(this.#closed);
    else if (last?.kind === 'storage') last.waiters.push(waiter);
    else this.#push({kind: 'storage', waiters: [waiter]});
  }

  /** Starts nothing more; a call that is running is left to end. */
  close(error: CoordinatorError): void {
    this.#closed ??= error;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) this.#reject(job, this.#closed);
  }

  /** Resolves when no call runs and none will. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #push(job: Job<Frozen>): void {
    this.#jobs.push(job);
    this.#running ??= this.#run();
  }

  /** Begins a microtask later, so that the flusher is never called from within a delta or a handle. */
  async #run(): Promise<void> {
    await Promise.resolve();
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      if (job.kind === 'delta') await this.#flushDelta(job.delta);
      else await this.#flushStorage(job);
    }
    this.#running = null;
  }

  async #flushDelta({value, epochs}: EpochStamped<Frozen>): Promise<void> {
    const {flusher, clock, onWritten, onFailure} = this.#options;
    const started = clock();
    let snapshot: Snapshot;
    try {
      snapshot = await flusher.flushDelta(value, epochs);
    } catch (cause) {
      onFailure('flush_failed', cause);
      return;
    } finally {
      this.flushMs += clock() - started;
      this.deltas--;
    }
    onWritten(snapshot, epochs.end);
  }

  async #flushStorage({waiters}: StorageJob): Promise<void> {
    const {flusher, clock, beforeStorage, onDurable, onFailure} = this.#options;
    const started = clock();
    const end = beforeStorage();
    try {
      await flusher.flushStorage();
    } catch (cause) {
      onFailure('storage_flush_failed', cause);
      for (const waiter of waiters) waiter.reject(this.#closed);
      return;
    } finally {
      this.storageFlushMs += clock() - started;
    }
    this.storageFlushes++;
    onDurable(end);
    for (const waiter of waiters) waiter.resolve();
  }

  #reject(job: Job<Frozen>, error: CoordinatorError): void {
    if (job.kind === 'storage') for (const waiter of job.waiters) waiter.reject(error);
    else this.deltas--;
  }
}
