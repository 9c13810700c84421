/**
 * Watches a monotonic clock and the clock on the wall beside each other for a while: whether the first ever falls back,
 * and by how much the second leaves it. The clocks are the caller's; looking is cheap enough for every turn of a loop.
 */

/** What was seen of the clocks. */
export interface ClockFacts {
  /** Looks, and milliseconds between the first and the last. */
  readonly looks: number;
  readonly watchedMs: number;
  /** How often the monotonic clock was behind where it had been. */
  readonly backwardSteps: number;
  /** Longest time between two looks: what kept the process from looking. */
  readonly longestPauseMs: number;
  /** Largest change of the distance between the two clocks from one look to the next. */
  readonly largestJumpMs: number;
}

export class ClockWatch {
  private readonly monotonic: () => number;
  private readonly wall: () => number;
  private readonly startMs: number;
  private lastMs: number;
  private distanceMs: number;
  private looks: number = 1;
  private backwardSteps: number = 0;
  private longestPauseMs: number = 0;
  private largestJumpMs: number = 0;

  /** Takes its first look. Both clocks count milliseconds. */
  constructor(monotonic: () => number, wall: () => number) {
    this.monotonic = monotonic;
    this.wall = wall;
    this.startMs = monotonic();
    this.lastMs = this.startMs;
    this.distanceMs = wall() - this.startMs;
  }

  look(): void {
    const now = this.monotonic();
    const distance = this.wall() - now;
    this.looks++;
    if (now < this.lastMs) this.backwardSteps++;
    this.longestPauseMs = Math.max(this.longestPauseMs, now - this.lastMs);
    this.largestJumpMs = Math.max(this.largestJumpMs, Math.abs(distance - this.distanceMs));
    this.lastMs = now;
    this.distanceMs = distance;
  }

  get facts(): ClockFacts {
    const {looks, backwardSteps, longestPauseMs, largestJumpMs} = this;
    return {looks, watchedMs: this.lastMs - this.startMs, backwardSteps, longestPauseMs, largestJumpMs};
  }
}
