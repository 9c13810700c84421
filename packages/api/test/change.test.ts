/**
 * Change frames, and the frames that begin and end a feed: what is written is read again for every kind of command and
 * every extreme, every cut and every trailing byte is refused, and so is whatever an engine cannot have logged. And the
 * facade over a transport that brings frames as the test says.
 */
import {encodeClientRequest, RESULT_NAMES, type ResultName, writeExpire} from '@allocdb/core';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  CHANGE_HEADER_MAX,
  CHANGE_ORIGIN,
  type Change,
  CONNECTION_FRAME,
  CodecError,
  type Command,
  clientIdFromBigint,
  decodeChange,
  decodeFeedEnd,
  decodeSubscribe,
  encodeFeedEnd,
  encodeSubscribe,
  FEED_END,
  holderIdFromBigint,
  operationIdFromBigint,
  putChangeHeader,
  reservationIdFromBigint,
  resourceIdFromBigint,
} from '../src/index.ts';
import {u64, u128} from './arbitraries.ts';

/** What stands in front of a payload, as numbers of any width. */
interface Head {
  lsn: bigint;
  slot: bigint;
  origin: number;
  resultCode: number;
  grant: {deadline: bigint; shard: bigint} | null;
}

const lanes = (value: bigint): [number, number] => [
  Number(BigInt.asIntN(32, value)),
  Number(BigInt.asIntN(32, value >> 32n)),
];

/** A frame as a feed writes it: the header in the middle of a dirty buffer, the payload behind it. */
function frameOf(head: Head, payload: Uint8Array, shift = 3): Uint8Array {
  const [lsnLo, lsnHi] = lanes(head.lsn);
  const [slotLo, slotHi] = lanes(head.slot);
  const [deadlineLo, deadlineHi] = lanes(head.grant?.deadline ?? 7n);
  const [shardLo, shardHi] = lanes(head.grant?.shard ?? 7n);
  const bytes = new Uint8Array(shift + CHANGE_HEADER_MAX + payload.length).fill(0xa5);
  const {origin, resultCode} = head;
  const grant = {granted: head.grant !== null, deadlineLo, deadlineHi, shardLo, shardHi};
  const stamp = {lsnLo, lsnHi, slotLo, slotHi};
  const end = putChangeHeader(new DataView(bytes.buffer), shift, {...stamp, origin, resultCode, ...grant});
  expect(end - shift).toBeLessThanOrEqual(CHANGE_HEADER_MAX);
  bytes.set(payload, end);
  return bytes.subarray(shift, end + payload.length);
}

function expireOf(reservation: bigint, deadline: bigint): Uint8Array {
  const bytes = new Uint8Array(25);
  const ids = Int32Array.of(...lanes(reservation), ...lanes(reservation >> 64n));
  writeExpire(new DataView(bytes.buffer), 0, ids, 0, ...lanes(deadline));
  return bytes;
}

const OK = RESULT_NAMES.indexOf('ok');
const CODES = RESULT_NAMES.map((_, code) => code);
const nameOf = (code: number): ResultName | null => (code === 0 ? null : (RESULT_NAMES[code] as ResultName));

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({kind: fc.constant('create_resource' as const), resourceId: u128}),
  fc.record({kind: fc.constant('reserve' as const), resourceId: u128, holderId: u128, ttlSlots: u64}),
  fc.record({
    kind: fc.constant('reserve_bundle' as const),
    resourceIds: fc.array(u128, {maxLength: 6}),
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

const isReserve = (kind: Command['kind']): boolean => kind === 'reserve' || kind === 'reserve_bundle';

/** The frame of a client's command and the change it stands for, which this works out by itself. */
const clientCase = fc
  .record({
    lsn: u64,
    slot: u64,
    code: fc.constantFrom(...CODES),
    deadline: u64,
    shard: u64,
    operation: u128,
    client: u128,
    command,
  })
  .map(({lsn, slot, code, deadline, shard, operation, client, command}) => {
    const grant = code === OK && isReserve(command.kind) ? {deadline, shard} : null;
    const payload = encodeClientRequest({operationId: operation, clientId: client, command});
    const frame = frameOf({lsn, slot, origin: CHANGE_ORIGIN.CLIENT, resultCode: code, grant}, payload);
    const lease = grant && {id: reservationIdFromBigint((shard << 64n) | lsn), deadlineSlot: deadline};
    const by = {operation: operationIdFromBigint(operation), client: clientIdFromBigint(client)};
    return {frame, change: {lsn, slot, result: nameOf(code), ...by, ...bodyOf(command, lease)}};
  });

function bodyOf(command: Command, lease: object | null): object {
  switch (command.kind) {
    case 'create_resource':
      return {kind: command.kind, resource: resourceIdFromBigint(command.resourceId)};
    case 'reserve':
    case 'reserve_bundle': {
      const ids = command.kind === 'reserve' ? [command.resourceId] : command.resourceIds;
      const {kind, ttlSlots} = command;
      return {
        kind,
        resources: ids.map(resourceIdFromBigint),
        holder: holderIdFromBigint(command.holderId),
        ttlSlots,
        lease,
      };
    }
    case 'revoke':
    case 'reclaim':
      return {kind: command.kind, reservation: reservationIdFromBigint(command.reservationId)};
    default: {
      const kind = command.kind.replace('_fenced', '');
      const epoch = 'leaseEpoch' in command ? command.leaseEpoch : null;
      const holder = holderIdFromBigint(command.holderId);
      return {kind, reservation: reservationIdFromBigint(command.reservationId), holder, epoch};
    }
  }
}

const expireCase = fc
  .record({lsn: u64, slot: u64, code: fc.constantFrom(...CODES), reservation: u128, deadline: u64})
  .map(({lsn, slot, code, reservation, deadline}) => ({
    frame: frameOf(
      {lsn, slot, origin: CHANGE_ORIGIN.INTERNAL, resultCode: code, grant: null},
      expireOf(reservation, deadline),
    ),
    change: {
      lsn,
      slot,
      result: nameOf(code),
      kind: 'expire',
      reservation: reservationIdFromBigint(reservation),
      deadlineSlot: deadline,
    },
  }));

function changeOrCodecError(frame: Uint8Array): Change | CodecError {
  try {
    return decodeChange(frame);
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

describe('a change frame', () => {
  test('is read as it was written, for every command, result and extreme', () => {
    fc.assert(
      fc.property(fc.oneof({weight: 6, arbitrary: clientCase}, expireCase), ({frame, change}) => {
        expect(decodeChange(frame)).toEqual(change);
      }),
      {numRuns: 2_000},
    );
  });

  test('with a byte less or more, wherever it is cut, is refused', () => {
    fc.assert(
      fc.property(fc.oneof({weight: 6, arbitrary: clientCase}, expireCase), ({frame}) => {
        for (let cut = 0; cut < frame.length; cut++) {
          expect(changeOrCodecError(frame.subarray(0, cut))).toBeInstanceOf(CodecError);
        }
        expect(changeOrCodecError(Uint8Array.of(...frame, 0))).toBeInstanceOf(CodecError);
      }),
      {numRuns: 300},
    );
  });

  test('that was changed anywhere is another change or a CodecError, never anything else', () => {
    const patches = fc.array(fc.tuple(fc.nat(), fc.integer({min: 0, max: 255})), {minLength: 1, maxLength: 3});
    fc.assert(
      fc.property(fc.oneof(clientCase, expireCase), patches, ({frame}, changes) => {
        const patched = frame.slice();
        for (const [at, byte] of changes) patched[at % frame.length] = byte;
        changeOrCodecError(patched);
      }),
      {numRuns: 4_000},
    );
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 140}), body => {
        changeOrCodecError(Uint8Array.of(CONNECTION_FRAME.CHANGE, ...body));
      }),
      {numRuns: 2_000},
    );
  });
});

describe('what no engine logs is refused', () => {
  const reserve = encodeClientRequest({
    operationId: 1n,
    clientId: 2n,
    command: {kind: 'reserve', resourceId: 3n, holderId: 4n, ttlSlots: 5n},
  });
  const revoke = encodeClientRequest({operationId: 1n, clientId: 2n, command: {kind: 'revoke', reservationId: 3n}});
  const grant = {deadline: 6n, shard: 7n};
  const client: Head = {lsn: 1n, slot: 1n, origin: CHANGE_ORIGIN.CLIENT, resultCode: OK, grant: null};
  const refused = (head: Partial<Head>, payload: Uint8Array): CodecError => {
    const found = changeOrCodecError(frameOf({...client, ...head}, payload));
    if (!(found instanceof CodecError)) throw new Error(`read as ${found.kind}`);
    return found;
  };

  test('another tag, an unknown result, an unknown origin', () => {
    expect(changeOrCodecError(frameOf({...client, grant}, reserve).with(0, 0xf2))).toMatchObject({
      code: 'invalid_response_tag',
      value: 0xf2,
    });
    for (const resultCode of [RESULT_NAMES.length, 255]) {
      const unknown = {code: 'invalid_enum_value', kind: 'result_code', value: resultCode};
      expect(refused({resultCode}, revoke)).toMatchObject(unknown);
    }
    for (const origin of [0, 3, 255]) expect(refused({origin}, revoke).code).toBe('invalid_layout');
  });

  test('a lease of a command that grants none, or that was not answered ok; a grant without a lease', () => {
    expect(refused({grant}, revoke).code).toBe('invalid_layout');
    for (const code of CODES) {
      if (code !== OK) expect(refused({grant, resultCode: code}, reserve).code).toBe('invalid_layout');
    }
    expect(refused({}, reserve).code).toBe('invalid_layout');
    const expire = expireOf(1n, 2n);
    expect(refused({origin: CHANGE_ORIGIN.INTERNAL, grant}, expire).code).toBe('invalid_layout');
  });

  test('half a lease', () => {
    const whole = frameOf({...client, grant}, reserve);
    // The presence of the deadline stands behind that of the id and the id itself.
    const half = Uint8Array.of(...whole.subarray(0, 36), 0, ...whole.subarray(45));
    expect(changeOrCodecError(half)).toMatchObject({code: 'invalid_layout'});
  });

  test('an internal command from a client, a client command from the engine, an unknown command', () => {
    expect(refused({}, expireOf(1n, 2n)).code).toBe('invalid_layout');
    expect(refused({origin: CHANGE_ORIGIN.INTERNAL}, revoke).code).toBe('invalid_layout');
    expect(refused({}, revoke.with(32, 99)).code).toBe('invalid_layout');
    expect(refused({origin: CHANGE_ORIGIN.INTERNAL}, expireOf(1n, 2n).with(0, 6)).code).toBe('invalid_layout');
  });
});

describe('the frames that begin and end a feed', () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

  test('their bytes', () => {
    expect(hex(encodeSubscribe(0x0102n))).toBe('f20201000000000000');
    expect(hex(encodeFeedEnd({code: FEED_END.ENGINE_HALTED, oldestLsn: 0x0a0bn}))).toBe('f403000b0a000000000000');
  });

  test('are read as written; every cut, a trailing byte and another tag are refused', () => {
    const code = fc.integer({min: 0, max: 0xffff});
    fc.assert(
      fc.property(u64, code, (lsn, endCode) => {
        const end = {code: endCode, oldestLsn: lsn};
        expect(decodeSubscribe(encodeSubscribe(lsn))).toBe(lsn);
        expect(decodeFeedEnd(encodeFeedEnd(end))).toEqual(end);
        const frames = [
          [encodeSubscribe(lsn), decodeSubscribe],
          [encodeFeedEnd(end), decodeFeedEnd],
        ] as const;
        for (const [frame, decode] of frames) {
          for (let cut = 0; cut < frame.length; cut++) {
            expect(() => decode(frame.subarray(0, cut))).toThrow(CodecError);
          }
          expect(() => decode(Uint8Array.of(...frame, 0))).toThrow(CodecError);
          expect(() => decode(frame.with(0, 0xf3))).toThrow(CodecError);
        }
      }),
    );
    for (const lsn of [-1n, 1n << 64n]) {
      expect(() => encodeSubscribe(lsn)).toThrow(RangeError);
      expect(() => encodeFeedEnd({code: 1, oldestLsn: lsn})).toThrow(RangeError);
    }
    for (const bad of [-1, 0.5, 65_536]) expect(() => encodeFeedEnd({code: bad, oldestLsn: 1n})).toThrow(RangeError);
  });
});
