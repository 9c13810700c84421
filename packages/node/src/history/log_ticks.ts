/**
 * The check in_log for ticks: every lsn that a tick's answer claims must be in the log, as an expiration. Told record after
 * record while the log is read, it counts expirations and keeps the count only where a tick's range begins or ends, so that
 * a tick may claim any number of lsns at the cost of two.
 */
import {type History, lsnsOfTick} from './history.ts';
import {countBelow} from './known_lsns.ts';

export class LogTicks {
  readonly #history: History;
  /** Lsns in rising order, and how many expirations the log has up to each. */
  readonly #ends: BigUint64Array;
  readonly #counts: Float64Array;
  #next: number = 0;
  #expirations: number = 0;

  constructor(history: History) {
    this.#history = history;
    const ranges = history.ticks.map(lsnsOfTick).filter(range => range !== null);
    this.#ends = BigUint64Array.from(ranges.flatMap(({first, last}) => [first - 1n, last])).sort();
    this.#counts = new Float64Array(this.#ends.length);
  }

  /** The next record of the log. */
  take(lsn: bigint, isExpiration: boolean): void {
    this.#countUpTo(lsn);
    if (isExpiration) this.#expirations++;
  }

  /** The log is read; calls back with why each tick is wrong, or null. */
  judge(firstLsn: bigint, lastLsn: bigint, say: (why: string | null, line: number) => void): void {
    this.#countUpTo(null);
    for (const tick of this.#history.ticks) {
      const range = lsnsOfTick(tick);
      if (range === null || this.#history.wrongTicks.has(tick)) continue;
      const why = this.#whyMisplaced(range, firstLsn, lastLsn);
      if (why !== null) this.#history.wrongTicks.add(tick);
      say(why, tick.line);
    }
  }

  #whyMisplaced({first, last}: {first: bigint; last: bigint}, firstLsn: bigint, lastLsn: bigint): string | null {
    if (last > lastLsn) return `a tick was acknowledged up to lsn ${last}: the log ends at lsn ${lastLsn}`;
    const from = first < firstLsn ? firstLsn : first;
    if (last < from) return null;
    const found = this.#upTo(last) - this.#upTo(first - 1n);
    if (BigInt(found) === last - from + 1n) return null;
    return `a tick was acknowledged from lsn ${first} to lsn ${last}, and not all of them are expirations`;
  }

  #upTo(lsn: bigint): number {
    return this.#counts[countBelow(this.#ends, lsn)] ?? 0;
  }

  /** Ends below an lsn, or all that are left, have as many expirations as were seen. */
  #countUpTo(lsn: bigint | null): void {
    for (; this.#next < this.#ends.length; this.#next++) {
      if (lsn !== null && (this.#ends[this.#next] ?? 0n) >= lsn) break;
      this.#counts[this.#next] = this.#expirations;
    }
  }
}
