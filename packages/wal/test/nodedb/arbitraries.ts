/**
 * Values of every record type of a multi-model store, for properties; collections reach their bound in bytes of UTF-8.
 */

import fc from 'fast-check';
import {type DataTypeName, type NodedbTypeName, nodedbTypes} from '../../src/nodedb/index.ts';

const u32 = fc.nat({max: 0xffff_ffff});
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
const i64 = fc.bigInt(-(1n << 63n), (1n << 63n) - 1n);
const bytes = fc.uint8Array({maxLength: 200});

const collection = fc
  .oneof(
    fc.string({unit: 'binary', maxLength: 255}),
    fc.constantFrom('x'.repeat(255), 'é'.repeat(127), '😀'.repeat(63)),
  )
  .filter(text => Buffer.byteLength(text) <= 255);

export const DATA_NAMES: readonly DataTypeName[] = [
  'Put',
  'Delete',
  'VectorPut',
  'VectorDelete',
  'VectorParams',
  'CrdtDelta',
  'TimeseriesBatch',
  'LogBatch',
  'ArrayPut',
  'ArrayDelete',
];

const member = fc.record({type: fc.constantFrom(...DATA_NAMES), payload: fc.uint8Array({maxLength: 40})});

const control: Partial<Record<NodedbTypeName, fc.Arbitrary<unknown>>> = {
  Transaction: fc.array(member, {maxLength: 8}),
  SurrogateAlloc: fc.record({hi: u32}),
  SurrogateBind: fc.record({surrogate: u32, collection, key: bytes}),
  Checkpoint: fc.record({lsn: u64}),
  CollectionTombstoned: fc.record({collection, purgeLsn: u64}),
  LsnMsAnchor: fc.record({lsn: u64, wallMs: i64}),
  TemporalPurge: fc.record({
    engine: fc.constantFrom('edge', 'document', 'columnar', 'crdt', 'array'),
    collection,
    cutoffMs: i64,
    purgedCount: u64,
  }),
  CalvinApplied: fc.record({epoch: u64, position: u32, vshard: u32}),
};

/** Arbitrary values of the type with this name. */
export function valuesOf(name: NodedbTypeName): fc.Arbitrary<unknown> {
  return control[name] ?? bytes;
}

export const TYPE_NAMES: readonly NodedbTypeName[] = Object.values(nodedbTypes).map(({name}) => name);
