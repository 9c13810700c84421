/**
 * The engine: the stepper and the only loop that performs what it decides. It freezes the open frame once per turn of the
 * event loop, after every readable socket of the turn was served, writes it, and tells the stepper; no timer and no
 * artificial delay. While a frame is being written on the thread pool the next one fills; on a fast disk it is written
 * at once, blocking, which is faster there.
 *
 * "Frame durable" is an event that this file delivers from a file; a replicated log would deliver the same event.
 */
import {
  type ApiRequest,
  type ApiResponse,
  CODEC,
  decodeResponse,
  encodeRequest,
  RequestRegisters,
  readRequest,
  requestCodecError,
} from '@allocdb/api';
import {type AllocDb, bigintOfU64} from '@allocdb/core';
import {type FileIo, nodeFileIo} from '@allocdb/wal';
import {EVENT_LOOP, type Scheduler} from '../clock.ts';
import type {DatabaseConfig} from '../config.ts';
import {type BackupInfo, type BackupOptions, Backups} from '../directory/backup.ts';
import {Checkpointer, type CheckpointInfo} from '../storage/checkpointer.ts';
import {type DataDirectory, openDirectory} from '../storage/data_directory.ts';
import {AnswerBuffer, LENGTH_BYTES} from './answer_buffer.ts';
import {DurableWaiters} from './durable_waiters.ts';
import {DEFAULT_CHECKPOINT, type EngineOptions} from './engine_options.ts';
import {FeedPace} from './feed_pace.ts';
import {framesAhead} from './frames_ahead.ts';
import {type IdleHost, IdleMarker} from './idle_marker.ts';
import {type EngineMetrics, readMetrics} from './metrics.ts';
import {PromisedAnswers} from './promised_answers.ts';
import {ReadableEngine} from './readable_engine.ts';
import {SlotSource, TRUST_REQUEST_SLOTS} from './slot_source.ts';
import {Stepper} from './stepper.ts';
import {warmUp} from './warm_up.ts';

/** What has become of the engine. */
export type EngineState = 'running' | 'halted' | 'closed';

export class SingleNodeEngine extends ReadableEngine {
  readonly directory: DataDirectory;
  readonly checkpoints: Checkpointer;
  private readonly backups: Backups;
  private readonly stepper: Stepper;
  private readonly slots: SlotSource;
  private readonly io: FileIo;
  protected readonly scheduler: Scheduler;
  private readonly syncAnswers: AnswerBuffer = new AnswerBuffer();
  private readonly promised: PromisedAnswers = new PromisedAnswers();
  private readonly waiters: DurableWaiters = new DurableWaiters();
  private turnScheduled: boolean = false;
  private frameOpenedMs: number = 0;
  private failure: Error | null = null;
  private closed: boolean = false;
  /** The closing under way, from when on no request is taken. */
  private closing: Promise<void> | null = null;
  private readonly idleMarker: IdleMarker;
  protected readonly feedPace: FeedPace;

  /**
   * Opens or creates the directory: on return the state is recovered and checked, and the engine takes requests.
   * Throws OpenError (locked, config_mismatch, corrupt_log, …), having changed nothing but the lock.
   */
  static open(options: EngineOptions): SingleNodeEngine {
    warmUp();
    const io = options.io ?? nodeFileIo;
    const segmentBytes = options.segmentBytes ?? 64 << 20;
    const directory = openDirectory({
      io,
      dir: options.dir,
      config: options.config ?? null,
      commitMode: options.commitMode ?? 'adaptive',
      segmentBytes,
      slotMs: options.slotMs ?? null,
      maxFrameBytes: options.maxFrameBytes ?? Math.min(8 << 20, segmentBytes >> 1),
    });
    try {
      return new SingleNodeEngine(io, directory, options);
    } catch (error) {
      directory.wal.abandon();
      directory.lock.release();
      throw error;
    }
  }

  private constructor(io: FileIo, directory: DataDirectory, options: EngineOptions) {
    super();
    const {db, wal, config, recovery} = directory;
    const scheduler = options.scheduler ?? EVENT_LOOP;
    this.io = io;
    this.scheduler = scheduler;
    this.directory = directory;
    this.slots = new SlotSource(db, options.slots?.(db) ?? TRUST_REQUEST_SLOTS);
    this.stepper = new Stepper(db, wal, config.engine, this.slots, recovery, {
      makeRoom: () => this.makeRoom(),
      logFailed: error => this.halt(error),
    });
    const idleHost: IdleHost = {
      frames: () => this.stepper.counters.frames,
      isBusy: () => this.stepper.isBusy,
      prove: () => this.unlessHalted(() => this.directory.wal.markIdle()),
    };
    this.idleMarker = new IdleMarker(options.idleMarkerMs ?? 5, idleHost, scheduler);
    this.feedPace = new FeedPace(idleHost, scheduler, () => io.now());
    const checkpoint = {...DEFAULT_CHECKPOINT, ...options.checkpoint};
    this.checkpoints = new Checkpointer(io, directory, checkpoint, {
      whenDurable: (lsn, action) => this.whenDurable(lsn, action),
      published: lsn => this.stepper.reads.setActiveSnapshot(lsn),
      now: () => io.now(),
      sleep: ms => scheduler.sleep(ms),
    });
    this.backups = new Backups({io, wal, snapshotDir: directory.snapshotDir, pacer: this.checkpoints.pacer});
  }

  get db(): AllocDb {
    return this.directory.db;
  }

  get config(): DatabaseConfig {
    return this.directory.config;
  }

  get state(): EngineState {
    if (this.closed || this.closing !== null) return 'closed';
    return this.stepper.halted ? 'halted' : 'running';
  }

  /** What halted the engine, or null. */
  get haltCause(): Error | null {
    return this.failure;
  }

  /** Last lsn that is durable; null before the first. */
  get durableLsn(): bigint | null {
    return this.directory.wal.durableLsn || null;
  }

  /**
   * Takes one request frame and returns its response frame (both without length). What the response says is durable on
   * return. Throws CodecError for bytes that are no request: then nothing was done. Throws Error when it is called while
   * pipelined requests wait: the two uses do not mix.
   */
  handleApiBytes(bytes: Uint8Array): Uint8Array {
    this.assertOpen();
    if (this.stepper.isBusy) throw new Error('handleApiBytes cannot be used while pipelined requests wait');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.slots.refresh();
    const answers = this.syncAnswers;
    const error = this.stepper.handle(view, bytes, 0, bytes.length, answers, false);
    if (error !== CODEC.NONE) throw codecErrorOf(view, bytes.length);
    this.commitSync();
    this.checkpointIfDue();
    const taken = answers.take();
    if (taken !== null) return taken.subarray(LENGTH_BYTES);
    throw new Error('assertion failed: a synchronous request is answered');
  }

  /** {@link SingleNodeEngine.handleApiBytes} for objects. */
  handleApiRequest(request: ApiRequest): ApiResponse {
    return decodeResponse(this.handleApiBytes(encodeRequest(request)));
  }

  /**
   * Takes one request frame of a pipelining caller: `view` and `bytes` are over the same memory. The response is written
   * to `answers` behind its length, in order, and released, with a call of its `onReady`, when what it says is durable.
   * Answers NONE, or the codec error of bytes that are no request: then nothing was done and nothing written.
   */
  submitBytes(view: DataView, bytes: Uint8Array, offset: number, length: number, answers: AnswerBuffer): number {
    this.assertOpen();
    if (!this.turnScheduled) this.beginTurn();
    return this.stepper.handle(view, bytes, offset, length, answers, true);
  }

  /**
   * May be called before a run of {@link SingleNodeEngine.submitBytes}: `view[offset..end)` holds the frames to come, each
   * behind its length. Has memory read ahead for as many as it returns, and changes nothing else.
   */
  lookAhead(view: DataView, offset: number, end: number): number {
    return framesAhead(this.db.lookahead, view, offset, end);
  }

  /** A request and the promise of its response; resolves when what the response says is durable. */
  submit(request: ApiRequest): Promise<ApiResponse> {
    return this.promised.next(() => {
      const frame = encodeRequest(request);
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      const error = this.submitBytes(view, frame, 0, frame.length, this.promised.buffer);
      if (error !== CODEC.NONE) throw codecErrorOf(view, frame.length);
    });
  }

  /** Writes a snapshot and cuts the log behind the one before; resolves when the snapshot is durable and published. */
  async checkpoint(): Promise<CheckpointInfo> {
    this.assertOpen();
    if (this.failure !== null) throw this.failure;
    try {
      return await this.checkpoints.run();
    } catch (error) {
      // A snapshot that fails is the checkpoint's matter; a log that fails is everybody's.
      const {failure} = this.directory.wal;
      if (failure !== null) this.halt(failure);
      this.stepper.deliver();
      throw error;
    }
  }

  /**
   * Copies the directory as it is now into an empty one, while requests go on; resolves when the copy is durable and was
   * verified by replaying it. Rejects with OpenError (not_empty, storage_full, not_verified, …); then nothing is left.
   */
  async backup(dir: string, options: BackupOptions = {}): Promise<BackupInfo> {
    this.assertOpen();
    return this.backups.run(dir, options);
  }

  /** Everything that is counted and measured, as of now; slots are judged at `currentSlot`. */
  metrics(currentSlot: bigint): EngineMetrics {
    return readMetrics(this.stepper, this.directory, this.checkpoints, currentSlot);
  }

  /**
   * Stops: gives up a checkpoint under way, makes what was taken durable and answers it, seals the log and releases the
   * lock. Requests from the call on throw. Idempotent.
   */
  close(): Promise<void> {
    this.closing ??= this.closed ? Promise.resolve() : this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    await Promise.all([this.checkpoints.stop(), this.backups.stop()]);
    if (!this.stepper.halted) {
      try {
        await this.whenDurable(bigintOfU64(this.db.lastLsnLo, this.db.lastLsnHi), () => undefined);
      } catch {
        // The engine has halted while closing; whoever waited has been told.
      }
    }
    if (this.closed) return;
    // What waits for nothing but the end of its turn is answered too.
    this.stepper.deliver();
    this.idleMarker.end();
    this.closed = true;
    try {
      // Waits for a frame that is still being written, also where the log has failed meanwhile.
      await this.directory.wal.close();
    } finally {
      this.directory.lock.release();
    }
  }

  /**
   * {@link SingleNodeEngine.close} for callers that have used the synchronous entry points only. Throws while a pipelined
   * frame is being written; then nothing was closed.
   */
  closeNow(): void {
    if (this.closed) return;
    if (this.stepper.isFlying) throw new Error('closeNow cannot be used while a frame is being written');
    this.commitSync();
    this.idleMarker.end();
    this.checkpoints.giveUp();
    this.closed = true;
    try {
      this.directory.wal.closeSync();
    } finally {
      this.directory.lock.release();
    }
  }

  protected assertOpen(): void {
    if (this.closed || this.closing !== null) throw new Error('the engine is closed');
  }

  private beginTurn(): void {
    this.turnScheduled = true;
    this.slots.refresh();
    if (this.frameOpenedMs === 0) this.frameOpenedMs = this.io.now();
    this.scheduler.endOfTurn(() => this.endTurn());
  }

  private endTurn(): void {
    this.turnScheduled = false;
    if (!this.closed) this.flush();
    this.stepper.deliver();
    this.checkpointIfDue();
  }

  /** A failure is counted and told by the checkpointer; the next one is tried when the log has grown again. */
  private checkpointIfDue(): void {
    if (this.checkpoints.isDue && this.state === 'running') this.checkpoint().catch(() => undefined);
  }

  /** Freezes and writes the open frame, unless one is being written: its completion will come here. */
  private flush(): void {
    const {wal} = this.directory;
    if (this.stepper.isFlying || this.stepper.halted) return;
    if (wal.prefersInline) this.commitSync();
    else if (this.freeze()) this.writeInBackground(wal.writeFrozen(), this.frameOpenedMs);
    this.frameOpenedMs = 0;
  }

  private writeInBackground(written: Promise<void>, openedMs: number): void {
    written.then(
      () => {
        this.onDurable(openedMs);
        this.flush();
        this.stepper.deliver();
      },
      (error: unknown) => {
        this.halt(error);
        this.stepper.deliver();
      },
    );
  }

  private commitSync(): void {
    if (!this.freeze()) return;
    try {
      this.directory.wal.writeFrozenSync();
    } catch (error) {
      this.halt(error);
      return;
    }
    this.onDurable(this.frameOpenedMs);
  }

  /** Takes the open frame to be written; false where there is none, or where the log has failed meanwhile. */
  private freeze(): boolean {
    const frozen = this.unlessHalted(() => this.directory.wal.freeze());
    if (frozen) this.stepper.frameFrozen();
    return frozen;
  }

  /** Asks the log for something; false when the engine has halted, also by this. */
  private unlessHalted(ask: () => boolean): boolean {
    try {
      return !this.stepper.halted && ask();
    } catch (error) {
      this.halt(error);
      return false;
    }
  }

  private makeRoom(): boolean {
    if (this.stepper.isFlying) return false;
    this.commitSync();
    return !this.stepper.halted;
  }

  /** Tells everybody who waited for the frame; nothing is frozen at this moment. */
  private onDurable(openedMs: number): void {
    const {counters} = this.stepper;
    this.stepper.frameDurable();
    counters.frames++;
    this.idleMarker.noteFrame();
    if (openedMs > 0) counters.commitLatency.record(this.io.now() - openedMs);
    counters.syncLatency.record(this.directory.wal.lastSyncMs);
    this.wakeWaiters();
  }

  private halt(error: unknown): void {
    if (this.failure !== null) return;
    this.failure = error instanceof Error ? error : new Error(String(error));
    this.stepper.frameFailed();
    this.wakeWaiters();
  }

  protected whenDurable(lsn: bigint, action: () => void): Promise<void> {
    const done = this.waiters.add(lsn, action);
    if (!this.stepper.isFlying) this.wakeWaiters();
    if (!this.waiters.isEmpty && !this.turnScheduled) this.beginTurn();
    return done;
  }

  private wakeWaiters(): void {
    if (!this.waiters.isEmpty) this.waiters.wake(this.directory.wal.durableLsn, this.failure);
  }
}

function codecErrorOf(view: DataView, length: number): Error {
  const registers = new RequestRegisters();
  return requestCodecError(readRequest(view, 0, length, registers), registers);
}
