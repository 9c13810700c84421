/**
 * Latencies sorted by what the server was doing: an arrival belongs to a checkpoint when any part of its time, from being
 * due to its answer, lies between the server's word that it begins and that it is finished; else to the time before the
 * next checkpoint.
 */
import {performance} from 'node:perf_hooks';
import type {ServerEvent} from './child_server.ts';
import {LatencyRecorder} from './latency_recorder.ts';
import type {ArrivalObserver} from './open_loop.ts';

/** A finished checkpoint as the server tells it. */
export interface FinishedCheckpoint {
  readonly bytes: number;
  readonly seconds: number;
}

function numberOf(event: ServerEvent, name: string): number {
  const value = event.fields[name];
  if (typeof value === 'number') return value;
  throw new Error(`the server did not say ${name} of ${event.event}`);
}

export class CheckpointPhases implements ArrivalObserver {
  /** One for the time before each checkpoint, and one for the time since the last. */
  readonly undisturbed: LatencyRecorder[] = [new LatencyRecorder()];
  /** One for each checkpoint that has begun. */
  readonly during: LatencyRecorder[] = [];
  readonly late: LatencyRecorder = new LatencyRecorder();
  readonly finished: FinishedCheckpoint[] = [];
  /** Told when a checkpoint has begun or finished. */
  onChange: () => void = () => undefined;
  #countsFromMs: number = Number.POSITIVE_INFINITY;
  #begunMs: number = Number.POSITIVE_INFINITY;
  #finishedMs: number = Number.NEGATIVE_INFINITY;

  /** Arrivals from now on count. */
  open(): void {
    this.#countsFromMs = performance.now();
  }

  /** Takes what the server says; everything but checkpoints is passed over. Throws Error when one has failed. */
  onEvent(event: ServerEvent): void {
    if (event.event === 'checkpoint_failed') throw new Error(`a checkpoint failed: ${String(event.fields['reason'])}`);
    if (event.event === 'checkpoint_started') {
      this.#begunMs = performance.now();
      this.#finishedMs = Number.POSITIVE_INFINITY;
      this.during.push(new LatencyRecorder());
      this.onChange();
    } else if (event.event === 'checkpoint_finished') {
      this.#finishedMs = performance.now();
      this.finished.push({bytes: numberOf(event, 'bytes'), seconds: numberOf(event, 'durationMs') / 1000});
      this.undisturbed.push(new LatencyRecorder());
      this.onChange();
    }
  }

  sent(dueMs: number, nowMs: number): void {
    if (dueMs >= this.#countsFromMs) this.late.record(nowMs - dueMs);
  }

  answered(dueMs: number, nowMs: number): void {
    if (dueMs < this.#countsFromMs) return;
    const isDisturbed = dueMs <= this.#finishedMs && nowMs >= this.#begunMs;
    (isDisturbed ? this.during : this.undisturbed).at(-1)?.record(nowMs - dueMs);
  }
}
