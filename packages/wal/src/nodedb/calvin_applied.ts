/**
 * Which transactions of a vshard have been applied, by epoch and position, as its log says.
 *
 * Transactions of one epoch may be applied out of order, and those of a later epoch before an earlier one is complete, so
 * only the whole set answers the question; the largest epoch does not.
 */

import type {LogCursor} from '../read/log_cursor.ts';
import {controlTypes} from './control_types.ts';
import {recordsOf} from './log_source.ts';

export class CalvinAppliedSet {
  readonly #byEpoch: Map<bigint, Set<number>> = new Map();

  /**
   * What this vshard has applied according to what the cursor has left; the cursor is closed. Records of other vshards and
   * other types are passed over. Throws `malformed`.
   */
  static scan(cursor: LogCursor, vshard: number): CalvinAppliedSet {
    const applied = new CalvinAppliedSet();
    for (const {value} of recordsOf(cursor, [controlTypes.CalvinApplied])) {
      if (value.vshard === vshard) applied.add(value.epoch, value.position);
    }
    return applied;
  }

  /** Notes one more. Its record must be durable first, or a crash takes it back. */
  add(epoch: bigint, position: number): void {
    const positions = this.#byEpoch.get(epoch);
    if (positions === undefined) this.#byEpoch.set(epoch, new Set([position]));
    else positions.add(position);
  }

  isApplied(epoch: bigint, position: number): boolean {
    return this.#byEpoch.get(epoch)?.has(position) ?? false;
  }

  /** How many there are, over all epochs. */
  get size(): number {
    let size = 0;
    for (const positions of this.#byEpoch.values()) size += positions.size;
    return size;
  }
}
