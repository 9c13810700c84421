/**
 * Where the scans of this folder read from, and how they pick their records out of everything else.
 */

import {type LogCursor, READ} from '../read/log_cursor.ts';
import type {ReadOptions} from '../read/record_filter.ts';
import {RecordRegistry, type TypedRecord} from '../records/record_registry.ts';
import type {RecordType} from '../records/record_type.ts';

/** A log that can be read more than once: a `Wal`, or `{read: options => readWal({dir}, options)}`. */
export interface LogSource {
  read(options: ReadOptions): LogCursor;
}

/** The records of these types among what the cursor has left; all others are passed over. The cursor is closed at the end. */
export function* recordsOf<R extends RecordType<unknown>>(
  cursor: LogCursor,
  types: readonly R[],
): Generator<TypedRecord<R>, void> {
  const registry = new RecordRegistry(types);
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event !== READ.RECORD || !registry.has(cursor.type)) continue;
      const record = registry.decode(cursor);
      if (record !== null) yield record;
    }
  } finally {
    cursor.close();
  }
}
