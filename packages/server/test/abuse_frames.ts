/**
 * Frames of abuse: one of every kind that there is, and what can be done to its bytes. A seed decides everything.
 *
 * Ids are drawn from two small sets that honest clients have nothing in common with: patterns that no change of a few bits
 * turns into an id that the server gives out, and the ids that it gives out, which are small numbers. Not here: what a
 * server has to say to it (`abuse_expected.ts`).
 */
import {
  CONNECTION_FRAME,
  encodeConnectionError,
  encodeFeedEnd,
  encodeHello,
  encodeRequest,
  encodeSubscribe,
  encodeWelcome,
  PROTOCOL_VERSION,
  REQUEST,
} from '@allocdb/api';
import {type Command, encodeClientRequest, joinFrames, type Random} from '@allocdb/sim';

const PREFIX = 4;
const PATTERN = 0xabba_abba_abba_abba_abba_abba_0000_0000n;
const OPERATIONS = 4096;
const NAMES = 48;
const RESERVATIONS = 4000;
/** What a length can be at its worst; cut to the width of its field. */
export const EXTREMES: readonly number[] = [0, 1, 0xffff, 0x8000_0000, 0xffff_ffff];

/** Where a length or a count stands in a frame behind its prefix, which is one itself. */
export interface LengthField {
  readonly at: number;
  readonly bytes: 2 | 4;
}

function patternId(random: Random): bigint {
  return PATTERN | BigInt(random.below(NAMES));
}

/** Of whom nothing is known: a pattern, or a number such as the server gives. */
function reservationId(random: Random, knowsReal: boolean): bigint {
  return knowsReal && random.chance(50) ? BigInt(1 + random.below(RESERVATIONS)) : patternId(random);
}

function commandOf(random: Random, kind: Command['kind'], knowsReal: boolean): Command {
  const id = {reservationId: reservationId(random, knowsReal)};
  const holderId = patternId(random);
  const ttlSlots = BigInt(random.between(1, 40));
  switch (kind) {
    case 'create_resource':
      return {kind, resourceId: patternId(random)};
    case 'reserve':
      return {kind, resourceId: patternId(random), holderId, ttlSlots};
    case 'reserve_bundle': {
      const resourceIds = Array.from({length: random.between(1, 4)}, () => patternId(random));
      return {kind, resourceIds, holderId, ttlSlots};
    }
    case 'confirm':
    case 'release':
      return {kind, ...id, holderId};
    case 'confirm_fenced':
    case 'release_fenced':
      return {kind, ...id, holderId, leaseEpoch: BigInt(random.between(1, 2))};
    default:
      return {kind, ...id};
  }
}

const COMMANDS = [
  'create_resource',
  'reserve',
  'reserve_bundle',
  'confirm',
  'confirm_fenced',
  'release',
  'release_fenced',
  'revoke',
  'reclaim',
] as const;

/** Every kind of frame, a client's and those that only a server says. */
export const FRAME_KINDS = [
  ...COMMANDS,
  'submit_batch',
  'get_resource',
  'get_reservation',
  'get_lease',
  'get_metrics',
  'scan_resources',
  'scan_reservations',
  'tick_expirations',
  'hello',
  'welcome',
  'subscribe',
  'change',
  'feed_end',
  'error',
] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Those that leave a connection open which everybody may use. */
export const HARMLESS_KINDS: readonly FrameKind[] = [
  'create_resource',
  'reserve',
  'reserve_bundle',
  'confirm',
  'confirm_fenced',
  'release',
  'release_fenced',
  'submit_batch',
  'get_resource',
  'get_reservation',
  'get_lease',
  'get_metrics',
  'scan_resources',
  'scan_reservations',
];

function payloadOf(random: Random, kind: Command['kind'], knowsReal: boolean): Uint8Array {
  const operationId = PATTERN | BigInt(random.below(OPERATIONS));
  return encodeClientRequest(operationId, PATTERN, commandOf(random, kind, knowsReal));
}

function fenceOf(random: Random): bigint | null {
  return random.chance(50) ? null : BigInt(random.below(RESERVATIONS));
}

/** A frame of this kind, without its prefix; where `knowsReal`, it may name reservations of others. */
export function frameOf(random: Random, kind: FrameKind, knowsReal: boolean): Uint8Array {
  // Never zeros in a row: spliced, they would be an id that the server gives out.
  const slot = PATTERN >> 64n;
  const scan = {requiredLsn: fenceOf(random), state: null, position: BigInt(random.below(64)), limit: random.below(9)};
  switch (kind) {
    case 'submit_batch': {
      const count = random.below(5);
      const payloads = Array.from({length: count}, () => payloadOf(random, random.pick(COMMANDS), knowsReal));
      return encodeRequest({type: kind, requestSlot: slot, payloads});
    }
    case 'get_resource':
      return encodeRequest({type: kind, requiredLsn: fenceOf(random), resourceId: patternId(random)});
    case 'get_reservation':
    case 'get_lease': {
      const read = {requiredLsn: fenceOf(random), currentSlot: slot, reservationId: reservationId(random, true)};
      return encodeRequest({type: kind, ...read});
    }
    case 'get_metrics':
    case 'tick_expirations':
      return encodeRequest({type: kind, currentWallClockSlot: slot});
    case 'scan_resources':
      return encodeRequest({type: kind, ...scan});
    case 'scan_reservations': {
      const holderId = random.chance(50) ? null : patternId(random);
      return encodeRequest({type: kind, ...scan, currentSlot: slot, holderId});
    }
    case 'hello':
      return encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(random.below(40)).fill(0x61)});
    case 'welcome':
      return encodeWelcome({
        version: PROTOCOL_VERSION,
        currentSlot: slot,
        slotDurationMs: 100,
        lastDurableLsn: fenceOf(random),
        maxFrameBytes: 1 << 20,
        maxBatch: 8192,
      });
    case 'subscribe':
      return encodeSubscribe(BigInt(random.pick([0, 1, 7, 2 ** 40])));
    case 'change':
      return Uint8Array.of(CONNECTION_FRAME.CHANGE, ...randomBytes(random, 40));
    case 'feed_end':
      return encodeFeedEnd({code: random.below(6), oldestLsn: slot});
    case 'error':
      return encodeConnectionError({code: random.below(14), text: 'no'});
    default:
      return encodeRequest({type: 'submit', requestSlot: slot, payload: payloadOf(random, kind, knowsReal)});
  }
}

export function randomBytes(random: Random, count: number): Uint8Array {
  return Uint8Array.from({length: count}, () => random.below(256));
}

/** A frame behind its prefix. */
export function framed(frame: Uint8Array): Uint8Array {
  return joinFrames([frame]);
}

/** Every field of a frame behind its prefix that says how long or how many something is. */
export function lengthFieldsOf(bytes: Uint8Array): LengthField[] {
  const fields: LengthField[] = [{at: 0, bytes: 4}];
  const tag = bytes[PREFIX];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tag === REQUEST.SUBMIT) {
    fields.push({at: PREFIX + 9, bytes: 4});
    // The count of a bundle, behind holder and ttl.
    if (bytes[PREFIX + 45] === 16 && bytes.length >= PREFIX + 72) fields.push({at: PREFIX + 70, bytes: 2});
  }
  if (tag === REQUEST.SUBMIT_BATCH) {
    fields.push({at: PREFIX + 9, bytes: 2});
    for (let at = PREFIX + 11; at + 4 <= bytes.length; at += 4 + view.getUint32(at, true)) fields.push({at, bytes: 4});
  }
  if (tag === REQUEST.SCAN_RESOURCES || tag === REQUEST.SCAN_RESERVATIONS) {
    fields.push({at: bytes.length - 2, bytes: 2});
  }
  if (tag === CONNECTION_FRAME.HELLO) fields.push({at: PREFIX + 7, bytes: 2});
  return fields;
}

/** The same bytes with another number in one of those fields. */
export function withLength(bytes: Uint8Array, field: LengthField, value: number): Uint8Array {
  // A slice of a Buffer is no copy.
  const changed = Uint8Array.from(bytes);
  const view = new DataView(changed.buffer);
  if (field.bytes === 2) view.setUint16(field.at, value & 0xffff, true);
  else view.setUint32(field.at, value >>> 0, true);
  return changed;
}
