/**
 * How long commands of a closed loop wait, from the answer before to their own: a lane sends at once when it is answered.
 * A few lanes are watched, because lanes are alike, and the clock is read once for each chunk of answers.
 *
 * These are waits under full load. How long an application waits at a rate that it chooses is another question.
 */
import {percentileOf} from '@allocdb/bench';

const WATCHED_MAX = 8;
const SAMPLES_MAX: number = 1 << 20;

export class Latencies {
  readonly #step: number;
  readonly #answeredMs: Float64Array;
  readonly #samples: Float64Array = new Float64Array(SAMPLES_MAX);
  #sampled: number = 0;
  #isOn: boolean = false;

  constructor(lanes: number) {
    this.#step = Math.ceil(lanes / WATCHED_MAX);
    this.#answeredMs = new Float64Array(lanes).fill(Number.NaN);
  }

  /** From now on samples are kept. */
  begin(): void {
    this.#isOn = true;
  }

  end(): void {
    this.#isOn = false;
  }

  /** The lane was answered at this time. */
  answered(lane: number, nowMs: number): void {
    if (lane % this.#step !== 0) return;
    const waitedMs = nowMs - (this.#answeredMs[lane] ?? Number.NaN);
    this.#answeredMs[lane] = nowMs;
    // The oldest samples give way: there are enough of them, and runs are the same throughout.
    if (this.#isOn && waitedMs >= 0) this.#samples[this.#sampled++ % SAMPLES_MAX] = waitedMs * 1000;
  }

  /** In microseconds; NaN where nothing was kept. */
  percentile(rank: number): number {
    if (this.#sampled === 0) return Number.NaN;
    return percentileOf(this.#samples.subarray(0, Math.min(this.#sampled, SAMPLES_MAX)), rank);
  }
}
