/**
 * Snapshots copied as files, from handles that were opened before anything else happens: a checkpoint may remove the name
 * meanwhile, not the file. Whether a snapshot is sound is not asked here; verification of the copy says so.
 */
import {type FileIo, joinPath, readFully, writeFullyAsync} from '@allocdb/wal';
import {snapshotName} from '../storage/snapshot_format.ts';

/** Read at once, while the event loop waits. */
const CHUNK_BYTES: number = 1 << 17;
/** Bytes after which the copy is synced, so that no single sync has much to write. */
const SYNC_BYTES: number = 4 << 20;

/** A snapshot that can be copied whatever becomes of its name. */
export interface OpenSnapshot {
  readonly lsn: bigint;
  readonly handle: number;
}

/** Opens the published snapshots of these lsns; close the handles. */
export function openSnapshots(io: FileIo, snapshotDir: string, lsns: readonly bigint[]): OpenSnapshot[] {
  const opened: OpenSnapshot[] = [];
  try {
    for (const lsn of lsns) {
      opened.push({lsn, handle: io.open(joinPath(snapshotDir, snapshotName(lsn)), 'read')});
    }
    return opened;
  } catch (error) {
    closeSnapshots(io, opened);
    throw error;
  }
}

/** Bytes of all of them. */
export function bytesOf(io: FileIo, snapshots: readonly OpenSnapshot[]): number {
  return snapshots.reduce((sum, {handle}) => sum + io.size(handle), 0);
}

export function closeSnapshots(io: FileIo, snapshots: readonly OpenSnapshot[]): void {
  for (const {handle} of snapshots) io.close(handle);
}

/**
 * Copies them into another directory, durably, names included. `pace` is waited for after each piece, with its bytes and
 * the milliseconds for which it kept the event loop.
 */
export async function copySnapshots(
  io: FileIo,
  snapshots: readonly OpenSnapshot[],
  into: string,
  pace: (bytes: number, busyMs: number) => Promise<void>,
): Promise<void> {
  for (const snapshot of snapshots) {
    const handle = io.open(joinPath(into, snapshotName(snapshot.lsn)), 'create');
    try {
      await copyContent(io, snapshot, handle, pace);
    } finally {
      io.close(handle);
    }
  }
  await io.syncDirAsync(into);
}

async function copyContent(
  io: FileIo,
  from: OpenSnapshot,
  into: number,
  pace: (bytes: number, busyMs: number) => Promise<void>,
): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = 0, synced = 0; ; ) {
    const begun = io.now();
    const count = readFully(io, from.handle, chunk, 0, chunk.length, at);
    const busyMs = io.now() - begun;
    if (count === 0) break;
    await writeFullyAsync(io, into, chunk, count, at);
    at += count;
    if (at - synced >= SYNC_BYTES) {
      await io.datasyncAsync(into);
      synced = at;
    }
    await pace(count, busyMs);
  }
  await io.datasyncAsync(into);
}
