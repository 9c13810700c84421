/**
 * Seeded randomness: the same seed and stream name give the same numbers, whatever else runs. Every buyer and every
 * decision of the run has a stream of its own, so that dividing buyers among other processes changes none of them.
 *
 * What is not decided here: the order in which a server answers. Two runs of one seed have the same buyers with the same
 * wishes, and may sell other seats to them.
 */

/** A stream of numbers. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number = 1;

  /** The stream of this name; `index` tells apart many of one name. */
  constructor(seed: number, name: string, index: number = 0) {
    let hash = 0x811c_9dc5 ^ seed;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
    this.#a = mix(hash);
    this.#b = mix(this.#a ^ index);
    this.#c = mix(this.#b ^ seed);
    for (let i = 0; i < 4; i++) this.u32();
  }

  /** 32 random bits as a number from 0. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** From 0 to below 1. */
  fraction(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  /** From `least` to below `most`. */
  between(least: number, most: number): number {
    return least + this.fraction() * (most - least);
  }

  /** The index of one of these weights, each as likely as it is heavy. */
  weighted(weights: readonly number[]): number {
    let left = this.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of weights.entries()) {
      left -= weight;
      if (left < 0) return index;
    }
    return weights.length - 1;
  }
}

/** Spreads every bit of a 32-bit number over all of them. */
function mix(value: number): number {
  let mixed = (value + 0x9e37_79b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
  return mixed ^ (mixed >>> 15);
}
