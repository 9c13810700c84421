import {expect, test} from 'vitest';
import {KeyHash} from '../hash.ts';
import {runKeyIndexSuite} from './key_index.suite.ts';
import {KeyIndex} from './key_index.ts';

const hash = new KeyHash(Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8));

runKeyIndexSuite('hashes', key => hash.of(key, 11, 12, 13));
runKeyIndexSuite('all equal', () => 5);
runKeyIndexSuite('different with one home', key => (key << 10) | 3);
runKeyIndexSuite('all at the last cell, so that probes wrap around', key => (key << 16) | 0xffff);
runKeyIndexSuite('in two clusters that touch', key => (key << 20) | (key % 2 === 0 ? 61 : 63));
runKeyIndexSuite('negative', key => -1 - key * 3);
runKeyIndexSuite('the keys themselves', key => key);

test('the longest probe is that of the worst insert', () => {
  const index = new KeyIndex(16);
  index.insert(0, 0);
  expect(index.longestProbe).toBe(0);
  for (let row = 1; row < 6; row++) index.insert(0, row);
  expect(index.longestProbe).toBe(5);
});
