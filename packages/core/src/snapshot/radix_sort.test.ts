import fc from 'fast-check';
import {expect, test} from 'vitest';
import {hiOf, loOf, U64_MAX} from '../words.ts';
import {sortRowsByU64} from './radix_sort.ts';

const key = fc.oneof(
  fc.bigInt({min: 0n, max: U64_MAX}),
  fc.bigInt({min: 0n, max: 300n}),
  fc.constantFrom(2n ** 31n, 2n ** 32n, 2n ** 63n, U64_MAX),
);

test('rows are ordered by their keys as unsigned, equal ones as they were', () => {
  fc.assert(
    fc.property(fc.array(key, {maxLength: 200}), fc.integer({min: 2, max: 6}), fc.nat(4), (keys, stride, field) => {
      const offset = field % (stride - 1);
      const words = new Int32Array(keys.length * stride).fill(-7);
      for (const [row, value] of keys.entries()) {
        words[row * stride + offset] = loOf(value);
        words[row * stride + offset + 1] = hiOf(value);
      }
      // Every other row only, and from the end: rows are names, not positions.
      const rows = keys.map((_, row) => keys.length - 1 - row).filter(row => row % 2 === 0);
      const expected = [...rows].sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0));
      expect([...sortRowsByU64(rows, words, stride, offset)]).toEqual(expected);
    }),
  );
});
