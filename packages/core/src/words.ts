/**
 * 64- and 128-bit unsigned integers as 32-bit lanes, low lane first. Lanes are int32 (never uint32): values of that
 * range stay unboxed when passed between functions that V8 does not inline, uint32 ones cost 16-32 bytes a call.
 *
 * Functions that yield two lanes write them to `array[at]`, `array[at + 1]`. `bigint` occurs here only in the
 * conversions that the public edge and tests use, never on the apply path.
 */

/** True when a < b as unsigned 64-bit integers. */
export function ltU64(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  return aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi >>> 0 < bHi >>> 0;
}

/** Writes a + b modulo 2^64; returns true when the sum does not fit, that is when it wrapped. */
export function addU64(array: Int32Array, at: number, aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  const lo = (aLo + bLo) | 0;
  const carry = lo >>> 0 < aLo >>> 0 ? 1 : 0;
  const hi = (aHi >>> 0) + (bHi >>> 0) + carry;
  array[at] = lo;
  array[at + 1] = hi | 0;
  return hi > 0xffff_ffff;
}

/**
 * a - b as a double, for a >= b. Exact below 2^53; above that it is rounded, but never to a value below 2^53, which is
 * enough for callers that compare it with a smaller bound.
 */
export function distanceU64(aLo: number, aHi: number, bLo: number, bHi: number): number {
  return ((aHi >>> 0) - (bHi >>> 0)) * 0x1_0000_0000 + ((aLo >>> 0) - (bLo >>> 0));
}

/** A u64 modulo `divisor`, for 1 <= divisor <= 2^31. */
export function modU64(lo: number, hi: number, divisor: number): number {
  if (hi === 0) return (lo >>> 0) % divisor;
  // 16 bits at a time, so that every intermediate stays below 2^47.
  let rest = (hi >>> 0) % divisor;
  rest = (rest * 0x1_0000 + (lo >>> 16)) % divisor;
  return (rest * 0x1_0000 + (lo & 0xffff)) % divisor;
}

/** Lanes to a bigint in [0, 2^64). */
export function bigintOfU64(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Low lane of the integer's low 64 bits. */
export function loOf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** High lane of the integer's low 64 bits. */
export function hiOf(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

/** Four lanes from `array[at]` on as a bigint in [0, 2^128). */
export function bigintOfU128(array: Int32Array, at: number): bigint {
  return (bigintOfU64(array[at + 2], array[at + 3]) << 64n) | bigintOfU64(array[at], array[at + 1]);
}

/** Writes a value in [0, 2^128) as four lanes. */
export function writeU128(array: Int32Array, at: number, value: bigint): void {
  array[at] = loOf(value);
  array[at + 1] = hiOf(value);
  array[at + 2] = loOf(value >> 64n);
  array[at + 3] = hiOf(value >> 64n);
}

/** Largest u64. */
export const U64_MAX: bigint = 0xffff_ffff_ffff_ffffn;
/** Largest u128. */
export const U128_MAX: bigint = (1n << 128n) - 1n;
