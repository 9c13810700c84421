import {describe, expect, test} from 'vitest';
import {Hash128, KeyHash} from './hash.ts';

const hex = (lanes: Int32Array): string =>
  Array.from(lanes, lane => (lane >>> 0).toString(16).padStart(8, '0')).join(' ');

function hash(domain: number, blocks: readonly (readonly [number, number, number, number])[]): string {
  const h = new Hash128();
  h.begin(domain);
  for (const block of blocks) h.block(...block);
  h.end();
  return hex(h.lanes);
}

describe('the content hash', () => {
  test('has these values for ever: they are stored', () => {
    expect(hash(0, [])).toMatchInlineSnapshot(`"5579be25 ed575415 f1abee77 a36644a5"`);
    expect(hash(1, [])).toMatchInlineSnapshot(`"8dcb1c68 7c989219 b5000697 4306dc71"`);
    expect(hash(1, [[0, 0, 0, 0]])).toMatchInlineSnapshot(`"7d733c56 eb9ea932 2b1f6b5b a6c188c9"`);
    expect(hash(1, [[1, 2, 3, 4]])).toMatchInlineSnapshot(`"ae0d04a3 691934e4 46ee3b7f 9a87fe04"`);
    expect(
      hash(1, [
        [-1, -1, -1, -1],
        [5, 6, 7, 8],
      ]),
    ).toMatchInlineSnapshot(`"130be013 e6716f07 8cad48a4 aa7d366d"`);
  });

  test('starts anew at begin, whatever was hashed before', () => {
    const h = new Hash128();
    h.begin(3);
    h.block(1, 1, 1, 1);
    h.begin(1);
    h.block(1, 2, 3, 4);
    h.end();
    expect(hex(h.lanes)).toBe(hash(1, [[1, 2, 3, 4]]));
  });

  test('changes about half of its bits with any one bit of its input', () => {
    const base = [0x01234567, 0, -1, 0x55555555, 7, 0, 0, 0];
    const lanesOf = (words: number[]): Int32Array => {
      const h = new Hash128();
      h.begin(2);
      h.block(words[0], words[1], words[2], words[3]);
      h.block(words[4], words[5], words[6], words[7]);
      h.end();
      return h.lanes;
    };
    const original = lanesOf(base);
    let [least, most] = [128, 0];
    for (let bit = 0; bit < 256; bit++) {
      const changed = lanesOf(base.with(bit >> 5, base[bit >> 5] ^ (1 << (bit & 31))));
      const flipped = changed.reduce((sum, lane, i) => sum + onesOf(lane ^ original[i]), 0);
      [least, most] = [Math.min(least, flipped), Math.max(most, flipped)];
    }
    expect(least).toBeGreaterThan(35);
    expect(most).toBeLessThan(93);
  });

  test('tells small numbers apart, in either half alone', () => {
    const [low, high] = [new Set<string>(), new Set<string>()];
    for (let a = 0; a < 50; a++) {
      for (let b = 0; b < 50; b++) {
        for (let c = 0; c < 20; c++) {
          const [w0, w1, w2, w3] = hash(2, [
            [a, 0, 0, 0],
            [b, 0, 0, 0],
            [c, 0, 0, 0],
          ]).split(' ');
          low.add(w0 + w1);
          high.add(w2 + w3);
        }
      }
    }
    expect([low.size, high.size]).toEqual([50_000, 50_000]);
  });
});

describe('the key hash', () => {
  const seed = Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8);

  test('is a function of seed and key', () => {
    const [one, same, other] = [new KeyHash(seed), new KeyHash(seed.slice()), new KeyHash(seed.with(7, 9))];
    const keys = Array.from({length: 100}, (_, i) => [i, -i, i << 20, 0] as const);
    const of = (h: KeyHash) => keys.map(key => h.of(...key));
    expect(of(same)).toEqual(of(one));
    expect(of(other)).not.toEqual(of(one));
    expect(new Set(of(one)).size).toBe(100);
  });

  test('has these values for a seed: replicas need not agree on them, but a restart does', () => {
    const h = new KeyHash(seed);
    expect([h.of(0, 0, 0, 0), h.of(1, 0, 0, 0), h.of(-1, -1, -1, -1)]).toMatchInlineSnapshot(`
      [
        -619793170,
        -178537690,
        -1524399365,
      ]
    `);
  });

  test('depends on every byte of the key and every word of the seed', () => {
    const h = new KeyHash(seed);
    const zero = h.of(0, 0, 0, 0);
    for (let lane = 0; lane < 4; lane++) {
      for (let byte = 0; byte < 4; byte++) {
        const key = [0, 0, 0, 0].with(lane, 1 << (8 * byte));
        expect(h.of(key[0], key[1], key[2], key[3])).not.toBe(zero);
      }
    }
    for (let word = 0; word < 8; word++) expect(new KeyHash(seed.with(word, 99)).of(0, 0, 0, 0)).not.toBe(zero);
  });
});

function onesOf(word: number): number {
  let ones = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) ones++;
  return ones;
}
