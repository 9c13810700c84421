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

const {
  CREATE_RESOURCE,
  REVOKE,
  RECLAIM,
  CONFIRM,
  RELEASE,
  RESERVE,
  CONFIRM_FENCED,
  RELEASE_FENCED,
  RESERVE_BUNDLE,
  EXPIRE,
} = COMMAND;
const {BUFFER_TOO_SHORT, INVALID_COMMAND_TAG, INVALID_LAYOUT, NONE} = DECODE;
const {AMOUNT, SUBJECT, HOLDER, OPERATION} = REG;

const TAG_OFFSET = CLIENT_HEADER_BYTES;
const BODY_OFFSET = TAG_OFFSET + 1;

/** A u64, and two words of zero behind it: an amount ends the lanes of a command, which are hashed by four. */
function readAmount(view: DataView, offset: number, words: Int32Array): void {
  words[AMOUNT] = view.getInt32(offset, true);
  words[AMOUNT + 1] = view.getInt32(offset + 4, true);
  words[AMOUNT + 2] = 0;
  words[AMOUNT + 3] = 0;
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
    case CREATE_RESOURCE:
    case REVOKE:
    case RECLAIM:
      return 16;
    case CONFIRM:
    case RELEASE:
      return 32;
    case RESERVE:
    case CONFIRM_FENCED:
    case RELEASE_FENCED:
      return 40;
    case RESERVE_BUNDLE:
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
  if (length < BODY_OFFSET) return BUFFER_TOO_SHORT;
  const tag = view.getUint8(offset + TAG_OFFSET);
  registers.tag = tag;
  const body = bodyBytes(tag);
  if (body < 0) return INVALID_COMMAND_TAG;
  const words = registers.words;
  const at = offset + BODY_OFFSET;
  if (body > 0) {
    if (length !== BODY_OFFSET + body) {
      return length < BODY_OFFSET + body ? BUFFER_TOO_SHORT : INVALID_LAYOUT;
    }
    readU128(view, at, words, SUBJECT);
    if (body >= 32) readU128(view, at + 16, words, HOLDER);
    if (body === 40) readAmount(view, at + 32, words);
    registers.memberCount = 1;
    registers.membersOffset = at;
  } else {
    if (length < BUNDLE_HEADER_BYTES) return BUFFER_TOO_SHORT;
    const count = view.getUint16(at + 24, true);
    if (16 * count !== length - BUNDLE_HEADER_BYTES) return INVALID_LAYOUT;
    readU128(view, at, words, HOLDER);
    readAmount(view, at + 16, words);
    registers.memberCount = count;
    registers.membersOffset = at + 26;
  }
  readU128(view, offset, words, OPERATION);
  // To store an object has a price, and mostly it is the same one.
  if (registers.view !== view) registers.view = view;
  return NONE;
}

/** Decodes an internal record (expire). Any other tag is INVALID_COMMAND_TAG: in a log that is corruption. */
export function decodeInternalCommand(
  view: DataView,
  offset: number,
  length: number,
  registers: CommandRegisters,
): DecodeStatus {
  if (length < 1) return BUFFER_TOO_SHORT;
  registers.tag = view.getUint8(offset);
  if (registers.tag !== EXPIRE) return INVALID_COMMAND_TAG;
  if (length !== EXPIRE_BYTES) return length < EXPIRE_BYTES ? BUFFER_TOO_SHORT : INVALID_LAYOUT;
  readU128(view, offset + 1, registers.words, SUBJECT);
  readAmount(view, offset + 17, registers.words);
  return NONE;
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
  view.setUint8(offset, EXPIRE);
  for (let lane = 0; lane < 4; lane++) view.setInt32(offset + 1 + 4 * lane, id[at + lane], true);
  view.setInt32(offset + 17, deadlineLo, true);
  view.setInt32(offset + 21, deadlineHi, true);
}
