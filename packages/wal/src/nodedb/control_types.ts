/**
 * The book-keeping records of a multi-model store, with the widths of their fields.
 *
 * A collection name is at most 255 bytes of UTF-8. Wall-clock times are i64 milliseconds since 1970 as the store took
 * them; nothing here reads a clock. Tenant and database of a record stand in its scope, not in its payload.
 */

import type {PayloadReader} from '../records/payload_reader.ts';
import {defineRecordType, type RecordType} from '../records/record_type.ts';

export const COLLECTION_BYTES_MAX = 255;
/** Largest key that a surrogate is bound to. */
export const KEY_BYTES_MAX = 0xffff;

/** Every surrogate up to `hi` (u32) may have been given out. */
export interface SurrogateAlloc {
  readonly hi: number;
}

/** This surrogate (u32) stands for this key of this collection. */
export interface SurrogateBind {
  readonly surrogate: number;
  readonly collection: string;
  readonly key: Uint8Array;
}

/** The store holds everything below `lsn` (u64) outside the log. */
export interface Checkpoint {
  readonly lsn: bigint;
}

/** Writes to the collection with an lsn below `purgeLsn` (u64) are void. */
export interface CollectionTombstoned {
  readonly collection: string;
  readonly purgeLsn: bigint;
}

/** When `lsn` (u64) was the newest, the wall clock showed `wallMs` (i64). */
export interface LsnMsAnchor {
  readonly lsn: bigint;
  readonly wallMs: bigint;
}

/** Stored as u8: 1 to 5 in this order. */
export type PurgeEngine = 'edge' | 'document' | 'columnar' | 'crdt' | 'array';

/** History of a collection up to `cutoffMs` (i64) was purged, `purgedCount` (u64) versions of it. */
export interface TemporalPurge {
  readonly engine: PurgeEngine;
  readonly collection: string;
  readonly cutoffMs: bigint;
  readonly purgedCount: bigint;
}

/** The vshard (u32) has applied this position (u32) of this epoch (u64). */
export interface CalvinApplied {
  readonly epoch: bigint;
  readonly position: number;
  readonly vshard: number;
}

export interface ControlValues {
  readonly SurrogateAlloc: SurrogateAlloc;
  readonly SurrogateBind: SurrogateBind;
  readonly Checkpoint: Checkpoint;
  readonly CollectionTombstoned: CollectionTombstoned;
  readonly LsnMsAnchor: LsnMsAnchor;
  readonly TemporalPurge: TemporalPurge;
  readonly CalvinApplied: CalvinApplied;
}

export type ControlTypes = {readonly [N in keyof ControlValues]: RecordType<ControlValues[N], N>};

const ENGINES: readonly PurgeEngine[] = ['edge', 'document', 'columnar', 'crdt', 'array'];
const COLLECTION_FIELD_BYTES: number = 4 + COLLECTION_BYTES_MAX;

export const controlTypes: ControlTypes = {
  SurrogateAlloc: defineRecordType({
    id: 51,
    name: 'SurrogateAlloc',
    required: true,
    maxBytes: 4,
    encode: (value, writer) => writer.u32(value.hi),
    decode: reader => ({hi: reader.u32()}),
  }),
  SurrogateBind: defineRecordType({
    id: 52,
    name: 'SurrogateBind',
    required: true,
    maxBytes: 4 + COLLECTION_FIELD_BYTES + 4 + KEY_BYTES_MAX,
    encode: (value, writer) => {
      writer.u32(value.surrogate);
      writer.string(value.collection, COLLECTION_BYTES_MAX);
      writer.bytes(value.key, KEY_BYTES_MAX);
    },
    decode: reader => ({
      surrogate: reader.u32(),
      collection: reader.string(COLLECTION_BYTES_MAX),
      key: reader.bytes(KEY_BYTES_MAX),
    }),
  }),
  Checkpoint: defineRecordType({
    id: 100,
    name: 'Checkpoint',
    required: true,
    maxBytes: 8,
    encode: (value, writer) => writer.u64(value.lsn),
    decode: reader => ({lsn: reader.u64()}),
  }),
  CollectionTombstoned: defineRecordType({
    id: 101,
    name: 'CollectionTombstoned',
    required: true,
    maxBytes: COLLECTION_FIELD_BYTES + 8,
    encode: (value, writer) => {
      writer.string(value.collection, COLLECTION_BYTES_MAX);
      writer.u64(value.purgeLsn);
    },
    decode: reader => ({collection: reader.string(COLLECTION_BYTES_MAX), purgeLsn: reader.u64()}),
  }),
  LsnMsAnchor: defineRecordType({
    id: 102,
    name: 'LsnMsAnchor',
    required: false,
    maxBytes: 16,
    encode: (value, writer) => {
      writer.u64(value.lsn);
      writer.i64(value.wallMs);
    },
    decode: reader => ({lsn: reader.u64(), wallMs: reader.i64()}),
  }),
  TemporalPurge: defineRecordType({
    id: 103,
    name: 'TemporalPurge',
    required: true,
    maxBytes: 1 + COLLECTION_FIELD_BYTES + 16,
    encode: (value, writer) => {
      writer.u8(engineCode(value.engine));
      writer.string(value.collection, COLLECTION_BYTES_MAX);
      writer.i64(value.cutoffMs);
      writer.u64(value.purgedCount);
    },
    decode: reader => ({
      engine: readEngine(reader),
      collection: reader.string(COLLECTION_BYTES_MAX),
      cutoffMs: reader.i64(),
      purgedCount: reader.u64(),
    }),
  }),
  CalvinApplied: defineRecordType({
    id: 110,
    name: 'CalvinApplied',
    required: true,
    maxBytes: 16,
    encode: (value, writer) => {
      writer.u64(value.epoch);
      writer.u32(value.position);
      writer.u32(value.vshard);
    },
    decode: reader => ({epoch: reader.u64(), position: reader.u32(), vshard: reader.u32()}),
  }),
};

/** A name from outside the types would be stored as 0, and no reader takes that. */
function engineCode(engine: PurgeEngine): number {
  const index = ENGINES.indexOf(engine);
  if (index < 0) throw new RangeError(`${engine} is no engine`);
  return index + 1;
}

function readEngine(reader: PayloadReader): PurgeEngine {
  const code = reader.u8();
  const engine = ENGINES[code - 1];
  if (engine === undefined) throw new RangeError(`${code} is no engine`);
  return engine;
}
