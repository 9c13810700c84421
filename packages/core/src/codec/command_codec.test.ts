import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type ClientRequest, type Command, DECODE} from '../command.ts';
import {U64_MAX, U128_MAX} from '../words.ts';
import {decodeClientRequest, encodeClientRequest} from './command_codec.ts';

const u64 = fc.oneof(fc.bigInt({min: 0n, max: U64_MAX}), fc.constantFrom(0n, 1n, U64_MAX));
const u128 = fc.oneof(fc.bigInt({min: 0n, max: U128_MAX}), fc.constantFrom(0n, 1n, U128_MAX, 1n << 64n));

const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({kind: fc.constant('create_resource' as const), resourceId: u128}),
  fc.record({kind: fc.constant('reserve' as const), resourceId: u128, holderId: u128, ttlSlots: u64}),
  fc.record({
    kind: fc.constant('reserve_bundle' as const),
    resourceIds: fc.array(u128, {maxLength: 12}),
    holderId: u128,
    ttlSlots: u64,
  }),
  fc.record({kind: fc.constantFrom('confirm' as const, 'release' as const), reservationId: u128, holderId: u128}),
  fc.record({
    kind: fc.constantFrom('confirm_fenced' as const, 'release_fenced' as const),
    reservationId: u128,
    holderId: u128,
    leaseEpoch: u64,
  }),
  fc.record({kind: fc.constantFrom('revoke' as const, 'reclaim' as const), reservationId: u128}),
);
const requests: fc.Arbitrary<ClientRequest> = fc.record({operationId: u128, clientId: u128, command: commands});

describe('a client request', () => {
  test('is decoded as it was encoded', () => {
    fc.assert(
      fc.property(requests, fc.nat(9), (request, shift) => {
        const bytes = encodeClientRequest(request);
        expect(decodeClientRequest(bytes)).toEqual(request);
        const shifted = new Uint8Array(bytes.length + shift);
        shifted.set(bytes, shift);
        expect(decodeClientRequest(shifted.subarray(shift))).toEqual(request);
      }),
      {numRuns: 300},
    );
  });

  test('has one encoding: what decodes encodes to the same bytes', () => {
    const [operationId, clientId] = [1n, 2n];
    const sample = encodeClientRequest({
      operationId,
      clientId,
      command: {kind: 'reserve_bundle', resourceIds: [3n, 4n], holderId: 5n, ttlSlots: 6n},
    });
    fc.assert(
      fc.property(fc.nat(sample.length - 1), fc.nat(255), fc.nat(sample.length), (at, byte, length) => {
        const bytes = sample.with(at, byte).slice(0, length);
        const decoded = decodeClientRequest(bytes);
        if ('command' in decoded) expect(encodeClientRequest(decoded)).toEqual(bytes);
        else expect(decoded.status).not.toBe(DECODE.NONE);
      }),
      {numRuns: 500},
    );
  });

  test('stands on the wire as documented', () => {
    const bytes = encodeClientRequest({
      operationId: 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100n,
      clientId: 0xffn,
      command: {kind: 'reserve', resourceId: 0xaan, holderId: 0xbbn, ttlSlots: 0x0102n},
    });
    const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
    const zeros = (count: number) => '00'.repeat(count);
    expect(hex).toBe(`000102030405060708090a0b0c0d0e0fff${zeros(15)}02aa${zeros(15)}bb${zeros(15)}0201${zeros(6)}`);
  });

  test('with a field that does not fit is refused by the name of the field', () => {
    const encode =
      (command: Command, ids: Partial<ClientRequest> = {}) =>
      () =>
        encodeClientRequest({operationId: 1n, clientId: 1n, command, ...ids});
    const create: Command = {kind: 'create_resource', resourceId: 1n};
    expect(encode(create, {operationId: -1n})).toThrow(RangeError);
    expect(encode(create, {operationId: U128_MAX + 1n})).toThrow('operationId');
    expect(encode(create, {clientId: U128_MAX + 1n})).toThrow('clientId');
    expect(encode({kind: 'create_resource', resourceId: -1n})).toThrow('resourceId');
    const fits = {resourceId: 1n, holderId: 1n, ttlSlots: 1n};
    expect(encode({kind: 'reserve', ...fits, ttlSlots: U64_MAX + 1n})).toThrow('ttlSlots');
    expect(encode({kind: 'reserve', ...fits, holderId: -1n})).toThrow('holderId');
    const bundle = {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 1n} as const;
    expect(encode({...bundle, resourceIds: [1n, -1n]})).toThrow('resourceIds');
    expect(encode({...bundle, resourceIds: new Array<bigint>(65_536).fill(1n)})).toThrow('resourceIds.length');
    expect(encode({...bundle, resourceIds: new Array<bigint>(65_535).fill(1n)})).not.toThrow();
    expect(encode({kind: 'revoke', reservationId: -1n})).toThrow('reservationId');
    const lease = {reservationId: 1n, holderId: 1n};
    expect(encode({kind: 'confirm_fenced', ...lease, leaseEpoch: U64_MAX + 1n})).toThrow('leaseEpoch');
  });

  test('that does not decode is answered with status and tag', () => {
    expect(decodeClientRequest(new Uint8Array(10))).toMatchObject({status: DECODE.BUFFER_TOO_SHORT});
    const expire = new Uint8Array(40);
    expire[32] = 5;
    expect(decodeClientRequest(expire)).toEqual({status: DECODE.INVALID_COMMAND_TAG, tag: 5});
  });
});
