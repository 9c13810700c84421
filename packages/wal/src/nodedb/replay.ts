/**
 * Replay: the durable records of a log in order, each to the handler of its type, without those of dropped collections.
 *
 * Invariants: tombstones hold wherever in the log they stand, so they are all known before the first handler runs; the
 * members of a transaction go to their handlers one after the other with nothing between, and none of them before all of
 * them are decoded and have a handler; nothing is left out without being counted.
 */

import type {RecordScope} from '../format/scope.ts';
import type {ReadOptions} from '../read/record_filter.ts';
import {RecordError} from '../records/record_error.ts';
import type {TypedRecord} from '../records/record_registry.ts';
import {type ControlTypes, controlTypes} from './control_types.ts';
import {type DataTypeName, type DataTypes, dataTypes, isDataTypeName} from './data_types.ts';
import type {LogSource} from './log_source.ts';
import {createNodedbRegistry, type NodedbType} from './record_types.ts';
import {extractTombstones, type TombstoneSet} from './tombstones.ts';

/** A write, alone or as a member of a transaction. */
export interface DataRecord<N extends DataTypeName = DataTypeName> {
  /** Members of a transaction share its lsn, stamp and scope. */
  readonly lsn: bigint;
  readonly stamp: bigint;
  readonly scope: RecordScope;
  readonly type: N;
  /** The store's own bytes. */
  readonly value: Uint8Array;
  /** For a member: which of the `count` members that are left after tombstones, from 0. Null for a write of its own. */
  readonly transaction: {readonly index: number; readonly count: number} | null;
}

/** By name of the type; each is called synchronously, in the order of the log. What one throws ends the replay. */
export type ReplayHandlers = {
  readonly [N in DataTypeName]?: (record: DataRecord<N>) => void;
} & {
  readonly [N in keyof ControlTypes]?: (record: TypedRecord<ControlTypes[N]>) => void;
};

export interface ReplayOptions extends Pick<ReadOptions, 'from' | 'to' | 'scope'> {
  /**
   * The collection that a write is to, which only the store can tell from its payload; null for one that cannot be
   * dropped. Without it a dropped collection would come back.
   */
  readonly collectionOf: (type: DataTypeName, payload: Uint8Array) => string | null;
  /** Default: those of the whole log, read in a pass of its own. */
  readonly tombstones?: TombstoneSet;
}

export interface ReplayReport {
  /** Calls of handlers. */
  applied: number;
  /** Writes to dropped collections, members of transactions included. */
  dropped: number;
  /** Optional writes, and book-keeping, of known types without a handler. */
  unhandled: number;
  /** Optional records of unknown types. */
  unknown: number;
}

/**
 * Replays a log. Throws `no_handler` for a required write without a handler, `unknown_type`, `malformed` (also for a
 * write or a tombstone without a scope), and what the log's cursor or a handler throws.
 */
export function replay(source: LogSource, handlers: ReplayHandlers, options: ReplayOptions): ReplayReport {
  const {collectionOf, tombstones = allTombstones(source), ...read} = options;
  const records = createNodedbRegistry().read(source.read(read));
  const pass = new ReplayPass(handlers, tombstones, collectionOf);
  for (const record of records) pass.take(record);
  return {...pass.report, unknown: records.skipped};
}

/** Of every vshard and from the first lsn on: a tombstone may stand where the options would not look. */
function allTombstones(source: LogSource): TombstoneSet {
  return extractTombstones(source.read({types: [controlTypes.CollectionTombstoned.id]}));
}

class ReplayPass {
  readonly report: ReplayReport = {applied: 0, dropped: 0, unhandled: 0, unknown: 0};
  readonly #handlers: ReplayHandlers;
  readonly #tombstones: TombstoneSet;
  readonly #collectionOf: ReplayOptions['collectionOf'];

  constructor(handlers: ReplayHandlers, tombstones: TombstoneSet, collectionOf: ReplayOptions['collectionOf']) {
    this.#handlers = handlers;
    this.#tombstones = tombstones;
    this.#collectionOf = collectionOf;
  }

  take(record: TypedRecord<NodedbType>): void {
    if (record.type === 'Transaction') {
      const {value: members, ...head} = record;
      const writes = members.map(({type, payload}) => writeOf({...head, type, value: payload}));
      const kept = writes.filter(write => this.#isHandled(write)).filter(write => !this.#isDropped(write));
      for (const [index, write] of kept.entries()) this.#call({...write, transaction: {index, count: kept.length}});
    } else if (isData(record)) {
      const write = writeOf(record);
      if (this.#isHandled(write) && !this.#isDropped(write)) this.#call(write);
    } else if (this.#handlers[record.type] === undefined) {
      this.report.unhandled++;
    } else {
      this.#call(record);
    }
  }

  #isHandled({type, lsn}: DataRecord): boolean {
    if (this.#handlers[type] !== undefined) return true;
    const {id, required} = dataTypes[type];
    if (required) throw new RecordError('no_handler', `no handler for a ${type}`, {lsn, type: id, typeName: type});
    this.report.unhandled++;
    return false;
  }

  #isDropped({scope, type, value, lsn}: DataRecord): boolean {
    if (this.#tombstones.size === 0) return false;
    const collection = this.#collectionOf(type, value);
    if (collection === null) return false;
    const {tenant, database} = scope;
    if (!this.#tombstones.isTombstoned({tenant, database, collection}, lsn)) return false;
    this.report.dropped++;
    return true;
  }

  /** The handler of a record's type takes records of that type, which the union of all handlers cannot say. */
  #call(record: DataRecord | TypedRecord<NodedbType>): void {
    const handlers = this.#handlers as Readonly<Record<string, (record: unknown) => void>>;
    handlers[record.type]?.(record);
    this.report.applied++;
  }
}

type PlainWrite = TypedRecord<DataTypes[DataTypeName]>;

function isData(record: TypedRecord<NodedbType>): record is PlainWrite {
  return isDataTypeName(record.type);
}

function writeOf({lsn, stamp, scope, type, value}: PlainWrite): DataRecord {
  if (scope === null) {
    throw new RecordError('malformed', `a ${type} without a scope`, {lsn, type: dataTypes[type].id, typeName: type});
  }
  return {lsn, stamp, scope, type, value, transaction: null};
}
