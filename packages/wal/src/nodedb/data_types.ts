/**
 * The data records of a multi-model store: writes to documents, vectors, series, logs and arrays.
 *
 * Their payloads are the store's own bytes; the log knows whose they are (the scope) and in what order they came.
 */

import {opaqueRecordType, type RecordType} from '../records/record_type.ts';

/**
 * Largest payload of a data record, and of a transaction as a whole. A log takes less where its `maxRecordBytes` is lower
 * (1 MiB by default).
 */
export const PAYLOAD_BYTES_MAX: number = 16 << 20;

/** The names of the data types. Records of any other type are the store's book-keeping. */
export type DataTypeName =
  | 'Put'
  | 'Delete'
  | 'VectorPut'
  | 'VectorDelete'
  | 'VectorParams'
  | 'CrdtDelta'
  | 'TimeseriesBatch'
  | 'LogBatch'
  | 'ArrayPut'
  | 'ArrayDelete';

export type DataTypes = {readonly [N in DataTypeName]: RecordType<Uint8Array, N>};

const OPTIONAL = {required: false, maxBytes: PAYLOAD_BYTES_MAX} as const;
const REQUIRED = {required: true, maxBytes: PAYLOAD_BYTES_MAX} as const;

export const dataTypes: DataTypes = {
  Put: opaqueRecordType({id: 1, name: 'Put', ...REQUIRED}),
  Delete: opaqueRecordType({id: 2, name: 'Delete', ...REQUIRED}),
  VectorPut: opaqueRecordType({id: 10, name: 'VectorPut', ...REQUIRED}),
  VectorDelete: opaqueRecordType({id: 11, name: 'VectorDelete', ...REQUIRED}),
  VectorParams: opaqueRecordType({id: 12, name: 'VectorParams', ...REQUIRED}),
  CrdtDelta: opaqueRecordType({id: 20, name: 'CrdtDelta', ...REQUIRED}),
  TimeseriesBatch: opaqueRecordType({id: 30, name: 'TimeseriesBatch', ...OPTIONAL}),
  LogBatch: opaqueRecordType({id: 31, name: 'LogBatch', ...OPTIONAL}),
  ArrayPut: opaqueRecordType({id: 40, name: 'ArrayPut', ...REQUIRED}),
  ArrayDelete: opaqueRecordType({id: 41, name: 'ArrayDelete', ...REQUIRED}),
};

export function isDataTypeName(name: string): name is DataTypeName {
  return Object.hasOwn(dataTypes, name);
}
