/**
 * The frames that concern a connection and not the database: hello, welcome, error. Each is told from requests and
 * responses by its first byte. Encoded and decoded without length prefix.
 *
 * A hello or welcome of another protocol version is decoded as far as its version and no further: what follows may have
 * another layout, and all that can be said is `unsupported_version`.
 */
import {checkNumber, setU64} from './bigint_lanes.ts';
import {CodecError} from './codec_error.ts';
import {
  CONNECTION_ERROR_NAMES,
  CONNECTION_FRAME,
  COUNT_MAX,
  type ConnectionErrorName,
  PROTOCOL_VERSION,
} from './constants.ts';
import {FieldReader, viewOf} from './field_reader.ts';
import {utf8Bytes, utf8Text} from './text.ts';

const U32_MAX = 0xffff_ffff;

/** 'ALDB', read little-endian. */
const MAGIC = 0x4244_4c41;

/** First frame of a client. The token is opaque bytes, empty without authentication. */
export interface Hello {
  version: number;
  token: Uint8Array;
}

/** First frame of a server that accepts the hello. */
export interface Welcome {
  version: number;
  /** The server's slot when this was sent. */
  currentSlot: bigint;
  /** Milliseconds that a slot lasts. */
  slotDurationMs: number;
  lastDurableLsn: bigint | null;
  /** Longest request frame that the server reads, without its length prefix. */
  maxFrameBytes: number;
  /** Most commands in a batch. */
  maxBatch: number;
}

/** Why a side ends the connection. `code` is one of CONNECTION_ERROR, or a number that this version does not know. */
export interface ConnectionError {
  code: number;
  text: string;
}

function expectTag(fields: FieldReader, tag: number): void {
  const found = fields.u8();
  if (found !== tag) throw new CodecError('invalid_request_tag', null, found);
}

/** Encodes a hello. Throws CodecError `length_too_large` for a token of more than 65,535 bytes. */
export function encodeHello(hello: Hello): Uint8Array {
  const tokenBytes = hello.token.byteLength;
  if (tokenBytes > COUNT_MAX) throw new CodecError('length_too_large', null, tokenBytes);
  const bytes = new Uint8Array(9 + tokenBytes);
  const view = viewOf(bytes);
  view.setUint8(0, CONNECTION_FRAME.HELLO);
  view.setUint32(1, MAGIC, true);
  view.setUint16(5, checkNumber(hello.version, COUNT_MAX, 'version'), true);
  view.setUint16(7, tokenBytes, true);
  bytes.set(hello.token, 9);
  return bytes;
}

/** Decodes a hello; of another version only `version` means anything. Throws CodecError for anything else (bad_magic). */
export function decodeHello(frame: Uint8Array): Hello {
  const fields = new FieldReader(viewOf(frame), 0, frame.byteLength);
  expectTag(fields, CONNECTION_FRAME.HELLO);
  if (fields.u32() !== MAGIC) throw new CodecError('invalid_layout');
  const version = fields.u16();
  if (version !== PROTOCOL_VERSION) return {version, token: new Uint8Array(0)};
  const token = fields.bytes(fields.u16());
  fields.finish();
  return {version, token};
}

/** Encodes a welcome. Throws RangeError when a field does not fit its width. */
export function encodeWelcome(welcome: Welcome): Uint8Array {
  const bytes = new Uint8Array(welcome.lastDurableLsn === null ? 22 : 30);
  const view = viewOf(bytes);
  view.setUint8(0, CONNECTION_FRAME.WELCOME);
  view.setUint16(1, checkNumber(welcome.version, COUNT_MAX, 'version'), true);
  let at = setU64(view, 3, welcome.currentSlot, 'currentSlot');
  view.setUint32(at, checkNumber(welcome.slotDurationMs, U32_MAX, 'slotDurationMs'), true);
  view.setUint8(at + 4, welcome.lastDurableLsn === null ? 0 : 1);
  at += 5;
  if (welcome.lastDurableLsn !== null) at = setU64(view, at, welcome.lastDurableLsn, 'lastDurableLsn');
  view.setUint32(at, checkNumber(welcome.maxFrameBytes, U32_MAX, 'maxFrameBytes'), true);
  view.setUint16(at + 4, checkNumber(welcome.maxBatch, COUNT_MAX, 'maxBatch'), true);
  return bytes;
}

/** Decodes a welcome; of another version only `version` means anything. Throws CodecError for anything else. */
export function decodeWelcome(frame: Uint8Array): Welcome {
  const fields = new FieldReader(viewOf(frame), 0, frame.byteLength);
  expectTag(fields, CONNECTION_FRAME.WELCOME);
  const version = fields.u16();
  if (version !== PROTOCOL_VERSION) {
    return {version, currentSlot: 0n, slotDurationMs: 0, lastDurableLsn: null, maxFrameBytes: 0, maxBatch: 0};
  }
  const welcome: Welcome = {
    version,
    currentSlot: fields.u64(),
    slotDurationMs: fields.u32(),
    lastDurableLsn: fields.opt64(),
    maxFrameBytes: fields.u32(),
    maxBatch: fields.u16(),
  };
  fields.finish();
  return welcome;
}

/** Encodes a connection error; the text takes the rest of the frame. */
export function encodeConnectionError(error: ConnectionError): Uint8Array {
  const text = utf8Bytes(error.text);
  const bytes = new Uint8Array(3 + text.byteLength);
  const view = viewOf(bytes);
  view.setUint8(0, CONNECTION_FRAME.ERROR);
  view.setUint16(1, checkNumber(error.code, COUNT_MAX, 'code'), true);
  bytes.set(text, 3);
  return bytes;
}

/** Decodes a connection error; malformed UTF-8 is replaced. Throws CodecError for anything else. */
export function decodeConnectionError(frame: Uint8Array): ConnectionError {
  const fields = new FieldReader(viewOf(frame), 0, frame.byteLength);
  expectTag(fields, CONNECTION_FRAME.ERROR);
  return {code: fields.u16(), text: utf8Text(fields.bytes(fields.left()))};
}

/** Name of a connection error's code, null for one that this version does not know. */
export function connectionErrorName(code: number): ConnectionErrorName | null {
  const name = CONNECTION_ERROR_NAMES[code];
  return name === undefined || name === '' ? null : name;
}
