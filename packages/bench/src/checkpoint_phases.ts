/**
 * Latencies sorted by what the server was doing: an arrival belongs to a checkpoint when any part of its time, from being
 * due to its answer, lies between the checkpoint's beginning and its end, or when it was due shortly before the beginning;
 * else to the time before the next checkpoint.
 *
 * Beginnings and ends are dated by the server, which runs on the same machine, and not by when its word is read here. So
 * arrivals wait in line until the server's word on their time has come for certain, and are sorted then.
 */
import {performance} from 'node:perf_hooks';
import {ArrivalLine} from './arrival_line.ts';
import type {ServerEvent} from './child_server.ts';
import {LatencyRecorder} from './latency_recorder.ts';
import type {ArrivalObserver} from './open_loop.ts';

/** What is due so shortly before a beginning counts as disturbed: the server says that it begins, and so begins, a bit late. */
const BEFORE_MS = 50;
/** How much later than it was said the server's word may be read. */
const HOLD_MS = 1000;

/** A finished checkpoint as the server tells it. */
export interface FinishedCheckpoint {
  readonly bytes: number;
  readonly seconds: number;
}

interface Span {
  readonly begunMs: number;
  endedMs: number;
}

function numberOf(event: ServerEvent, name: string): number {
  const value = event.fields[name];
  if (typeof value === 'number') return value;
  throw new Error(`the server did not say ${name} of ${event.event}`);
}

/** When the server said it, on the clock of `performance.now()`. Both read the same clock of the day, at about this time. */
function saidMs(event: ServerEvent): number {
  return performance.now() - Date.now() + numberOf(event, 'time');
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
  readonly #spans: Span[] = [];
  readonly #line: ArrivalLine = new ArrivalLine((dueMs, nowMs) => this.#sort(dueMs, nowMs));
  #countsFromMs: number = Number.POSITIVE_INFINITY;

  /** Arrivals from now on count. */
  open(): void {
    this.#countsFromMs = performance.now();
  }

  /** Sorts what still waits: the server has said everything. */
  close(): void {
    this.#line.settle(Number.POSITIVE_INFINITY);
  }

  /** Takes what the server says; everything but checkpoints is passed over. Throws Error when one has failed. */
  onEvent(event: ServerEvent): void {
    if (event.event === 'checkpoint_failed') throw new Error(`a checkpoint failed: ${String(event.fields['reason'])}`);
    if (event.event === 'checkpoint_started') {
      this.#spans.push({begunMs: saidMs(event), endedMs: Number.POSITIVE_INFINITY});
      this.during.push(new LatencyRecorder());
      this.onChange();
    } else if (event.event === 'checkpoint_finished') {
      const span = this.#spans.at(-1);
      if (span === undefined) throw new Error('the server finished a checkpoint that it had not begun');
      span.endedMs = saidMs(event);
      this.finished.push({bytes: numberOf(event, 'bytes'), seconds: numberOf(event, 'durationMs') / 1000});
      this.undisturbed.push(new LatencyRecorder());
      this.onChange();
    }
  }

  sent(dueMs: number, nowMs: number): void {
    if (dueMs >= this.#countsFromMs) this.late.record(nowMs - dueMs);
  }

  answered(dueMs: number, nowMs: number): void {
    if (dueMs >= this.#countsFromMs) this.#line.push(dueMs, nowMs);
    this.#line.settle(nowMs - HOLD_MS);
  }

  /** The last checkpoint that an arrival has to do with counts. */
  #sort(dueMs: number, nowMs: number): void {
    let over = this.#spans.length;
    for (; over > 0; over--) {
      const {begunMs, endedMs} = this.#spans[over - 1] as Span;
      if (dueMs > endedMs) break;
      if (nowMs < begunMs && dueMs < begunMs - BEFORE_MS) continue;
      this.during[over - 1]?.record(nowMs - dueMs);
      return;
    }
    this.undisturbed[over]?.record(nowMs - dueMs);
  }
}
