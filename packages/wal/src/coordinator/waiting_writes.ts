/**
 * Writers that found no room in a channel, in the order in which they came.
 *
 * Invariant: a write that waits is accepted, or handed back with an error, exactly once; its timer and its listener are
 * gone by then. A timer exists only for a write that waits and was given a time.
 */

import {CoordinatorError, handingBack} from './coordinator_error.ts';
import {TIMER_MS_MAX} from './options.ts';
import {abortedBy, Deferred, type WaitOptions} from './promises.ts';
import {Linked, LinkedQueue} from './queues.ts';
import type {Ticket} from './ticket.ts';

/** How long `write` waits for room. */
export interface WriteOptions extends WaitOptions {
  /** From 0 to 2^31 - 1. Default: as long as it takes. */
  readonly timeoutMs?: number;
}

export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (timeoutMs >= 0 && timeoutMs <= TIMER_MS_MAX)) return;
  throw new RangeError(`timeoutMs is from 0 to ${TIMER_MS_MAX}`);
}

export class WaitingWrite<Write, ApplyResult> extends Linked {
  readonly write: Write;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly done: Deferred<Ticket<ApplyResult>> = new Deferred();
  #cleanUp: () => void = () => {};

  constructor(write: Write, bytes: number, sinceMs: number) {
    super();
    this.write = write;
    this.bytes = bytes;
    this.sinceMs = sinceMs;
  }

  /** Gives up, by `onGiveUp` with the reason, when the time is over or the signal fires. */
  limit(options: WriteOptions, onGiveUp: (error: CoordinatorError) => void): void {
    const {timeoutMs, signal} = options;
    const onTimeout = (): void => {
      onGiveUp(new CoordinatorError('timeout', `no room within ${timeoutMs} ms`, {write: this.write}));
    };
    const onAbort = (): void => onGiveUp(abortedBy(signal as AbortSignal, this.write));
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
    signal?.addEventListener('abort', onAbort, {once: true});
    this.#cleanUp = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
  }

  accepted(ticket: Ticket<ApplyResult>): void {
    this.#cleanUp();
    this.done.resolve(ticket);
  }

  refused(error: CoordinatorError): void {
    this.#cleanUp();
    this.done.reject(error);
  }
}

export class WaitingWrites<Write, ApplyResult> {
  readonly #queue: LinkedQueue<WaitingWrite<Write, ApplyResult>> = new LinkedQueue();

  get size(): number {
    return this.#queue.size;
  }

  /** Who is next. */
  get first(): WaitingWrite<Write, ApplyResult> | null {
    return this.#queue.first;
  }

  /** `onGaveUp` is called when this one waits no longer and was not let in: there may be room for those behind it. */
  add(
    waiting: WaitingWrite<Write, ApplyResult>,
    options: WriteOptions,
    onGaveUp: () => void,
  ): Promise<Ticket<ApplyResult>> {
    this.#queue.push(waiting);
    waiting.limit(options, error => {
      this.#queue.remove(waiting);
      waiting.refused(error);
      onGaveUp();
    });
    return waiting.done.promise;
  }

  accept(waiting: WaitingWrite<Write, ApplyResult>, ticket: Ticket<ApplyResult>): void {
    this.#queue.remove(waiting);
    waiting.accepted(ticket);
  }

  /** Nobody is let in any more: each write goes back with the error. */
  refuseAll(error: CoordinatorError): void {
    for (let waiting = this.first; waiting !== null; waiting = this.first) {
      this.#queue.remove(waiting);
      waiting.refused(handingBack(error, waiting.write));
    }
  }
}
