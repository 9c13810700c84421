/**
 * One request frame, read into registers: what the engine's hot path uses. No allocation, no bigint, no exception; a
 * malformed frame is a number. Errors are found in wire order: a cut field, a bad presence byte, trailing bytes.
 *
 * Payloads stay where they are and are not looked at: a payload that is no command is an answer of the engine, not a
 * codec error. A batch is walked to its end before it is accepted, so that executing its members needs no check.
 */
import {CODEC, REQUEST} from './constants.ts';

const {BUFFER_TOO_SHORT, INVALID_LAYOUT, NONE, INVALID_ENUM_VALUE, INVALID_REQUEST_TAG} = CODEC;
const {SUBMIT, GET_RESOURCE, GET_RESERVATION, GET_LEASE, GET_METRICS, TICK_EXPIRATIONS, SUBMIT_BATCH} = REQUEST;

/** Where values stand in {@link RequestRegisters.words}: first lane of each, low lane first. */
export const REQUEST_LANES = {SLOT: 0, REQUIRED_LSN: 2, ID: 4} as const;
const {SLOT: REQUEST_LANES_SLOT, REQUIRED_LSN: REQUEST_LANES_REQUIRED_LSN, ID: REQUEST_LANES_ID} = REQUEST_LANES;

/**
 * One decoded request, reused. Fields that the request's tag does not use hold leftovers, except the required lsn,
 * which is 0 (no fence) whenever `hasRequiredLsn` is false.
 */
export class RequestRegisters {
  /** Lanes as {@link REQUEST_LANES} says: slot (2), required lsn (2), resource or reservation id (4). */
  readonly words: Int32Array = new Int32Array(8);
  tag: number = 0;
  hasRequiredLsn: boolean = false;
  /** Of a submit: where its payload begins, in the view that was read, and how many bytes it has. */
  payloadOffset: number = 0;
  payloadLength: number = 0;
  /** Of a batch: how many members, and where the u32 length of the first one stands; its payload follows it. */
  batchCount: number = 0;
  batchOffset: number = 0;
  /** The offending byte after INVALID_ENUM_VALUE (always a presence byte) and after INVALID_REQUEST_TAG. */
  errorValue: number = 0;
}

function readLanes2(view: DataView, offset: number, words: Int32Array, at: number): void {
  words[at] = view.getInt32(offset, true);
  words[at + 1] = view.getInt32(offset + 4, true);
}

function readLanes4(view: DataView, offset: number, words: Int32Array, at: number): void {
  words[at] = view.getInt32(offset, true);
  words[at + 1] = view.getInt32(offset + 4, true);
  words[at + 2] = view.getInt32(offset + 8, true);
  words[at + 3] = view.getInt32(offset + 12, true);
}

/** Too short or too long, once every field but the last fixed ones was accepted. */
function sizeError(left: number, need: number): number {
  return left < need ? BUFFER_TOO_SHORT : INVALID_LAYOUT;
}

function readSubmit(view: DataView, offset: number, left: number, registers: RequestRegisters): number {
  if (left < 12) return BUFFER_TOO_SHORT;
  const payloadLength = view.getUint32(offset + 8, true);
  if (left !== 12 + payloadLength) return sizeError(left, 12 + payloadLength);
  readLanes2(view, offset, registers.words, REQUEST_LANES_SLOT);
  registers.payloadOffset = offset + 12;
  registers.payloadLength = payloadLength;
  return NONE;
}

function readBatch(view: DataView, offset: number, left: number, registers: RequestRegisters): number {
  if (left < 10) return BUFFER_TOO_SHORT;
  const count = view.getUint16(offset + 8, true);
  let rest = left - 10;
  if (4 * count > rest) return INVALID_LAYOUT;
  let at = offset + 10;
  for (let i = 0; i < count; i++) {
    if (rest < 4) return BUFFER_TOO_SHORT;
    const size = 4 + view.getUint32(at, true);
    if (rest < size) return BUFFER_TOO_SHORT;
    rest -= size;
    at += size;
  }
  if (rest !== 0) return INVALID_LAYOUT;
  readLanes2(view, offset, registers.words, REQUEST_LANES_SLOT);
  registers.batchCount = count;
  registers.batchOffset = offset + 10;
  return NONE;
}

/** A read: optional fence, then `slotBytes` (0 or 8) of slot, then an id. */
function readLookup(
  view: DataView,
  offset: number,
  left: number,
  slotBytes: number,
  registers: RequestRegisters,
): number {
  if (left < 1) return BUFFER_TOO_SHORT;
  const presence = view.getUint8(offset);
  if (presence > 1) {
    registers.errorValue = presence;
    return INVALID_ENUM_VALUE;
  }
  const fenceBytes = 1 + 8 * presence;
  const need = fenceBytes + slotBytes + 16;
  if (left !== need) return sizeError(left, need);
  const words = registers.words;
  registers.hasRequiredLsn = presence === 1;
  if (presence === 1) {
    readLanes2(view, offset + 1, words, REQUEST_LANES_REQUIRED_LSN);
  } else {
    words[REQUEST_LANES_REQUIRED_LSN] = 0;
    words[REQUEST_LANES_REQUIRED_LSN + 1] = 0;
  }
  if (slotBytes > 0) readLanes2(view, offset + fenceBytes, words, REQUEST_LANES_SLOT);
  readLanes4(view, offset + fenceBytes + slotBytes, words, REQUEST_LANES_ID);
  return NONE;
}

/**
 * Reads the request of `length` bytes at `offset` (no length prefix) into `registers`; answers a CODEC number, NONE when
 * it is well formed. `view` must hold those bytes, and must not change while `payloadOffset` or `batchOffset` are used.
 */
export function readRequest(view: DataView, offset: number, length: number, registers: RequestRegisters): number {
  if (length < 1) return BUFFER_TOO_SHORT;
  const tag = view.getUint8(offset);
  const body = offset + 1;
  const left = length - 1;
  registers.tag = tag;
  switch (tag) {
    case SUBMIT:
      return readSubmit(view, body, left, registers);
    case GET_RESOURCE:
      return readLookup(view, body, left, 0, registers);
    case GET_RESERVATION:
    case GET_LEASE:
      return readLookup(view, body, left, 8, registers);
    case GET_METRICS:
    case TICK_EXPIRATIONS:
      if (left !== 8) return sizeError(left, 8);
      readLanes2(view, body, registers.words, REQUEST_LANES_SLOT);
      return NONE;
    case SUBMIT_BATCH:
      return readBatch(view, body, left, registers);
    default:
      registers.errorValue = tag;
      return INVALID_REQUEST_TAG;
  }
}
