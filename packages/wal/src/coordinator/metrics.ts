/**
 * What a coordinator counts about itself: plain values, copied when they are asked for.
 *
 * Counters run since the start; times are in milliseconds of the clock in the options, and 0 without one.
 */

import type {WatermarkEpochs} from './watermarks.ts';

/** What asked for a flush; `durable` is the interval that also flushes storage. */
export type FlushReason = 'size' | 'interval' | 'explicit' | 'durable' | 'shutdown';

export interface ChannelMetrics {
  /** Writes and their bytes that were accepted and not yet applied. */
  readonly queueDepth: number;
  readonly queueBytes: number;
  /** Writes that wait for room. */
  readonly waiting: number;
  readonly accepted: number;
  /** Time that accepted writes waited for room. */
  readonly sendMs: number;
  /** Writes that met no room, by what was lacking. */
  readonly backpressure: Readonly<Record<'entries' | 'bytes', number>>;
  readonly isPaused: boolean;
}

/** What is behind the channels. */
export interface PipelineMetrics {
  /** Writes that the delta refused. */
  readonly applyFailures: number;
  readonly applyMs: number;
  /** Size of the open delta, as it estimates it. */
  readonly deltaBytes: number;
  readonly freezeMs: number;
  /** Deltas that were frozen, by reason. */
  readonly flushes: Readonly<Record<FlushReason, number>>;
  /** Deltas that are frozen and not written. */
  readonly unwrittenDeltas: number;
  readonly flushMs: number;
  readonly storageFlushes: number;
  readonly storageFlushMs: number;
  readonly subscribers: number;
  /** Subscribers that were closed because they lagged. */
  readonly messagesLost: number;
}

/** A coordinator's counters since its start, and its gauges now. */
export interface CoordinatorMetrics extends PipelineMetrics {
  readonly epochs: WatermarkEpochs;
  readonly channels: Readonly<Record<string, ChannelMetrics>>;
}

export interface PipelineCounts {
  applyFailures: number;
  applyMs: number;
  freezeMs: number;
  readonly flushes: Record<FlushReason, number>;
}

export function newPipelineCounts(): PipelineCounts {
  const flushes = {size: 0, interval: 0, explicit: 0, durable: 0, shutdown: 0};
  return {applyFailures: 0, applyMs: 0, freezeMs: 0, flushes};
}
