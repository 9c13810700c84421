import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  BUNDLE_HEADER_BYTES,
  COMMAND,
  CommandRegisters,
  DECODE,
  EXPIRE_BYTES,
  REG,
  WIRE_BUNDLE_MEMBERS_MAX,
} from '../command.ts';
import {bigintOfU64, bigintOfU128, hiOf, loOf, writeU128} from '../words.ts';
import {decodeClientCommand, decodeInternalCommand, writeExpire} from './command_decoder.ts';

const {NONE, BUFFER_TOO_SHORT, INVALID_COMMAND_TAG, INVALID_LAYOUT} = DECODE;

/** Total bytes of each client command, as documented; a bundle's is that of its header. */
const BYTES: Record<number, number> = {
  [COMMAND.CREATE_RESOURCE]: 49,
  [COMMAND.RESERVE]: 73,
  [COMMAND.CONFIRM]: 65,
  [COMMAND.RELEASE]: 65,
  [COMMAND.RESERVE_BUNDLE]: 59,
  [COMMAND.CONFIRM_FENCED]: 73,
  [COMMAND.RELEASE_FENCED]: 73,
  [COMMAND.REVOKE]: 49,
  [COMMAND.RECLAIM]: 49,
};
const TAGS = Object.keys(BYTES).map(Number);

/** `length` bytes that are all different from their neighbours, with a tag in its place. */
function payload(tag: number, length: number): Uint8Array {
  const bytes = Uint8Array.from({length}, (_, i) => (i * 37 + 11) & 0xff);
  if (length > 32) bytes[32] = tag;
  return bytes;
}

function bundle(count: number, members: number): Uint8Array {
  const bytes = payload(COMMAND.RESERVE_BUNDLE, BUNDLE_HEADER_BYTES + 16 * members);
  new DataView(bytes.buffer).setUint16(57, count, true);
  return bytes;
}

function decode(bytes: Uint8Array, registers: CommandRegisters = new CommandRegisters()): number {
  return decodeClientCommand(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length, registers);
}

describe('a client payload', () => {
  test('of every tag and length is what the layout says', () => {
    for (let tag = 0; tag < 256; tag++) {
      const whole = BYTES[tag];
      for (let length = 0; length <= 80; length++) {
        const registers = new CommandRegisters();
        const status = decode(
          tag === COMMAND.RESERVE_BUNDLE && length >= 59 ? bundle(0, 0).slice(0, length) : payload(tag, length),
          registers,
        );
        if (length < 33) expect(status).toBe(BUFFER_TOO_SHORT);
        else if (whole === undefined) expect([status, registers.tag]).toEqual([INVALID_COMMAND_TAG, tag]);
        else if (tag !== COMMAND.RESERVE_BUNDLE || length < 59) {
          expect(status).toBe(length === whole ? NONE : length < whole ? BUFFER_TOO_SHORT : INVALID_LAYOUT);
        }
      }
    }
  });

  test('of a bundle is as long as its count says', () => {
    for (let count = 0; count < 6; count++) {
      for (let members = 0; members < 6; members++) {
        expect(decode(bundle(count, members))).toBe(count === members ? NONE : INVALID_LAYOUT);
      }
      for (let cut = 1; cut < 16; cut++) {
        const bytes = bundle(count, count);
        const expected = bytes.length - cut < BUNDLE_HEADER_BYTES ? BUFFER_TOO_SHORT : INVALID_LAYOUT;
        expect(decode(bytes.slice(0, bytes.length - cut))).toBe(expected);
        expect(decode(Uint8Array.from([...bytes, ...payload(0, cut)]))).toBe(INVALID_LAYOUT);
      }
    }
    expect(decode(bundle(WIRE_BUNDLE_MEMBERS_MAX, 2))).toBe(INVALID_LAYOUT);
    expect(decode(bundle(WIRE_BUNDLE_MEMBERS_MAX, WIRE_BUNDLE_MEMBERS_MAX))).toBe(NONE);
    expect(decode(bundle(0, WIRE_BUNDLE_MEMBERS_MAX + 1))).toBe(INVALID_LAYOUT);
  });

  test('is read at its offset, field by field', () => {
    const registers = new CommandRegisters();
    const u128At = (bytes: Uint8Array, at: number): bigint => {
      const view = new DataView(bytes.buffer);
      return (view.getBigUint64(at + 8, true) << 64n) | view.getBigUint64(at, true);
    };
    for (const tag of TAGS) {
      const bytes = tag === COMMAND.RESERVE_BUNDLE ? bundle(3, 3) : payload(tag, BYTES[tag]);
      const frame = new Uint8Array(bytes.length + 40).fill(0xee);
      frame.set(bytes, 17);
      const view = new DataView(frame.buffer);
      expect(decodeClientCommand(view, 17, bytes.length, registers)).toBe(NONE);
      expect(registers.tag).toBe(tag);
      expect(registers.view).toBe(view);
      const words = registers.words;
      expect(bigintOfU128(words, REG.OPERATION)).toBe(u128At(bytes, 0));
      const isBundle = tag === COMMAND.RESERVE_BUNDLE;
      expect([registers.memberCount, registers.membersOffset]).toEqual(isBundle ? [3, 17 + 59] : [1, 17 + 33]);
      if (!isBundle) expect(bigintOfU128(words, REG.SUBJECT)).toBe(u128At(bytes, 33));
      if (isBundle) expect(bigintOfU128(words, REG.HOLDER)).toBe(u128At(bytes, 33));
      else if (bytes.length >= 65) expect(bigintOfU128(words, REG.HOLDER)).toBe(u128At(bytes, 49));
      if (bytes.length < 73) continue;
      const amount = new DataView(bytes.buffer).getBigUint64(isBundle ? 49 : 65, true);
      expect(bigintOfU64(words[REG.AMOUNT], words[REG.AMOUNT + 1])).toBe(amount);
    }
  });

  test('of arbitrary bytes never throws', () => {
    const registers = new CommandRegisters();
    const bytes = fc.oneof(
      fc.uint8Array({maxLength: 200}),
      fc.tuple(fc.constantFrom(...TAGS), fc.nat(200)).map(([tag, length]) => payload(tag, length)),
      fc.tuple(fc.nat(9), fc.nat(9)).map(([count, members]) => bundle(count, members)),
    );
    fc.assert(
      fc.property(bytes, fc.nat(60), (whole, cut) => {
        for (const part of [whole, whole.subarray(0, cut), whole.subarray(cut)]) {
          expect([NONE, BUFFER_TOO_SHORT, INVALID_COMMAND_TAG, INVALID_LAYOUT]).toContain(
            decodeClientCommand(new DataView(part.buffer, part.byteOffset, part.length), 0, part.length, registers),
          );
          const view = new DataView(part.buffer, part.byteOffset, part.length);
          decodeInternalCommand(view, 0, part.length, registers);
        }
      }),
      {numRuns: 1_000},
    );
  });
});

describe('an internal record', () => {
  test('is an expire and nothing else, of its exact length', () => {
    for (let tag = 0; tag < 256; tag++) {
      for (let length = 0; length <= 28; length++) {
        const bytes = new Uint8Array(length).fill(3);
        if (length > 0) bytes[0] = tag;
        const status = decodeInternalCommand(new DataView(bytes.buffer), 0, length, new CommandRegisters());
        if (length === 0) expect(status).toBe(BUFFER_TOO_SHORT);
        else if (tag !== COMMAND.EXPIRE) expect(status).toBe(INVALID_COMMAND_TAG);
        else {
          const whole = EXPIRE_BYTES;
          expect(status).toBe(length === whole ? NONE : length < whole ? BUFFER_TOO_SHORT : INVALID_LAYOUT);
        }
      }
    }
  });

  test('is read as it was written', () => {
    const u128 = fc.bigInt({min: 0n, max: 2n ** 128n - 1n});
    const u64 = fc.bigInt({min: 0n, max: 2n ** 64n - 1n});
    fc.assert(
      fc.property(u128, u64, fc.nat(20), (id, deadline, offset) => {
        const [words, registers] = [new Int32Array(6), new CommandRegisters()];
        writeU128(words, 2, id);
        const view = new DataView(new ArrayBuffer(offset + EXPIRE_BYTES));
        writeExpire(view, offset, words, 2, loOf(deadline), hiOf(deadline));
        expect(decodeInternalCommand(view, offset, EXPIRE_BYTES, registers)).toBe(NONE);
        expect(bigintOfU128(registers.words, REG.SUBJECT)).toBe(id);
        expect(bigintOfU64(registers.words[REG.AMOUNT], registers.words[REG.AMOUNT + 1])).toBe(deadline);
      }),
    );
  });
});
