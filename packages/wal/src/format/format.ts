/**
 * The bytes on disk, format version 1: every magic, offset, width and code. All integers are little-endian.
 *
 * A change here is a change of `FORMAT_VERSION`; a test hashes `LAYOUT` and fails otherwise.
 * A directory holds segments `wal-<first lsn, 20 digits>.seg`: one header block, then frames, each beginning on a
 * block boundary, then zeros, or what a recycled file held before. Every byte of a frame is covered by a checksum; that
 * of its header is seeded with the segment's salt and names its own block, so a copy of a frame elsewhere is no frame.
 *
 * Not here: how a damaged tail is judged (`read/frame_walker.ts`) and what the payload of a record means (the caller).
 */

export const FORMAT_VERSION = 1;

export const SEGMENT_HEADER_BYTES = 4096;

/** Offsets in the header block of a segment; `MARKER` is the last snapshot marker before it, lsn 0 where none is. */
export const SEGMENT = {
  MAGIC: 0,
  VERSION: 8,
  BLOCK_BYTES: 12,
  UUID: 16,
  ORDINAL: 32,
  FIRST_LSN: 40,
  SALT: 48,
  LINK: 52,
  FLAGS: 56,
  MARKER: 64,
  CHECKSUM: 4092,
} as const;

/** What stands behind the frames of a recycled segment are bytes of its earlier lives, under other salts. */
export const SEGMENT_FLAG = {RECYCLED: 1} as const;

export const UUID_BYTES = 16;

/** "ADBWALSG" and "WALF" as little-endian words. */
export const SEGMENT_MAGIC_LO = 0x57424441;
export const SEGMENT_MAGIC_HI = 0x47534c41;
export const FRAME_MAGIC = 0x464c4157;

/** Offsets in the header of a frame. `LSN` is the first record's, or for a control frame the last one before it. */
export const FRAME = {
  MAGIC: 0,
  VERSION: 4,
  KIND: 6,
  FLAGS: 7,
  LSN: 8,
  RECORDS: 16,
  BODY_BYTES: 20,
  SYNCED_LSN: 24,
  LINK: 32,
  BLOCK: 36,
  BODY_CHECKSUM: 40,
  HEADER_CHECKSUM: 44,
} as const;

export const FRAME_HEADER_BYTES = 48;

/** What a frame is. All but `DATA` are control frames: they take no lsn and are not linked to. */
export const FRAME_KIND = {DATA: 1, IDLE: 2, SEAL: 3, SNAPSHOT: 4} as const;

/** A snapshot marker: the lsn of the snapshot and the digest of the state there. */
export const MARKER = {LSN: 0, DIGEST: 8} as const;
export const MARKER_DIGEST_BYTES = 16;
export const MARKER_BYTES: number = MARKER.DIGEST + MARKER_DIGEST_BYTES;

/** Offsets in a record's header; the scope follows it when the flag says so, then the payload. */
export const RECORD = {TYPE: 0, FLAGS: 2, NOTE: 3, PAYLOAD_BYTES: 4, STAMP: 8} as const;
export const RECORD_HEADER_BYTES = 16;

/**
 * Flags of a record: a reader that does not know a required type must refuse; a scoped record carries a scope. The upper
 * byte of the field is the record's note, which is its owner's and means nothing to the log.
 */
export const RECORD_FLAG = {REQUIRED: 1, SCOPED: 2} as const;
export const RECORD_NOTE_SHIFT = 8;

/** The scope of a record: tenant u64, database u64, vshard u32. */
export const SCOPE = {TENANT: 0, DATABASE: 8, VSHARD: 16} as const;
export const SCOPE_BYTES = 20;

/** The file that a clean close leaves: the log ends at this lsn, and a log that ends earlier is damaged. */
export const CLEAN = {MAGIC: 0, VERSION: 4, UUID: 8, LAST_LSN: 24, CHECKSUM: 32} as const;
export const CLEAN_MAGIC = 0x4e4c4357;
export const CLEAN_BYTES = 36;

export const FILE = {
  SEGMENT_PREFIX: 'wal-',
  SEGMENT_SUFFIX: '.seg',
  SEGMENT_DIGITS: 20,
  SPARE_PREFIX: 'wal-spare-',
  SPARE_SUFFIX: '.tmp',
  LOCK: 'LOCK',
  CLEAN: 'clean',
  CLEAN_TEMPORARY: 'clean.tmp',
} as const;

export const BLOCK_BYTES_MIN = 512;
export const BLOCK_BYTES_MAX: number = SEGMENT_HEADER_BYTES;

/** Everything above that decides where a byte goes, for the test that guards `FORMAT_VERSION`. */
export const LAYOUT: unknown = {
  FORMAT_VERSION,
  SEGMENT_HEADER_BYTES,
  SEGMENT,
  SEGMENT_FLAG,
  UUID_BYTES,
  magics: [SEGMENT_MAGIC_LO, SEGMENT_MAGIC_HI, FRAME_MAGIC, CLEAN_MAGIC],
  FRAME,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  MARKER,
  MARKER_BYTES,
  RECORD,
  RECORD_HEADER_BYTES,
  RECORD_FLAG,
  SCOPE,
  SCOPE_BYTES,
  CLEAN,
  CLEAN_BYTES,
  FILE,
};

export function roundUp(bytes: number, blockBytes: number): number {
  return (bytes + blockBytes - 1) & -blockBytes;
}
