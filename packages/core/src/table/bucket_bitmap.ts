/**
 * A set of bucket numbers that finds the next member at or after a number in a few steps however sparse it is: a bitmap
 * with summaries, each bit of a level standing for one word of the level below (1/32 as large each time).
 */

export class BucketBitmap {
  /** Level 0 has a bit for each bucket; the last level is one word. */
  private readonly levels: Int32Array[] = [];

  constructor(size: number) {
    for (let bits = size; ; bits = Math.ceil(bits / 32)) {
      this.levels.push(new Int32Array(Math.ceil(bits / 32)).fill(0));
      if (bits <= 32) break;
    }
  }

  add(bucket: number): void {
    let index = bucket;
    for (const level of this.levels) {
      const before = level[index >>> 5];
      level[index >>> 5] = before | (1 << (index & 31));
      if (before !== 0) return;
      index >>>= 5;
    }
  }

  delete(bucket: number): void {
    let index = bucket;
    for (const level of this.levels) {
      const after = level[index >>> 5] & ~(1 << (index & 31));
      level[index >>> 5] = after;
      if (after !== 0) return;
      index >>>= 5;
    }
  }

  has(bucket: number): boolean {
    return ((this.levels[0][bucket >>> 5] >>> (bucket & 31)) & 1) === 1;
  }

  /** Smallest member >= `from`, or -1. */
  next(from: number): number {
    const levels = this.levels;
    let index = from;
    for (let depth = 0; depth < levels.length; depth++) {
      const level = levels[depth];
      const word = index >>> 5;
      if (word >= level.length) return -1;
      // Bits at or after `index` within its word; at upper levels the word of `index` itself was searched already.
      const rest = level[word] & (-1 << (index & 31));
      if (rest !== 0) return this.descend(depth, (word << 5) + lowestBit(rest));
      index = word + 1;
    }
    return -1;
  }

  private descend(depth: number, position: number): number {
    let found = position;
    for (let level = depth - 1; level >= 0; level--) found = (found << 5) + lowestBit(this.levels[level][found]);
    return found;
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
