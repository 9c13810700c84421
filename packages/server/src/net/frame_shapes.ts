/**
 * What a connection tells from bytes as they lie there, before anybody decodes them: that a peer speaks TLS where nobody
 * does, and that a batch has more commands than are taken. Neither allocates for what is in order.
 */
import {CODEC, COUNT_MAX, REQUEST, RequestRegisters, readRequest} from '@allocdb/api';

const BATCH_HEADER_BYTES = 11;
const BATCH_COUNT_OFFSET = 9;

/** Longest hello: its fixed fields and the longest token. */
export const HELLO_BYTES_MAX: number = 9 + COUNT_MAX;

/** First byte of a TLS record that carries a handshake, the major version, and the least minor one since TLS 1.0. */
const TLS = {HANDSHAKE: 0x16, MAJOR: 3, MINOR_MIN: 1} as const;

/**
 * True when the first bytes of a connection begin a TLS handshake. Read as the length of a frame they are more than any
 * hello has, so that no hello is taken for one.
 */
export function isTlsHello(chunk: Uint8Array): boolean {
  const [first, major, minor] = chunk;
  return first === TLS.HANDSHAKE && major === TLS.MAJOR && minor !== undefined && minor >= TLS.MINOR_MIN;
}

/** True for a batch of more commands than allowed; one that cannot be decoded is another error. */
export function exceedsBatch(view: DataView, offset: number, length: number, maxBatch: number): boolean {
  if (length < BATCH_HEADER_BYTES || view.getUint16(offset + BATCH_COUNT_OFFSET, true) <= maxBatch) return false;
  return readRequest(view, offset, length, new RequestRegisters()) === CODEC.NONE;
}

/**
 * True for a scan. A connection takes nothing behind it before its page was answered: one page holds nobody up, but a few
 * bytes ask for one, and thousands that came together would.
 */
export function isScan(tag: number): boolean {
  return tag === REQUEST.SCAN_RESOURCES || tag === REQUEST.SCAN_RESERVATIONS;
}
