/**
 * One request frame, read into registers: what the engine's hot path uses. No allocation, no bigint, no exception; a
 * malformed frame is a number. Errors are found in wire order: a cut field, a bad presence byte, trailing bytes; of scans
 * see `noScan`.
 *
 * Payloads stay where they are and are not looked at: a payload that is no command is an answer of the engine, not a
 * codec error. A batch is walked to its end before it is accepted, so that executing its members needs no check.
 */
import {RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES} from '@allocdb/core';
import type {EnumKind} from './codec_error.ts';
import {CODEC, REQUEST} from './constants.ts';

const {BUFFER_TOO_SHORT, INVALID_LAYOUT, NONE, INVALID_ENUM_VALUE, INVALID_REQUEST_TAG} = CODEC;
const {SUBMIT, GET_RESOURCE, GET_RESERVATION, GET_LEASE, GET_METRICS, TICK_EXPIRATIONS, SUBMIT_BATCH} = REQUEST;
const {SCAN_RESOURCES, SCAN_RESERVATIONS} = REQUEST;

/** Where values stand in {@link RequestRegisters.words}: first lane of each, low lane first. */
export const REQUEST_LANES = {SLOT: 0, REQUIRED_LSN: 2, ID: 4, POSITION: 8} as const;
const {SLOT: REQUEST_LANES_SLOT, REQUIRED_LSN: REQUEST_LANES_REQUIRED_LSN, ID: REQUEST_LANES_ID} = REQUEST_LANES;
const {POSITION: REQUEST_LANES_POSITION} = REQUEST_LANES;

const RESOURCE_STATE_MAX = RESOURCE_STATE_NAMES.length - 1;
const RESERVATION_STATE_MAX = RESERVATION_STATE_NAMES.length - 1;
/** State, position and limit, with which a scan ends. */
const SCAN_END_BYTES = 11;

/**
 * One decoded request, reused. Fields that the request's tag does not use hold leftovers, except the required lsn,
 * which is 0 (no fence) whenever `hasRequiredLsn` is false.
 */
export class RequestRegisters {
  /** Lanes as {@link REQUEST_LANES} says: slot (2), required lsn (2), id of what is read or of a holder (4), position (2). */
  readonly words: Int32Array = new Int32Array(10);
  tag: number = 0;
  hasRequiredLsn: boolean = false;
  /** Of a submit: where its payload begins, in the view that was read, and how many bytes it has. */
  payloadOffset: number = 0;
  payloadLength: number = 0;
  /** Of a batch: how many members, and where the u32 length of the first one stands; its payload follows it. */
  batchCount: number = 0;
  batchOffset: number = 0;
  /** Of a scan: the state to show, 0 for any; the most to show, 0 for a whole page; whether the id names a holder. */
  state: number = 0;
  limit: number = 0;
  hasHolder: boolean = false;
  /** The offending byte after INVALID_ENUM_VALUE, with the set that it is not in, and after INVALID_REQUEST_TAG. */
  errorValue: number = 0;
  errorKind: EnumKind = 'optional_u64';
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

function enumError(registers: RequestRegisters, kind: EnumKind, value: number): number {
  registers.errorKind = kind;
  registers.errorValue = value;
  return INVALID_ENUM_VALUE;
}

/** The optional fence with which every read begins; of 9 bytes if `hasRequiredLsn` is set then, else of one. */
function readFence(view: DataView, offset: number, left: number, registers: RequestRegisters): number {
  if (left < 1) return BUFFER_TOO_SHORT;
  const presence = view.getUint8(offset);
  if (presence > 1) return enumError(registers, 'optional_u64', presence);
  if (left < 1 + 8 * presence) return BUFFER_TOO_SHORT;
  const words = registers.words;
  registers.hasRequiredLsn = presence === 1;
  if (presence === 1) {
    readLanes2(view, offset + 1, words, REQUEST_LANES_REQUIRED_LSN);
  } else {
    words[REQUEST_LANES_REQUIRED_LSN] = 0;
    words[REQUEST_LANES_REQUIRED_LSN + 1] = 0;
  }
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
  const error = readFence(view, offset, left, registers);
  if (error !== NONE) return error;
  const fenceBytes = registers.hasRequiredLsn ? 9 : 1;
  const need = fenceBytes + slotBytes + 16;
  if (left !== need) return sizeError(left, need);
  const words = registers.words;
  if (slotBytes > 0) readLanes2(view, offset + fenceBytes, words, REQUEST_LANES_SLOT);
  readLanes4(view, offset + fenceBytes + slotBytes, words, REQUEST_LANES_ID);
  return NONE;
}

/** Bytes of the optional value at `at`, presence byte and `width`; -1 where there is no presence byte. */
function optionalBytes(view: DataView, offset: number, left: number, at: number, width: number): number {
  if (at >= left) return -1;
  const presence = view.getUint8(offset + at);
  return presence > 1 ? -1 : 1 + width * presence;
}

/**
 * Scans came later than the other requests, and frames with their tags are in the conformance streams as what they were
 * then: frames of no request. So they stay, unless they have the very length of the scan that their presence bytes
 * announce; of those the state alone can be wrong.
 */
function noScan(registers: RequestRegisters): number {
  registers.errorValue = registers.tag;
  return INVALID_REQUEST_TAG;
}

/** A scan of resources: optional fence, then what every scan ends with. */
function readResourceScan(view: DataView, offset: number, left: number, registers: RequestRegisters): number {
  const fenceBytes = optionalBytes(view, offset, left, 0, 8);
  if (fenceBytes < 0 || left !== fenceBytes + SCAN_END_BYTES) return noScan(registers);
  readFence(view, offset, left, registers);
  registers.hasHolder = false;
  return readScanEnd(view, offset + fenceBytes, 'resource_state', RESOURCE_STATE_MAX, registers);
}

/** A scan of reservations: optional fence, slot, optional holder, then what every scan ends with. */
function readReservationScan(view: DataView, offset: number, left: number, registers: RequestRegisters): number {
  const slotAt = optionalBytes(view, offset, left, 0, 8);
  if (slotAt < 0) return noScan(registers);
  const holderAt = slotAt + 8;
  const holderBytes = optionalBytes(view, offset, left, holderAt, 16);
  if (holderBytes < 0 || left !== holderAt + holderBytes + SCAN_END_BYTES) return noScan(registers);
  const words = registers.words;
  readFence(view, offset, left, registers);
  readLanes2(view, offset + slotAt, words, REQUEST_LANES_SLOT);
  registers.hasHolder = holderBytes > 1;
  if (registers.hasHolder) readLanes4(view, offset + holderAt + 1, words, REQUEST_LANES_ID);
  const end = offset + holderAt + holderBytes;
  return readScanEnd(view, end, 'reservation_state', RESERVATION_STATE_MAX, registers);
}

/** State (0 for any), position and limit, which are there. */
function readScanEnd(
  view: DataView,
  offset: number,
  kind: EnumKind,
  stateMax: number,
  registers: RequestRegisters,
): number {
  const state = view.getUint8(offset);
  if (state > stateMax) return enumError(registers, kind, state);
  registers.state = state;
  readLanes2(view, offset + 1, registers.words, REQUEST_LANES_POSITION);
  registers.limit = view.getUint16(offset + 9, true);
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
    case SCAN_RESOURCES:
      return readResourceScan(view, body, left, registers);
    case SCAN_RESERVATIONS:
      return readReservationScan(view, body, left, registers);
    default:
      registers.errorValue = tag;
      return INVALID_REQUEST_TAG;
  }
}
