/**
 * The lsns about which nothing is known, in rising order: only there can something have happened that no answer tells of.
 * An explanation that needs an unseen event takes one of them, and none serves twice.
 *
 * Events come in order of lsn, so windows end in order, and giving each the first lsn that is left in its window leaves
 * the most for those behind it. Gaps are named by their number; one that is used up is skipped (path halving).
 */

export class LsnGaps {
  /** First lsn, and how many lsns it has and how many of them are left, of each gap. */
  readonly #first: bigint[] = [];
  readonly #size: number[] = [];
  readonly #left: number[] = [];
  /** Where to look when gap i has nothing left. */
  readonly #skip: number[] = [];
  /** Lsns in the gaps before gap i. */
  readonly #before: number[] = [0];
  #last: bigint | null;

  /** All lsns behind `last` count; null to begin with the first one that is reached. */
  constructor(last: bigint | null) {
    this.#last = last;
  }

  /** Something is known of this lsn, and of nothing between it and the last one. */
  reached(lsn: bigint): void {
    const last = this.#last ?? lsn - 1n;
    const size = Number(lsn - last) - 1;
    if (size > 0) {
      this.#first.push(last + 1n);
      this.#size.push(size);
      this.#left.push(size);
      this.#skip.push(this.#skip.length);
      this.#before.push((this.#before.at(-1) ?? 0) + size);
    }
    this.#last = lsn;
  }

  /** Number of the next gap: a mark from which a window begins. */
  get mark(): number {
    return this.#first.length;
  }

  /** How many unknown lsns there are between a mark and the last known one, used or not. */
  room(mark: number): number {
    return (this.#before.at(-1) ?? 0) - (this.#before[mark] ?? 0);
  }

  /** Uses up so many lsns between a mark and the last known one; false when not so many are left. */
  use(mark: number, count: number): boolean {
    for (let used = 0; used < count; used++) {
      const gap = this.#find(mark);
      if (gap >= this.#first.length) return false;
      this.#left[gap] = (this.#left[gap] ?? 0) - 1;
      if (this.#left[gap] === 0) this.#skip[gap] = gap + 1;
    }
    return true;
  }

  /** True when nothing is known of this lsn, which is not above the last known one. */
  isUnknown(lsn: bigint): boolean {
    let [low, high] = [0, this.#first.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#first[middle] ?? 0n) <= lsn) low = middle + 1;
      else high = middle;
    }
    return low > 0 && lsn < (this.#first[low - 1] ?? 0n) + BigInt(this.#size[low - 1] ?? 0);
  }

  #find(from: number): number {
    let gap = from;
    while (gap < this.#skip.length && this.#skip[gap] !== gap) {
      const next = this.#skip[gap] ?? gap;
      this.#skip[gap] = this.#skip[next] ?? next;
      gap = next;
    }
    return gap;
  }
}
