import fc from 'fast-check';
import {expect, test} from 'vitest';
import {gallop} from './gallop.ts';

test('the boundary is found wherever it lies, in about twice the logarithm of its distance', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(5_000), fc.nat(5_000), (from, length, distance) => {
      const end = from + length;
      const boundary = Math.min(from + distance, end);
      let asked = 0;
      const found = gallop(from, end, position => {
        expect(position).toBeGreaterThanOrEqual(from);
        expect(position).toBeLessThan(end);
        asked++;
        return position < boundary;
      });
      expect(found).toBe(boundary);
      expect(asked).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(boundary - from + 2)) + 2);
    }),
  );
});
