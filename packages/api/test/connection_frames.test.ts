/** Hello, welcome and error: their bytes, their inverses, every cut, and frames of a version that is not ours. */
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {
  CONNECTION_ERROR,
  CodecError,
  connectionErrorName,
  decodeConnectionError,
  decodeHello,
  decodeWelcome,
  encodeConnectionError,
  encodeHello,
  encodeWelcome,
  PROTOCOL_VERSION,
} from '../src/index.ts';
import {u64} from './arbitraries.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const u32 = fc.integer({min: 0, max: 0xffff_ffff});
const u16 = fc.integer({min: 0, max: 0xffff});

function expectEveryCutRefused(frame: Uint8Array, decode: (frame: Uint8Array) => unknown, from = 0): void {
  for (let cut = from; cut < frame.length; cut++) expect(() => decode(frame.subarray(0, cut))).toThrow(CodecError);
  expect(() => decode(Uint8Array.of(...frame, 0))).toThrow('invalid_layout');
}

test('the bytes on the wire', () => {
  expect(hex(encodeHello({version: 1, token: Uint8Array.of(0xaa, 0xbb)}))).toBe('f0414c444201000200aabb');
  const welcome = {
    version: 1,
    currentSlot: 2n,
    slotDurationMs: 1_000,
    lastDurableLsn: 3n,
    maxFrameBytes: 1 << 20,
    maxBatch: 4_096,
  };
  expect(hex(encodeWelcome(welcome))).toBe('f101000200000000000000e80300000103000000000000000000100000' + '10');
  expect(hex(encodeWelcome({...welcome, lastDurableLsn: null}))).toBe('f101000200000000000000e803000000000010000010');
  expect(hex(encodeConnectionError({code: 3, text: 'né'}))).toBe('ff03006ec3a9');
});

test('decoding inverts encoding, and every cut is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 40}), token => {
      const frame = encodeHello({version: PROTOCOL_VERSION, token});
      expect(decodeHello(frame)).toEqual({version: PROTOCOL_VERSION, token});
      expectEveryCutRefused(frame, decodeHello);
    }),
  );
  const anyWelcome = fc.record({
    version: fc.constant(PROTOCOL_VERSION),
    currentSlot: u64,
    slotDurationMs: u32,
    lastDurableLsn: fc.option(u64),
    maxFrameBytes: u32,
    maxBatch: u16,
  });
  fc.assert(
    fc.property(anyWelcome, welcome => {
      const frame = encodeWelcome(welcome);
      expect(decodeWelcome(frame)).toEqual(welcome);
      expectEveryCutRefused(frame, decodeWelcome);
    }),
  );
  fc.assert(
    fc.property(u16, fc.string({unit: 'grapheme'}), (code, text) => {
      const error = {code, text};
      expect(decodeConnectionError(encodeConnectionError(error))).toEqual(error);
    }),
  );
});

test('arbitrary bytes are a frame or a CodecError', () => {
  fc.assert(
    fc.property(fc.constantFrom(0xf0, 0xf1, 0xff), fc.uint8Array({maxLength: 40}), (tag, body) => {
      for (const decode of [decodeHello, decodeWelcome, decodeConnectionError]) {
        try {
          decode(Uint8Array.of(tag, ...body));
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }
    }),
    {numRuns: 2_000},
  );
});

test('another version is told by its number, whatever follows', () => {
  const hello = Uint8Array.of(0xf0, 0x41, 0x4c, 0x44, 0x42, 9, 0, 1, 2, 3, 4, 5, 6, 7);
  expect(decodeHello(hello)).toEqual({version: 9, token: new Uint8Array(0)});
  expect(decodeWelcome(Uint8Array.of(0xf1, 2, 0, 99)).version).toBe(2);
});

test('a wrong tag, a wrong magic and a token that is too long', () => {
  expect(() => decodeHello(Uint8Array.of(1, 2, 3))).toThrow('invalid_request_tag 1');
  expect(() => decodeHello(Uint8Array.of(0xf0, 0x41, 0x4c, 0x44, 0x43, 1, 0, 0, 0))).toThrow('invalid_layout');
  expect(() => encodeHello({version: 1, token: new Uint8Array(65_536)})).toThrow('length_too_large');
});

test('every code has a name, and an unknown one has none', () => {
  for (const [name, code] of Object.entries(CONNECTION_ERROR))
    expect(connectionErrorName(code)).toBe(name.toLowerCase());
  expect(connectionErrorName(0)).toBeNull();
  expect(connectionErrorName(13)).toBeNull();
});
