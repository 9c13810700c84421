/**
 * Which collections were dropped, and up to which lsn their writes are void.
 *
 * Invariants: of several tombstones for one collection the largest lsn holds, whatever the order they come in; a write is
 * void iff its lsn is strictly below. A tombstone is about one collection of one tenant in one database.
 */

import type {LogCursor} from '../read/log_cursor.ts';
import {RecordError} from '../records/record_error.ts';
import {controlTypes} from './control_types.ts';
import {recordsOf} from './log_source.ts';

/** A collection of one tenant in one database. */
export interface CollectionKey {
  /** u64 */
  readonly database: bigint;
  /** u64 */
  readonly tenant: bigint;
  readonly collection: string;
}

export interface Tombstone extends CollectionKey {
  /** Writes below this lsn are void. */
  readonly purgeLsn: bigint;
}

export class TombstoneSet {
  readonly #byKey: Map<string, Tombstone> = new Map();

  get size(): number {
    return this.#byKey.size;
  }

  insert(tombstone: Tombstone): void {
    const key = keyOf(tombstone);
    const known = this.#byKey.get(key);
    if (known !== undefined && known.purgeLsn >= tombstone.purgeLsn) return;
    const {database, tenant, collection, purgeLsn} = tombstone;
    this.#byKey.set(key, {database, tenant, collection, purgeLsn});
  }

  /** Takes over the tombstones of another set, which stays as it is. */
  merge(other: TombstoneSet): void {
    for (const tombstone of other) this.insert(tombstone);
  }

  /** Whether a write with this lsn to this collection is void. */
  isTombstoned(key: CollectionKey, lsn: bigint): boolean {
    const tombstone = this.#byKey.get(keyOf(key));
    return tombstone !== undefined && lsn < tombstone.purgeLsn;
  }

  /** Forgets what cannot void any write with this lsn or a higher one: for a log that now begins there. Returns how many. */
  dropBefore(lsn: bigint): number {
    const before = this.size;
    for (const [key, {purgeLsn}] of this.#byKey) if (purgeLsn <= lsn) this.#byKey.delete(key);
    return before - this.size;
  }

  [Symbol.iterator](): IterableIterator<Tombstone> {
    return this.#byKey.values();
  }
}

/**
 * The tombstones among what the cursor has left; the cursor is closed. Records of other types are passed over, so one over
 * this type alone saves work. Throws `malformed` for a tombstone that its codec does not read, or that has no scope.
 */
export function extractTombstones(cursor: LogCursor): TombstoneSet {
  const found = new TombstoneSet();
  const type = controlTypes.CollectionTombstoned;
  for (const {lsn, scope, value} of recordsOf(cursor, [type])) {
    if (scope === null) {
      throw new RecordError('malformed', 'a tombstone without a scope', {lsn, type: type.id, typeName: type.name});
    }
    const {database, tenant} = scope;
    found.insert({database, tenant, ...value});
  }
  return found;
}

function keyOf({database, tenant, collection}: CollectionKey): string {
  return `${database} ${tenant} ${collection}`;
}
