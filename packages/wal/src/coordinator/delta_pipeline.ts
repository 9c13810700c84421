/**
 * The way of a write behind the channels: applied to the open delta, frozen with it, written, durable.
 *
 * Invariants: epochs rise by one with each write, refused ones included; a view is published before the watermark that it
 * shows moves; a delta without epochs is not flushed. The first failure of delta or flusher is final and settles
 * everything that is pending. Not here: which write comes next (`write_loop.ts`).
 */

import {CoordinatorError, causeText, type FailureCode} from './coordinator_error.ts';
import type {CoordinatorView} from './delta.ts';
import {DeltaStage} from './delta_stage.ts';
import {FlushLine} from './flush_line.ts';
import {IntervalTimer} from './interval_timer.ts';
import {type FlushReason, newPipelineCounts, type PipelineCounts, type PipelineMetrics} from './metrics.ts';
import type {CoordinatorOptions, CoordinatorSettings} from './options.ts';
import {Deferred, type WaitOptions} from './promises.ts';
import type {PendingWrite} from './ticket.ts';
import {ViewFeed, type ViewSubscription} from './view_feed.ts';
import type {Watermarks} from './watermarks.ts';

/** The pipeline without the types that only delta and flusher know. */
export interface Pipeline<Write, ApplyResult, View> {
  readonly failure: CoordinatorError | null;
  readonly metrics: PipelineMetrics;
  /** Whether the open delta is full and no frozen one more may wait: then nothing is to be applied. */
  readonly isFull: boolean;
  /** Called when the pipeline is not full any more, and when it has failed. */
  onChange: () => void;
  apply(entry: PendingWrite<Write, ApplyResult>): void;
  /** Everything applied is written when this resolves; with `storage`, a storage flush has run after that. */
  flush(reason: FlushReason, storage: boolean): Promise<void>;
  view(): View;
  subscribe(options: WaitOptions): ViewSubscription<View>;
  stopTimers(): void;
  /** Gives up what is not written: no call of the flusher is begun any more. */
  abandon(error: CoordinatorError): void;
  /** Resolves when no call of the flusher runs; whoever still waits for a level gets the error. */
  end(error: CoordinatorError): Promise<void>;
}

export class DeltaPipeline<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot>
  implements Pipeline<Write, ApplyResult, CoordinatorView<DeltaView, FrozenView, Snapshot>>
{
  readonly #settings: CoordinatorSettings;
  readonly #marks: Watermarks;
  readonly #stage: DeltaStage<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot>;
  readonly #line: FlushLine<Frozen, Snapshot>;
  readonly #feed: ViewFeed<CoordinatorView<DeltaView, FrozenView, Snapshot>>;
  readonly #counts: PipelineCounts = newPipelineCounts();
  readonly #flushTimer: IntervalTimer;
  readonly #storageTimer: IntervalTimer;
  /** A flush that was asked for while the line had no room, and who waits for its storage flush. */
  #wanted: {readonly reason: FlushReason; storage: Deferred<void> | null} | null = null;
  failure: CoordinatorError | null = null;
  onChange: () => void = () => {};

  constructor(
    options: CoordinatorOptions<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot>,
    settings: CoordinatorSettings,
    marks: Watermarks,
  ) {
    this.#settings = settings;
    this.#marks = marks;
    this.#stage = new DeltaStage(options, settings.firstEpoch);
    this.#feed = new ViewFeed(settings.subscriberDepthMax);
    this.#line = new FlushLine({
      flusher: options.flusher,
      deltasMax: settings.flushQueueMax,
      clock: settings.clock,
      onWritten: (snapshot, end) => this.#onWritten(snapshot, end),
      beforeStorage: () => this.#marks.end('written'),
      onDurable: end => this.#onDurable(end),
      onFailure: (code, cause) => this.#fail(code, cause),
    });
    this.#flushTimer = new IntervalTimer(settings.flushIntervalMs, () => this.#request('interval'));
    this.#storageTimer = new IntervalTimer(settings.storageFlushIntervalMs, () => {
      if (this.#marks.end('durable') < this.#marks.end('applied')) void this.flush('durable', true);
    });
  }

  get isFull(): boolean {
    return this.#stage.bytes >= this.#settings.flushBytes;
  }

  get metrics(): PipelineMetrics {
    const {flushMs, storageFlushes, storageFlushMs, deltas: unwrittenDeltas} = this.#line;
    const {size: subscribers, messagesLost} = this.#feed;
    const {flushes, ...counts} = this.#counts;
    const flushing = {flushes: {...flushes}, unwrittenDeltas, flushMs, storageFlushes, storageFlushMs};
    return {...counts, ...flushing, deltaBytes: this.#stage.bytes, subscribers, messagesLost};
  }

  apply(entry: PendingWrite<Write, ApplyResult>): void {
    const {clock} = this.#settings;
    const {batch} = this.#stage;
    if (batch.end === Number.MAX_SAFE_INTEGER) {
      entry.dropped(this.#fail('epochs_exhausted', new RangeError('the last epoch was given out')));
      return;
    }
    const epoch = this.#stage.takeEpoch();
    const started = clock();
    try {
      entry.applied(batch, epoch, this.#stage.apply(entry.takeWrite()));
    } catch (cause) {
      this.#counts.applyFailures++;
      entry.refused(epoch, cause);
    }
    this.#counts.applyMs += clock() - started;
    this.#marks.applied(batch.end);
    this.#flushTimer.hold();
    this.#storageTimer.hold();
    this.#guard(() => this.#stage.measure());
    if (this.isFull) this.#request('size');
  }

  flush(reason: FlushReason, storage: boolean): Promise<void> {
    const {unwritten} = this.#stage;
    this.#request(reason);
    if (storage) return this.#flushStorage();
    return unwritten === null ? Promise.resolve() : this.#marks.reached(unwritten, 'written');
  }

  view(): CoordinatorView<DeltaView, FrozenView, Snapshot> {
    return this.#stage.view();
  }

  subscribe(options: WaitOptions): ViewSubscription<CoordinatorView<DeltaView, FrozenView, Snapshot>> {
    return this.#feed.subscribe(this.#stage.view(), options);
  }

  stopTimers(): void {
    this.#flushTimer.stop();
    this.#storageTimer.stop();
  }

  abandon(error: CoordinatorError): void {
    this.#wanted?.storage?.reject(error);
    this.#wanted = null;
    this.#line.close(error);
  }

  async end(error: CoordinatorError): Promise<void> {
    await this.#line.idle();
    this.#marks.close(error);
    this.#feed.close(null);
  }

  /** Freezes the open delta, now or when the line has room. */
  #request(reason: FlushReason): void {
    if (this.failure !== null || this.#stage.isEmpty) return;
    if (this.#line.hasRoom) this.#freeze(reason);
    else this.#wanted ??= {reason, storage: null};
  }

  /** Behind everything that was asked for. */
  #flushStorage(): Promise<void> {
    const waiter = this.#wanted?.storage ?? new Deferred<void>();
    if (this.#wanted !== null) this.#wanted.storage = waiter;
    else this.#line.pushStorage(waiter);
    return waiter.promise;
  }

  #freeze(reason: FlushReason): void {
    const {clock} = this.#settings;
    const storage = this.#wanted?.storage ?? null;
    this.#guard(() => {
      const started = clock();
      const delta = this.#stage.freeze();
      this.#counts.freezeMs += clock() - started;
      this.#counts.flushes[reason]++;
      this.#line.pushDelta(delta);
      this.#publish();
    });
    this.#flushTimer.release();
    this.#flushTimer.restart();
    this.#wanted = null;
    if (storage !== null) this.#line.pushStorage(storage);
  }

  #onWritten(snapshot: Snapshot, end: number): void {
    this.#guard(() => {
      this.#stage.written(snapshot);
      this.#publish();
    });
    this.#marks.advance('written', end);
    if (this.#wanted !== null) this.#freeze(this.#wanted.reason);
    this.onChange();
  }

  #onDurable(end: number): void {
    this.#marks.advance('durable', end);
    if (end === this.#marks.end('applied')) this.#storageTimer.release();
  }

  #publish(): void {
    if (this.#feed.size > 0) this.#feed.publish(this.#stage.view());
  }

  /** Runs what calls the delta; what that throws is the end. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (cause) {
      this.#fail('delta_failed', cause);
    }
  }

  #fail(code: FailureCode, cause: unknown): CoordinatorError {
    if (this.failure !== null) return this.failure;
    const failure = new CoordinatorError(code, `the coordinator failed (${code}): ${causeText(cause)}`, {cause});
    this.failure = failure;
    this.stopTimers();
    this.abandon(failure);
    this.#marks.close(failure);
    this.#feed.close(failure);
    this.onChange();
    return failure;
  }
}
