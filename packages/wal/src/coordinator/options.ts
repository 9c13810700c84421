/**
 * The options of a coordinator, their defaults and their bounds.
 *
 * A bad option is the caller's mistake and a `RangeError`. Together they bound the memory, where `sizeOf` is given: the
 * queues of all channels, and `flushBytes` (plus one write) for the open delta and each of the `flushQueueMax` frozen ones.
 */

import type {DeltaFactory, Flusher} from './delta.ts';

/** The channel that is there when none is named. */
export const MAIN_CHANNEL = 'main';

/** A timer that is asked for more fires at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/** Delta and flusher, where they start from, and the bounds. */
export interface CoordinatorOptions<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot> {
  readonly delta: DeltaFactory<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView>;
  readonly flusher: Flusher<Frozen, Snapshot>;
  /** What the first delta starts from. */
  readonly context: Context;
  /** What is stored already. */
  readonly snapshot: Snapshot;
  /** Names of the channels. Default: one, `main`. */
  readonly channels?: readonly string[];
  /**
   * Bytes of a write, for `channelBytesMax`. Default: 0 for each, so that `channelBytesMax` does nothing. What it throws,
   * the write throws.
   */
  readonly sizeOf?: (write: Write) => number;
  /** Writes that a channel may hold. Default 10,000. */
  readonly channelEntriesMax?: number;
  /**
   * Bytes that a channel may hold, as `sizeOf` counts them: without `sizeOf` every write counts 0 and this bounds nothing.
   * A larger write is taken by an empty channel. Default 64 MiB.
   */
  readonly channelBytesMax?: number;
  /** A delta of this size is flushed. Default 64 MiB. */
  readonly flushBytes?: number;
  /** A delta is flushed when so long nothing was. Default 10 s; null for never. */
  readonly flushIntervalMs?: number | null;
  /** Storage is flushed so often, if anything is not durable. Default null: only on request and by `stop`. */
  readonly storageFlushIntervalMs?: number | null;
  /** Frozen deltas that may be unwritten; while they are and the open one is full, nothing is applied. Default 2. */
  readonly flushQueueMax?: number;
  /** Views that a subscriber may leave unread. Default 16. */
  readonly subscriberDepthMax?: number;
  /** Epoch of the first write, for a store that goes on where it ended. Default 1. */
  readonly firstEpoch?: number;
  /** Milliseconds of a monotonic clock, for the times in the metrics. Default: none, and they stay 0. */
  readonly clock?: () => number;
}

export interface CoordinatorSettings {
  readonly channels: readonly string[];
  readonly channelEntriesMax: number;
  readonly channelBytesMax: number;
  readonly flushBytes: number;
  readonly flushIntervalMs: number | null;
  readonly storageFlushIntervalMs: number | null;
  readonly flushQueueMax: number;
  readonly subscriberDepthMax: number;
  readonly firstEpoch: number;
  readonly clock: () => number;
}

type Given = {readonly [Key in keyof CoordinatorSettings]?: CoordinatorSettings[Key]};

export function resolveSettings(options: Given): CoordinatorSettings {
  const settings: CoordinatorSettings = {
    channels: options.channels ?? [MAIN_CHANNEL],
    channelEntriesMax: options.channelEntriesMax ?? 10_000,
    channelBytesMax: options.channelBytesMax ?? 64 << 20,
    flushBytes: options.flushBytes ?? 64 << 20,
    flushIntervalMs: options.flushIntervalMs === undefined ? 10_000 : options.flushIntervalMs,
    storageFlushIntervalMs: options.storageFlushIntervalMs ?? null,
    flushQueueMax: options.flushQueueMax ?? 2,
    subscriberDepthMax: options.subscriberDepthMax ?? 16,
    firstEpoch: options.firstEpoch ?? 1,
    clock: options.clock ?? (() => 0),
  };
  const {channels} = settings;
  const isDistinct = channels.length > 0 && new Set(channels).size === channels.length;
  if (!isDistinct) throw new RangeError('channels are one or more different names');
  const counts = ['channelEntriesMax', 'channelBytesMax', 'flushBytes', 'flushQueueMax', 'subscriberDepthMax'] as const;
  for (const name of [...counts, 'firstEpoch'] as const) checkCount(name, settings[name]);
  checkInterval('flushIntervalMs', settings.flushIntervalMs);
  checkInterval('storageFlushIntervalMs', settings.storageFlushIntervalMs);
  return settings;
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is a whole number from 1`);
}

function checkInterval(name: string, ms: number | null): void {
  if (ms === null || (ms >= 1 && ms <= TIMER_MS_MAX)) return;
  throw new RangeError(`${name} is from 1 to ${TIMER_MS_MAX}, or null`);
}
