/**
 * Lets holds expire: at every slot of a clock, ticks until nothing more is due. It goes through the same pipelined path
 * as every caller, so that a tick is ordered and logged like any other request, and costs nothing where nothing is due.
 * Stops by itself when the engine halts.
 */
import {decodeResponse, encodeRequest} from '@allocdb/api';
import type {MonotonicSlotClock} from '../clock.ts';
import {AnswerBuffer, LENGTH_BYTES} from './answer_buffer.ts';
import type {SingleNodeEngine} from './single_node_engine.ts';

export class ExpirationTicker {
  private readonly engine: SingleNodeEngine;
  private readonly clock: MonotonicSlotClock;
  private readonly answers: AnswerBuffer;
  private timer: NodeJS.Timeout | null = null;
  private stopped: boolean = false;

  /** Starts ticking; the timer alone does not keep a process alive. */
  constructor(engine: SingleNodeEngine, clock: MonotonicSlotClock) {
    this.engine = engine;
    this.clock = clock;
    this.answers = new AnswerBuffer(() => this.onAnswer());
    this.waitForSlot();
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private waitForSlot(): void {
    this.timer = setTimeout(() => this.tick(), this.clock.msToNextSlot()).unref();
  }

  private tick(): void {
    if (this.stopped || this.engine.state !== 'running') return;
    const frame = encodeRequest({type: 'tick_expirations', currentWallClockSlot: this.clock.now()});
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.engine.submitBytes(view, frame, 0, frame.length, this.answers);
  }

  private onAnswer(): void {
    const taken = this.answers.take();
    if (taken === null || this.stopped) return;
    const response = decodeResponse(taken.subarray(LENGTH_BYTES));
    const most = this.engine.config.engine.maxExpirationsPerTick;
    if (response.type === 'tick_applied' && response.processedCount >= most) this.tick();
    else this.waitForSlot();
  }
}
