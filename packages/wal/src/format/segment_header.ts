/**
 * Names and header blocks of segments, written and checked.
 *
 * `SegmentInfo` is what a verified header says, beside the name and size of its file. A segment's header is written
 * after the frame before it was synced, so an intact header proves every lsn below its first.
 */

import {WalError} from '../errors.ts';
import {crc32c} from './checksum.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_BYTES_MIN,
  FILE,
  FORMAT_VERSION,
  MARKER,
  MARKER_BYTES,
  SEGMENT,
  SEGMENT_FLAG,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC_HI,
  SEGMENT_MAGIC_LO,
  UUID_BYTES,
} from './format.ts';
import {toBigint, U64_MAX} from './words.ts';

export interface SegmentInfo {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly uuid: Uint8Array;
  readonly ordinal: bigint;
  readonly firstLo: number;
  readonly firstHi: number;
  readonly salt: number;
  /** Header checksum of the last data frame before this segment. */
  readonly link: number;
  /** The file had another life: the bytes behind its frames are not zero. */
  readonly isRecycled: boolean;
  /** The last snapshot marker before this segment. */
  readonly marker: SnapshotMarker | null;
}

/** A snapshot of the user's state: through which lsn, and its digest. */
export interface SnapshotMarker {
  readonly lsn: bigint;
  readonly digest: Uint8Array;
}

const NAME_PATTERN: RegExp = /^wal-(\d{20})\.seg$/;

export function segmentName(firstLsn: bigint): string {
  return FILE.SEGMENT_PREFIX + firstLsn.toString().padStart(FILE.SEGMENT_DIGITS, '0') + FILE.SEGMENT_SUFFIX;
}

export function isSegmentName(name: string): boolean {
  return name.startsWith(FILE.SEGMENT_PREFIX) && name.endsWith(FILE.SEGMENT_SUFFIX);
}

export function isSpareName(name: string): boolean {
  return name.startsWith(FILE.SPARE_PREFIX) && name.endsWith(FILE.SPARE_SUFFIX);
}

/** The first lsn that a name promises, or null for a name that no segment of ours can have. */
export function firstLsnOfName(name: string): bigint | null {
  const digits = NAME_PATTERN.exec(name)?.[1];
  if (digits === undefined) return null;
  const first = BigInt(digits);
  return first >= 1n && first <= U64_MAX ? first : null;
}

export function encodeSegmentHeader(into: Uint8Array, info: SegmentInfo): void {
  into.fill(0, 0, SEGMENT_HEADER_BYTES);
  const view = new DataView(into.buffer, into.byteOffset, SEGMENT_HEADER_BYTES);
  view.setInt32(SEGMENT.MAGIC, SEGMENT_MAGIC_LO, true);
  view.setInt32(SEGMENT.MAGIC + 4, SEGMENT_MAGIC_HI, true);
  view.setInt32(SEGMENT.VERSION, FORMAT_VERSION, true);
  view.setInt32(SEGMENT.BLOCK_BYTES, info.blockBytes, true);
  into.set(info.uuid, SEGMENT.UUID);
  view.setBigUint64(SEGMENT.ORDINAL, info.ordinal, true);
  view.setInt32(SEGMENT.FIRST_LSN, info.firstLo, true);
  view.setInt32(SEGMENT.FIRST_LSN + 4, info.firstHi, true);
  view.setInt32(SEGMENT.SALT, info.salt, true);
  view.setInt32(SEGMENT.LINK, info.link, true);
  view.setInt32(SEGMENT.FLAGS, info.isRecycled ? SEGMENT_FLAG.RECYCLED : 0, true);
  if (info.marker !== null) encodeMarker(into, SEGMENT.MARKER, info.marker);
  view.setInt32(SEGMENT.CHECKSUM, crc32c(into, 0, SEGMENT.CHECKSUM, 0), true);
}

/** What the header block says, or null where it is no header of ours. Throws `unsupported_version` for a newer one. */
export function decodeSegmentHeader(block: Uint8Array, name: string, sizeBytes: number): SegmentInfo | null {
  if (block.length < SEGMENT_HEADER_BYTES) return null;
  const view = new DataView(block.buffer, block.byteOffset, SEGMENT_HEADER_BYTES);
  const magicFits =
    view.getInt32(SEGMENT.MAGIC, true) === SEGMENT_MAGIC_LO &&
    view.getInt32(SEGMENT.MAGIC + 4, true) === SEGMENT_MAGIC_HI;
  if (!magicFits) return null;
  if (view.getInt32(SEGMENT.CHECKSUM, true) !== crc32c(block, 0, SEGMENT.CHECKSUM, 0)) return null;
  const version = view.getUint32(SEGMENT.VERSION, true);
  const flags = view.getUint32(SEGMENT.FLAGS, true);
  if (version !== FORMAT_VERSION || (flags & ~SEGMENT_FLAG.RECYCLED) !== 0) {
    throw new WalError('unsupported_version', `cannot read format version ${version} with flags ${flags}`, {
      segment: name,
      offset: 0,
    });
  }
  const blockBytes = view.getUint32(SEGMENT.BLOCK_BYTES, true);
  if (!isBlockSize(blockBytes)) return null;
  return {
    name,
    sizeBytes,
    blockBytes,
    uuid: block.slice(SEGMENT.UUID, SEGMENT.UUID + UUID_BYTES),
    ordinal: view.getBigUint64(SEGMENT.ORDINAL, true),
    firstLo: view.getInt32(SEGMENT.FIRST_LSN, true),
    firstHi: view.getInt32(SEGMENT.FIRST_LSN + 4, true),
    salt: view.getInt32(SEGMENT.SALT, true),
    link: view.getInt32(SEGMENT.LINK, true),
    isRecycled: (flags & SEGMENT_FLAG.RECYCLED) !== 0,
    marker: decodeMarker(block, SEGMENT.MARKER),
  };
}

export function encodeMarker(into: Uint8Array, at: number, marker: SnapshotMarker): void {
  const view = new DataView(into.buffer, into.byteOffset + at, MARKER_BYTES);
  view.setBigUint64(MARKER.LSN, marker.lsn, true);
  into.set(marker.digest, at + MARKER.DIGEST);
}

export function decodeMarker(bytes: Uint8Array, at: number): SnapshotMarker | null {
  const lsn = new DataView(bytes.buffer, bytes.byteOffset + at, MARKER_BYTES).getBigUint64(MARKER.LSN, true);
  return lsn === 0n ? null : {lsn, digest: bytes.slice(at + MARKER.DIGEST, at + MARKER_BYTES)};
}

export function isBlockSize(blockBytes: number): boolean {
  const isPowerOfTwo = (blockBytes & (blockBytes - 1)) === 0;
  return isPowerOfTwo && blockBytes >= BLOCK_BYTES_MIN && blockBytes <= BLOCK_BYTES_MAX;
}

export function firstLsnOf(info: SegmentInfo): bigint {
  return toBigint(info.firstLo, info.firstHi);
}
