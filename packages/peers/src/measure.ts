/**
 * One run of a closed loop: warm-up, the measured seconds, and the end, when nothing is outstanding any more. The same
 * for AllocDB and every peer.
 */
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import type {Latencies} from './latencies.ts';

/** Lanes that go on by themselves until they are stopped. */
export interface ClosedLoop {
  /** Commands answered so far, every one as expected. */
  readonly answers: number;
  readonly latencies: Latencies;
  start(): void;
  /** The promise's value, or the first thing that went wrong in the loop. */
  orFailure<T>(promise: Promise<T>): Promise<T>;
  /** Sends no more and resolves when nothing is outstanding. */
  stop(): Promise<void>;
  /** Lets go of the connections. */
  close(): Promise<void>;
}

/** How long a run takes. */
export interface RunTimes {
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** What a run found. */
export interface LoopRun {
  readonly answersPerSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Runs the loop; on return nothing is outstanding, and its connections are still open. */
export async function measureLoop(loop: ClosedLoop, {seconds, warmUpSeconds}: RunTimes): Promise<LoopRun> {
  loop.start();
  await loop.orFailure(delay(warmUpSeconds * 1000));
  const [answers, beganMs] = [loop.answers, performance.now()];
  loop.latencies.begin();
  await loop.orFailure(delay(seconds * 1000));
  loop.latencies.end();
  const answersPerSecond = ((loop.answers - answers) * 1000) / (performance.now() - beganMs);
  await loop.stop();
  return {
    answersPerSecond,
    p50Micros: loop.latencies.percentile(0.5),
    p99Micros: loop.latencies.percentile(0.99),
  };
}
