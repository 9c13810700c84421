/**
 * Bytes to registers: what the machine reads. No allocation, every field at a fixed offset after one length check.
 *
 * Errors are found in the documented order: a header that is cut, an unknown tag (before its body is looked at), a body
 * that is cut, bytes that trail. A bundle's count is believed only after it matched the bytes that are present.
 */
import {
  BUNDLE_HEADER_BYTES,
  CLIENT_HEADER_BYTES,
  COMMAND,
  type CommandRegisters,
  DECODE,
  type DecodeStatus,
  EXPIRE_BYTES,
  REG,
} from '../command.ts';

const TAG_OFFSET = CLIENT_HEADER_BYTES;
const BODY_OFFSET = TAG_OFFSET + 1;

function readLanes(view: DataView, offset: number, words: Int32Array, at: number, lanes: number): void {
  for (let lane = 0; lane < lanes; lane++) words[at + lane] = view.getInt32(offset + 4 * lane, true);
}

function readU128(view: DataView, offset: number, words: Int32Array, at: number): void {
  words[at] = view.getInt32(offset, true);
  words[at + 1] = view.getInt32(offset + 4, true);
  words[at + 2] = view.getInt32(offset + 8, true);
  words[at + 3] = view.getInt32(offset + 12, true);
}

/** Bytes of the body of a client command of fixed size; 0 for a bundle, -1 for a tag that no client may use. */
export function bodyBytes(tag: number): number {
  switch (tag) {
    case COMMAND.CREATE_RESOURCE:
    case COMMAND.REVOKE:
    case COMMAND.RECLAIM:
      return 16;
    case COMMAND.CONFIRM:
    case COMMAND.RELEASE:
      return 32;
    case COMMAND.RESERVE:
    case COMMAND.CONFIRM_FENCED:
    case COMMAND.RELEASE_FENCED:
      return 40;
    case COMMAND.RESERVE_BUNDLE:
      return 0;
    default:
      return -1;
  }
}

/**
 * Decodes the client payload at `offset` into `registers`. On INVALID_COMMAND_TAG `registers.tag` holds the tag found;
 * on the other errors the registers hold leftovers. `view` must hold `length` bytes from `offset` on.
 */
export function decodeClientCommand(
  view: DataView,
  offset: number,
  length: number,
  registers: CommandRegisters,
): DecodeStatus {
  if (length < BODY_OFFSET) return DECODE.BUFFER_TOO_SHORT;
  const tag = view.getUint8(offset + TAG_OFFSET);
  registers.tag = tag;
  const body = bodyBytes(tag);
  if (body < 0) return DECODE.INVALID_COMMAND_TAG;
  const words = registers.words;
  const at = offset + BODY_OFFSET;
  if (body > 0) {
    if (length !== BODY_OFFSET + body) {
      return length < BODY_OFFSET + body ? DECODE.BUFFER_TOO_SHORT : DECODE.INVALID_LAYOUT;
    }
    readU128(view, at, words, REG.SUBJECT);
    if (body >= 32) readU128(view, at + 16, words, REG.HOLDER);
    if (body === 40) readLanes(view, at + 32, words, REG.AMOUNT, 2);
    registers.memberCount = 1;
    registers.membersOffset = at;
  } else {
    if (length < BUNDLE_HEADER_BYTES) return DECODE.BUFFER_TOO_SHORT;
    const count = view.getUint16(at + 24, true);
    if (16 * count !== length - BUNDLE_HEADER_BYTES) return DECODE.INVALID_LAYOUT;
    readU128(view, at, words, REG.HOLDER);
    readLanes(view, at + 16, words, REG.AMOUNT, 2);
    registers.memberCount = count;
    registers.membersOffset = at + 26;
  }
  readU128(view, offset, words, REG.OPERATION);
  registers.view = view;
  return DECODE.NONE;
}

/** Decodes an internal record (expire). Any other tag is INVALID_COMMAND_TAG: in a log that is corruption. */
export function decodeInternalCommand(
  view: DataView,
  offset: number,
  length: number,
  registers: CommandRegisters,
): DecodeStatus {
  if (length < 1) return DECODE.BUFFER_TOO_SHORT;
  registers.tag = view.getUint8(offset);
  if (registers.tag !== COMMAND.EXPIRE) return DECODE.INVALID_COMMAND_TAG;
  if (length !== EXPIRE_BYTES) return length < EXPIRE_BYTES ? DECODE.BUFFER_TOO_SHORT : DECODE.INVALID_LAYOUT;
  readU128(view, offset + 1, registers.words, REG.SUBJECT);
  readLanes(view, offset + 17, registers.words, REG.AMOUNT, 2);
  return DECODE.NONE;
}

/** Writes an internal expire record of EXPIRE_BYTES at `offset`; the four lanes of `id` begin at `id[at]`. */
export function writeExpire(
  view: DataView,
  offset: number,
  id: Int32Array,
  at: number,
  deadlineLo: number,
  deadlineHi: number,
): void {
  view.setUint8(offset, COMMAND.EXPIRE);
  for (let lane = 0; lane < 4; lane++) view.setInt32(offset + 1 + 4 * lane, id[at + lane], true);
  view.setInt32(offset + 17, deadlineLo, true);
  view.setInt32(offset + 21, deadlineHi, true);
}
