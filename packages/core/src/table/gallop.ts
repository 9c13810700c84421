/**
 * Galloping search over an ordered sequence: from `from`, steps that double until the predicate fails, then a binary
 * search between the last two. Costs the logarithm of the distance moved, not of the sequence.
 */

/** First position in [from, end) where `holds` is false, for a predicate that is true on a prefix; `end` if none. */
export function gallop(from: number, end: number, holds: (position: number) => boolean): number {
  if (from === end || !holds(from)) return from;
  let low = from;
  let step = 1;
  while (low + step < end && holds(low + step)) {
    low += step;
    step *= 2;
  }
  // holds(low) is true; the answer lies in (low, high].
  let high = Math.min(low + step, end);
  while (high - low > 1) {
    const middle = low + ((high - low) >> 1);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return high;
}
