/**
 * One run of the open loop with what it measures: latencies of the arrivals that were due within the measured seconds, and
 * how late the sender was with them. The schedule goes on until the last of those is answered.
 */
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import {type Latencies, LatencyRecorder} from './latency_recorder.ts';
import {type ArrivalObserver, OpenLoop, type OpenLoopOptions} from './open_loop.ts';
import type {BenchOptions} from './scenario.ts';

/** What an open loop found. */
export interface OpenRun {
  /** From the moment at which an arrival was due to its answer. */
  readonly latencies: Latencies;
  /** From the moment at which an arrival was due to its being written. */
  readonly late: Latencies;
  readonly answersPerSecond: number;
}

class Window implements ArrivalObserver {
  readonly latencies = new LatencyRecorder();
  readonly late = new LatencyRecorder();
  #beginMs: number = Number.POSITIVE_INFINITY;
  #endMs: number = Number.POSITIVE_INFINITY;
  #lastMs: number = 0;

  /** Arrivals from now on count. */
  open(): void {
    this.#beginMs = performance.now();
  }

  /** Arrivals from now on do not. */
  close(): void {
    this.#endMs = performance.now();
  }

  /** From the first arrival that counts to the last answer, in seconds. */
  get seconds(): number {
    return (this.#lastMs - this.#beginMs) / 1000;
  }

  sent(dueMs: number, nowMs: number): void {
    if (this.#has(dueMs)) this.late.record(nowMs - dueMs);
  }

  answered(dueMs: number, nowMs: number): void {
    if (!this.#has(dueMs)) return;
    this.latencies.record(nowMs - dueMs);
    this.#lastMs = nowMs;
  }

  #has(dueMs: number): boolean {
    return dueMs >= this.#beginMs && dueMs < this.#endMs;
  }
}

/** Runs a schedule against a server. Rejects at the first unexpected answer. */
export async function runOpenLoop(options: OpenLoopOptions, {warmUpSeconds, seconds}: BenchOptions): Promise<OpenRun> {
  const window = new Window();
  const loop = await OpenLoop.connect(options, window);
  try {
    loop.start();
    await loop.orFailure(delay(warmUpSeconds * 1000));
    window.open();
    await loop.orFailure(delay(seconds * 1000));
    window.close();
    await loop.end();
    const latencies = window.latencies.latencies;
    return {latencies, late: window.late.latencies, answersPerSecond: latencies.count / window.seconds};
  } finally {
    loop.destroy();
  }
}
