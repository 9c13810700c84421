/**
 * The rules of access as data: that every tag has one, which one, and that frames as they lie in a chunk are judged by them
 * and by nothing else, whatever their bytes are.
 */
import {CODEC, COMMAND, CONNECTION_FRAME, encodeRequest, REQUEST, RequestRegisters, readRequest} from '@allocdb/api';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {ALLOWED, commandsIn, rankOf, refusedIn, refusedName} from '../src/access/frame_access.ts';
import {FrameGate} from '../src/access/frame_gate.ts';
import {Principal} from '../src/access/principal.ts';
import {RateLimiter} from '../src/access/rate_limiter.ts';
import {includesRole, ROLES, type Role} from '../src/access/roles.ts';
import {COMMAND_RULES, CONNECTION_FRAME_RULES, REQUEST_RULES, type Rule} from '../src/access/rules.ts';

/** Rules by the names of the tags; a tag without one stands out as undefined. */
function named(tags: Readonly<Record<string, number>>, rules: Readonly<Record<number, Rule>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(tags).map(([name, tag]) => [name, rules[tag]]));
}

describe('every tag has a rule, and there is none without a tag', () => {
  test('requests', () => {
    expect(named(REQUEST, REQUEST_RULES)).toEqual({
      SUBMIT: 'write',
      SUBMIT_BATCH: 'write',
      GET_RESOURCE: 'read',
      GET_RESERVATION: 'read',
      GET_LEASE: 'read',
      GET_METRICS: 'read',
      SCAN_RESOURCES: 'read',
      SCAN_RESERVATIONS: 'read',
      TICK_EXPIRATIONS: 'operate',
    });
    expect(Object.keys(REQUEST_RULES)).toHaveLength(Object.keys(REQUEST).length);
  });

  test('commands', () => {
    expect(named(COMMAND, COMMAND_RULES)).toEqual({
      CREATE_RESOURCE: 'write',
      RESERVE: 'write',
      CONFIRM: 'write',
      RELEASE: 'write',
      EXPIRE: 'nobody',
      RESERVE_BUNDLE: 'write',
      CONFIRM_FENCED: 'write',
      RELEASE_FENCED: 'write',
      REVOKE: 'operate',
      RECLAIM: 'operate',
    });
    expect(Object.keys(COMMAND_RULES)).toHaveLength(Object.keys(COMMAND).length);
  });

  test('frames of a connection', () => {
    expect(named(CONNECTION_FRAME, CONNECTION_FRAME_RULES)).toEqual({
      HELLO: 'public',
      SUBSCRIBE: 'read',
      WELCOME: 'nobody',
      CHANGE: 'nobody',
      FEED_END: 'nobody',
      ERROR: 'nobody',
    });
    expect(Object.keys(CONNECTION_FRAME_RULES)).toHaveLength(Object.keys(CONNECTION_FRAME).length);
  });
});

test('each role includes those before it', () => {
  expect(ROLES.map(held => ROLES.map(needed => includesRole(held, needed)))).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

const allows = (role: Role, rule: Rule | undefined): boolean =>
  rule !== undefined && rule !== 'nobody' && (rule === 'public' || includesRole(role, rule));

function refused(role: Role, frame: Uint8Array): number {
  // Somewhere in a larger chunk, so that nothing is read at the chunk's own beginning.
  const chunk = new Uint8Array(frame.length + 64).fill(0xee);
  chunk.set(frame, 40);
  return refusedIn(rankOf(role), new DataView(chunk.buffer, 8), 32, frame.length);
}

describe('a frame', () => {
  test('of every tag is judged by its rule, and of a tag without one refused', () => {
    const rules: Record<number, Rule> = {...REQUEST_RULES, ...CONNECTION_FRAME_RULES};
    for (const role of ROLES) {
      for (let tag = 0; tag < 256; tag++) {
        expect(refused(role, Uint8Array.of(tag)), `${role} ${tag}`).toBe(allows(role, rules[tag]) ? ALLOWED : tag);
      }
    }
  });

  test('with a command of every tag is judged by the rule of the command too', () => {
    for (const role of ['write', 'operate'] as const) {
      for (let tag = 0; tag < 256; tag++) {
        // Of some length, or only just long enough to have a tag.
        const payload = new Uint8Array(tag % 2 === 0 ? 33 : 49);
        payload[32] = tag;
        const answer = allows(role, COMMAND_RULES[tag]) ? ALLOWED : 256 + tag;
        expect(refused(role, encodeRequest({type: 'submit', requestSlot: 0n, payload}))).toBe(answer);
        const harmless = new Uint8Array(33);
        harmless[32] = COMMAND.CREATE_RESOURCE;
        const payloads = [harmless, new Uint8Array(3), payload, new Uint8Array(0)];
        expect(refused(role, encodeRequest({type: 'submit_batch', requestSlot: 0n, payloads}))).toBe(answer);
      }
    }
  });

  const payload = fc
    .tuple(fc.uint8Array({maxLength: 60}), fc.constantFrom(...Object.values(COMMAND), 0, 255))
    .map(([bytes, tag]) => {
      if (bytes.length > 32) bytes[32] = tag;
      return bytes;
    });
  const frame = fc.oneof(
    payload.map(bytes => encodeRequest({type: 'submit', requestSlot: 1n, payload: bytes})),
    fc.array(payload, {maxLength: 6}).map(payloads => encodeRequest({type: 'submit_batch', requestSlot: 1n, payloads})),
  );
  /** Cut, lengthened, or with a byte changed, mostly where lengths and counts stand. */
  const damage = fc.oneof(
    fc.record({cut: fc.integer({min: 0, max: 40})}),
    fc.record({at: fc.integer({min: 0, max: 30}), to: fc.constantFrom(0, 1, 2, 16, 33, 60, 255)}),
  );

  test('that passes has no forbidden command which could be executed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROLES), frame, fc.array(damage, {maxLength: 3}), (role, encoded, damages) => {
        let bytes = encoded;
        for (const each of damages) {
          if ('cut' in each) bytes = bytes.slice(0, Math.max(1, bytes.length - each.cut));
          else if (each.at < bytes.length) bytes[each.at] = each.to;
        }
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const registers = new RequestRegisters();
        const answer = refused(role, bytes);
        // What the decoder refuses is executed for nobody.
        if (readRequest(view, 0, bytes.length, registers) !== CODEC.NONE) return;
        expect(answer).toBe(expected(role, view, registers));
      }),
      {numRuns: 3000},
    );
  });

  test('takes as much of a rate as it has commands, and never nothing', () => {
    const taken = (bytes: Uint8Array): number => commandsIn(new DataView(bytes.buffer), 0, bytes.length);
    const batch = (count: number): Uint8Array =>
      encodeRequest({
        type: 'submit_batch',
        requestSlot: 0n,
        payloads: Array.from({length: count}, () => Uint8Array.of()),
      });
    expect([0, 1, 2, 8192].map(count => taken(batch(count)))).toEqual([1, 1, 2, 8192]);
    expect(taken(encodeRequest({type: 'get_metrics', currentWallClockSlot: 0xffff_ffffn}))).toBe(1);
    expect(taken(Uint8Array.of(REQUEST.SUBMIT_BATCH))).toBe(1);
  });
});

/** What must be answered for a well-formed frame, by what the decoder has found in it. */
function expected(role: Role, view: DataView, registers: RequestRegisters): number {
  const {tag, payloadOffset, payloadLength, batchOffset, batchCount} = registers;
  if (!allows(role, REQUEST_RULES[tag])) return tag;
  const payloads: [number, number][] = [];
  if (tag === REQUEST.SUBMIT) payloads.push([payloadOffset, payloadLength]);
  if (tag === REQUEST.SUBMIT_BATCH) {
    for (let i = 0, at = batchOffset; i < batchCount; i++) {
      const length = view.getUint32(at, true);
      payloads.push([at + 4, length]);
      at += 4 + length;
    }
  }
  for (const [offset, length] of payloads) {
    const command = length > 32 ? view.getUint8(offset + 32) : null;
    if (command !== null && !allows(role, COMMAND_RULES[command])) return 256 + command;
  }
  return ALLOWED;
}

test('what is refused has a name', () => {
  const names = [REQUEST.SUBMIT, CONNECTION_FRAME.SUBSCRIBE, 99, 256 + COMMAND.REVOKE, 256 + 77].map(refusedName);
  expect(names).toEqual(['submit', 'subscribe', 'request 99', 'revoke', 'command 77']);
});

test('who may do everything without a bound has no gate to pass', () => {
  const gateOf = (role: Role, rate: number | null): FrameGate | null =>
    FrameGate.of(new Principal('somebody', role, new RateLimiter(rate), 1));
  expect(gateOf('operate', null)).toBe(null);
  expect(gateOf('operate', 5)).not.toBe(null);
  expect(gateOf('write', null)).not.toBe(null);
  expect(gateOf('read', null)).not.toBe(null);
});
