/**
 * A token bucket: how many commands a principal may send in a second, over all its connections and both ports. It holds
 * what a second allows, so that a burst of so much passes after a pause.
 *
 * It never refuses by itself: it says how long to wait. A transport that has taken a request in already lets it wait; one
 * that answers can say so at once. A batch larger than the bucket passes when the bucket is positive, and is paid back
 * afterwards, because it could never pass otherwise.
 */
import {performance} from 'node:perf_hooks';

/** Milliseconds of a monotonic clock. */
export type MonotonicMs = () => number;

export class RateLimiter {
  /** Commands a second; null without a bound. */
  readonly rate: number | null;
  readonly #now: MonotonicMs;
  #level: number;
  #filledAtMs: number;

  constructor(rate: number | null, now: MonotonicMs = () => performance.now()) {
    this.rate = rate;
    this.#now = now;
    this.#level = rate ?? 0;
    this.#filledAtMs = now();
  }

  /**
   * Takes `commands` and answers 0, or takes nothing and answers after how many milliseconds (at least 1) the next try may
   * succeed. Others that share the bucket may be first then.
   */
  take(commands: number): number {
    const {rate} = this;
    if (rate === null) return 0;
    const nowMs = this.#now();
    this.#level = Math.min(rate, this.#level + ((nowMs - this.#filledAtMs) * rate) / 1000);
    this.#filledAtMs = nowMs;
    if (this.#level <= 0) return Math.max(1, Math.ceil((-this.#level * 1000) / rate));
    this.#level -= commands;
    return 0;
  }
}
