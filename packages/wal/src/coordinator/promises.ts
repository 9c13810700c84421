/**
 * Promises that are settled from outside, and waits that a signal can end.
 *
 * Invariant: none of them is ever reported as an unhandled rejection. A failure of the coordinator reaches everything
 * that is pending at once, and a caller who is not waiting at that moment must not lose its process over it.
 */

import {CoordinatorError} from './coordinator_error.ts';

/** What waiting takes. */
export interface WaitOptions {
  /** Ends the waiting with `aborted`; what is waited for goes on. */
  readonly signal?: AbortSignal;
}

export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => {};
  reject: (error: unknown) => void = () => {};

  constructor() {
    this.promise = quiet(
      new Promise<T>((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      }),
    );
  }
}

/** Whoever awaits it still gets its rejection. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export function abortedBy(signal: AbortSignal, write?: unknown): CoordinatorError {
  return new CoordinatorError('aborted', 'the signal ended the waiting', {cause: signal.reason, write});
}

export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) return quiet(Promise.reject(abortedBy(signal)));
  const waiting = new Deferred<T>();
  const onAbort = (): void => waiting.reject(abortedBy(signal));
  signal.addEventListener('abort', onAbort, {once: true});
  const settle = (): void => signal.removeEventListener('abort', onAbort);
  promise.then(waiting.resolve, waiting.reject).then(settle, settle);
  return waiting.promise;
}
