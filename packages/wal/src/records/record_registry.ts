/**
 * The record types of one log, and reading it through them.
 *
 * Invariants: numbers and names are unique; a required record of an unknown type is never passed over, an optional one is
 * counted; a payload that fails its codec is an error, whether required or not.
 */

import type {RecordScope} from '../format/scope.ts';
import {type LogCursor, READ} from '../read/log_cursor.ts';
import type {LogRecord, RecordView} from '../read/record_view.ts';
import {RecordError} from './record_error.ts';
import {decodePayload, type RecordType} from './record_type.ts';

/** A decoded record; `type` tells the members of the union apart, and with it the type of `value`. */
export type TypedRecord<R extends RecordType<unknown>> =
  R extends RecordType<infer T, infer N>
    ? {
        readonly lsn: bigint;
        readonly stamp: bigint;
        readonly scope: RecordScope | null;
        readonly type: N;
        readonly value: T;
      }
    : never;

/** A fixed set of record types. Two with one number or one name are a `RangeError`. */
export class RecordRegistry<R extends RecordType<unknown>> {
  readonly #byId: Map<number, R> = new Map();
  readonly #names: Set<string> = new Set();

  constructor(types: Iterable<R>) {
    for (const type of types) {
      if (this.#byId.has(type.id)) throw new RangeError(`two record types have the number ${type.id}`);
      if (this.#names.has(type.name)) throw new RangeError(`two record types have the name ${type.name}`);
      this.#byId.set(type.id, type);
      this.#names.add(type.name);
    }
  }

  /** The types, in the order they were given. */
  get types(): R[] {
    return [...this.#byId.values()];
  }

  has(id: number): boolean {
    return this.#byId.has(id);
  }

  /**
   * The record that a cursor stands on, or one taken from a log, as a value of its own. Null for an unknown type that may
   * be passed over. Throws `unknown_type` and `malformed`.
   */
  decode(record: RecordView | LogRecord): TypedRecord<R> | null {
    const {lsn, stamp, scope} = record;
    const type = this.#byId.get(record.type);
    const isView = 'isRequired' in record;
    if (type === undefined) {
      if (!(isView ? record.isRequired : record.required)) return null;
      const detail = {lsn, type: record.type};
      throw new RecordError('unknown_type', `a required record of the unknown type ${record.type}`, detail);
    }
    const {bytes, offset, length} = isView ? record : {bytes: record.payload, offset: 0, length: record.payload.length};
    const value = decodePayload(type, {bytes, offset, length, lsn});
    return {lsn, stamp, scope, type: type.name, value} as TypedRecord<R>;
  }

  /** Iterates over what the cursor has left; the cursor is closed when the iteration ends or is left. */
  read(cursor: LogCursor): TypedRecords<R> {
    return new TypedRecords(this, cursor);
  }
}

/** The records of a cursor as values, once. Iterating throws what `decode` and the cursor throw. */
export class TypedRecords<R extends RecordType<unknown>> {
  /** Optional records of unknown types passed over so far. */
  skipped = 0;
  readonly #registry: RecordRegistry<R>;
  readonly #cursor: LogCursor;

  constructor(registry: RecordRegistry<R>, cursor: LogCursor) {
    this.#registry = registry;
    this.#cursor = cursor;
  }

  *[Symbol.iterator](): Generator<TypedRecord<R>, void> {
    const cursor = this.#cursor;
    try {
      for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
        if (event !== READ.RECORD) continue;
        const record = this.#registry.decode(cursor);
        if (record === null) this.skipped++;
        else yield record;
      }
    } finally {
      cursor.close();
    }
  }
}
