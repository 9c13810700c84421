/**
 * A log copied into another directory, file by file, up to what was durable when the copy began.
 *
 * Invariant: the copy's `clean` file is written first and names its last lsn, so a copy that was cut short is refused by
 * every opening, never taken for a shorter log. The source may go on: its pinned segments only grow behind the copied end.
 */

import {endOfTurn} from '../end_of_turn.ts';
import {guardIo, ioError, WalError} from '../errors.ts';
import {type FileIo, joinPath, parentPath, readFully, writeFullyAsync} from '../file_io.ts';
import {writeCleanFile} from '../format/clean_file.ts';
import {FILE} from '../format/format.ts';
import type {SegmentInfo} from '../format/segment_header.ts';
import {nodeFileIo} from '../fs/node_file_io.ts';
import {READ_FRAME_BYTES} from '../log_options.ts';
import {lastLsnOf} from '../recovery/log_scan.ts';
import type {LogChain, LogWalkerOptions} from './log_walker.ts';
import {type ReadWalOptions, scanReadOnly, verifySteps, type WalReport} from './wal_reader.ts';

/** Read at once, while the event loop waits. */
const CHUNK_BYTES: number = 1 << 17;
/** Bytes after which the copy is synced, so that no single sync has much to write. */
const SYNC_BYTES: number = 4 << 20;
/** Frames that are verified before others get their turn, unless they take longer than a slice. */
const FRAMES_A_TURN = 64;
const SLICE_MS = 1;

export interface CopyWalOptions {
  /** Directory of the copy; created (one level) when it is not there, and empty otherwise. */
  readonly to: string;
  /** Default: that of the source. */
  readonly toIo?: FileIo;
  /** Stops the copy with its reason; what is there by then does not open. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (copiedBytes: number, totalBytes: number) => void;
  /** False where the caller holds a lock on the target or its parent. Default true. */
  readonly lock?: boolean;
  /**
   * Called after each piece of work with the bytes it wrote and the milliseconds for which it kept the event loop; the
   * copy goes on when this resolves. Default: pieces follow each other, and verification gives others their turns.
   */
  readonly pace?: (bytes: number, busyMs: number) => Promise<void>;
}

export interface CopySource extends LogWalkerOptions {
  readonly uuid: Uint8Array;
  readonly lastLsn: bigint;
  readonly chain: LogChain;
  /** Throws when the source is gone. */
  readonly check: () => void;
}

/**
 * Copies a log that nobody is writing (`Wal.copyTo` is for one that is open). The copy opens like a cleanly closed log with
 * the same id. When this resolves it is durable and every frame and record of it has been verified.
 *
 * Throws what `verifyWal` throws of the source or the copy, `not_empty` for a target with files in it, `locked`,
 * `missing_log` where there is nothing to copy, `io`, or the signal's reason.
 */
export async function copyWal(source: ReadWalOptions, options: CopyWalOptions): Promise<WalReport> {
  const {dir, io = nodeFileIo, maxReadFrameBytes = READ_FRAME_BYTES} = source;
  const scan = scanReadOnly(source);
  if (scan.tail === null) throw new WalError('missing_log', `no log is in ${dir}`);
  const {segment, endOffset} = scan.tail;
  const chain = {segments: scan.list.segments, lastLimit: endOffset};
  const check = (): void => {};
  const from = {io, dir, maxReadFrameBytes, chain, uuid: segment.uuid, lastLsn: lastLsnOf(scan), check};
  return await copySegments(from, options);
}

export async function copySegments(source: CopySource, options: CopyWalOptions): Promise<WalReport> {
  const {to, toIo = source.io, signal} = options;
  signal?.throwIfAborted();
  guardIo(`creating ${to}`, () => {
    if (toIo.makeDir(to)) toIo.syncDir(parentPath(to));
  });
  const lock = options.lock === false ? null : guardIo(`locking ${to}`, () => toIo.lock(to));
  try {
    const others = guardIo(`listing ${to}`, () => toIo.list(to)).filter(name => name !== FILE.LOCK);
    if (others.length > 0) throw new WalError('not_empty', `${to} holds other files`, {evidence: `${others[0]}`});
    guardIo('marking the copy', () => writeCleanFile(toIo, to, source));
    const progress = new Progress(source, options);
    for (const segment of source.chain.segments) await new SegmentCopy(source, segment, options, progress).run();
    await syncCopy(toIo, to);
    return await verifyInTurns({dir: to, io: toIo, maxReadFrameBytes: source.maxReadFrameBytes}, progress);
  } finally {
    lock?.release();
  }
}

async function syncCopy(io: FileIo, dir: string): Promise<void> {
  try {
    await io.syncDirAsync(dir);
  } catch (error) {
    throw ioError('syncing the copy', error);
  }
}

class Progress {
  readonly #source: CopySource;
  readonly #options: CopyWalOptions;
  readonly #totalBytes: number;
  #copiedBytes = 0;

  constructor(source: CopySource, options: CopyWalOptions) {
    this.#source = source;
    this.#options = options;
    this.#totalBytes = source.chain.segments.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0);
  }

  /** Between two steps: whether to go on. */
  check(): void {
    this.#options.signal?.throwIfAborted();
    this.#source.check();
  }

  async add(bytes: number, busyMs: number): Promise<void> {
    this.#copiedBytes += bytes;
    this.#options.onProgress?.(this.#copiedBytes, this.#totalBytes);
    this.check();
    if (this.#options.pace === undefined) return;
    await this.#options.pace(bytes, busyMs);
    this.check();
  }

  async verified(busyMs: number): Promise<void> {
    const {pace} = this.#options;
    await (pace === undefined ? endOfTurn() : pace(0, busyMs));
    this.check();
  }
}

/** One file: the source's bytes up to its end, zeros behind the end of the last one. */
class SegmentCopy {
  readonly #source: CopySource;
  readonly #segment: SegmentInfo;
  readonly #options: CopyWalOptions;
  readonly #progress: Progress;

  constructor(source: CopySource, segment: SegmentInfo, options: CopyWalOptions, progress: Progress) {
    this.#source = source;
    this.#segment = segment;
    this.#options = options;
    this.#progress = progress;
  }

  async run(): Promise<void> {
    const {io, dir} = this.#source;
    const {to, toIo = io} = this.#options;
    const {name} = this.#segment;
    const from = guardIo(`opening ${name}`, () => io.open(joinPath(dir, name), 'read'));
    try {
      const into = guardIo(`creating the copy of ${name}`, () => toIo.open(joinPath(to, name), 'create'));
      try {
        await this.#copy(from, into, toIo);
        await this.#sync(into, toIo);
      } finally {
        toIo.close(into);
      }
    } finally {
      io.close(from);
    }
  }

  async #copy(from: number, into: number, toIo: FileIo): Promise<void> {
    const {io, chain} = this.#source;
    const {name, sizeBytes} = this.#segment;
    const endOffset = this.#segment === chain.segments.at(-1) ? chain.lastLimit : sizeBytes;
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let at = 0, synced = 0; at < sizeBytes; ) {
      const begun = io.now();
      const wanted = Math.min(chunk.length, (at < endOffset ? endOffset : sizeBytes) - at);
      if (at >= endOffset) chunk.fill(0);
      else if (guardIo(`reading ${name}`, () => readFully(io, from, chunk, 0, wanted, at)) < wanted) {
        throw new WalError('corruption', 'a segment has become shorter', {segment: name, offset: at});
      }
      const busyMs = io.now() - begun;
      try {
        await writeFullyAsync(toIo, into, chunk, wanted, at);
      } catch (error) {
        throw ioError(`writing the copy of ${name}`, error);
      }
      at += wanted;
      if (at - synced >= SYNC_BYTES) {
        await this.#sync(into, toIo);
        synced = at;
      }
      await this.#progress.add(wanted, busyMs);
    }
  }

  async #sync(into: number, toIo: FileIo): Promise<void> {
    try {
      await toIo.datasyncAsync(into);
    } catch (error) {
      throw ioError(`syncing the copy of ${this.#segment.name}`, error);
    }
  }
}

async function verifyInTurns(options: ReadWalOptions & {io: FileIo}, progress: Progress): Promise<WalReport> {
  const {io} = options;
  const steps = verifySteps(options);
  try {
    for (let begun = io.now(), count = 1; ; count++) {
      const step = steps.next();
      if (step.done === true) return step.value;
      const busyMs = io.now() - begun;
      if (count % FRAMES_A_TURN !== 0 && busyMs < SLICE_MS) continue;
      await progress.verified(busyMs);
      begun = io.now();
    }
  } finally {
    // Also where it was stopped: a cursor holds a file.
    steps.return({} as never);
  }
}
