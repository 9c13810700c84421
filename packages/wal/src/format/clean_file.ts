/**
 * The file `clean` beside the segments: written by a clean close, removed before an opening writes anything else.
 *
 * While it is there, a log that ends before its lsn is damaged, however plausible its tail looks. A file that does not
 * verify says nothing: the log's own seal still does.
 */

import {type FileIo, joinPath, readFully, writeFully} from '../file_io.ts';
import {crc32c} from './checksum.ts';
import {CLEAN, CLEAN_BYTES, CLEAN_MAGIC, FILE, FORMAT_VERSION, UUID_BYTES} from './format.ts';

export interface CleanFile {
  readonly uuid: Uint8Array;
  readonly lastLsn: bigint;
}

export function writeCleanFile(io: FileIo, dir: string, clean: CleanFile): void {
  const bytes = new Uint8Array(CLEAN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(CLEAN.MAGIC, CLEAN_MAGIC, true);
  view.setInt32(CLEAN.VERSION, FORMAT_VERSION, true);
  bytes.set(clean.uuid, CLEAN.UUID);
  view.setBigUint64(CLEAN.LAST_LSN, clean.lastLsn, true);
  view.setInt32(CLEAN.CHECKSUM, crc32c(bytes, 0, CLEAN.CHECKSUM, 0), true);
  const temporary = joinPath(dir, FILE.CLEAN_TEMPORARY);
  const handle = io.open(temporary, 'create');
  try {
    writeFully(io, handle, bytes, CLEAN_BYTES, 0);
    io.datasync(handle);
  } finally {
    io.close(handle);
  }
  io.rename(temporary, joinPath(dir, FILE.CLEAN));
  io.syncDir(dir);
}

/** What the file says; null where it is absent or does not verify. */
export function readCleanFile(io: FileIo, dir: string, names: readonly string[]): CleanFile | null {
  if (!names.includes(FILE.CLEAN)) return null;
  const bytes = new Uint8Array(CLEAN_BYTES);
  const handle = io.open(joinPath(dir, FILE.CLEAN), 'read');
  try {
    if (io.size(handle) !== CLEAN_BYTES || readFully(io, handle, bytes, 0, CLEAN_BYTES, 0) !== CLEAN_BYTES) return null;
  } finally {
    io.close(handle);
  }
  const view = new DataView(bytes.buffer);
  const verifies =
    view.getInt32(CLEAN.MAGIC, true) === CLEAN_MAGIC &&
    view.getInt32(CLEAN.VERSION, true) === FORMAT_VERSION &&
    view.getInt32(CLEAN.CHECKSUM, true) === crc32c(bytes, 0, CLEAN.CHECKSUM, 0);
  if (!verifies) return null;
  return {
    uuid: bytes.slice(CLEAN.UUID, CLEAN.UUID + UUID_BYTES),
    lastLsn: view.getBigUint64(CLEAN.LAST_LSN, true),
  };
}
