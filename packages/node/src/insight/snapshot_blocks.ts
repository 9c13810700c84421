/**
 * The blocks of a snapshot file one by one, each with the verdict of its checksum, also behind damage: for tools that
 * look into a snapshot. A block that does not verify is passed only if the next one verifies where this one would end;
 * the loader (storage/snapshot_loading.ts), which must believe every byte, stops at the first.
 *
 * Nothing is sized by a length that the file is too short for, or that no record can have.
 */
import {bigintOfU64, bigintOfU128, RECORD_FORMAT, RESERVATION_RECORD, WIRE_BUNDLE_MEMBERS_MAX} from '@allocdb/core';
import {crc32c, type FileIo, readFully} from '@allocdb/wal';
import {
  BLOCK,
  blockWords,
  DIGEST_BYTES,
  HEADER,
  MAGIC_HI,
  MAGIC_LO,
  SNAPSHOT_VERSION,
  TRAILER_SECTION,
} from '../storage/snapshot_format.ts';

/** Bytes of records in the largest block that any configuration allows. */
const RECORD_BYTES_MAX: number = 4 * blockWords(RESERVATION_RECORD.MEMBERS + 4 * WIRE_BUNDLE_MEMBERS_MAX);

/** What the header of a snapshot says. */
export interface SnapshotHeader {
  readonly version: number;
  readonly recordFormat: number;
  readonly lsn: bigint;
  readonly slot: bigint;
  /** Lsn of the newest retired reservation, 0 for none. */
  readonly retiredWatermark: bigint;
  /** Of the core configuration; 32 hex digits. */
  readonly configuration: string;
  readonly resources: bigint;
  readonly reservations: bigint;
  readonly operations: bigint;
  readonly digest: bigint;
}

/** A block; `words` are its records, valid until the next one. */
export interface SnapshotBlock {
  readonly offset: number;
  readonly section: number;
  readonly records: number;
  /** Bytes of the records. */
  readonly bytes: number;
  readonly words: Int32Array;
  readonly isIntact: boolean;
}

/** An open snapshot file. */
export class SnapshotBlocks {
  /** What is wrong with the header, or null; then the header is not null. */
  readonly headerProblem: string | null;
  readonly header: SnapshotHeader | null;
  readonly size: number;
  /** After the blocks were walked: why the walk ended before the trailer, or bytes are left behind it; else null. */
  endProblem: string | null = null;
  private readonly io: FileIo;
  private readonly handle: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  /** Opens a file; close it. Throws what the system throws. */
  constructor(io: FileIo, path: string) {
    this.io = io;
    this.handle = io.open(path, 'read');
    this.size = io.size(this.handle);
    const room = Math.min(RECORD_BYTES_MAX, Math.max(0, this.size - HEADER.BYTES));
    this.bytes = new Uint8Array(Math.max(HEADER.BYTES, BLOCK.HEADER_BYTES + room + (-room & 3)));
    this.view = new DataView(this.bytes.buffer);
    this.headerProblem = this.readHeader();
    this.header = this.headerProblem === null ? headerOf(this.view) : null;
  }

  close(): void {
    this.io.close(this.handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The blocks up to the trailer, which is one of them. */
  *blocks(): Generator<SnapshotBlock, void> {
    for (let at: number = HEADER.BYTES; ; ) {
      const block = at === this.size ? 'the file ends without an intact trailer' : this.blockAt(at);
      if (typeof block === 'string') {
        this.endProblem = block;
        return;
      }
      const end = at + BLOCK.HEADER_BYTES + block.bytes;
      const goesOn = block.isIntact || end === this.size || this.beginsBlock(end);
      // Looking at the next block has overwritten this one, which is not believed anyway.
      yield block;
      if (!goesOn) {
        this.endProblem = `where the block behind the one at ${at} begins is not known`;
        return;
      }
      if (block.isIntact && block.section === TRAILER_SECTION) {
        if (end !== this.size) this.endProblem = `${this.size - end} bytes follow the trailer`;
        return;
      }
      at = end;
    }
  }

  private readHeader(): string | null {
    const {io, handle, bytes, view} = this;
    if (readFully(io, handle, bytes, 0, HEADER.BYTES, 0) < HEADER.BYTES) return 'the header is cut';
    if (view.getInt32(HEADER.MAGIC, true) !== MAGIC_LO || view.getInt32(HEADER.MAGIC + 4, true) !== MAGIC_HI) {
      return 'the file does not begin as a snapshot';
    }
    if (crc32c(bytes, 0, HEADER.CHECKSUM, 0) !== view.getInt32(HEADER.CHECKSUM, true)) {
      return 'the header fails its checksum';
    }
    const [version, format] = [view.getUint32(HEADER.VERSION, true), view.getUint32(HEADER.RECORD_FORMAT, true)];
    if (version === SNAPSHOT_VERSION && format === RECORD_FORMAT) return null;
    return `it is of format version ${version}.${format}, this program reads ${SNAPSHOT_VERSION}.${RECORD_FORMAT}`;
  }

  private beginsBlock(at: number): boolean {
    const block = this.blockAt(at);
    return typeof block !== 'string' && block.isIntact;
  }

  /** Reads the block at a position, or says why none can be there. */
  private blockAt(at: number): SnapshotBlock | string {
    const {io, handle, bytes, view} = this;
    const cut = `the file ends at ${this.size}, where a block at ${at} should be`;
    if (at + BLOCK.HEADER_BYTES > this.size) return cut;
    if (readFully(io, handle, bytes, 0, BLOCK.HEADER_BYTES, at) < BLOCK.HEADER_BYTES) return cut;
    const length = view.getUint32(BLOCK.LENGTH, true);
    const end = at + BLOCK.HEADER_BYTES + length;
    if (length % 4 !== 0 || length > RECORD_BYTES_MAX || end > this.size) {
      return `the block at ${at} has an impossible length`;
    }
    const section = view.getUint32(BLOCK.SECTION, true);
    const records = view.getUint32(BLOCK.RECORDS, true);
    const read = readFully(io, handle, bytes, BLOCK.HEADER_BYTES, length, at + BLOCK.HEADER_BYTES);
    const head = crc32c(bytes, 0, BLOCK.CHECKSUM, 0);
    const checksum = crc32c(bytes, BLOCK.HEADER_BYTES, length, head);
    return {
      offset: at,
      section,
      records,
      bytes: length,
      words: new Int32Array(bytes.buffer, BLOCK.HEADER_BYTES, length / 4),
      isIntact: read === length && checksum === view.getInt32(BLOCK.CHECKSUM, true),
    };
  }
}

/** The digest that a trailer holds; null for one of another length. */
export function digestOfTrailer({words}: SnapshotBlock): bigint | null {
  return words.length === DIGEST_BYTES / 4 ? bigintOfU128(words, 0) : null;
}

function headerOf(view: DataView): SnapshotHeader {
  const u64 = (at: number): bigint => bigintOfU64(view.getInt32(at, true), view.getInt32(at + 4, true));
  const u128 = (at: number): bigint => (u64(at + 8) << 64n) | u64(at);
  return {
    version: view.getUint32(HEADER.VERSION, true),
    recordFormat: view.getUint32(HEADER.RECORD_FORMAT, true),
    lsn: u64(HEADER.LSN),
    slot: u64(HEADER.SLOT),
    retiredWatermark: u64(HEADER.WATERMARK),
    configuration: u128(HEADER.CONFIGURATION).toString(16).padStart(32, '0'),
    resources: u64(HEADER.RESOURCES),
    reservations: u64(HEADER.RESERVATIONS),
    operations: u64(HEADER.OPERATIONS),
    digest: u128(HEADER.DIGEST),
  };
}
