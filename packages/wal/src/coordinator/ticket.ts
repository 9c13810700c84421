/**
 * One accepted write, from its channel's queue to the level that somebody waits for.
 *
 * Invariant: it is settled exactly once, by `applied`, `refused` or `dropped`; every promise it gave out settles, then or
 * when the watermark passes. No promise is made for a write that nobody waits for.
 */

import {CoordinatorError, causeText, handingBack} from './coordinator_error.ts';
import {type Durability, isDurability} from './delta.ts';
import {abortable, Deferred, quiet, type WaitOptions} from './promises.ts';
import type {Batch, Watermarks} from './watermarks.ts';

/** The receipt for an accepted write. Its promises may be ignored: none becomes an unhandled rejection. */
export interface Ticket<ApplyResult> {
  /**
   * The epoch of the write: the same at every call, and also where `apply` refused the write. Rejects with the write handed
   * back where it was never applied: `shutdown`, or what the coordinator failed with.
   */
  epoch(): Promise<number>;
  /**
   * What `apply` returned, once the write has reached the level; at once where it already has. Rejects with
   * `apply_failed` (with epoch and cause), with `shutdown` or the failure where the level will not be reached, and with
   * `aborted` where the signal ended only the waiting.
   */
  wait(level: Durability, options?: WaitOptions): Promise<ApplyResult>;
}

export class PendingWrite<Write, ApplyResult> implements Ticket<ApplyResult> {
  readonly kind = 'write';
  readonly bytes: number;
  readonly #marks: Watermarks;
  #write: Write | undefined;
  #result: ApplyResult | undefined;
  #epoch = 0;
  #batch: Batch | null = null;
  #error: CoordinatorError | null = null;
  #settled: Deferred<void> | null = null;

  constructor(write: Write, bytes: number, marks: Watermarks) {
    this.#write = write;
    this.bytes = bytes;
    this.#marks = marks;
  }

  epoch(): Promise<number> {
    return quiet(this.#epochOnceKnown());
  }

  wait(level: Durability, options: WaitOptions = {}): Promise<ApplyResult> {
    return abortable(quiet(this.#resultAt(level)), options.signal);
  }

  /** The write, which is not kept: a ticket may be held for long. */
  takeWrite(): Write {
    const write = this.#write as Write;
    this.#write = undefined;
    return write;
  }

  applied(batch: Batch, epoch: number, result: ApplyResult): void {
    this.#epoch = epoch;
    this.#batch = batch;
    this.#result = result;
    this.#settled?.resolve();
  }

  /** The delta threw. */
  refused(epoch: number, cause: unknown): void {
    const message = `apply failed at epoch ${epoch}: ${causeText(cause)}`;
    this.#epoch = epoch;
    this.#error = new CoordinatorError('apply_failed', message, {epoch, cause});
    this.#settled?.resolve();
  }

  /** It will never be applied. */
  dropped(error: CoordinatorError): void {
    this.#error = handingBack(error, this.takeWrite());
    this.#settled?.resolve();
  }

  async #epochOnceKnown(): Promise<number> {
    await this.#settlement();
    if (this.#epoch === 0) throw this.#error;
    return this.#epoch;
  }

  async #resultAt(level: Durability): Promise<ApplyResult> {
    if (!isDurability(level)) throw new RangeError('a level is applied, written or durable');
    await this.#settlement();
    if (this.#batch === null) throw this.#error;
    await this.#marks.reached(this.#batch, level);
    return this.#result as ApplyResult;
  }

  async #settlement(): Promise<void> {
    if (this.#epoch !== 0 || this.#error !== null) return;
    this.#settled ??= new Deferred();
    await this.#settled.promise;
  }
}
