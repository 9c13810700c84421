/**
 * The segments of a log that is open for writing: the active one, rolling to the next, removing old ones.
 *
 * Invariant: a segment gets its name only after its header and its first frame were synced, and the name is synced
 * before anything in it counts as durable. So a crash leaves either no new segment or a whole one.
 * The last block of a segment is kept for a frame that proves the one before it (`canProve`).
 */

import {type FileIo, joinPath, writeFully} from '../file_io.ts';
import {roundUp, SEGMENT_HEADER_BYTES} from '../format/format.ts';
import {
  encodeSegmentHeader,
  firstLsnOf,
  type SegmentInfo,
  type SnapshotMarker,
  segmentName,
} from '../format/segment_header.ts';
import {type Lanes, toBigint} from '../format/words.ts';
import type {LogChain} from '../read/log_walker.ts';
import {PinSet} from '../read/pins.ts';
import type {SparePool} from './spare_pool.ts';

/** A segment being written: `offset` is where its next frame goes. */
export interface WritableSegment {
  readonly info: SegmentInfo;
  readonly handle: number;
  /** Where the file is until it is promoted; null for one that has its name. */
  readonly stagedPath: string | null;
  offset: number;
}

export interface SegmentWriterOptions {
  readonly io: FileIo;
  readonly dir: string;
  readonly segmentBytes: number;
  readonly blockBytes: number;
  readonly spares: SparePool;
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #header: Uint8Array = new Uint8Array(SEGMENT_HEADER_BYTES);
  readonly uuid: Uint8Array;
  /** In order; the last one is the active one. */
  readonly segments: SegmentInfo[];
  readonly pins: PinSet = new PinSet();
  #active: WritableSegment | null;
  /** Begun and not active yet. */
  #staged: WritableSegment | null = null;
  rolls = 0;

  constructor(
    options: SegmentWriterOptions,
    uuid: Uint8Array,
    segments: SegmentInfo[],
    active: WritableSegment | null,
  ) {
    this.#options = options;
    this.uuid = uuid;
    this.segments = segments;
    this.#active = active;
  }

  get active(): WritableSegment {
    return this.#active as WritableSegment;
  }

  /** Bytes that data frames and snapshot markers may still take of the active segment. */
  get freeBytes(): number {
    const {info, offset} = this.active;
    return (info.sizeBytes & -info.blockBytes) - offset - info.blockBytes;
  }

  /** The same of a segment that has just begun. */
  get freshBytes(): number {
    const {segmentBytes, blockBytes} = this.#options;
    return segmentBytes - SEGMENT_HEADER_BYTES - blockBytes;
  }

  /** What a reader may see now: everything that is durable. */
  chain(): LogChain {
    return {segments: [...this.segments], lastLimit: this.active.offset};
  }

  get canProve(): boolean {
    return this.freeBytes >= 0;
  }

  /** Size that `bytes` take in the active segment, or in the next one. */
  padded(bytes: number, inNext: boolean): number {
    return roundUp(bytes, inNext ? this.#options.blockBytes : this.active.info.blockBytes);
  }

  /** Writes the header of the next segment into a spare. Not synced: that comes with its first frame. */
  stageNext(first: Lanes, link: number, marker: SnapshotMarker | null): WritableSegment {
    const {io, blockBytes, segmentBytes, spares} = this.#options;
    const salt = new Uint8Array(4);
    io.randomFill(salt);
    const spare = spares.take();
    const before = this.segments.at(-1);
    const replaces = before !== undefined && first.equals(before.firstLo, before.firstHi);
    const info: SegmentInfo = {
      name: segmentName(toBigint(first.lo, first.hi)),
      sizeBytes: segmentBytes,
      blockBytes,
      uuid: this.uuid,
      ordinal: before === undefined ? 1n : replaces ? before.ordinal : before.ordinal + 1n,
      firstLo: first.lo,
      firstHi: first.hi,
      salt: new DataView(salt.buffer).getInt32(0, true),
      link,
      isRecycled: spare.isRecycled,
      marker,
    };
    this.#staged = {info, handle: spare.handle, stagedPath: spare.path, offset: SEGMENT_HEADER_BYTES};
    encodeSegmentHeader(this.#header, info);
    writeFully(io, spare.handle, this.#header, SEGMENT_HEADER_BYTES, 0);
    return this.#staged;
  }

  /**
   * Gives a synced segment its name and makes it the active one. Where the active segment holds no record, the new one
   * has the same name and takes its place.
   */
  promote(staged: WritableSegment): void {
    const {io, dir} = this.#options;
    io.rename(staged.stagedPath as string, joinPath(dir, staged.info.name));
    io.syncDir(dir);
    this.activate(staged);
  }

  /** The first half of `promote`, on the thread pool; `activate` is the other. */
  async nameAsync(staged: WritableSegment): Promise<void> {
    const {io, dir} = this.#options;
    await io.renameAsync(staged.stagedPath as string, joinPath(dir, staged.info.name));
    await io.syncDirAsync(dir);
  }

  activate(staged: WritableSegment): void {
    const {io} = this.#options;
    if (this.#active !== null) io.close(this.#active.handle);
    if (this.segments.at(-1)?.name === staged.info.name) this.segments.pop();
    this.segments.push(staged.info);
    this.#active = {...staged, stagedPath: null};
    this.#staged = null;
    this.rolls++;
  }

  /**
   * Gives up at most `limit` whole segments that hold only lsns below `lsn` and are not pinned, oldest first: their files
   * become spares while such are wanted, and are removed otherwise. Each is synced before the next, so that no crash
   * leaves a hole.
   */
  truncateBefore(lsn: bigint, limit: number): number {
    const {io, dir, spares} = this.#options;
    const {oldest: pinned} = this.pins;
    const keepFrom = pinned !== null && pinned < lsn ? pinned : lsn;
    let removed = 0;
    while (removed < limit && this.segments.length > 1) {
      const [oldest, next] = this.segments as [SegmentInfo, SegmentInfo];
      if (firstLsnOf(next) > keepFrom) break;
      this.pins.evictBelow(firstLsnOf(next));
      const path = joinPath(dir, oldest.name);
      const sparePath = spares.wants(oldest.sizeBytes) ? spares.recycle(path) : null;
      if (sparePath === null) io.unlink(path);
      io.syncDir(dir);
      this.segments.shift();
      if (sparePath !== null) spares.adopt(sparePath);
      removed++;
    }
    return removed;
  }

  release(): void {
    this.pins.end();
    for (const segment of [this.#active, this.#staged]) if (segment !== null) this.#options.io.close(segment.handle);
    this.#active = null;
    this.#staged = null;
  }
}
