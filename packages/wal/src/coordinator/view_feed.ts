/**
 * Who hears of new views, and how much of it they may leave unread.
 *
 * Invariant: a subscriber gets every view since its subscription, in order, or the error that says it did not. A slow one
 * holds up nobody: what it left unread is let go, and it starts again from a whole view.
 */

import {CoordinatorError} from './coordinator_error.ts';
import {abortedBy, Deferred, quiet, type WaitOptions} from './promises.ts';
import {Fifo} from './queues.ts';

/**
 * Views from the one that was current at the subscription on: a new one at each freeze and at each flush. The iteration
 * ends after `stop`, and throws what the coordinator failed with, `aborted`, or `message_lost` where more views were unread
 * than `subscriberDepthMax`; to go on after that, subscribe again.
 */
export interface ViewSubscription<View> extends AsyncIterableIterator<View, undefined> {
  /** The view at the moment of the subscription; iterating begins with it too. */
  readonly first: View;
  /** Ends the subscription; idempotent. */
  return(): Promise<IteratorResult<View, undefined>>;
  [Symbol.asyncIterator](): ViewSubscription<View>;
  [Symbol.asyncDispose](): Promise<void>;
}

class FeedSubscription<View> implements ViewSubscription<View> {
  readonly first: View;
  readonly #depthMax: number;
  readonly #onClose: (subscription: FeedSubscription<View>) => void;
  #wasFirstRead = false;
  #unread: Fifo<View> = new Fifo();
  readonly #readers: Fifo<Deferred<IteratorResult<View, undefined>>> = new Fifo();
  #isClosed = false;
  /** Thrown once, by whoever reads next. */
  #error: CoordinatorError | null = null;

  constructor(first: View, depthMax: number, onClose: (subscription: FeedSubscription<View>) => void) {
    this.first = first;
    this.#depthMax = depthMax;
    this.#onClose = onClose;
  }

  next(): Promise<IteratorResult<View, undefined>> {
    if (!this.#wasFirstRead) {
      this.#wasFirstRead = true;
      return Promise.resolve({done: false, value: this.first});
    }
    const value = this.#unread.shift();
    if (value !== undefined) return Promise.resolve({done: false, value});
    if (this.#isClosed) return this.#ending();
    const reader = new Deferred<IteratorResult<View, undefined>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  return(): Promise<IteratorResult<View, undefined>> {
    this.discard(null);
    this.#error = null;
    return this.#ending();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Called by the feed. False when the subscriber is too slow, which closes it. */
  offer(view: View): boolean {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({done: false, value: view});
    else if (this.#unread.size < this.#depthMax) this.#unread.push(view);
    else {
      this.discard(new CoordinatorError('message_lost', `more than ${this.#depthMax} views were unread`));
      return false;
    }
    return true;
  }

  /** No view comes any more; those that are unread can still be read, and then the error. */
  close(error: CoordinatorError | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    this.#onClose(this);
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      this.#ending().then(reader.resolve, reader.reject);
    }
  }

  /** Closes, and lets go of what is unread. */
  discard(error: CoordinatorError | null): void {
    this.#wasFirstRead = true;
    this.#unread = new Fifo();
    this.close(error);
  }

  #ending(): Promise<IteratorResult<View, undefined>> {
    const error = this.#error;
    this.#error = null;
    return error === null ? Promise.resolve({done: true, value: undefined}) : quiet(Promise.reject(error));
  }
}

export class ViewFeed<View> {
  readonly #depthMax: number;
  readonly #subscriptions: Set<FeedSubscription<View>> = new Set();
  #closed: {error: CoordinatorError | null} | null = null;
  messagesLost = 0;

  constructor(depthMax: number) {
    this.#depthMax = depthMax;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  subscribe(first: View, {signal}: WaitOptions): ViewSubscription<View> {
    const onAbort = (): void => subscription.discard(abortedBy(signal as AbortSignal));
    const subscription = new FeedSubscription<View>(first, this.#depthMax, closed => {
      this.#subscriptions.delete(closed);
      signal?.removeEventListener('abort', onAbort);
    });
    this.#subscriptions.add(subscription);
    signal?.addEventListener('abort', onAbort, {once: true});
    if (signal?.aborted === true) onAbort();
    if (this.#closed !== null) subscription.close(this.#closed.error);
    return subscription;
  }

  publish(view: View): void {
    for (const subscription of this.#subscriptions) if (!subscription.offer(view)) this.messagesLost++;
  }

  close(error: CoordinatorError | null): void {
    this.#closed ??= {error};
    for (const subscription of this.#subscriptions) subscription.close(error);
  }
}
