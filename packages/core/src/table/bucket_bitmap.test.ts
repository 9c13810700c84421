import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {BucketBitmap} from './bucket_bitmap.ts';

/** Smallest member >= from by looking at all. */
function nextOf(members: ReadonlySet<number>, from: number): number {
  const behind = [...members].filter(member => member >= from);
  return behind.length === 0 ? -1 : Math.min(...behind);
}

const sizes = fc.oneof(fc.integer({min: 1, max: 70}), fc.constantFrom(31, 32, 33, 1023, 1024, 1025, 32_768, 40_000));

describe('the set of buckets', () => {
  test('has the members of a Set, and finds the next one from anywhere', () => {
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.tuple(fc.nat(), fc.boolean()), {maxLength: 60}),
        fc.nat(),
        (size, changes, probe) => {
          const bitmap = new BucketBitmap(size);
          const members = new Set<number>();
          for (const [number, isAdded] of changes) {
            const bucket = number % size;
            if (isAdded) {
              bitmap.add(bucket);
              members.add(bucket);
            } else {
              bitmap.delete(bucket);
              members.delete(bucket);
            }
            expect(bitmap.has(bucket)).toBe(isAdded);
            for (const from of [0, bucket, bucket + 1, probe % size, size - 1, size]) {
              expect(bitmap.next(from)).toBe(nextOf(members, from));
            }
          }
        },
      ),
    );
  });

  test('has all its members when it is full', () => {
    for (const size of [1, 32, 33, 1024, 1056]) {
      const bitmap = new BucketBitmap(size);
      for (let bucket = 0; bucket < size; bucket++) bitmap.add(bucket);
      for (let bucket = 0; bucket < size; bucket++) expect(bitmap.next(bucket)).toBe(bucket);
      expect(bitmap.next(size)).toBe(-1);
      for (let bucket = 0; bucket < size; bucket++) bitmap.delete(bucket);
      expect(bitmap.next(0)).toBe(-1);
    }
  });
});
