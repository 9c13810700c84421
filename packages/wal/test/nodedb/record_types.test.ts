/**
 * The record types as they are on disk: their table, the bytes of an example of each, and codecs that are exact both ways.
 */

import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {decodePayload, defineRecordType, encodePayload, isRecordError, type RecordType} from '../../src/index.ts';
import {
  auditTypes,
  createAuditRegistry,
  createNodedbRegistry,
  type NodedbTypeName,
  nodedbTypes,
} from '../../src/nodedb/index.ts';
import {DATA_NAMES, TYPE_NAMES, valuesOf} from './arbitraries.ts';

function typeOf(name: NodedbTypeName): RecordType<unknown> {
  return nodedbTypes[name] as RecordType<unknown>;
}

test('numbers, names and flags are those that logs hold', () => {
  const table = createNodedbRegistry().types.map(
    ({id, name, required}) => `${id} ${name}${required ? '' : ' optional'}`,
  );
  expect(table).toEqual([
    '1 Put',
    '2 Delete',
    '10 VectorPut',
    '11 VectorDelete',
    '12 VectorParams',
    '20 CrdtDelta',
    '30 TimeseriesBatch optional',
    '31 LogBatch optional',
    '40 ArrayPut',
    '41 ArrayDelete',
    '50 Transaction',
    '51 SurrogateAlloc',
    '52 SurrogateBind',
    '100 Checkpoint',
    '101 CollectionTombstoned',
    '102 LsnMsAnchor optional',
    '103 TemporalPurge',
    '110 CalvinApplied',
  ]);
  const audit = createAuditRegistry().types.map(({id, name, required}) => [id, name, required]);
  expect(audit).toEqual([
    [103, 'TemporalPurge', true],
    [200, 'PurgeBegun', true],
    [201, 'AuditNote', true],
  ]);
});

const GOLDEN: [NodedbTypeName, unknown, string][] = [
  ['Transaction', [], '00000000'],
  [
    'Transaction',
    [
      {type: 'Put', payload: Uint8Array.of(1, 2)},
      {type: 'ArrayDelete', payload: Uint8Array.of()},
    ],
    '02000000 0100 02000000 0102 2900 00000000',
  ],
  ['SurrogateAlloc', {hi: 0x01020304}, '04030201'],
  ['SurrogateBind', {surrogate: 7, collection: 'é', key: Uint8Array.of(0xff)}, '07000000 02000000 c3a9 01000000 ff'],
  ['Checkpoint', {lsn: 0x0102030405060708n}, '0807060504030201'],
  ['CollectionTombstoned', {collection: 'ab', purgeLsn: 9n}, '02000000 6162 0900000000000000'],
  ['LsnMsAnchor', {lsn: 1n, wallMs: -2n}, '0100000000000000 feffffffffffffff'],
  [
    'TemporalPurge',
    {engine: 'edge', collection: '', cutoffMs: 1n, purgedCount: 2n},
    '01 00000000 0100000000000000 0200000000000000',
  ],
  [
    'TemporalPurge',
    {engine: 'document', collection: 'c', cutoffMs: -1n, purgedCount: 0n},
    '02 01000000 63 ffffffffffffffff 0000000000000000',
  ],
  [
    'TemporalPurge',
    {engine: 'columnar', collection: '', cutoffMs: 0n, purgedCount: 0n},
    '03 00000000 0000000000000000 0000000000000000',
  ],
  [
    'TemporalPurge',
    {engine: 'crdt', collection: '', cutoffMs: 0n, purgedCount: 0n},
    '04 00000000 0000000000000000 0000000000000000',
  ],
  [
    'TemporalPurge',
    {engine: 'array', collection: '', cutoffMs: 0n, purgedCount: 0n},
    '05 00000000 0000000000000000 0000000000000000',
  ],
  ['CalvinApplied', {epoch: 3n, position: 4, vshard: 5}, '0300000000000000 04000000 05000000'],
  ...DATA_NAMES.map((name): [NodedbTypeName, unknown, string] => [name, Uint8Array.of(0, 255), '00ff']),
];

test('the bytes of each type are fixed', () => {
  expect(new Set(GOLDEN.map(([name]) => name))).toEqual(new Set(TYPE_NAMES));
  for (const [name, value, spaced] of GOLDEN) {
    const hex = spaced.replaceAll(' ', '');
    expect(`${name} ${Buffer.from(encodePayload(typeOf(name), value)).toString('hex')}`).toBe(`${name} ${hex}`);
    expect(decodePayload(typeOf(name), Buffer.from(hex, 'hex'))).toEqual(value);
  }
  const begun = {engine: 'edge', collection: 'e', cutoffMs: 1n} as const;
  const bytes = Buffer.from('01010000006501000000000000000000000000000000', 'hex');
  expect(Buffer.from(encodePayload(auditTypes.PurgeBegun, begun))).toEqual(bytes);
  expect(decodePayload(auditTypes.PurgeBegun, bytes)).toEqual(begun);
  bytes[bytes.length - 1] = 1;
  expect(() => decodePayload(auditTypes.PurgeBegun, bytes)).toThrow('its codec does not read');
  const note = {kind: 'k', detail: Uint8Array.of(1)};
  expect(Buffer.from(encodePayload(auditTypes.AuditNote, note)).toString('hex')).toBe('010000006b0100000001');
  expect(decodePayload(auditTypes.AuditNote, encodePayload(auditTypes.AuditNote, note))).toEqual(note);
});

/** The value, or null for a refusal that is `malformed`; anything else that is thrown comes out. */
function decodeOrNull(type: RecordType<unknown>, payload: Uint8Array): unknown {
  try {
    return decodePayload(type, payload);
  } catch (error) {
    if (isRecordError(error) && error.code === 'malformed' && error.typeName === type.name) return null;
    throw error;
  }
}

/** Whatever decodes is written back as the same bytes: no two payloads mean the same. */
function expectExact(type: RecordType<unknown>, payload: Uint8Array): void {
  const value = decodeOrNull(type, payload);
  if (value !== null) expect(Buffer.from(encodePayload(type, value))).toEqual(Buffer.from(payload));
}

describe.each(TYPE_NAMES)('%s', name => {
  const type = typeOf(name);

  test('what is written is read back', () => {
    fc.assert(
      fc.property(valuesOf(name), value => {
        expect(decodePayload(type, encodePayload(type, value))).toEqual(value);
      }),
    );
  });

  test('cut, extended or changed, a payload is another value or malformed', () => {
    fc.assert(
      fc.property(valuesOf(name), fc.nat(), fc.uint8Array({minLength: 1, maxLength: 9}), (value, place, noise) => {
        const payload = encodePayload(type, value);
        const at = place % (payload.length + 1);
        expectExact(type, payload.subarray(0, at));
        expectExact(type, Uint8Array.of(...payload, ...noise));
        const changed = Uint8Array.from(payload);
        changed.set(noise.subarray(0, changed.length - at), at);
        expectExact(type, changed);
        const isOpaque = (DATA_NAMES as readonly string[]).includes(name);
        if (!isOpaque) expect(decodeOrNull(type, Uint8Array.of(...payload, ...noise))).toBeNull();
        if (!isOpaque && at < payload.length) expect(decodeOrNull(type, payload.subarray(0, at))).toBeNull();
      }),
    );
  });

  test('arbitrary bytes, lengths out of nowhere among them, are a value or malformed', () => {
    const lengths = fc.constantFrom(Uint8Array.of(0xff, 0xff, 0xff, 0xff), Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
    const bytes = fc.oneof(
      fc.uint8Array({maxLength: 300}),
      fc.tuple(fc.uint8Array({maxLength: 12}), lengths, fc.uint8Array({maxLength: 20})).map(parts => {
        return Uint8Array.from(parts.flatMap(part => [...part]));
      }),
    );
    fc.assert(fc.property(bytes, payload => expectExact(type, payload)));
  });
});

test('a count of members out of nowhere is refused before the first is read', () => {
  const payload = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0);
  expect(() => decodePayload(nodedbTypes.Transaction, payload)).toThrow('its codec does not read');
});

test('members of a transaction are data records: no book-keeping, no transaction, nothing unknown', () => {
  const types = [...createNodedbRegistry().types.map(({id}) => id), 0, 3, 999];
  const data = new Set(DATA_NAMES.map(name => nodedbTypes[name].id));
  for (const id of types) {
    const payload = Buffer.from([1, 0, 0, 0, id & 0xff, id >> 8, 0, 0, 0, 0]);
    expect([id, decodeOrNull(typeOf('Transaction'), payload) !== null]).toEqual([id, data.has(id)]);
  }
  for (const type of ['Transaction', 'Checkpoint', 'toString']) {
    const members = [{type, payload: new Uint8Array(0)}];
    expect(() => encodePayload(typeOf('Transaction'), members)).toThrow(RangeError);
  }
});

test('a collection name over 255 bytes is refused both ways', () => {
  const name = 'é'.repeat(128);
  expect(() => encodePayload(nodedbTypes.CollectionTombstoned, {collection: name, purgeLsn: 1n})).toThrow(RangeError);
  const wide = defineRecordType({...nodedbTypes.CollectionTombstoned, maxBytes: 1000});
  const payload = Buffer.concat([Uint8Array.of(0, 1, 0, 0), Buffer.from(name), new Uint8Array(8)]);
  expect(decodeOrNull(wide as RecordType<unknown>, payload)).toBeNull();
});
