/**
 * Expires holds: at every slot, ticks until nothing more is due. It goes through the same pipelined path as every client,
 * so that a tick is ordered and logged like any other request, and costs nothing where nothing is due.
 */
import {decodeResponse, encodeRequest} from '@allocdb/api';
import {AnswerBuffer, type MonotonicSlotClock, type SingleNodeEngine} from '@allocdb/node';

export class Ticker {
  readonly #engine: SingleNodeEngine;
  readonly #clock: MonotonicSlotClock;
  readonly #answers: AnswerBuffer;
  #timer: NodeJS.Timeout | null = null;
  #stopped: boolean = false;

  constructor(engine: SingleNodeEngine, clock: MonotonicSlotClock) {
    this.#engine = engine;
    this.#clock = clock;
    this.#answers = new AnswerBuffer(() => this.#onAnswer());
  }

  start(): void {
    this.#timer = setTimeout(() => this.#tick(), this.#clock.msToNextSlot());
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #tick(): void {
    if (this.#stopped || this.#engine.state !== 'running') return;
    const frame = encodeRequest({type: 'tick_expirations', currentWallClockSlot: this.#clock.now()});
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#engine.submitBytes(view, frame, 0, frame.length, this.#answers);
  }

  #onAnswer(): void {
    const taken = this.#answers.take();
    if (taken === null || this.#stopped) return;
    const response = decodeResponse(taken.subarray(4));
    const full =
      response.type === 'tick_applied' && response.processedCount >= this.#engine.config.engine.maxExpirationsPerTick;
    if (full) this.#tick();
    else this.start();
  }
}
