/**
 * Reads a snapshot file into a fresh AllocDb. Every byte is under a checksum and believed only after it; lengths and
 * counts are bounded by the configuration and by the bytes present before anything is sized by them. What is wrong is
 * returned as text: the caller decides whether an older snapshot will do.
 */
import {type AllocDb, RECORD_FORMAT, SECTION, SnapshotLoader, type SnapshotPosition} from '@allocdb/core';
import {crc32c, type FileIo, readFully} from '@allocdb/wal';
import {coreFingerprint} from '../config.ts';
import {OpenError} from '../errors.ts';
import {
  BLOCK,
  blockWords,
  DIGEST_BYTES,
  HEADER,
  MAGIC_HI,
  MAGIC_LO,
  SNAPSHOT_VERSION,
  TRAILER_SECTION,
} from './snapshot_format.ts';
import {runSteps, type Steps} from './steps.ts';

/**
 * Loads `path` into `db`, which must be freshly constructed and is unusable when this returns a problem. Throws OpenError
 * `unsupported_version` for an intact file of another format version: it is not damaged, and no older one stands in for it.
 */
export function loadSnapshot(io: FileIo, path: string, db: AllocDb): string | null {
  return runSteps(loadSnapshotSteps(io, path, db));
}

/** {@link loadSnapshot} in pieces of a block. */
export function* loadSnapshotSteps(io: FileIo, path: string, db: AllocDb): Steps<string | null> {
  const handle = io.open(path, 'read');
  try {
    return yield* new SnapshotFile(io, path, handle, db).load();
  } finally {
    io.close(handle);
  }
}

class SnapshotFile {
  private readonly io: FileIo;
  private readonly path: string;
  private readonly handle: number;
  private readonly db: AllocDb;
  private readonly size: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly words: Int32Array;

  constructor(io: FileIo, path: string, handle: number, db: AllocDb) {
    this.io = io;
    this.path = path;
    this.handle = handle;
    this.db = db;
    this.size = io.size(handle);
    this.bytes = new Uint8Array(BLOCK.HEADER_BYTES + 4 * blockWords(16 + 4 * db.config.maxBundleSize));
    this.view = new DataView(this.bytes.buffer);
    this.words = new Int32Array(this.bytes.buffer, BLOCK.HEADER_BYTES);
  }

  *load(): Steps<string | null> {
    const header = new Uint8Array(HEADER.BYTES);
    const read = readFully(this.io, this.handle, header, 0, HEADER.BYTES, 0);
    const view = new DataView(header.buffer);
    const problem = this.checkHeader(header, view, read);
    if (problem !== null) return problem;
    const loader = new SnapshotLoader(this.db, positionOf(view));
    return (yield* this.loadBlocks(loader, view)) ?? this.compareDigest(loader, view);
  }

  private checkHeader(header: Uint8Array, view: DataView, read: number): string | null {
    if (read < HEADER.BYTES) return 'the header is cut';
    if (view.getInt32(HEADER.MAGIC, true) !== MAGIC_LO || view.getInt32(HEADER.MAGIC + 4, true) !== MAGIC_HI) {
      return 'the file does not begin as a snapshot';
    }
    if (crc32c(header, 0, HEADER.CHECKSUM, 0) !== view.getInt32(HEADER.CHECKSUM, true)) {
      return 'the header fails its checksum';
    }
    const [version, format] = [view.getUint32(HEADER.VERSION, true), view.getUint32(HEADER.RECORD_FORMAT, true)];
    if (version !== SNAPSHOT_VERSION || format !== RECORD_FORMAT) {
      const [its, ours] = [`${version}.${format}`, `${SNAPSHOT_VERSION}.${RECORD_FORMAT}`];
      throw new OpenError(
        'unsupported_version',
        `${this.path} is of format version ${its}, this program reads ${ours}`,
      );
    }
    const configuration = coreFingerprint(this.db.config);
    const same = configuration.every((lane, i) => lane === view.getInt32(HEADER.CONFIGURATION + 4 * i, true));
    return same ? null : 'it was taken under another configuration';
  }

  private *loadBlocks(loader: SnapshotLoader, header: DataView): Steps<string | null> {
    const expected = new Map<number, bigint>([
      [SECTION.RESOURCES, header.getBigUint64(HEADER.RESOURCES, true)],
      [SECTION.RESERVATIONS, header.getBigUint64(HEADER.RESERVATIONS, true)],
      [SECTION.OPERATIONS, header.getBigUint64(HEADER.OPERATIONS, true)],
    ]);
    for (let at: number = HEADER.BYTES; ; ) {
      const length = this.readBlock(at);
      if (typeof length === 'string') return length;
      at += BLOCK.HEADER_BYTES + length;
      const section = this.view.getUint32(BLOCK.SECTION, true);
      const records = this.view.getUint32(BLOCK.RECORDS, true);
      if (section === TRAILER_SECTION) {
        if (at !== this.size) return 'bytes follow the trailer';
        return [...expected.values()].every(left => left === 0n) ? loader.finish() : 'records are missing';
      }
      const left = expected.get(section);
      if (left === undefined) return 'a block is of an unknown section';
      if (BigInt(records) > left) return 'there are more records than the header counts';
      expected.set(section, left - BigInt(records));
      const problem = loader.add(section, this.words, length / 4, records);
      if (problem !== null) return problem;
      yield;
    }
  }

  /** Reads and checks the block at a position; returns the bytes of its records, or what is wrong. */
  private readBlock(at: number): number | string {
    const {io, handle, bytes, view} = this;
    if (readFully(io, handle, bytes, 0, BLOCK.HEADER_BYTES, at) < BLOCK.HEADER_BYTES) return 'the file is cut';
    const length = view.getUint32(BLOCK.LENGTH, true);
    const end = BLOCK.HEADER_BYTES + length;
    if (length % 4 !== 0 || end > bytes.length || at + end > this.size) return 'a block has an impossible length';
    if (readFully(io, handle, bytes, BLOCK.HEADER_BYTES, length, at + BLOCK.HEADER_BYTES) < length) {
      return 'the file is cut';
    }
    const head = crc32c(bytes, 0, BLOCK.CHECKSUM, 0);
    const checksum = crc32c(bytes, BLOCK.HEADER_BYTES, length, head);
    return checksum === view.getInt32(BLOCK.CHECKSUM, true) ? length : 'a block fails its checksum';
  }

  private compareDigest(loader: SnapshotLoader, header: DataView): string | null {
    for (let lane = 0; lane < DIGEST_BYTES / 4; lane++) {
      const summed = loader.digest.lanes[lane];
      if (summed !== header.getInt32(HEADER.DIGEST + 4 * lane, true)) return 'its records do not give its digest';
      if (summed !== this.words[lane]) return 'its trailer does not give its digest';
    }
    return null;
  }
}

function positionOf(view: DataView): SnapshotPosition {
  return {
    lsnLo: view.getInt32(HEADER.LSN, true),
    lsnHi: view.getInt32(HEADER.LSN + 4, true),
    slotLo: view.getInt32(HEADER.SLOT, true),
    slotHi: view.getInt32(HEADER.SLOT + 4, true),
    watermarkLo: view.getInt32(HEADER.WATERMARK, true),
    watermarkHi: view.getInt32(HEADER.WATERMARK + 4, true),
  };
}
