/**
 * The closed loop in process: a number of requests outstanding at a subject, each answered by its lanes' next request.
 * What one delivery of answers brings about is written into one buffer and submitted together, as a socket's chunk is.
 *
 * The clock is read once for each delivery of answers. Every answer is checked; the first unexpected one rejects the run.
 */
import {performance} from 'node:perf_hooks';
import type {FrameSubject} from './engine_subjects.ts';
import {LaneFeed, requestBytesMax} from './lane_feed.ts';
import {Workload} from './workload.ts';
import {SERVER_RESOURCES, TTL_SLOTS} from './workload_config.ts';

const PREFIX_BYTES = 4;

/** Commands answered, and how fast. */
export interface LoopRun {
  readonly answers: number;
  readonly answersPerSecond: number;
}

export class EngineLoop {
  readonly #subject: FrameSubject;
  readonly #feed: LaneFeed;
  readonly #requests: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #answers: number = 0;
  #nowMs: number = 0;
  #endMs: number = 0;
  #onDone: () => void = () => undefined;
  #onError: (error: unknown) => void = () => undefined;

  /** `commands` outstanding, a multiple of `batch`, which is how many commands a request has. */
  constructor(subject: FrameSubject, commands: number, batch: number) {
    this.#subject = subject;
    const workload = new Workload({lanes: commands, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS});
    this.#feed = new LaneFeed(workload, 0, commands, batch);
    this.#requests = commands / batch;
    this.#bytes = new Uint8Array(this.#requests * requestBytesMax(batch));
    this.#view = new DataView(this.#bytes.buffer);
    subject.onAnswers = answers => this.#onAnswers(answers);
  }

  /** Runs for so many milliseconds and until nothing is outstanding. */
  async run(millis: number): Promise<LoopRun> {
    const before = this.#answers;
    const beganMs = performance.now();
    this.#endMs = beganMs + millis;
    await new Promise<void>((resolve, reject) => {
      this.#onDone = resolve;
      this.#onError = reject;
      let end = 0;
      for (let i = 0; i < this.#requests; i++) end += this.#feed.write(this.#view, end);
      this.#subject.submitChunk(this.#view, this.#bytes, end);
    });
    const answers = this.#answers - before;
    return {answers, answersPerSecond: (answers * 1000) / (this.#nowMs - beganMs)};
  }

  #onAnswers(answers: Uint8Array): void {
    this.#nowMs = performance.now();
    const goesOn = this.#nowMs < this.#endMs;
    try {
      const view = new DataView(answers.buffer, answers.byteOffset, answers.byteLength);
      let end = 0;
      for (let at = 0; at < answers.length; ) {
        const length = view.getInt32(at, true);
        this.#feed.take(view, at + PREFIX_BYTES, length);
        this.#answers += this.#feed.batch;
        if (goesOn) end += this.#feed.write(this.#view, end);
        at += PREFIX_BYTES + length;
      }
      if (end > 0) this.#subject.submitChunk(this.#view, this.#bytes, end);
    } catch (error) {
      this.#onError(error);
    }
    if (this.#feed.outstanding === 0) this.#onDone();
  }
}
