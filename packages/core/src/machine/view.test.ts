import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {CONFIG, HASH_SEED} from '../../test/machine.ts';
import {bigintOfU64, hiOf, loOf, U64_MAX} from '../words.ts';
import {AllocDb} from './alloc_db.ts';
import {ResourceView, readResource, slotLag} from './view.ts';

const u64 = fc.oneof(
  fc.bigInt({min: 0n, max: U64_MAX}),
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, U64_MAX),
);

function lagOf(db: AllocDb, slot: bigint): bigint {
  const out = Int32Array.of(-1, -1);
  slotLag(db, loOf(slot), hiOf(slot), out);
  return bigintOfU64(out[0], out[1]);
}

describe('the lag of slots', () => {
  test('is by how much a slot is ahead of the last one, and never negative', () => {
    fc.assert(
      fc.property(u64, u64, (last, slot) => {
        const db = new AllocDb(CONFIG, HASH_SEED);
        db.restorePosition(1, 0, loOf(last), hiOf(last));
        expect(lagOf(db, slot)).toBe(slot > last ? slot - last : 0n);
      }),
    );
  });

  test('is nothing while nothing was applied', () => {
    expect(lagOf(new AllocDb(CONFIG, HASH_SEED), 50n)).toBe(0n);
  });
});

test('a resource that was never created is not there, the all-zero id included', () => {
  const view = new ResourceView();
  expect(readResource(new AllocDb(CONFIG, HASH_SEED), new Int32Array(8), 2, view)).toBe(false);
});
