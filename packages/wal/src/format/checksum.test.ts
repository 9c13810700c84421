import fc from 'fast-check';
import {expect, test} from 'vitest';
import {crc32c, crc32cByTable, crc32cNative} from './checksum.ts';

test('the known vector', () => {
  const digits = new TextEncoder().encode('123456789');
  expect(crc32cByTable(digits, 0, 9, 0) >>> 0).toBe(0xe3069283);
  expect(crc32cNative(digits, 0, 9, 0) >>> 0).toBe(0xe3069283);
});

test('table and native agree for every range and seed, and a checksum continues', () => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 300}), fc.nat(), fc.nat(), fc.integer(), (bytes, a, b, seed) => {
      const start = a % (bytes.length + 1);
      const middle = start + (b % (bytes.length - start + 1));
      const whole = crc32cByTable(bytes, start, bytes.length - start, seed);
      expect(crc32cNative(bytes, start, bytes.length - start, seed)).toBe(whole);
      const first = crc32c(bytes, start, middle - start, seed);
      expect(crc32c(bytes, middle, bytes.length - middle, first)).toBe(whole);
    }),
  );
});
