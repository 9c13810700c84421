/**
 * Between lsns and wall-clock time, by the anchors of the log: at this lsn the clock showed this time.
 *
 * Both ways round down to an anchor. A wall clock can be set back, so times need not rise with the lsns; then a time
 * names the last anchor before the clock first showed anything later, and never a state from after that time.
 */

import type {LogCursor} from '../read/log_cursor.ts';
import {controlTypes, type LsnMsAnchor} from './control_types.ts';
import {recordsOf} from './log_source.ts';

export class LsnTimeAnchors {
  /** Rising by lsn. */
  readonly #anchors: LsnMsAnchor[] = [];
  /** The latest time of the anchors up to each: it never falls, so it can be searched. */
  readonly #latestMs: bigint[] = [];

  /** The anchors among what the cursor has left; the cursor is closed. Throws `malformed`. */
  static scan(cursor: LogCursor): LsnTimeAnchors {
    const found = new LsnTimeAnchors();
    for (const {value} of recordsOf(cursor, [controlTypes.LsnMsAnchor])) found.add(value);
    return found;
  }

  get size(): number {
    return this.#anchors.length;
  }

  /** Of two anchors for one lsn the one added later holds. Cheap when lsns rise. */
  add({lsn, wallMs}: LsnMsAnchor): void {
    const index = lastIndex(this.#anchors.length, at => this.#lsnAt(at) <= lsn);
    const isKnown = index >= 0 && this.#lsnAt(index) === lsn;
    const place = isKnown ? index : index + 1;
    this.#anchors.splice(place, isKnown ? 1 : 0, {lsn, wallMs});
    for (let at = place; at < this.#anchors.length; at++) {
      const before = this.#latestMs[at - 1];
      const {wallMs: shown} = this.#anchors[at] as LsnMsAnchor;
      this.#latestMs[at] = before !== undefined && before > shown ? before : shown;
    }
  }

  /** What the clock showed at the last anchor at or before this lsn; null before the first. */
  msAt(lsn: bigint): bigint | null {
    const index = lastIndex(this.#anchors.length, at => this.#lsnAt(at) <= lsn);
    return this.#anchors[index]?.wallMs ?? null;
  }

  /** The highest anchored lsn up to which no anchor shows a later time than this; null where the first one does. */
  lsnAt(wallMs: bigint): bigint | null {
    const index = lastIndex(this.#anchors.length, at => (this.#latestMs[at] as bigint) <= wallMs);
    return this.#anchors[index]?.lsn ?? null;
  }

  #lsnAt(index: number): bigint {
    return (this.#anchors[index] as LsnMsAnchor).lsn;
  }
}

/** The last index that holds, where those that hold come first; -1 for none. */
function lastIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
