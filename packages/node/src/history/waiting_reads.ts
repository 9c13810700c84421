/**
 * Reads that wait for an lsn at which they are true, while replay passes. A read that was sent after another had come
 * shows the same state or a later one, so it is settled only when all that came before it are; each takes the lowest lsn
 * that it can, which leaves the most to those behind it.
 *
 * What is true nowhere holds up those behind it only until its window is over: then it is told, and they are taken as
 * they were meanwhile. Not here: windows, and what is true (`check_reads.ts`).
 */
import type {Window} from './check_reads.ts';
import {countBelow} from './known_lsns.ts';

interface Waiting {
  readonly window: Window;
  readonly sent: number;
  readonly came: number;
  /** The lowest and the highest lsn at which it was true so far and can have been shown; null while there is none. */
  first: bigint | null;
  last: bigint | null;
  /** True where it was true before what a read before it showed. */
  wentBack: boolean;
}

export interface ReadVerdicts {
  isTrue(window: Window): boolean;
  /** It was so at some lsn. */
  settled(): void;
  /** It was not, or only before what another read had shown already. */
  wrong(window: Window, wentBack: boolean): void;
}

export class WaitingReads {
  readonly #verdicts: ReadVerdicts;
  /** In the order in which they came: what can hold up another stands before it. */
  #waiting: Waiting[] = [];

  constructor(verdicts: ReadVerdicts) {
    this.#verdicts = verdicts;
  }

  /** Takes reads whose windows have begun; in one that began before `base` nobody knows when it was true. */
  add(windows: readonly Window[], base: bigint): void {
    if (windows.length === 0) return;
    for (const window of windows) {
      const {sent, came} = window.read;
      const isKnown = window.from >= base && came !== null;
      this.#waiting.push({
        window,
        sent: isKnown ? sent : Number.NEGATIVE_INFINITY,
        came: isKnown ? came : Number.POSITIVE_INFINITY,
        first: null,
        last: null,
        wentBack: false,
      });
    }
    this.#waiting.sort((a, b) => (a.came < b.came ? -1 : a.came > b.came ? 1 : 0));
  }

  /** The state is that at this lsn; null when no more will come. */
  reached(lsn: bigint | null): void {
    if (this.#waiting.length === 0) return;
    // Those settled now, by the time at which they came, with the highest lsn of them up to each.
    const [settled, highest]: [number[], bigint[]] = [[], []];
    let openSince = Number.POSITIVE_INFINITY;
    this.#waiting = this.#waiting.filter(each => {
      if (each.first !== null) isNotBefore(each, highest[countBelow(settled, each.sent) - 1] ?? 0n);
      const {to} = each.window;
      const isOver = lsn === null || (to !== null && to < lsn);
      if (!isOver && this.#verdicts.isTrue(each.window)) {
        each.first ??= lsn;
        each.last = lsn;
      }
      if (each.first === null) {
        if (isOver) this.#verdicts.wrong(each.window, each.wentBack);
        else if (each.came < openSince) openSince = each.came;
        return !isOver;
      }
      if (openSince < each.sent) return true;
      this.#verdicts.settled();
      settled.push(each.came);
      highest.push(each.first > (highest.at(-1) ?? 0n) ? each.first : (highest.at(-1) ?? 0n));
      return false;
    });
  }
}

/** What was shown before it was so at this lsn, or later. */
function isNotBefore(each: Waiting, lsn: bigint): void {
  if (each.first === null || each.last === null || each.first >= lsn) return;
  const isLost = each.last < lsn;
  each.wentBack ||= isLost;
  each.first = isLost ? null : lsn;
  if (isLost) each.last = null;
}
