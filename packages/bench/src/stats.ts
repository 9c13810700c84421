/**
 * The few statistics that a report needs: the spread of repeated runs, and percentiles of samples.
 *
 * A figure is always given with its smallest and largest run beside the median, because machines are shared: a reader
 * must be able to see whether two figures differ or only their runs do. No means, no standard deviations.
 */

/** Median, smallest and largest of repeated runs, and the runs themselves in order. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: readonly number[];
}

/** The spread of at least one run. Throws RangeError for none. */
export function spreadOf(runs: readonly number[]): Spread {
  if (runs.length === 0) throw new RangeError('a spread needs at least one run');
  const sorted = runs.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? Number.NaN, sorted[middle] ?? Number.NaN];
  return {median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, runs: [...runs]};
}

/** The spread of runs, or null for none. */
export function spreadOrNull(runs: readonly number[]): Spread | null {
  return runs.length === 0 ? null : spreadOf(runs);
}

/** The nearest-rank percentile of samples, sorted in place; `rank` is in (0, 1]. Throws RangeError for no samples. */
export function percentileOf(samples: Float64Array, rank: number): number {
  if (samples.length === 0) throw new RangeError('a percentile needs at least one sample');
  samples.sort();
  const index = Math.min(samples.length - 1, Math.max(0, Math.ceil(rank * samples.length) - 1));
  return samples[index] ?? Number.NaN;
}
