/**
 * What holds for every frame: decoding inverts encoding, a cut frame is too short at every cut, a trailing byte is a
 * layout error, and arbitrary bytes are either a frame that encodes back to themselves or a CodecError.
 */
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {
  type ApiRequest,
  type ApiResponse,
  CodecError,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../src/index.ts';
import {anyRequest, anyResponse} from './arbitraries.ts';

/** Frames with a count in them. */
const COUNTED = ['submit_batch', 'batch_result', 'lease_found', 'resources_page', 'reservations_page'];

function errorOf(run: () => unknown): CodecError | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

function describeFamily<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (frame: Uint8Array) => T,
): void {
  test(`${name}: decode inverts encode, also in the middle of a larger buffer`, () => {
    fc.assert(
      fc.property(arbitrary, fc.integer({min: 0, max: 9}), (value, shift) => {
        const frame = encode(value);
        const room = new Uint8Array(frame.length + 20).fill(0xee);
        room.set(frame, shift);
        expect(decode(room.subarray(shift, shift + frame.length))).toEqual(value);
      }),
      {numRuns: 1_000},
    );
  });

  test(`${name}: every cut is too short, every trailing byte a layout error`, () => {
    fc.assert(
      fc.property(arbitrary, value => {
        const frame = encode(value);
        const type = (value as {type: string}).type;
        for (let cut = 0; cut < frame.length; cut++) {
          const code = errorOf(() => decode(frame.subarray(0, cut)))?.code;
          // A scan that is cut is none; codec_errors.test.ts says why.
          if (type.startsWith('scan_') && cut > 0) {
            expect(code).toBe('invalid_request_tag');
            continue;
          }
          // A count in front of what is missing may already be over the bytes present.
          if (code !== 'invalid_layout') expect(code).toBe('buffer_too_short');
          else expect(COUNTED).toContain(type);
        }
        const trailing = errorOf(() => decode(Uint8Array.of(...frame, 0)))?.code;
        expect(trailing).toBe(type.startsWith('scan_') ? 'invalid_request_tag' : 'invalid_layout');
      }),
      {numRuns: 300},
    );
  });

  test(`${name}: arbitrary bytes decode to what encodes back to them, or are a CodecError`, () => {
    const patched = fc
      .tuple(arbitrary, fc.array(fc.tuple(fc.nat(), fc.integer({min: 0, max: 255})), {maxLength: 3}))
      .map(([value, patches]) => {
        const frame = encode(value);
        for (const [at, byte] of patches) frame[at % frame.length] = byte;
        return frame;
      });
    const tagged = fc
      .tuple(fc.constantFrom(1, 2, 3, 6, 10, 13, 14, 16, 17, 18, 19), fc.uint8Array({maxLength: 60}))
      .map(([tag, body]) => Uint8Array.of(tag, ...body));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({maxLength: 120}), patched, tagged), frame => {
        const error = errorOf(() => expect(encode(decode(frame))).toEqual(frame));
        if (error !== null) expect(error.message).toContain(error.code);
      }),
      {numRuns: 4_000},
    );
  });
}

describeFamily<ApiRequest>('request', anyRequest, encodeRequest, decodeRequest);
describeFamily<ApiResponse>('response', anyResponse, encodeResponse, decodeResponse);
