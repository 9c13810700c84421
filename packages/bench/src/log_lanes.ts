/**
 * A closed loop of lanes over one log: each appends a record, waits until it is durable, and starts again. So as many
 * records are waited for at any time as there are lanes, and those that go on together share the next frame.
 *
 * The clock is read once for each frame, by the first lane that goes on; the others of the frame share the reading. One
 * lane's waits are the latencies: the lanes are alike, and each is in every frame once.
 * A run ends by that reading as well: a timer would be late where frames are written blocking.
 */
import {performance} from 'node:perf_hooks';
import type {LogSubject} from './log_subject.ts';
import {percentileOf} from './stats.ts';

const SAMPLES_MAX: number = 1 << 20;

/** When a run ends, whichever comes first. */
export interface LaneLimit {
  readonly millis: number;
  readonly records: number;
}

/** What a run did: from the first append until the last record was durable. */
export interface LaneRun {
  readonly records: number;
  readonly recordsPerSecond: number;
  /** Append to durable, in microseconds. */
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly p999Micros: number;
  readonly maxMicros: number;
}

/** Lanes that are run again and again over the same log. */
export class LaneLoop {
  readonly #subject: LogSubject;
  readonly #lanes: number;
  readonly #samples: Float64Array = new Float64Array(SAMPLES_MAX);
  #sampled: number = 0;
  #records: number = 0;
  #recordsMax: number = 0;
  #nowMs: number = 0;
  #endMs: number = 0;
  #seenWord: number = 0;
  #isStopping: boolean = false;

  constructor(subject: LogSubject, lanes: number) {
    this.#subject = subject;
    this.#lanes = lanes;
  }

  /** Runs until the limit; on return nothing is waited for. Rejects when the log does. */
  async run({millis, records}: LaneLimit): Promise<LaneRun> {
    this.#sampled = 0;
    this.#records = 0;
    this.#recordsMax = records;
    this.#isStopping = false;
    this.#seenWord = this.#subject.durableWord;
    const beganMs = performance.now();
    this.#nowMs = beganMs;
    this.#endMs = beganMs + millis;
    await Promise.all(Array.from({length: this.#lanes}, (_, lane) => this.#runLane(lane === 0)));
    const micros = this.#samples.subarray(0, Math.min(this.#sampled, SAMPLES_MAX));
    return {
      records: this.#records,
      recordsPerSecond: (this.#records * 1000) / (this.#nowMs - beganMs),
      p50Micros: percentileOf(micros, 0.5),
      p99Micros: percentileOf(micros, 0.99),
      p999Micros: percentileOf(micros, 0.999),
      maxMicros: percentileOf(micros, 1),
    };
  }

  async #runLane(isSampled: boolean): Promise<void> {
    const subject = this.#subject;
    while (!this.#isStopping) {
      const beganMs = this.#nowMs;
      subject.append();
      await subject.commit();
      if (subject.durableWord !== this.#seenWord) this.#onFrame();
      this.#records++;
      if (isSampled) this.#samples[this.#sampled++ % SAMPLES_MAX] = (this.#nowMs - beganMs) * 1000;
    }
  }

  #onFrame(): void {
    this.#seenWord = this.#subject.durableWord;
    this.#nowMs = performance.now();
    if (this.#nowMs >= this.#endMs || this.#records + 2 * this.#lanes > this.#recordsMax) this.#isStopping = true;
  }
}
