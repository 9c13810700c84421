/**
 * The disk side of the write path: frozen frames, control frames, and the state of the log that follows from them.
 *
 * Invariants: a frame is written only after the one before it was synced, so at most one frame on disk is unproven;
 * `durable` moves only after that sync (and the directory's, where the frame began a segment). The first failure of a
 * write or sync is final: the kernel may have dropped what it failed to write, so nothing is ever retried.
 * Not here: promises shared by waiters (`commit_pump.ts`), opening and closing (`wal.ts`).
 */

import {WalError} from '../errors.ts';
import {type FileIo, writeFully, writeFullyAsync} from '../file_io.ts';
import {BLOCK_BYTES_MAX, FRAME_HEADER_BYTES, FRAME_KIND, MARKER_BYTES} from '../format/format.ts';
import {FrameHead} from '../format/frame_header.ts';
import {encodeMarker, type SnapshotMarker} from '../format/segment_header.ts';
import {Lanes} from '../format/words.ts';
import {FrameBuffer} from './frame_buffer.ts';
import {type FrameRoom, FrameStage} from './frame_stage.ts';
import type {SegmentWriter, WritableSegment} from './segment_writer.ts';
import type {SparePool} from './spare_pool.ts';
import {STATUS, type Status} from './status.ts';
import type {SyncMeter} from './sync_meter.ts';
import {Watchers} from './watchers.ts';

/** Background preparation of the next segment begins when this part of the active one is used. */
const PREPARE_AFTER = 0.25;

export interface LogWriterOptions {
  readonly io: FileIo;
  readonly segments: SegmentWriter;
  readonly spares: SparePool;
  readonly meter: SyncMeter;
  readonly maxRecordBytes: number;
  readonly maxFrameBytes: number;
  readonly maxPendingBytes: number;
  readonly maxSegments: number;
  readonly background: boolean;
}

/** Where the log ends when writing begins; everything before is durable. */
export interface LogWriterStart {
  readonly next: Lanes;
  readonly link: number;
  readonly marker: SnapshotMarker | null;
  readonly proven: boolean;
  readonly sealed: boolean;
}

export class LogWriter implements FrameRoom {
  readonly stage: FrameStage;
  readonly segments: SegmentWriter;
  readonly durable: Lanes = new Lanes();
  readonly watchers: Watchers = new Watchers();
  readonly #io: FileIo;
  readonly #spares: SparePool;
  readonly #meter: SyncMeter;
  readonly #maxSegments: number;
  readonly #background: boolean;
  readonly #head: FrameHead = new FrameHead();
  readonly #control: FrameBuffer = new FrameBuffer(BLOCK_BYTES_MAX);
  readonly #first: Lanes = new Lanes();
  #link: number;
  #proven: boolean;
  #sealed: boolean;
  isClosed = false;
  marker: SnapshotMarker | null;
  inFlight = false;
  failure: WalError | null = null;
  frames = 0;
  records = 0;
  bytesWritten = 0;

  constructor(options: LogWriterOptions, start: LogWriterStart) {
    this.#io = options.io;
    this.segments = options.segments;
    this.#spares = options.spares;
    this.#meter = options.meter;
    this.#maxSegments = options.maxSegments;
    this.#background = options.background;
    this.stage = new FrameStage({...options, room: this});
    this.stage.next.set(start.next.lo, start.next.hi);
    start.next.before(this.durable);
    this.#link = start.link;
    this.#proven = start.proven;
    this.#sealed = start.sealed;
    this.marker = start.marker;
  }

  reserve(count: number): Status {
    if (this.segments.segments.length + count > this.#maxSegments) return STATUS.TOO_MANY_SEGMENTS;
    return this.guard(() => this.#spares.ensure(count)) ? STATUS.OK : STATUS.STORAGE_FULL;
  }

  assertUsable(): void {
    if (this.failure !== null) throw this.failure;
    if (this.isClosed) throw new WalError('closed', 'the log is closed');
  }

  assertIdle(): void {
    this.assertUsable();
    if (this.inFlight) throw new WalError('busy', 'a frame is being written');
  }

  /** Runs a step of the write path; whatever goes wrong in it is the end of this log. */
  guard<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw this.fail(error);
    }
  }

  fail(cause: unknown): WalError {
    const detail = {evidence: cause instanceof Error ? cause.message : String(cause), cause};
    this.failure ??= new WalError('failed', 'the log failed, open it again', detail);
    this.stage.block();
    this.watchers.ring();
    return this.failure;
  }

  end(): void {
    this.isClosed = true;
    this.stage.block();
    this.watchers.ring();
  }

  writeFrozenSync(): void {
    this.assertIdle();
    if (this.stage.frozen.records === 0) return;
    this.guard(() => {
      const target = this.#target(this.stage.frozenInNext);
      const frameBytes = this.#finish(this.stage.frozen, FRAME_KIND.DATA, this.#firstPending(), target);
      writeFully(this.#io, target.handle, this.stage.frozen.bytes, frameBytes, target.offset);
      this.#meter.sync(this.#io, target.handle);
      this.#wrote(target, frameBytes);
      if (target.stagedPath !== null) this.segments.promote(target);
      this.#settle();
    });
  }

  async writeFrozen(): Promise<void> {
    this.assertIdle();
    if (this.stage.frozen.records === 0) return;
    this.inFlight = true;
    try {
      const target = this.#target(this.stage.frozenInNext);
      const frameBytes = this.#finish(this.stage.frozen, FRAME_KIND.DATA, this.#firstPending(), target);
      await writeFullyAsync(this.#io, target.handle, this.stage.frozen.bytes, frameBytes, target.offset);
      await this.#meter.syncAsync(this.#io, target.handle);
      if (this.failure !== null) throw this.failure;
      this.#wrote(target, frameBytes);
      if (target.stagedPath !== null) await this.segments.nameAsync(target);
      if (this.failure !== null) throw this.failure;
      // In one step with the durable lsn, so that no reader sees more than that.
      if (target.stagedPath !== null) this.segments.activate(target);
      this.#settle();
    } catch (error) {
      throw this.fail(error);
    } finally {
      this.inFlight = false;
    }
  }

  /** Writes a snapshot marker, durable on return; refused with `STORAGE_FULL` or `LSN_EXHAUSTED` where no room is. */
  writeMarkerSync(marker: SnapshotMarker): Status {
    this.assertIdle();
    if (this.stage.frozen.records > 0) throw new WalError('busy', 'a frozen frame comes first');
    const blockBytes = this.segments.padded(1, false);
    const needsNext = this.segments.freeBytes < blockBytes;
    if (needsNext && this.durable.equals(-1, -1)) return STATUS.LSN_EXHAUSTED;
    const status = needsNext ? this.reserve(1) : this.stage.yieldRoom(blockBytes);
    if (status !== STATUS.OK) return status;
    this.guard(() => {
      encodeMarker(this.#control.bytes, FRAME_HEADER_BYTES, marker);
      this.#control.end = FRAME_HEADER_BYTES + MARKER_BYTES;
      this.#writeControl(FRAME_KIND.SNAPSHOT, this.#target(needsNext), true);
      if (needsNext) this.stage.entersNext();
    });
    this.marker = marker;
    this.#sealed = false;
    return STATUS.OK;
  }

  /** Proves the last frame by a control frame; a seal is synced. False where nothing is in doubt or no block is left. */
  prove(kind: typeof FRAME_KIND.IDLE | typeof FRAME_KIND.SEAL): boolean {
    const {open, frozen} = this.stage;
    const isSeal = kind === FRAME_KIND.SEAL;
    const isDone = isSeal ? this.#sealed : this.#proven;
    if (isDone || this.inFlight || open.records + frozen.records > 0 || !this.segments.canProve) return false;
    this.guard(() => this.#writeControl(kind, this.segments.active, isSeal));
    this.#sealed = isSeal;
    this.stage.block();
    return true;
  }

  prepareInBackground(): void {
    if (!this.#background || this.failure !== null || this.isClosed || this.durable.equals(-1, -1)) return;
    const {info, offset} = this.segments.active;
    if (offset > info.sizeBytes * PREPARE_AFTER) this.#spares.startBackground();
  }

  #target(inNext: boolean): WritableSegment {
    return inNext ? this.segments.stageNext(this.#firstPending(), this.#link, this.marker) : this.segments.active;
  }

  #firstPending(): Lanes {
    this.#first.set(this.durable.lo, this.durable.hi);
    this.#first.add(1);
    return this.#first;
  }

  #finish(frame: FrameBuffer, kind: number, lsn: Lanes, target: WritableSegment): number {
    const head = this.#head;
    head.kind = kind;
    head.lsnLo = lsn.lo;
    head.lsnHi = lsn.hi;
    head.syncedLo = this.durable.lo;
    head.syncedHi = this.durable.hi;
    head.link = this.#link;
    const {salt, blockBytes} = target.info;
    return frame.finish(head, target.offset / blockBytes, salt, blockBytes);
  }

  #settle(): void {
    const {stage} = this;
    this.#link = this.#head.checksum;
    this.durable.set(stage.frozenLast.lo, stage.frozenLast.hi);
    this.frames++;
    this.records += stage.frozen.records;
    this.#proven = false;
    this.#sealed = false;
    stage.thaw();
    this.prepareInBackground();
    this.watchers.ring();
  }

  #writeControl(kind: number, target: WritableSegment, synced: boolean): void {
    const frameBytes = this.#finish(this.#control, kind, this.durable, target);
    writeFully(this.#io, target.handle, this.#control.bytes, frameBytes, target.offset);
    this.#control.clear();
    if (synced) this.#meter.sync(this.#io, target.handle);
    this.#wrote(target, frameBytes);
    if (target.stagedPath !== null) this.segments.promote(target);
    this.#proven = true;
  }

  #wrote(target: WritableSegment, frameBytes: number): void {
    target.offset += frameBytes;
    this.bytesWritten += frameBytes;
  }
}
