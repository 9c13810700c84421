/**
 * Registries: what they refuse, what they pass over, and typed reading and appending on a log.
 */

import {expect, test} from 'vitest';
import {
  appendTyped,
  commandRecordTypes,
  createCommandRegistry,
  decodePayload,
  defineRecordType,
  encodePayload,
  isRecordError,
  type RecordError,
  RecordRegistry,
  type RecordType,
  whenRoom,
} from '../../src/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {openSmall} from '../support.ts';

interface Point {
  readonly x: number;
  readonly label: string;
}

const point: RecordType<Point, 'Point'> = defineRecordType({
  id: 7,
  name: 'Point',
  required: true,
  maxBytes: 100,
  encode: (value, writer) => {
    writer.u16(value.x);
    writer.string(value.label, 90);
  },
  decode: reader => ({x: reader.u16(), label: reader.string(90)}),
});

const hint: RecordType<Uint8Array, 'Hint'> = defineRecordType({
  id: 8,
  name: 'Hint',
  required: false,
  maxBytes: 4000,
  encode: (value, writer) => writer.raw(value),
  decode: reader => reader.rest(),
});

function recordErrorOf(run: () => unknown): RecordError {
  try {
    run();
  } catch (error) {
    if (isRecordError(error)) return error;
    throw error;
  }
  throw new Error('expected an error');
}

test('numbers and names are unique, numbers are u16 and bounds are bounds', () => {
  const registry = new RecordRegistry<typeof point | typeof hint>([point, hint]);
  expect(registry.types).toEqual([point, hint]);
  expect([registry.has(7), registry.has(9)]).toEqual([true, false]);
  expect(() => new RecordRegistry([point, {...hint, id: 7}])).toThrow(RangeError);
  expect(() => new RecordRegistry([point, {...hint, name: 'Point'}])).toThrow(RangeError);
  const wrong = [{id: -1}, {id: 65_536}, {id: 1.5}, {name: ''}, {maxBytes: -1}, {maxBytes: Number.NaN}];
  for (const part of wrong) expect(() => defineRecordType({...hint, ...part})).toThrow(RangeError);
});

test('what is appended comes back typed, with lsn, stamp and scope', () => {
  const wal = openSmall(new SimDisk());
  const scope = {tenant: 1n, database: 2n, vshard: 3};
  appendTyped(wal, point, {x: 5, label: 'here'}, {stamp: 9n, scope});
  appendTyped(wal, hint, Uint8Array.of(1));
  wal.commitSync();
  const registry = new RecordRegistry<typeof point | typeof hint>([point, hint]);
  expect([...registry.read(wal.read())]).toEqual([
    {lsn: 1n, stamp: 9n, scope, type: 'Point', value: {x: 5, label: 'here'}},
    {lsn: 2n, stamp: 0n, scope: null, type: 'Hint', value: Uint8Array.of(1)},
  ]);
});

test('an unknown optional record is counted, an unknown required one ends the reading', () => {
  const wal = openSmall(new SimDisk());
  appendTyped(wal, hint, Uint8Array.of(1));
  appendTyped(wal, point, {x: 1, label: ''});
  wal.commitSync();
  const points = new RecordRegistry([point]).read(wal.read());
  expect([...points].map(({lsn}) => lsn)).toEqual([2n]);
  expect(points.skipped).toBe(1);

  const hints = new RecordRegistry([hint]).read(wal.read())[Symbol.iterator]();
  expect(hints.next().value).toMatchObject({lsn: 1n});
  const error = recordErrorOf(() => hints.next());
  expect(error).toMatchObject({code: 'unknown_type', lsn: 2n, type: 7});
  expect(hints.next().done).toBe(true);
});

test('records of pages and followers decode like those of a cursor', () => {
  const wal = openSmall(new SimDisk());
  appendTyped(wal, point, {x: 3, label: 'p'});
  wal.commitSync();
  const registry = new RecordRegistry([point]);
  const [page] = [...wal.pages()];
  const [first] = page?.records ?? [];
  if (first === undefined) throw new Error('the page is empty');
  expect(registry.decode(first)).toMatchObject({lsn: 1n, type: 'Point', value: {x: 3, label: 'p'}});
  expect(new RecordRegistry([hint]).decode({...first, required: false})).toBeNull();
  const strange = recordErrorOf(() => new RecordRegistry([hint]).decode(first));
  expect(strange).toMatchObject({code: 'unknown_type', lsn: 1n, type: 7});
});

test('a payload that fails its codec names lsn, type and cause, though its type be optional', () => {
  const wal = openSmall(new SimDisk());
  wal.appendRecord({type: 7, payload: Uint8Array.of(1, 0, 0, 0, 0, 0, 9)});
  wal.commitSync();
  for (const required of [true, false]) {
    const registry = new RecordRegistry([{...point, required}]);
    const error = recordErrorOf(() => [...registry.read(wal.read())]);
    expect(error).toMatchObject({code: 'malformed', lsn: 1n, type: 7, typeName: 'Point'});
    expect(error.cause).toMatchObject({code: 'malformed', message: '1 bytes follow the last field'});
    expect(error.message).toContain('lsn 1');
  }
});

test('whatever a codec throws is malformed, and a payload over the bound is not given to it', () => {
  const cause = new TypeError('of its own');
  const broken = defineRecordType<null, 'Broken'>({
    id: 1,
    name: 'Broken',
    required: true,
    maxBytes: 2,
    encode: () => undefined,
    decode: () => {
      throw cause;
    },
  });
  expect(recordErrorOf(() => decodePayload(broken, new Uint8Array(2)))).toMatchObject({
    code: 'malformed',
    lsn: null,
    cause,
  });
  const long = recordErrorOf(() => decodePayload(broken, new Uint8Array(3)));
  expect(long.cause).not.toBe(cause);
});

test('a value that is too large or cannot be stored takes no lsn', () => {
  const wal = openSmall(new SimDisk());
  const label = 'x'.repeat(90);
  const narrow = defineRecordType({...point, maxBytes: 50});
  const error = recordErrorOf(() => appendTyped(wal, narrow, {x: 1, label}));
  expect(error).toMatchObject({code: 'too_large', type: 7, typeName: 'Point', lsn: null});
  expect(() => appendTyped(wal, point, {x: -1, label})).toThrow(RangeError);
  expect(() => encodePayload(point, {x: 1, label: `${label}x`})).toThrow(RangeError);
  expect([wal.nextLsn, wal.openRecords]).toEqual([1n, 0]);
});

test('with whenRoom appends go on past a full frame; other refusals come out', async () => {
  const wal = openSmall(new SimDisk());
  const payload = new Uint8Array(1500);
  const append = (): bigint => appendTyped(wal, hint, payload);
  const lsns = await Promise.all(Array.from({length: 20}, () => whenRoom(wal, append)));
  await wal.commit();
  expect(new Set(lsns).size).toBe(20);
  expect(wal.durableLsn).toBe(20n);
  const large = whenRoom(wal, () => appendTyped(wal, hint, new Uint8Array(2049)));
  await expect(large).rejects.toMatchObject({name: 'WalError', code: 'too_large'});
});

test('commands of an engine are the required types 1 and 2 of a registry of their own', () => {
  const {clientCommand, internalCommand} = commandRecordTypes;
  const wal = openSmall(new SimDisk());
  appendTyped(wal, clientCommand, Uint8Array.of(1), {stamp: 4n});
  appendTyped(wal, internalCommand, Uint8Array.of(2));
  wal.commitSync();
  const registry = createCommandRegistry();
  expect(registry.types.map(({id, name, required}) => [id, name, required])).toEqual([
    [1, 'ClientCommand', true],
    [2, 'InternalCommand', true],
  ]);
  expect([...registry.read(wal.read())]).toMatchObject([
    {type: 'ClientCommand', stamp: 4n, value: Uint8Array.of(1)},
    {type: 'InternalCommand', stamp: 0n, value: Uint8Array.of(2)},
  ]);
});

test('leaving the iteration early gives the log back to truncation', () => {
  const wal = openSmall(new SimDisk());
  for (let frame = 0; frame < 30; frame++) {
    appendTyped(wal, hint, new Uint8Array(2000));
    wal.commitSync();
  }
  const reading = new RecordRegistry([hint]).read(wal.read());
  for (const record of reading) {
    expect(record.lsn).toBe(1n);
    expect(wal.truncateBefore(20n)).toBe(0);
    break;
  }
  expect(wal.truncateBefore(20n)).toBeGreaterThan(0);
});
