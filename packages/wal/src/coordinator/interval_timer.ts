/**
 * A timer that ticks at its interval until it is stopped, and can be made to begin anew.
 *
 * Invariant: one timer for the whole life, whatever happens between its ticks. It keeps the process alive only while it is
 * held, that is while there is something for its next tick to do.
 */

export class IntervalTimer {
  #timer: NodeJS.Timeout | null = null;
  #isHeld = false;

  /** Null for a timer that never ticks. */
  constructor(ms: number | null, onTick: () => void) {
    if (ms === null) return;
    this.#timer = setTimeout(() => {
      this.#timer?.refresh();
      onTick();
    }, ms);
    this.#timer.unref();
  }

  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#timer?.ref();
  }

  release(): void {
    this.#isHeld = false;
    this.#timer?.unref();
  }

  /** The next tick is a whole interval from now. */
  restart(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
