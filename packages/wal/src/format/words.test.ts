import fc from 'fast-check';
import {expect, test} from 'vitest';
import {highWord, Lanes, lessThan, lowWord, toBigint, valuesLeft} from './words.ts';

const u64 = fc.bigInt({min: 0n, max: 0xffff_ffff_ffff_ffffn});

test('lanes are the bigint they came from, in order', () => {
  fc.assert(
    fc.property(u64, u64, (a, b) => {
      expect(toBigint(lowWord(a), highWord(a))).toBe(a);
      expect(lessThan(lowWord(a), highWord(a), lowWord(b), highWord(b))).toBe(a < b);
    }),
  );
});

test('add and before wrap at 2^64 and nowhere else', () => {
  fc.assert(
    fc.property(u64, fc.integer({min: 0, max: 0xffff_ffff}), (start, count) => {
      const lanes = new Lanes();
      lanes.set(lowWord(start), highWord(start));
      lanes.add(count);
      expect(lanes.toBigint()).toBe(BigInt.asUintN(64, start + BigInt(count)));
      expect(lanes.before(new Lanes()).toBigint()).toBe(BigInt.asUintN(64, start + BigInt(count) - 1n));
    }),
  );
});

test('values left up to 2^64 - 1', () => {
  expect(valuesLeft(0, 0)).toBe(0);
  expect(valuesLeft(-1, -1)).toBe(1);
  expect(valuesLeft(-2, -1)).toBe(2);
  expect(valuesLeft(0, -1)).toBe(2 ** 32);
  expect(valuesLeft(1, 0)).toBe(2 ** 32);
});
