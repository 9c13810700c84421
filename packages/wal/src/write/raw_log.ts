/**
 * The raw path of a log: records into the open frame, frames to disk step by step, and where the log stands.
 *
 * Numbers and lanes only, no object for a record; the steps are separate so that a deterministic driver can put anything
 * between them. `Wal` adds opening, closing, promises and reading.
 */

import type {WalError} from '../errors.ts';
import {firstLsnOf, type SegmentInfo} from '../format/segment_header.ts';
import type {WalMetrics} from '../metrics.ts';
import type {LogWriter} from './log_writer.ts';
import type {SparePool} from './spare_pool.ts';
import type {Status} from './status.ts';
import type {SyncMeter} from './sync_meter.ts';

/** The half of `Wal` that is called for each record and each frame. */
export class RawLog {
  protected readonly writer: LogWriter;
  protected readonly meter: SyncMeter;
  protected readonly spares: SparePool;

  protected constructor(writer: LogWriter, meter: SyncMeter, spares: SparePool) {
    this.writer = writer;
    this.meter = meter;
    this.spares = spares;
  }

  /**
   * Encodes one record into the open frame: memory only, and one of `STATUS`. `OK` means that it has the lsn that
   * `nextLsnLo/Hi` named before the call, and that the room for its frame is already reserved on disk.
   */
  append(
    type: number,
    flags: number,
    stampLo: number,
    stampHi: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Status {
    return this.writer.stage.append(type, flags, stampLo, stampHi, bytes, offset, length);
  }

  /** `append` of a record with a scope: tenant (2 words), database (2 words), vshard, low words first. */
  appendScoped(
    type: number,
    flags: number,
    stampLo: number,
    stampHi: number,
    scope: Int32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Status {
    return this.writer.stage.appendScoped(type, flags, stampLo, stampHi, scope, bytes, offset, length);
  }

  /**
   * Sets the note of the record appended last: 8 bits of the caller's, for what is known only once the record has its
   * place. Until its frame is frozen; throws RangeError afterwards. A record without one has note 0.
   */
  annotate(note: number): void {
    this.writer.stage.annotate(note);
  }

  /**
   * Whether the open frame takes `records` more with this many payload bytes together; then their appends are `OK`.
   * Count 20 bytes more for each record with a scope.
   */
  room(records: number, payloadBytes: number): Status {
    return this.writer.stage.room(records, payloadBytes);
  }

  /**
   * Commit, step one: the open frame is frozen and a new one takes appends. Memory only. False where nothing is open,
   * or where a frozen frame has not been written yet.
   */
  freeze(): boolean {
    this.writer.assertUsable();
    return this.writer.stage.freeze();
  }

  /** Commit, step two, blocking: the frozen frame is durable on return. */
  writeFrozenSync(): void {
    this.writer.writeFrozenSync();
  }

  /** Commit, step two, on the thread pool: the frozen frame is durable when this resolves. Appends go on meanwhile. */
  writeFrozen(): Promise<void> {
    return this.writer.writeFrozen();
  }

  /** Whether blocking is the better way to write the next frame: by the commit mode, or as measured. */
  get prefersInline(): boolean {
    return this.meter.prefersInline;
  }

  /** The oldest lsn of the log, or where it will begin. */
  get firstLsn(): bigint {
    return firstLsnOf(this.writer.segments.segments[0] as SegmentInfo);
  }

  /** The segments, oldest first: where each begins and its size. */
  get segments(): {firstLsn: bigint; bytes: number}[] {
    return this.writer.segments.segments.map(info => ({firstLsn: firstLsnOf(info), bytes: info.sizeBytes}));
  }

  /** The lsn that the next append gets, in signed words; both 0 when lsns have ended. */
  get nextLsnLo(): number {
    return this.writer.stage.next.lo;
  }

  get nextLsnHi(): number {
    return this.writer.stage.next.hi;
  }

  /** The highest durable lsn, in signed words; one less than the first lsn while there is none. */
  get durableLsnLo(): number {
    return this.writer.durable.lo;
  }

  get durableLsnHi(): number {
    return this.writer.durable.hi;
  }

  /** `nextLsnLo/Hi` as bigint; null when lsns have ended. */
  get nextLsn(): bigint | null {
    return this.writer.stage.next.isZero() ? null : this.writer.stage.next.toBigint();
  }

  get durableLsn(): bigint {
    return this.writer.durable.toBigint();
  }

  get openRecords(): number {
    return this.writer.stage.open.records;
  }

  /** Bytes of the open frame, its header included. */
  get openBytes(): number {
    return this.writer.stage.open.end;
  }

  /** Records in the frame that is frozen or in flight. */
  get frozenRecords(): number {
    return this.writer.stage.frozen.records;
  }

  /** The error of a log that has failed, or null. */
  get failure(): WalError | null {
    return this.writer.failure;
  }

  /** Bytes of frames since opening, with their padding. */
  get bytesWritten(): number {
    return this.writer.bytesWritten;
  }

  /** How long the last sync took, in milliseconds. */
  get lastSyncMs(): number {
    return this.meter.lastMs;
  }

  /** Everything counted, as an object that is made for each call. */
  get metrics(): WalMetrics {
    const {frames, records, bytesWritten, segments} = this.writer;
    const {syncs, lastMs, unhinderedMs} = this.meter;
    return {
      frames,
      records,
      bytesWritten,
      syncs,
      lastSyncMs: lastMs,
      unhinderedSyncMs: unhinderedMs,
      segments: segments.segments.length,
      rolls: segments.rolls,
      sparesReady: this.spares.readyCount,
      pins: segments.pins.count,
      oldestPinnedLsn: segments.pins.oldest,
    };
  }
}
