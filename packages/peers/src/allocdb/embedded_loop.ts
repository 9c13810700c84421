/**
 * The closed loop over an AllocDB engine in this process: so many commands are submitted in a turn of the event loop,
 * share a frame of the log, and are answered together when it is durable. What SQLite is compared with. What one delivery
 * of answers brings about is submitted together, so that the engine can look ahead.
 *
 * Every answer is checked by the feed, and at the end it says what the engine must hold.
 */
import {performance} from 'node:perf_hooks';
import {
  type EngineSubject,
  HOT_RESOURCES,
  type Holdings,
  LaneFeed,
  requestBytesMax,
  SERVER_RESOURCES,
  TTL_SLOTS,
  Workload,
} from '@allocdb/bench';
import {Latencies} from '../latencies.ts';
import type {ClosedLoop} from '../measure.ts';

const PREFIX_BYTES = 4;

export class EmbeddedLoop implements ClosedLoop {
  answers: number = 0;
  readonly latencies: Latencies;
  readonly #subject: EngineSubject;
  readonly #feed: LaneFeed;
  readonly #lanes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #turn: number = 0;
  #isDraining: boolean = false;
  #drained: () => void = () => undefined;

  constructor(subject: EngineSubject, lanes: number) {
    const workload = new Workload({lanes, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS});
    this.#subject = subject;
    this.#feed = new LaneFeed(workload, 0, lanes, 1);
    this.#lanes = lanes;
    this.#bytes = new Uint8Array(lanes * requestBytesMax(1));
    this.#view = new DataView(this.#bytes.buffer);
    this.latencies = new Latencies(lanes);
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    subject.onAnswers = answers => this.#onAnswers(answers);
  }

  start(): void {
    let end = 0;
    for (let i = 0; i < this.#lanes; i++) end += this.#feed.write(this.#view, end);
    this.#subject.submitChunk(this.#view, this.#bytes, end);
  }

  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  async stop(): Promise<void> {
    await this.orFailure(
      new Promise<void>(resolve => {
        this.#drained = resolve;
        this.#isDraining = true;
      }),
    );
  }

  close(): Promise<void> {
    return this.#subject.close();
  }

  /** What the engine must hold when the loop has stopped, where it held this much before. */
  expectedHoldings(before: Holdings): Holdings {
    return {
      operations: before.operations + this.answers,
      reservations: before.reservations + this.#feed.granted,
      held: HOT_RESOURCES + this.#feed.holding,
    };
  }

  #onAnswers(answers: Uint8Array): void {
    const nowMs = performance.now();
    try {
      const view = new DataView(answers.buffer, answers.byteOffset, answers.byteLength);
      let end = 0;
      for (let at = 0; at < answers.length; ) {
        const length = view.getInt32(at, true);
        this.#feed.take(view, at + PREFIX_BYTES, length);
        this.latencies.answered(this.#turn, nowMs);
        this.#turn = this.#turn + 1 === this.#lanes ? 0 : this.#turn + 1;
        this.answers++;
        if (!this.#isDraining) end += this.#feed.write(this.#view, end);
        at += PREFIX_BYTES + length;
      }
      if (end > 0) this.#subject.submitChunk(this.#view, this.#bytes, end);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#isDraining && this.#feed.outstanding === 0) this.#drained();
  }
}
