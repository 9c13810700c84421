/**
 * Visiting all of `count` things in an order without neighbours, by adding a constant: the constant is near the golden
 * section, so that consecutive visits are far apart, and has no common divisor with the count, so that none is left out.
 *
 * Cheaper than a random generator where what is measured takes a few nanoseconds, and the same on every run.
 */

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The constant for `count` things; 1 for one. */
export function coprimeStride(count: number): number {
  let stride = Math.max(1, Math.round(count * 0.618));
  while (commonDivisor(count, stride) !== 1) stride++;
  return stride;
}
