// The only source of chance in this package: a small generator of pseudo-random numbers from a 64-bit seed.
//
// The same seed gives the same numbers on every machine and version, so a printed seed is a complete bug report; a test
// pins the first ones. Not for secrets, and never seeded from a clock. Weyl counter and multiply-xorshift over 32-bit
// words: good enough to choose among a few hundred things, and quick enough not to be noticed.

const U64_MASK = (1n << 64n) - 1n;

/** One round of 64-bit mixing, so that neighbouring seeds have nothing in common. */
function mix64(value: bigint): bigint {
  let mixed = (value + 0x9e3779b97f4a7c15n) & U64_MASK;
  mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & U64_MASK;
  mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & U64_MASK;
  return mixed ^ (mixed >> 31n);
}

export class Random {
  readonly seed: bigint;
  #counter: number;
  #carry: number;

  constructor(seed: bigint) {
    this.seed = seed & U64_MASK;
    const mixed = mix64(this.seed);
    this.#counter = Number(mixed & 0xffffffffn);
    this.#carry = Number(mixed >> 32n);
  }

  u32(): number {
    this.#counter = (this.#counter + 0x9e3779b9) >>> 0;
    let word = this.#counter ^ this.#carry;
    word = Math.imul(word ^ (word >>> 16), 0x7feb352d);
    word = Math.imul(word ^ (word >>> 15), 0x846ca68b);
    word = (word ^ (word >>> 16)) >>> 0;
    this.#carry = (Math.imul(this.#carry, 0x2c1b3c6d) + word) >>> 0;
    return word;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  u128(): bigint {
    return (this.u64() << 64n) | this.u64();
  }

  /** An integer from 0 to count - 1. */
  below(count: number): number {
    return Math.floor((this.u32() / 2 ** 32) * count);
  }

  /** An integer from low to high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }

  /** Null from an empty list. */
  pickFrom<Item>(items: readonly Item[]): Item | null {
    return items[this.below(items.length)] ?? null;
  }

  /** A key, in proportion to its weight. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const entries = Object.entries(weights) as [Key, number][];
    let left = this.below(entries.reduce((total, [, weight]) => total + weight, 0));
    for (const [key, weight] of entries) {
      if (left < weight) return key;
      left -= weight;
    }
    throw new RangeError('weights must not all be zero');
  }

  /** An independent sequence, so that drawing more of one thing does not shift all others. */
  fork(label: string): Random {
    let seed = this.seed;
    for (const character of label) seed = mix64(seed ^ BigInt(character.codePointAt(0) ?? 0));
    return new Random(seed);
  }
}
