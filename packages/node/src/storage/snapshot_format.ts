/**
 * Bytes of a snapshot file, format version 1: a header of 128 bytes, blocks of canonical records each under its own
 * checksum, and a trailer block. All integers are little-endian; records are 32-bit words as core defines them.
 *
 * header   magic (8) · version u32 · record format u32 · lsn u64 · slot u64 · watermark lsn u64 · configuration (16) ·
 *          counts of resources, reservations, operations u64 each · digest (16) · zeros · CRC-32C of all before it u32
 * block    section u32 · records u32 · bytes u32 · CRC-32C of these twelve bytes and the records u32 · the records
 * trailer  a block with section 0, no records, and the digest as its bytes
 *
 * A change here is a new version; a test hashes LAYOUT.
 */
import {RECORD_FORMAT} from '@allocdb/core';

export const SNAPSHOT_VERSION = 1;

/** "ALDBSNAP" as two little-endian words. */
export const MAGIC_LO = 0x42444c41;
export const MAGIC_HI = 0x50414e53;

export const HEADER = {
  MAGIC: 0,
  VERSION: 8,
  RECORD_FORMAT: 12,
  LSN: 16,
  SLOT: 24,
  WATERMARK: 32,
  CONFIGURATION: 40,
  RESOURCES: 56,
  RESERVATIONS: 64,
  OPERATIONS: 72,
  DIGEST: 80,
  CHECKSUM: 124,
  BYTES: 128,
} as const;

export const BLOCK = {SECTION: 0, RECORDS: 4, LENGTH: 8, CHECKSUM: 12, HEADER_BYTES: 16} as const;

/** Records' bytes of a block, unless a single record is larger. */
export const BLOCK_RECORD_BYTES: number = 64 * 1024;

/** Section of the block that ends the file. */
export const TRAILER_SECTION = 0;
export const DIGEST_BYTES = 16;

/** Everything that decides where a byte goes. */
export const LAYOUT: unknown = {
  SNAPSHOT_VERSION,
  MAGIC_LO,
  MAGIC_HI,
  HEADER,
  BLOCK,
  TRAILER_SECTION,
  DIGEST_BYTES,
  RECORD_FORMAT,
};

const NAME = /^snapshot-(\d{20})\.snap$/;

export function snapshotName(lsn: bigint): string {
  return `snapshot-${String(lsn).padStart(20, '0')}.snap`;
}

/** Lsn of a snapshot's file name, or null for any other name. */
export function lsnOfSnapshotName(name: string): bigint | null {
  const match = NAME.exec(name);
  return match === null ? null : BigInt(match[1] ?? '');
}

/** Largest words of one record under a bundle bound: what a block must at least have room for. */
export function blockWords(recordWordsMax: number): number {
  return Math.max(BLOCK_RECORD_BYTES / 4, recordWordsMax);
}
