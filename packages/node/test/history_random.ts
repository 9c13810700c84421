/**
 * Seeded choices for histories: the same seed gives the same ones on every machine. A counter, mixed by multiplications
 * and shifts.
 */
export class HistoryRandom {
  #counter: number;

  constructor(seed: number) {
    this.#counter = Math.imul(seed, 0x9e37_79b1);
  }

  /** A whole number from 0 to below the bound. */
  below(bound: number): number {
    this.#counter = (this.#counter + 0x9e37_79b9) | 0;
    let word = Math.imul(this.#counter ^ (this.#counter >>> 16), 0x85eb_ca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35);
    return Math.floor((((word ^ (word >>> 16)) >>> 0) / 2 ** 32) * bound);
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }
}
