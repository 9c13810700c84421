/** Ids: what is read, what is refused and how, the canonical form, the number, the hash that any language reproduces. */
import {createHash} from 'node:crypto';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import * as api from '../src/index.ts';
import {u128} from './arbitraries.ts';

const KINDS = [
  ['resource', api.resourceId],
  ['holder', api.holderId],
  ['operation', api.operationId],
  ['reservation', api.reservationId],
  ['client', api.clientId],
] as const;

test.each(KINDS)('%s: a UUID or 32 hex digits in either case, in one canonical form', (_kind, read) => {
  const canonical = '018f6c1e000070008000abcdef00002a';
  expect(read('018f6c1e-0000-7000-8000-abcdef00002a')).toBe(canonical);
  expect(read('018F6C1E-0000-7000-8000-ABCDEF00002A')).toBe(canonical);
  expect(read(canonical.toUpperCase())).toBe(canonical);
  expect(read(canonical)).toBe(canonical);
});

test.each(KINDS)('%s: anything else is refused at once, by name', (kind, read) => {
  const wrong = [
    '',
    '1',
    'g'.repeat(32),
    '0'.repeat(31),
    '0'.repeat(33),
    '018f6c1e00007000-8000-abcdef00002a',
    `${'0'.repeat(32)}\n`,
  ];
  for (const text of wrong) expect(() => read(text)).toThrow(RangeError);
  expect(() => read('seat 12')).toThrow(`a ${kind} id must be a UUID or 32 hex digits, got "seat 12"`);
  for (const value of [1, 1n, null, undefined, {}]) {
    expect(() => read(value as unknown as string)).toThrow(TypeError);
  }
});

test('the hex string is the number', () => {
  expect(api.idToBigint(api.resourceId('000000000000000000000000000001a3'))).toBe(0x1a3n);
  expect(api.resourceIdFromBigint(0x1a3n)).toBe('000000000000000000000000000001a3');
  const back = [
    api.resourceIdFromBigint,
    api.holderIdFromBigint,
    api.operationIdFromBigint,
    api.reservationIdFromBigint,
    api.clientIdFromBigint,
  ];
  fc.assert(
    fc.property(u128, fc.constantFrom(...back), (value, from) => {
      expect(from(value)).toMatch(/^[0-9a-f]{32}$/);
      expect(api.idToBigint(from(value))).toBe(value);
    }),
  );
  expect(() => api.holderIdFromBigint(1n << 128n)).toThrow(RangeError);
  expect(() => api.holderIdFromBigint(-1n)).toThrow(RangeError);
  expect(() => api.holderIdFromBigint(1 as unknown as bigint)).toThrow(TypeError);
});

test('ids of names are the first half of their SHA-256', () => {
  // sha256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad
  expect(api.resourceIdFrom('abc')).toBe('ba7816bf8f01cfea414140de5dae2223');
  expect(api.idToBigint(api.operationIdFrom('abc'))).toBe(0xba7816bf8f01cfea414140de5dae2223n);
  fc.assert(
    fc.property(fc.string({unit: 'grapheme'}), name => {
      const expected = createHash('sha256').update(name, 'utf8').digest('hex').slice(0, 32);
      expect(api.holderIdFrom(name)).toBe(expected);
      expect(api.clientIdFrom(name)).toBe(expected);
    }),
  );
  expect(() => api.resourceIdFrom(5 as unknown as string)).toThrow(TypeError);
});

test('generated ids are canonical, distinct and not zero', () => {
  for (const make of [api.newResourceId, api.newHolderId, api.newOperationId, api.newClientId]) {
    const ids = Array.from({length: 500}, () => make());
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  }
});
