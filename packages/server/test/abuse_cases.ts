/**
 * Cases of abuse: what one connection says, as pieces that can be left out one by one, and how it says it. Most pieces are
 * frames with something done to them; so that a connection gets far, most of what is done leaves the frame one.
 *
 * A case is its seed: the same seed makes the same bytes. Not here: what a server has to answer, and the sending.
 */
import {encodeHello, PROTOCOL_VERSION, REQUEST} from '@allocdb/api';
import {Random} from '@allocdb/sim';
import {
  EXTREMES,
  FRAME_KINDS,
  type FrameKind,
  framed,
  frameOf,
  HARMLESS_KINDS,
  lengthFieldsOf,
  randomBytes,
  withLength,
} from './abuse_frames.ts';

const PREFIX = 4;
/** Where the payload of a submit begins, behind prefix, tag, slot and length. */
const PAYLOAD_AT: number = PREFIX + 13;
const PIECES_MAX = 40;

/** Bytes that belong together, and what they are. */
export interface Piece {
  readonly what: string;
  readonly bytes: Uint8Array;
  /** Whether it is no HTTP, where it should be. */
  readonly isBroken?: boolean;
}

/** What one connection says. */
export interface AbuseCase {
  readonly seed: bigint;
  readonly pieces: readonly Piece[];
  /** Where the stream is cut into writes, as parts of its length in percent. */
  readonly cuts: readonly number[];
  /** Whether it closes its side behind the last byte; else it waits for the server to end it, where that must. */
  readonly halfCloses: boolean;
}

/** Makes a case for somebody who is let in with this token; where `knowsReal`, reservations of others may be named. */
export function caseOf(seed: bigint, token: string, knowsReal: boolean): AbuseCase {
  const random = new Random(seed);
  const draw = (kinds: readonly FrameKind[]): Piece => {
    const kind = random.pickFrom(kinds) ?? 'get_metrics';
    return {what: kind, bytes: framed(frameOf(random, kind, knowsReal))};
  };
  const pieces: Piece[] = [];
  const hello = framed(encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)}));
  // One in twelve says something else first.
  if (!random.chance(8)) pieces.push({what: 'hello', bytes: hello});
  else if (random.chance(50)) pieces.push(broken(random, {what: 'hello', bytes: hello}, draw(FRAME_KINDS)));
  const count = random.between(1, PIECES_MAX);
  for (let i = 0; i < count; i++) {
    const dice = random.below(100);
    if (dice < 25) pieces.push(draw(HARMLESS_KINDS));
    else if (dice < 94) pieces.push(disguised(random, draw(HARMLESS_KINDS)));
    else if (dice < 95) pieces.push(draw(FRAME_KINDS));
    else pieces.push(broken(random, draw(FRAME_KINDS), draw(FRAME_KINDS)));
  }
  const cuts = Array.from({length: random.below(4)}, () => random.below(101)).sort((a, b) => a - b);
  return {seed, pieces, cuts, halfCloses: random.chance(50)};
}

/** The bytes of a case, in the order of its pieces. */
export function streamOf({pieces}: Pick<AbuseCase, 'pieces'>): Uint8Array {
  return Buffer.concat(pieces.map(({bytes}) => bytes));
}

function flipped(random: Random, bytes: Uint8Array, from: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  if (changed.length <= from) return changed;
  for (let left = random.between(1, 3); left > 0; left--) {
    const at = from + random.below(changed.length - from);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  }
  return changed;
}

/** Something wrong in what a frame carries, none of the frame's business: the connection goes on. */
function disguised(random: Random, {what, bytes}: Piece): Piece {
  if (bytes[PREFIX] !== REQUEST.SUBMIT) return {what: `${what}, id flipped`, bytes: flippedId(random, bytes)};
  const payload = bytes.subarray(PAYLOAD_AT);
  const how = random.pick(['flipped', 'cut', 'longer', 'random', 'tag', 'count'] as const);
  return {what: `${what}, payload ${how}`, bytes: submitOf(bytes, changedPayload(random, payload, how))};
}

function changedPayload(
  random: Random,
  payload: Uint8Array,
  how: 'flipped' | 'cut' | 'longer' | 'random' | 'tag' | 'count',
): Uint8Array {
  switch (how) {
    case 'flipped':
      return flipped(random, payload, 0);
    case 'cut':
      return payload.subarray(0, random.below(payload.length));
    case 'longer':
      return Buffer.concat([payload, randomBytes(random, random.between(1, 40))]);
    case 'random':
      return randomBytes(random, random.below(120));
    case 'tag': {
      const changed = Uint8Array.from(payload);
      changed[32] = random.below(256);
      return changed;
    }
    default: {
      const bundle = Buffer.concat([payload.subarray(0, 32), Uint8Array.of(16), randomBytes(random, 60)]);
      const count = random.pick([0, 1, 2, 0x8000, 0xffff]);
      return withLength(bundle, {at: 57, bytes: 2}, count);
    }
  }
}

/** A submit of this payload, with everything before it from another one. */
function submitOf(submit: Uint8Array, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.concat([submit.subarray(0, PAYLOAD_AT), payload]);
  bytes.writeUInt32LE(bytes.length - PREFIX, 0);
  bytes.writeUInt32LE(payload.length, PREFIX + 9);
  return bytes;
}

/** Flips bits of the last sixteen bytes of a read, which are its id; of a scan or a batch none. */
function flippedId(random: Random, bytes: Uint8Array): Uint8Array {
  const isLookup = [REQUEST.GET_RESOURCE, REQUEST.GET_RESERVATION, REQUEST.GET_LEASE].some(
    tag => tag === bytes[PREFIX],
  );
  return isLookup ? flipped(random, bytes, bytes.length - 16) : bytes;
}

/** Something wrong with the frame itself. */
function broken(random: Random, one: Piece, other: Piece): Piece {
  const {bytes} = one;
  const frame = bytes.subarray(PREFIX);
  const how = random.pick(['flipped', 'length', 'cut', 'cut short', 'twice', 'spliced', 'longer', 'random', 'noise']);
  const what = `${one.what}, ${how}`;
  switch (how) {
    case 'flipped':
      return {what, bytes: flipped(random, bytes, random.chance(20) ? 0 : PREFIX)};
    case 'length': {
      const field = random.pickFrom(lengthFieldsOf(bytes)) ?? {at: 0, bytes: 4};
      return {what, bytes: withLength(bytes, field, random.pickFrom(EXTREMES) ?? 0)};
    }
    case 'cut':
      return {what, bytes: framed(frame.subarray(0, random.below(frame.length)))};
    case 'cut short':
      return {what, bytes: bytes.subarray(0, random.below(bytes.length))};
    case 'twice':
      return {what, bytes: Buffer.concat([bytes, bytes])};
    case 'spliced': {
      const head = frame.subarray(0, random.below(frame.length + 1));
      const tail = other.bytes.subarray(PREFIX + random.below(other.bytes.length - PREFIX));
      return {what: `${what} with ${other.what}`, bytes: framed(Buffer.concat([head, tail]))};
    }
    case 'longer':
      return {what, bytes: framed(Buffer.concat([frame, randomBytes(random, random.between(1, 20))]))};
    case 'random':
      return {what, bytes: framed(randomBytes(random, random.below(200)))};
    default:
      return {what, bytes: randomBytes(random, random.between(1, 60))};
  }
}
