/**
 * Latencies in buckets that grow with them: a microsecond each up to 128 us, then 64 to a doubling, so that a percentile
 * is exact within 1.6 %. Fixed memory, no allocation when recording; the largest is kept as it is.
 */

const LINEAR = 128;
const PER_DOUBLING = 64;
const BUCKETS: number = 26 * PER_DOUBLING;
const MICROS_MAX = 0x7fff_ffff;

/** Percentiles and the largest, in microseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class LatencyRecorder {
  readonly #counts: Float64Array = new Float64Array(BUCKETS);
  #count: number = 0;
  #max: number = 0;

  get count(): number {
    return this.#count;
  }

  /** Records one duration in milliseconds; negative ones, which only rounding of clocks gives, count as 0. */
  record(millis: number): void {
    const micros = Math.max(0, millis * 1000);
    const bucket = bucketOf(Math.min(MICROS_MAX, micros) | 0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    if (micros > this.#max) this.#max = micros;
  }

  /** Upper bound in microseconds of the bucket in which the rank, in (0, 1], lies; 0 where nothing was recorded. */
  percentile(rank: number): number {
    let left = Math.ceil(rank * this.#count);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return Math.min(this.#max, upperBoundOf(bucket));
    }
    return this.#max;
  }

  /** What was recorded. */
  get latencies(): Latencies {
    return {
      count: this.#count,
      p50: this.percentile(0.5),
      p99: this.percentile(0.99),
      p999: this.percentile(0.999),
      max: this.#max,
    };
  }
}

function bucketOf(micros: number): number {
  if (micros < LINEAR) return micros;
  const shift = 25 - Math.clz32(micros);
  return shift * PER_DOUBLING + (micros >> shift);
}

function upperBoundOf(bucket: number): number {
  if (bucket < LINEAR) return bucket + 1;
  const shift = Math.floor(bucket / PER_DOUBLING) - 1;
  return (bucket - shift * PER_DOUBLING + 1) * 2 ** shift;
}
