/**
 * What a key index must do, against a Map, for any way of deriving tags from keys: good hashes, tags that all share a
 * home cell, tags that are all equal, tags that wrap around the end of the table.
 */
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {KeyIndex} from './key_index.ts';

const STRIDE = 5;

/** A key is its number in the first lane and a constant in the others. */
const LANES = [11, 12, 13];

type Change = {kind: 'insert' | 'remove' | 'move'; key: number};

/** An index with the records it speaks of and a Map that must agree with it. */
class Checked {
  readonly index: KeyIndex;
  private readonly capacity: number;
  private readonly tagOf: (key: number) => number;
  private readonly records: Int32Array;
  private readonly rows: Map<number, number> = new Map();
  private readonly free: number[];

  constructor(capacity: number, tagOf: (key: number) => number) {
    this.capacity = capacity;
    this.tagOf = tagOf;
    this.index = new KeyIndex(capacity);
    // Twice the rows, so that a key can move to another row while its old one is still there.
    this.records = new Int32Array(2 * capacity * STRIDE).fill(-5);
    this.free = Array.from({length: 2 * capacity}, (_, row) => row);
  }

  apply({kind, key}: Change): void {
    const row = this.rows.get(key);
    if (kind === 'insert' && row === undefined && this.rows.size < this.capacity) {
      // Half of them as an assigned key, half behind the search that found nothing.
      if (key % 2 === 0) this.index.insert(this.tagOf(key), this.place(key));
      else {
        expect(this.find(key)).toBe(-1);
        this.index.placeFound(this.tagOf(key), this.place(key));
      }
    } else if (kind === 'remove' && row !== undefined) {
      expect(this.index.remove(this.tagOf(key), row)).toBe(true);
      expect(this.index.remove(this.tagOf(key), row)).toBe(false);
      this.rows.delete(key);
      this.free.push(row);
    } else if (kind === 'move' && row !== undefined) {
      expect(this.find(key)).toBe(row);
      this.index.placeFound(this.tagOf(key), this.place(key));
      this.free.push(row);
    }
  }

  find(key: number): number {
    const [w1, w2, w3] = LANES;
    return this.index.findU128(this.records, STRIDE, this.tagOf(key), key, w1, w2, w3);
  }

  expectAgreement(keys: number): void {
    expect(this.index.count).toBe(this.rows.size);
    for (let key = 0; key < keys; key++) expect(this.find(key)).toBe(this.rows.get(key) ?? -1);
  }

  private place(key: number): number {
    const row = this.free.shift();
    if (row === undefined) throw new Error('there are twice as many rows as keys');
    this.rows.set(key, row);
    this.records.set([key, ...LANES], row * STRIDE);
    return row;
  }
}

export function runKeyIndexSuite(name: string, tagOf: (key: number) => number): void {
  const KEYS = 24;
  const changes = fc.array(
    fc.record({
      kind: fc.constantFrom<Change['kind']>('insert', 'insert', 'insert', 'remove', 'remove', 'move'),
      key: fc.nat(KEYS - 1),
    }),
    {maxLength: 120},
  );

  describe(`a key index whose tags are ${name}`, () => {
    test('maps keys to rows as a Map does', () => {
      fc.assert(
        fc.property(fc.integer({min: 1, max: KEYS}), changes, (capacity, list) => {
          const checked = new Checked(capacity, tagOf);
          for (const change of list) {
            checked.apply(change);
            checked.expectAgreement(KEYS);
          }
        }),
        {numRuns: 60},
      );
    });

    test('fills to its capacity, empties, and fills again in another order', () => {
      const checked = new Checked(KEYS, tagOf);
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < KEYS; i++) checked.apply({kind: 'insert', key: (i * 7 + round) % KEYS});
        checked.expectAgreement(KEYS);
        expect(() => checked.index.insert(tagOf(99), 0)).toThrow('index has room for the key');
        for (let i = 0; i < KEYS; i++) checked.apply({kind: 'remove', key: (i * 5 + round) % KEYS});
        checked.expectAgreement(KEYS);
        expect(checked.index.cells.every((word, i) => i % 2 === 0 || word === 0)).toBe(true);
      }
    });

    test('does not remove what is not there', () => {
      const checked = new Checked(4, tagOf);
      checked.apply({kind: 'insert', key: 1});
      expect(checked.index.remove(tagOf(1), 3)).toBe(false);
    });

    test('places nothing where the search was not the last thing done', () => {
      const checked = new Checked(4, tagOf);
      checked.find(2);
      checked.apply({kind: 'insert', key: 1});
      expect(() => checked.index.placeFound(tagOf(2), 3)).toThrow('the place was just searched');
      checked.find(2);
      checked.apply({kind: 'remove', key: 1});
      expect(() => checked.index.placeFound(tagOf(2), 3)).toThrow('the place was just searched');
      checked.apply({kind: 'insert', key: 1});
      checked.find(1);
      expect(() => checked.index.placeFound(tagOf(1) + 1, 3)).toThrow('the place was just searched');
    });
  });
}
