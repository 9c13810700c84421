// Which lsns the disk really holds, judged from the bytes that are written and the calls that succeed, not from what the
// engine says: a frame counts once its file was synced after the last byte of it, and once that file's name was synced.
//
// Reads only the few fields of a frame that this needs (docs/storage.md). What a power cut would really leave is judged
// apart from this, by recovering a copy of the disk (`recovery.ts`).

export const FRAME_HEADER_BYTES = 48;
const DATA_FRAME = 1;
const MARKER_FRAME = 4;
const SEGMENT_MAGIC = 0x57424441;
const MAGIC = 0x464c4157;
export const RECORD_HEADER_BYTES = 16;
const SCOPE_BYTES = 20;
/** An lsn and the digest of the state there. */
const MARKER_BYTES = 24;
const KIND_OFFSET = 6;
const SCOPED = 2;
const CLIENT_RECORD = 1;

interface Frame {
  readonly lastLsn: bigint;
  readonly end: number;
  readonly hasClient: boolean;
  readonly hasInternal: boolean;
}

interface WatchedFile {
  isNamed: boolean;
  frame: Frame | null;
  writtenEnd: number;
  syncedLsn: bigint;
  /** It has its name, and the directory was not synced since. */
  isRenamed: boolean;
}

export class FrameWatch {
  /** Everything up to here survives a loss of power. */
  durableLsn = 0n;
  /** Last lsn of the newest frame whose writing has begun. */
  begunLsn = 0n;
  /** A segment was begun and no frame in it yet: which records the first is to have is not known. */
  isBeginning = false;
  /** Digests by the lsns of the snapshot markers whose writing has begun. */
  readonly markers: Map<bigint, bigint> = new Map();
  /** Bytes of all frames, as they were written. */
  bytes = 0;
  /** Told of each lsn through which the disk holds everything. */
  onReach: (lsn: bigint) => void = () => undefined;
  /** Told of each data frame whose writing begins, with the lsn of its last record. */
  onFrame: (lastLsn: bigint) => void = () => undefined;
  readonly #files: Map<string, WatchedFile> = new Map();

  /** Opening has recovered through this lsn. */
  startAt(lsn: bigint): void {
    this.begunLsn = lsn;
    this.#reach(lsn);
  }

  /** A write of the bytes from `offset` on is about to be made; however it fares, some of them may reach the disk. */
  begins(path: string, isNamed: boolean, from: Uint8Array, offset: number, position: number): void {
    const file = this.#file(path, isNamed);
    const magic = wordAt(from, offset);
    if (position === 0 && magic === SEGMENT_MAGIC) this.isBeginning = true;
    if (magic === MAGIC) {
      this.isBeginning = false;
      this.#noteMarker(from, offset);
    }
    const frame = frameAt(from, offset, position);
    if (frame === null) return;
    this.begunLsn = frame.lastLsn;
    file.frame = frame;
    file.writtenEnd = position;
    this.onFrame(frame.lastLsn);
  }

  /** So many bytes were taken at a position. */
  wrote(path: string, position: number, count: number): void {
    const file = this.#files.get(path);
    if (file === undefined || position !== file.writtenEnd) return;
    file.writtenEnd = position + count;
    this.bytes += count;
  }

  synced(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined || file.frame === null || file.writtenEnd < file.frame.end) return;
    file.syncedLsn = file.frame.lastLsn;
    if (file.isNamed) this.#reach(file.syncedLsn);
  }

  /** `to` is null where the file is no segment any more. */
  renamed(from: string, to: string | null): void {
    const file = this.#files.get(from);
    this.#files.delete(from);
    if (file === undefined || to === null) return;
    file.isRenamed = true;
    this.#files.set(to, file);
  }

  logDirSynced(): void {
    for (const file of this.#files.values()) {
      if (!file.isRenamed) continue;
      file.isRenamed = false;
      file.isNamed = true;
      this.#reach(file.syncedLsn);
    }
  }

  /** The frame that the next sync of this file would make durable. */
  pendingFrame(path: string): Pick<Frame, 'hasClient' | 'hasInternal'> | null {
    const file = this.#files.get(path);
    return file === undefined || file.frame === null || file.syncedLsn === file.frame.lastLsn ? null : file.frame;
  }

  #reach(lsn: bigint): void {
    if (lsn > this.durableLsn) this.durableLsn = lsn;
    this.onReach(lsn);
  }

  #noteMarker(bytes: Uint8Array, offset: number): void {
    if (offset + FRAME_HEADER_BYTES + MARKER_BYTES > bytes.length || bytes[offset + KIND_OFFSET] !== MARKER_FRAME)
      return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset + FRAME_HEADER_BYTES, MARKER_BYTES);
    const digest = (view.getBigUint64(16, true) << 64n) | view.getBigUint64(8, true);
    this.markers.set(view.getBigUint64(0, true), digest);
  }

  #file(path: string, isNamed: boolean): WatchedFile {
    let file = this.#files.get(path);
    if (file === undefined) {
      file = {isNamed, frame: null, writtenEnd: -1, syncedLsn: 0n, isRenamed: false};
      this.#files.set(path, file);
    }
    return file;
  }
}

function wordAt(bytes: Uint8Array, offset: number): number {
  if (offset + 4 > bytes.length) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + offset, 4).getUint32(0, true);
}

function frameAt(bytes: Uint8Array, offset: number, position: number): Frame | null {
  if (offset + FRAME_HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, bytes.length - offset);
  if (view.getUint32(0, true) !== MAGIC || view.getUint8(6) !== DATA_FRAME) return null;
  const records = view.getUint32(16, true);
  const end = FRAME_HEADER_BYTES + view.getUint32(20, true);
  let hasClient = false;
  let hasInternal = false;
  for (let at = FRAME_HEADER_BYTES; at + RECORD_HEADER_BYTES <= end; ) {
    if (view.getUint16(at, true) === CLIENT_RECORD) hasClient = true;
    else hasInternal = true;
    const scope = (view.getUint16(at + 2, true) & SCOPED) === 0 ? 0 : SCOPE_BYTES;
    at += RECORD_HEADER_BYTES + scope + view.getUint32(at + 4, true);
  }
  const lastLsn = view.getBigUint64(8, true) + BigInt(records) - 1n;
  return {lastLsn, end: position + end, hasClient, hasInternal};
}
