/**
 * Writes a snapshot while the engine goes on: takes the state's cut at once, then copies it out block by block, each
 * block a slice of well under a millisecond between other work, synced every few MiB and paced, so that neither the
 * event loop nor the log's disk is held up. The file is written under a temporary name; `publish` gives it its own, once
 * the caller knows that the log is durable through the snapshot's lsn.
 */
import {type AllocDb, bigintOfU64, bigintOfU128, RECORD_FORMAT, SNAPSHOT_ORDER, SnapshotReader} from '@allocdb/core';
import {crc32c, type FileIo, joinPath, writeFullyAsync} from '@allocdb/wal';
import {coreFingerprint} from '../config.ts';
import {
  BLOCK,
  blockWords,
  DIGEST_BYTES,
  HEADER,
  MAGIC_HI,
  MAGIC_LO,
  SNAPSHOT_VERSION,
  snapshotName,
  TRAILER_SECTION,
} from './snapshot_format.ts';

/** Bytes after which the file is synced, so that no single sync has much to write. */
const SYNC_BYTES: number = 4 << 20;

/** What was written. */
export interface SnapshotInfo {
  readonly lsn: bigint;
  readonly digest: bigint;
  readonly bytes: number;
}

/**
 * Told after each block how many bytes it has, and for how many milliseconds copying it has kept the event loop; waits as
 * long as the allowed rates want.
 */
export type Pace = (bytes: number, busyMs: number) => Promise<void>;

export class SnapshotWriter {
  readonly lsn: bigint;
  private readonly io: FileIo;
  private readonly dir: string;
  private readonly reader: SnapshotReader;
  private readonly db: AllocDb;
  private readonly temporary: string;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private handle: number = -1;

  /** Takes the cut: the snapshot is of the state as it is now. */
  constructor(io: FileIo, dir: string, db: AllocDb) {
    this.io = io;
    this.dir = dir;
    this.db = db;
    this.reader = new SnapshotReader(db);
    const {position, recordWordsMax} = this.reader;
    this.lsn = bigintOfU64(position.lsnLo, position.lsnHi);
    this.temporary = `${snapshotName(this.lsn)}.tmp`;
    this.bytes = new Uint8Array(BLOCK.HEADER_BYTES + 4 * blockWords(recordWordsMax));
    this.view = new DataView(this.bytes.buffer);
    this.words = new Int32Array(this.bytes.buffer, BLOCK.HEADER_BYTES);
  }

  /** Copies the state out and syncs it. On failure the temporary file is removed and the error thrown. */
  async write(pace: Pace): Promise<SnapshotInfo> {
    const {io} = this;
    try {
      if (io.list(this.dir).includes(this.temporary)) io.unlink(joinPath(this.dir, this.temporary));
      this.handle = io.open(joinPath(this.dir, this.temporary), 'create');
      const bytes = await this.copy(pace);
      await io.datasyncAsync(this.handle);
      io.close(this.handle);
      this.handle = -1;
      return {lsn: this.lsn, digest: bigintOfU128(this.reader.digest.lanes, 0), bytes};
    } catch (error) {
      this.discard();
      throw error;
    } finally {
      this.reader.end();
    }
  }

  /** Gives the finished file its name, durably. */
  publish(): void {
    this.io.rename(joinPath(this.dir, this.temporary), joinPath(this.dir, snapshotName(this.lsn)));
    this.io.syncDir(this.dir);
  }

  private async copy(pace: Pace): Promise<number> {
    const {io, reader, words} = this;
    let at: number = HEADER.BYTES;
    let synced = at;
    for (const section of SNAPSHOT_ORDER) {
      for (;;) {
        const begun = io.now();
        const count = reader.read(section, words);
        if (count === 0) break;
        const length = this.sealBlock(section, reader.records, 4 * count);
        const busyMs = io.now() - begun;
        await writeFullyAsync(io, this.handle, this.bytes, length, at);
        at += length;
        if (at - synced >= SYNC_BYTES) {
          await io.datasyncAsync(this.handle);
          synced = at;
        }
        await pace(length, busyMs);
      }
    }
    for (let lane = 0; lane < 4; lane++) words[lane] = reader.digest.lanes[lane] ?? 0;
    const length = this.sealBlock(TRAILER_SECTION, 0, DIGEST_BYTES);
    await writeFullyAsync(io, this.handle, this.bytes, length, at);
    await this.writeHeader();
    return at + length;
  }

  /** Puts the header before the `length` bytes of records in the buffer; returns the bytes of both. */
  private sealBlock(section: number, records: number, length: number): number {
    const {view, bytes} = this;
    view.setUint32(BLOCK.SECTION, section, true);
    view.setUint32(BLOCK.RECORDS, records, true);
    view.setUint32(BLOCK.LENGTH, length, true);
    const head = crc32c(bytes, 0, BLOCK.CHECKSUM, 0);
    view.setInt32(BLOCK.CHECKSUM, crc32c(bytes, BLOCK.HEADER_BYTES, length, head), true);
    return BLOCK.HEADER_BYTES + length;
  }

  private async writeHeader(): Promise<void> {
    const {counts, position, digest} = this.reader;
    const header = new Uint8Array(HEADER.BYTES);
    const view = new DataView(header.buffer);
    const put64 = (at: number, lo: number, hi: number) => {
      view.setInt32(at, lo, true);
      view.setInt32(at + 4, hi, true);
    };
    put64(HEADER.MAGIC, MAGIC_LO, MAGIC_HI);
    view.setUint32(HEADER.VERSION, SNAPSHOT_VERSION, true);
    view.setUint32(HEADER.RECORD_FORMAT, RECORD_FORMAT, true);
    put64(HEADER.LSN, position.lsnLo, position.lsnHi);
    put64(HEADER.SLOT, position.slotLo, position.slotHi);
    put64(HEADER.WATERMARK, position.watermarkLo, position.watermarkHi);
    putLanes(view, HEADER.CONFIGURATION, coreFingerprint(this.db.config));
    put64(HEADER.RESOURCES, counts.resources, 0);
    put64(HEADER.RESERVATIONS, counts.reservations, 0);
    put64(HEADER.OPERATIONS, counts.operations, 0);
    putLanes(view, HEADER.DIGEST, digest.lanes);
    view.setInt32(HEADER.CHECKSUM, crc32c(header, 0, HEADER.CHECKSUM, 0), true);
    await writeFullyAsync(this.io, this.handle, header, header.length, 0);
  }

  private discard(): void {
    try {
      if (this.handle >= 0) this.io.close(this.handle);
      this.io.unlink(joinPath(this.dir, this.temporary));
    } catch {
      // The error that led here is the one to report; a temporary file is removed at the next opening.
    }
  }
}

function putLanes(view: DataView, at: number, lanes: Int32Array): void {
  for (let i = 0; i < lanes.length; i++) view.setInt32(at + 4 * i, lanes[i] ?? 0, true);
}
