/**
 * When the table of operations will be full, if commands go on coming as they do: from two samples, some seconds apart.
 *
 * An operation leaves the table after its window. So a rate at which a whole window of operations fits never fills it,
 * however fast the table grows at the moment; a higher one fills it within a window at the latest.
 */

/** The table of operations at one moment. */
export interface TableSample {
  readonly nowMs: number;
  readonly used: number;
  /** Operations that were ever stored. */
  readonly stored: number;
}

/** What does not change. */
export interface TableBounds {
  readonly capacity: number;
  /** How long an operation is remembered, in seconds. */
  readonly windowSeconds: number;
}

/** Samples nearer to each other than this say nothing about a rate. */
const APART_MS = 10_000;

export class FillForecast {
  readonly #bounds: TableBounds;
  /** What the present is compared with: a sample at least APART_MS old once there is one. */
  #base: TableSample | null = null;
  /** What takes its place when it is old enough. */
  #next: TableSample | null = null;
  #seconds: number | null = null;

  constructor(bounds: TableBounds) {
    this.#bounds = bounds;
  }

  /** Takes the present and answers in how many seconds the table is full: Infinity for never, null while unknown. */
  observe(now: TableSample): number | null {
    this.#base ??= now;
    this.#next ??= now;
    if (now.nowMs - this.#next.nowMs >= APART_MS) {
      this.#base = this.#next;
      this.#next = now;
    }
    if (now.nowMs - this.#base.nowMs >= APART_MS) this.#seconds = secondsUntilFull(this.#base, now, this.#bounds);
    return this.#seconds;
  }
}

/** In how many seconds the table is full at the rate between two samples; Infinity for never. */
export function secondsUntilFull(
  before: TableSample,
  now: TableSample,
  {capacity, windowSeconds}: TableBounds,
): number {
  const elapsed = (now.nowMs - before.nowMs) / 1000;
  const rate = (now.stored - before.stored) / elapsed;
  const left = Math.max(0, capacity - now.used);
  if (rate * windowSeconds <= capacity) return Number.POSITIVE_INFINITY;
  const growth = (now.used - before.used) / elapsed;
  // Where it does not grow, operations of a busier time are leaving it; how long they will, nobody knows.
  return Math.min(windowSeconds, left / (growth > 0 ? growth : rate));
}
