/**
 * Arrivals that were answered and wait to be sorted, in the order of their answers: a ring of two numbers each, which
 * grows when it is full and allocates nothing otherwise.
 */

const FIRST_PLACES = 1024;

export class ArrivalLine {
  readonly #onSettled: (dueMs: number, nowMs: number) => void;
  #dueMs: Float64Array = new Float64Array(FIRST_PLACES);
  #nowMs: Float64Array = new Float64Array(FIRST_PLACES);
  #first: number = 0;
  #count: number = 0;

  /** `onSettled` is told when an arrival leaves. */
  constructor(onSettled: (dueMs: number, nowMs: number) => void) {
    this.#onSettled = onSettled;
  }

  push(dueMs: number, nowMs: number): void {
    if (this.#count === this.#dueMs.length) this.#grow();
    const at = (this.#first + this.#count++) & (this.#dueMs.length - 1);
    this.#dueMs[at] = dueMs;
    this.#nowMs[at] = nowMs;
  }

  /** Lets everything go that was answered by this time. */
  settle(untilMs: number): void {
    while (this.#count > 0) {
      const nowMs = this.#nowMs[this.#first] as number;
      if (nowMs > untilMs) return;
      const dueMs = this.#dueMs[this.#first] as number;
      this.#first = (this.#first + 1) & (this.#dueMs.length - 1);
      this.#count--;
      this.#onSettled(dueMs, nowMs);
    }
  }

  #grow(): void {
    const places = this.#dueMs.length;
    const unrolled = (values: Float64Array): Float64Array => {
      const grown = new Float64Array(2 * places);
      grown.set(values.subarray(this.#first));
      grown.set(values.subarray(0, this.#first), places - this.#first);
      return grown;
    };
    this.#dueMs = unrolled(this.#dueMs);
    this.#nowMs = unrolled(this.#nowMs);
    this.#first = 0;
  }
}
