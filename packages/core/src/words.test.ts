import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  addU64,
  bigintOfU64,
  bigintOfU128,
  distanceU64,
  hiOf,
  loOf,
  ltU64,
  modU64,
  U64_MAX,
  U128_MAX,
  writeU128,
} from './words.ts';

const EDGES = [
  0n,
  1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  U64_MAX - 1n,
  U64_MAX,
];
const u64 = fc.oneof(fc.bigInt({min: 0n, max: U64_MAX}), fc.constantFrom(...EDGES));
const u128 = fc.oneof(
  fc.bigInt({min: 0n, max: U128_MAX}),
  u64,
  u64.map(value => value << 64n),
);

describe('a u64 as two lanes', () => {
  test('is the integer it was made of', () => {
    fc.assert(
      fc.property(u64, a => {
        expect(bigintOfU64(loOf(a), hiOf(a))).toBe(a);
      }),
    );
  });

  test('has int32 lanes, which stay unboxed', () => {
    fc.assert(
      fc.property(u64, a => {
        expect(loOf(a) | 0).toBe(loOf(a));
        expect(hiOf(a) | 0).toBe(hiOf(a));
      }),
    );
  });

  test('compares as unsigned', () => {
    fc.assert(
      fc.property(u64, u64, (a, b) => {
        expect(ltU64(loOf(a), hiOf(a), loOf(b), hiOf(b))).toBe(a < b);
        expect(ltU64(loOf(a), hiOf(a), loOf(a), hiOf(a))).toBe(false);
      }),
    );
  });

  test('adds modulo 2^64 and says when it wrapped', () => {
    const out = Int32Array.of(7, 0, 0, 7);
    fc.assert(
      fc.property(u64, u64, (a, b) => {
        const wrapped = addU64(out, 1, loOf(a), hiOf(a), loOf(b), hiOf(b));
        expect(wrapped).toBe(a + b > U64_MAX);
        expect(bigintOfU64(out[1], out[2])).toBe(BigInt.asUintN(64, a + b));
        expect([out[0], out[3]]).toEqual([7, 7]);
      }),
    );
  });

  test('adds in place', () => {
    const out = Int32Array.of(-1, 0);
    expect(addU64(out, 0, out[0], out[1], 1, 0)).toBe(false);
    expect([...out]).toEqual([0, 1]);
  });

  test('has its distance as a double: exact below 2^53, and never below 2^53 where it is more', () => {
    fc.assert(
      fc.property(u64, u64, (one, other) => {
        const [a, b] = one >= other ? [one, other] : [other, one];
        const distance = distanceU64(loOf(a), hiOf(a), loOf(b), hiOf(b));
        if (a - b < 2n ** 53n) expect(distance).toBe(Number(a - b));
        else expect(distance).toBeGreaterThanOrEqual(2 ** 53);
        expect(distanceU64(loOf(b), hiOf(b), loOf(a), hiOf(a))).toBe(distance === 0 ? 0 : -distance);
      }),
    );
  });

  test('has its remainder for divisors up to 2^31', () => {
    const divisors = fc.oneof(
      fc.integer({min: 1, max: 2 ** 31}),
      fc.constantFrom(1, 2, 3, 2 ** 16, 2 ** 31 - 1, 2 ** 31),
    );
    fc.assert(
      fc.property(u64, divisors, (a, divisor) => {
        expect(modU64(loOf(a), hiOf(a), divisor)).toBe(Number(a % BigInt(divisor)));
      }),
    );
  });
});

describe('a u128 as four lanes', () => {
  test('is the integer that was written', () => {
    const words = Int32Array.of(5, 0, 0, 0, 0, 5);
    fc.assert(
      fc.property(u128, a => {
        writeU128(words, 1, a);
        expect(bigintOfU128(words, 1)).toBe(a);
        expect([words[0], words[5]]).toEqual([5, 5]);
      }),
    );
  });
});
