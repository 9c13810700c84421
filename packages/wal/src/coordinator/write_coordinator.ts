/**
 * The write coordinator as its users see it: channels in front, a pipeline behind, and how both end.
 *
 * Invariant: every ticket, wait and flush that was given out settles, however the coordinator ends. It knows nothing of
 * what writes are or where they are stored: that is the delta's and the flusher's business.
 */

import {Channel} from './channel.ts';
import {CoordinatorError} from './coordinator_error.ts';
import {type CoordinatorView, type Durability, isDurability} from './delta.ts';
import {DeltaPipeline, type Pipeline} from './delta_pipeline.ts';
import type {ChannelMetrics, CoordinatorMetrics} from './metrics.ts';
import {type CoordinatorOptions, type CoordinatorSettings, MAIN_CHANNEL, resolveSettings} from './options.ts';
import {quiet} from './promises.ts';
import {Watermarks} from './watermarks.ts';
import {WriteHandle} from './write_handle.ts';
import {WriteLoop} from './write_loop.ts';

/** How to stop. */
export interface StopOptions {
  /** Queued writes are applied first, those of paused channels too; otherwise they go back. Default true. */
  readonly drain?: boolean;
  /** The level that everything applied reaches before `stop` resolves. Default `durable`. */
  readonly durability?: Durability;
}

interface Parts<Write, ApplyResult, View> {
  readonly settings: CoordinatorSettings;
  readonly sizeOf: (write: Write) => number;
  readonly marks: Watermarks;
  readonly pipeline: Pipeline<Write, ApplyResult, View>;
}

/**
 * Puts the writes of many callers into one sequence of epochs, applies them to a delta in memory, and has full or old
 * deltas flushed in the background, while readers see all of it as one view. The idea is that of OpenData's write
 * coordinator.
 *
 * When delta or flusher fail, the coordinator is failed: what has not reached the level that is waited for rejects with the
 * failure, later writes are refused, subscribers are closed with it. What was reported `written` or `durable` stays so.
 */
export class WriteCoordinator<Write, ApplyResult, View> {
  readonly #marks: Watermarks;
  readonly #pipeline: Pipeline<Write, ApplyResult, View>;
  readonly #loop: WriteLoop<Write, ApplyResult>;
  #stopping: Promise<void> | null = null;

  private constructor({settings, sizeOf, marks, pipeline}: Parts<Write, ApplyResult, View>) {
    this.#marks = marks;
    this.#pipeline = pipeline;
    this.#loop = new WriteLoop(pipeline);
    for (const name of settings.channels) {
      const {channelEntriesMax: entriesMax, channelBytesMax: bytesMax, clock} = settings;
      const wake = (): void => this.#loop.wake(channel);
      const bounds = {entriesMax, bytesMax, sizeOf};
      const channel: Channel<Write, ApplyResult> = new Channel({name, ...bounds, marks, clock, wake});
      this.#loop.add(channel);
    }
  }

  /** Starts with an empty delta. Throws `RangeError` for a bad option, and what the delta's factory throws. */
  static start<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot>(
    options: CoordinatorOptions<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot>,
  ): WriteCoordinator<Write, ApplyResult, CoordinatorView<DeltaView, FrozenView, Snapshot>> {
    const settings = resolveSettings(options);
    const marks = new Watermarks(settings.firstEpoch);
    const pipeline = new DeltaPipeline(options, settings, marks);
    return new WriteCoordinator({settings, sizeOf: options.sizeOf ?? (() => 0), marks, pipeline});
  }

  /** The handle of a channel, of `main` by default. Throws `RangeError` for a name that the options do not have. */
  handle(name: string = MAIN_CHANNEL): WriteHandle<Write, ApplyResult, View> {
    const channel = this.#loop.channels.get(name);
    if (channel === undefined) throw new RangeError(`there is no channel ${name}`);
    return new WriteHandle(channel, {
      view: () => this.#pipeline.view(),
      subscribe: options => this.#pipeline.subscribe(options),
      pause: () => this.#pause(channel),
      resume: () => this.#resume(channel),
    });
  }

  /** The error that the coordinator failed with, or null. */
  get failure(): CoordinatorError | null {
    return this.#pipeline.failure;
  }

  /** A copy of all counters and gauges. */
  get metrics(): CoordinatorMetrics {
    const channels: Record<string, ChannelMetrics> = {};
    for (const [name, channel] of this.#loop.channels) channels[name] = channel.metrics;
    return {epochs: this.#marks.epochs, channels, ...this.#pipeline.metrics};
  }

  /**
   * Accepts nothing more, and resolves when everything applied has reached the level, no call of the flusher runs, and
   * every ticket is settled. Writes that wait for room go back with `shutdown`. Idempotent: the first call decides how.
   * Rejects with the failure where the coordinator failed, before or meanwhile.
   */
  stop(options: StopOptions = {}): Promise<void> {
    const {drain = true, durability = 'durable'} = options;
    if (!isDurability(durability)) return quiet(Promise.reject(new RangeError('no such durability')));
    this.#stopping ??= quiet(this.#stop(drain, durability));
    return this.#stopping;
  }

  /** `stop()`: everything accepted is durable. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(drain: boolean, durability: Durability): Promise<void> {
    const pipeline = this.#pipeline;
    const shutdown = new CoordinatorError('shutdown', 'the coordinator was stopped');
    pipeline.stopTimers();
    for (const channel of this.#loop.channels.values()) {
      channel.close(shutdown);
      if (drain) this.#resume(channel);
      else channel.drop(shutdown);
    }
    await this.#loop.drained();
    if (durability === 'applied') pipeline.abandon(shutdown);
    else await pipeline.flush('shutdown', durability === 'durable').catch(() => {});
    await pipeline.end(shutdown);
    if (pipeline.failure !== null) throw pipeline.failure;
  }

  /** What stops must be able to drain. */
  #pause(channel: Channel<Write, ApplyResult>): void {
    if (this.#stopping === null) channel.isPaused = true;
  }

  #resume(channel: Channel<Write, ApplyResult>): void {
    channel.isPaused = false;
    this.#loop.wake(channel);
  }
}
