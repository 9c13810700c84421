/**
 * 64-bit unsigned values as two signed 32-bit lanes (low, high).
 *
 * The raw path passes lanes because a bigint is an allocation and an unsigned 32-bit number above 2^31 is boxed
 * wherever a call is not inlined. `bigint` exists at the public edge only; the last four functions are that edge.
 * Lsn 0 is no lsn: as a "next lsn" it says that the lsn space has ended (2^64 - 1 was the last).
 */

export const U64_MAX = 0xffff_ffff_ffff_ffffn;

export function lessThan(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  return aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi >>> 0 < bHi >>> 0;
}

/** A 64-bit counter in lanes, owned by one writer and changed in place. */
export class Lanes {
  lo = 0;
  hi = 0;

  set(lo: number, hi: number): void {
    this.lo = lo | 0;
    this.hi = hi | 0;
  }

  /** Adds 0 <= count < 2^32, modulo 2^64. */
  add(count: number): void {
    const before = this.lo >>> 0;
    this.lo = (before + count) | 0;
    if (this.lo >>> 0 < before) this.hi = (this.hi + 1) | 0;
  }

  /** The value before this one, modulo 2^64, is written to `into`. */
  before(into: Lanes): Lanes {
    into.set(this.lo - 1, this.lo === 0 ? this.hi - 1 : this.hi);
    return into;
  }

  isZero(): boolean {
    return (this.lo | this.hi) === 0;
  }

  equals(lo: number, hi: number): boolean {
    return this.lo === lo && this.hi === hi;
  }

  toBigint(): bigint {
    return toBigint(this.lo, this.hi);
  }
}

export function toBigint(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

export function lowWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

export function highWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

/** How many values lie in [lanes, 2^64 - 1], capped at 2^32; 0 for the value 0, which stands for "none". */
export function valuesLeft(lo: number, hi: number): number {
  if ((lo | hi) === 0) return 0;
  return hi === -1 ? 0x1_0000_0000 - (lo >>> 0) : 0x1_0000_0000;
}
