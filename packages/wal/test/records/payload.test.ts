/**
 * Payload fields: what is written is read back, every bound is met before memory is taken, and text is strict.
 */

import fc from 'fast-check';
import {expect, test} from 'vitest';
import {isRecordError, PayloadReader, PayloadWriter} from '../../src/index.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isRecordError(error)) return error.code;
    if (error instanceof RangeError) return 'range';
    throw error;
  }
  return 'ok';
}

test('every width holds its ends and refuses what lies beyond', () => {
  const cases: [keyof PayloadWriter & keyof PayloadReader & ('u8' | 'u16' | 'u32' | 'u64' | 'i64'), bigint, bigint][] =
    [
      ['u8', 0n, 0xffn],
      ['u16', 0n, 0xffffn],
      ['u32', 0n, 0xffff_ffffn],
      ['u64', 0n, (1n << 64n) - 1n],
      ['i64', -(1n << 63n), (1n << 63n) - 1n],
    ];
  for (const [width, low, high] of cases) {
    const isBig = width.endsWith('64');
    const write = (writer: PayloadWriter, value: bigint): void => {
      if (width === 'u64' || width === 'i64') writer[width](value);
      else writer[width](Number(value));
    };
    for (const value of [low, high]) {
      const writer = new PayloadWriter(8);
      write(writer, value);
      const reader = new PayloadReader(writer.finish());
      expect(reader[width]()).toBe(isBig ? value : Number(value));
      reader.end();
    }
    for (const value of [low - 1n, high + 1n]) expect(codeOf(() => write(new PayloadWriter(8), value))).toBe('range');
  }
  for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(codeOf(() => new PayloadWriter(8).u32(value))).toBe('range');
  }
});

test('text comes back as it was, byte order mark and astral planes included', () => {
  const text = fc.string({unit: 'binary', maxLength: 60});
  fc.assert(
    fc.property(fc.constantFrom('', '\uFEFF'), text, fc.uint8Array(), (mark, body, bytes) => {
      const writer = new PayloadWriter(1000);
      writer.string(mark + body, 500);
      writer.bytes(bytes, 500);
      const reader = new PayloadReader(writer.finish());
      expect(reader.string(500)).toBe(mark + body);
      expect(reader.bytes(500)).toEqual(bytes);
      reader.end();
    }),
  );
  expect(codeOf(() => new PayloadWriter(9).string('\uD800', 9))).toBe('range');
  expect(codeOf(() => new PayloadReader(Uint8Array.of(1, 0, 0, 0, 0xff)).string(9))).toBe('malformed');
});

test('a bound counts bytes of UTF-8, for the writer as for the reader', () => {
  const writer = new PayloadWriter(100);
  writer.string('é', 2);
  expect(codeOf(() => writer.string('é', 1))).toBe('range');
  const bytes = writer.finish();
  expect(new PayloadReader(bytes).string(2)).toBe('é');
  expect(codeOf(() => new PayloadReader(bytes).string(1))).toBe('malformed');
});

test('a length out of nowhere is refused before anything is allocated', () => {
  const bytes = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2);
  expect(codeOf(() => new PayloadReader(bytes).bytes(0xffff_ffff))).toBe('malformed');
  expect(codeOf(() => new PayloadReader(bytes).string(0xffff_ffff))).toBe('malformed');
});

test('a reader stays inside its part of a buffer', () => {
  const bytes = Uint8Array.of(9, 9, 1, 2, 3, 9);
  const reader = new PayloadReader(bytes, 2, 3);
  expect([reader.u8(), reader.left]).toEqual([1, 2]);
  expect(codeOf(() => reader.u32())).toBe('malformed');
  expect(codeOf(() => reader.end())).toBe('malformed');
  const rest = reader.rest();
  bytes.fill(0);
  expect(rest).toEqual(Uint8Array.of(2, 3));
  reader.end();
});

test('what is read out of a Buffer is a copy too', () => {
  const buffer = Buffer.from([1, 0, 0, 0, 7, 8]);
  const reader = new PayloadReader(buffer);
  const [field, rest] = [reader.bytes(1), reader.rest()];
  buffer.fill(0);
  expect([field, rest]).toEqual([Uint8Array.of(7), Uint8Array.of(8)]);
});

test('a writer refuses the byte past its bound and keeps what it has', () => {
  const writer = new PayloadWriter(5);
  writer.u32(7);
  expect(codeOf(() => writer.u16(1))).toBe('too_large');
  writer.u8(1);
  expect(writer.finish()).toEqual(Uint8Array.of(7, 0, 0, 0, 1));
});
