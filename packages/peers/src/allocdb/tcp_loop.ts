/**
 * The closed loop over an AllocDB server: the client of the bench, watched for how long lanes wait; the peers' loop is its
 * counterpart. The client checks every answer, and at the end the loop says what the server must hold.
 *
 * Not here: the server, which is started as `allocdb serve` in a process of its own.
 */
import {performance} from 'node:perf_hooks';
import {
  type AnswerObserver,
  HOT_RESOURCES,
  type Holdings,
  LoadClient,
  type LoadShape,
  SERVER_RESOURCES,
  TTL_SLOTS,
} from '@allocdb/bench';
import {Latencies} from '../latencies.ts';
import type {ClosedLoop} from '../measure.ts';

export class TcpLoop implements ClosedLoop {
  readonly latencies: Latencies;
  readonly #client: LoadClient;

  /** Connects all connections; nothing is sent yet. Requests are single commands. */
  static async connect(port: number, {connections, outstanding}: LoadShape): Promise<TcpLoop> {
    const shape: LoadShape = {connections, outstanding};
    const waits = new LaneWaits(shape);
    const options = {port, shape, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS};
    return new TcpLoop(await LoadClient.connect(options, waits), waits.latencies);
  }

  private constructor(client: LoadClient, latencies: Latencies) {
    this.#client = client;
    this.latencies = latencies;
  }

  get answers(): number {
    return this.#client.answers;
  }

  start(): void {
    this.#client.start();
  }

  orFailure<T>(promise: Promise<T>): Promise<T> {
    return this.#client.orFailure(promise);
  }

  stop(): Promise<void> {
    return this.#client.stop();
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  /** What the server must hold when the loop has stopped, where it held this much before. */
  expectedHoldings(before: Holdings): Holdings {
    const {answers, granted, holding} = this.#client;
    return {
      operations: before.operations + answers,
      reservations: before.reservations + granted,
      held: HOT_RESOURCES + holding,
    };
  }
}

/** How long each lane waits: lanes of a connection are answered in turn, and a chunk of answers has one time. */
class LaneWaits implements AnswerObserver {
  readonly latencies: Latencies;
  readonly #outstanding: number;
  readonly #turns: Int32Array;
  #nowMs: number = 0;

  constructor({connections, outstanding}: LoadShape) {
    this.latencies = new Latencies(connections * outstanding);
    this.#outstanding = outstanding;
    this.#turns = new Int32Array(connections);
  }

  onChunk(): void {
    this.#nowMs = performance.now();
  }

  onAnswer(connection: number): void {
    const turn = this.#turns[connection] ?? 0;
    this.#turns[connection] = turn + 1 === this.#outstanding ? 0 : turn + 1;
    this.latencies.answered(connection * this.#outstanding + turn, this.#nowMs);
  }
}
