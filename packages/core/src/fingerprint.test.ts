import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {encodeClientRequest} from './codec/command_codec.ts';
import {decodeClientCommand} from './codec/command_decoder.ts';
import {type ClientRequest, type Command, CommandRegisters, DECODE} from './command.ts';
import {fingerprint} from './fingerprint.ts';
import {Hash128} from './hash.ts';
import {U64_MAX, U128_MAX} from './words.ts';

function fingerprintOf(request: ClientRequest, offset: number = 0): string {
  const payload = encodeClientRequest(request);
  const bytes = new Uint8Array(offset + payload.length + 3);
  bytes.set(payload, offset);
  const registers = new CommandRegisters();
  // Leftovers of an earlier command must not count.
  registers.words.fill(0x5a5a5a5a);
  expect(decodeClientCommand(new DataView(bytes.buffer), offset, payload.length, registers)).toBe(DECODE.NONE);
  const hash = new Hash128();
  fingerprint(registers, hash);
  return Array.from(hash.lanes, lane => (lane >>> 0).toString(16).padStart(8, '0')).join(' ');
}

const of = (command: Command): string => fingerprintOf({operationId: 1n, clientId: 2n, command});
const id = 0x0123_4567_89ab_cdef_0011_2233_4455_6677n;

describe('the fingerprint of a command', () => {
  test('has these values for ever: they are stored', () => {
    const ttlSlots = 30n;
    expect(of({kind: 'create_resource', resourceId: id})).toMatchInlineSnapshot(
      `"73c99120 8bdc3ca6 de523174 f7bf2fe2"`,
    );
    expect(of({kind: 'reserve', resourceId: id, holderId: 7n, ttlSlots})).toMatchInlineSnapshot(
      `"6a6665eb 17d9bb21 50c7a131 0caa1c57"`,
    );
    expect(of({kind: 'confirm', reservationId: id, holderId: 7n})).toMatchInlineSnapshot(
      `"1feceda5 025c99e7 ba3bf1fd 9cbe3ff9"`,
    );
    expect(of({kind: 'release', reservationId: id, holderId: 7n})).toMatchInlineSnapshot(
      `"270d2e23 2bd3baa1 7ca8698a ad53e2c6"`,
    );
    expect(of({kind: 'reserve_bundle', resourceIds: [], holderId: 7n, ttlSlots})).toMatchInlineSnapshot(
      `"1e87d502 8c54ebe2 ae811f09 5ac7382d"`,
    );
    expect(of({kind: 'reserve_bundle', resourceIds: [id], holderId: 7n, ttlSlots})).toMatchInlineSnapshot(
      `"d96fd267 c7c01d52 2e99af2d 424de0f0"`,
    );
    expect(of({kind: 'reserve_bundle', resourceIds: [id, 1n, 2n], holderId: 7n, ttlSlots})).toMatchInlineSnapshot(
      `"0d8ac69f e4368574 b4dc11fa 9475c793"`,
    );
    expect(of({kind: 'confirm_fenced', reservationId: id, holderId: 7n, leaseEpoch: 1n})).toMatchInlineSnapshot(
      `"b426fa5c bd252382 ccc467e0 aa5c227b"`,
    );
    expect(of({kind: 'release_fenced', reservationId: id, holderId: 7n, leaseEpoch: 1n})).toMatchInlineSnapshot(
      `"7bda73f3 9fc90bea 76a1dcef cda1fdb8"`,
    );
    expect(of({kind: 'revoke', reservationId: id})).toMatchInlineSnapshot(`"ab672f19 39b87fbf 8a4d9148 439f35fc"`);
    expect(of({kind: 'reclaim', reservationId: id})).toMatchInlineSnapshot(`"0c4c2282 b7e8ce6a 9b5d9d63 f44a5fb0"`);
  });

  test('covers every field of the body and nothing else', () => {
    const u128 = fc.bigInt({min: 0n, max: U128_MAX});
    const u64 = fc.bigInt({min: 0n, max: U64_MAX});
    const ids = fc.array(u128, {maxLength: 5});
    const commands: fc.Arbitrary<Command> = fc.oneof(
      fc.record({kind: fc.constantFrom('create_resource' as const), resourceId: u128}),
      fc.record({kind: fc.constantFrom('reserve' as const), resourceId: u128, holderId: u128, ttlSlots: u64}),
      fc.record({kind: fc.constantFrom('reserve_bundle' as const), resourceIds: ids, holderId: u128, ttlSlots: u64}),
      fc.record({kind: fc.constantFrom('confirm' as const, 'release' as const), reservationId: u128, holderId: u128}),
      fc.record({
        kind: fc.constantFrom('confirm_fenced' as const, 'release_fenced' as const),
        reservationId: u128,
        holderId: u128,
        leaseEpoch: u64,
      }),
      fc.record({kind: fc.constantFrom('revoke' as const, 'reclaim' as const), reservationId: u128}),
    );
    fc.assert(
      fc.property(commands, u128, u128, fc.nat(9), fc.nat(), (command, operationId, clientId, offset, at) => {
        const first = of(command);
        expect(fingerprintOf({operationId, clientId, command}, offset)).toBe(first);
        const payload = encodeClientRequest({operationId, clientId, command});
        const body = 33 + (at % (payload.length - 33));
        const registers = new CommandRegisters();
        const changed = payload.with(body, payload[body] ^ 1);
        if (decodeClientCommand(new DataView(changed.buffer), 0, changed.length, registers) !== DECODE.NONE) return;
        const hash = new Hash128();
        fingerprint(registers, hash);
        const second = Array.from(hash.lanes, lane => (lane >>> 0).toString(16).padStart(8, '0')).join(' ');
        expect(second).not.toBe(first);
      }),
      {numRuns: 400},
    );
  });
});
