/**
 * The header of a frame: one reused record to read it into, one function to write it.
 *
 * Nothing in a header is believed before its checksum held under the segment's salt and its block number named the
 * place it was read from. A body is believed after `bodyIsIntact`.
 */

import {crc32c} from './checksum.ts';
import {FORMAT_VERSION, FRAME, FRAME_HEADER_BYTES, FRAME_KIND, FRAME_MAGIC} from './format.ts';

export const HEAD = {NONE: 0, INTACT: 1, UNSUPPORTED: 2} as const;

/** A frame header in fields. For a data frame `lsn` is its first record's, for a control frame the last before it. */
export class FrameHead {
  kind = 0;
  lsnLo = 0;
  lsnHi = 0;
  records = 0;
  bodyBytes = 0;
  syncedLo = 0;
  syncedHi = 0;
  link = 0;
  bodyChecksum = 0;
  checksum = 0;
}

/** Reads the header at `at`; `block` is the number of the block it lies in. Returns one of `HEAD`. */
export function readFrameHead(
  out: FrameHead,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  block: number,
  salt: number,
): number {
  if (view.getInt32(at + FRAME.MAGIC, true) !== FRAME_MAGIC) return HEAD.NONE;
  const checksum = view.getInt32(at + FRAME.HEADER_CHECKSUM, true);
  if (checksum !== crc32c(bytes, at, FRAME.HEADER_CHECKSUM, salt)) return HEAD.NONE;
  if (view.getInt32(at + FRAME.BLOCK, true) !== block) return HEAD.NONE;
  out.kind = view.getUint8(at + FRAME.KIND);
  out.lsnLo = view.getInt32(at + FRAME.LSN, true);
  out.lsnHi = view.getInt32(at + FRAME.LSN + 4, true);
  out.records = view.getUint32(at + FRAME.RECORDS, true);
  out.bodyBytes = view.getUint32(at + FRAME.BODY_BYTES, true);
  out.syncedLo = view.getInt32(at + FRAME.SYNCED_LSN, true);
  out.syncedHi = view.getInt32(at + FRAME.SYNCED_LSN + 4, true);
  out.link = view.getInt32(at + FRAME.LINK, true);
  out.bodyChecksum = view.getInt32(at + FRAME.BODY_CHECKSUM, true);
  out.checksum = checksum;
  const isKnown =
    view.getUint16(at + FRAME.VERSION, true) === FORMAT_VERSION &&
    view.getUint8(at + FRAME.FLAGS) === 0 &&
    out.kind >= FRAME_KIND.DATA &&
    out.kind <= FRAME_KIND.SNAPSHOT;
  return isKnown ? HEAD.INTACT : HEAD.UNSUPPORTED;
}

/**
 * Writes header and checksums of the frame in bytes[0, frameBytes); the body is in place and padded with zeros.
 * Returns the header's checksum, which the next data frame links to.
 */
export function writeFrameHead(
  bytes: Uint8Array,
  view: DataView,
  frameBytes: number,
  head: FrameHead,
  block: number,
  salt: number,
): number {
  view.setInt32(FRAME.MAGIC, FRAME_MAGIC, true);
  view.setUint16(FRAME.VERSION, FORMAT_VERSION, true);
  view.setUint8(FRAME.KIND, head.kind);
  view.setUint8(FRAME.FLAGS, 0);
  view.setInt32(FRAME.LSN, head.lsnLo, true);
  view.setInt32(FRAME.LSN + 4, head.lsnHi, true);
  view.setUint32(FRAME.RECORDS, head.records, true);
  view.setUint32(FRAME.BODY_BYTES, head.bodyBytes, true);
  view.setInt32(FRAME.SYNCED_LSN, head.syncedLo, true);
  view.setInt32(FRAME.SYNCED_LSN + 4, head.syncedHi, true);
  view.setInt32(FRAME.LINK, head.link, true);
  view.setInt32(FRAME.BLOCK, block, true);
  const body = crc32c(bytes, FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, 0);
  view.setInt32(FRAME.BODY_CHECKSUM, body, true);
  const checksum = crc32c(bytes, 0, FRAME.HEADER_CHECKSUM, salt);
  view.setInt32(FRAME.HEADER_CHECKSUM, checksum, true);
  return checksum;
}

export function bodyIsIntact(head: FrameHead, bytes: Uint8Array, at: number, frameBytes: number): boolean {
  const body = crc32c(bytes, at + FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, 0);
  return body === head.bodyChecksum;
}
