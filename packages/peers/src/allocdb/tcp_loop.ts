/**
 * The closed loop over an AllocDB server, with the connections of the bench; the peers' loop is its counterpart. Every
 * answer is checked by the feed, and at the end it says what the server must hold.
 *
 * Not here: the server, which is started as `allocdb serve` in a process of its own.
 */
import {performance} from 'node:perf_hooks';
import {
  type ConnectionOwner,
  HOT_RESOURCES,
  type Holdings,
  LaneFeed,
  LoadConnection,
  type LoadShape,
  SERVER_RESOURCES,
  TTL_SLOTS,
  Workload,
} from '@allocdb/bench';
import {Latencies} from '../latencies.ts';
import type {ClosedLoop} from '../measure.ts';

export class TcpLoop implements ClosedLoop, ConnectionOwner {
  answers: number = 0;
  readonly latencies: Latencies;
  readonly #connections: LoadConnection[] = [];
  readonly #turns: Int32Array;
  readonly #outstanding: number;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #nowMs: number = 0;
  #isDraining: boolean = false;
  #drained: () => void = () => undefined;

  /** Connects all connections; nothing is sent yet. */
  static async connect(port: number, shape: LoadShape): Promise<TcpLoop> {
    const loop = new TcpLoop(port, shape);
    await loop.orFailure(Promise.all(loop.#connections.map(({ready}) => ready)));
    return loop;
  }

  private constructor(port: number, {connections, outstanding}: LoadShape) {
    const lanes = connections * outstanding;
    const workload = new Workload({lanes, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS});
    this.latencies = new Latencies(lanes);
    this.#outstanding = outstanding;
    this.#turns = new Int32Array(connections).fill(0);
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    for (let i = 0; i < connections; i++) {
      const feed = new LaneFeed(workload, i * outstanding, outstanding, 1);
      this.#connections.push(new LoadConnection(this, port, i, feed, outstanding));
    }
  }

  start(): void {
    for (const connection of this.#connections) {
      for (let i = 0; i < this.#outstanding; i++) connection.send();
      connection.flush();
    }
  }

  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  async stop(): Promise<void> {
    await this.orFailure(
      new Promise<void>(resolve => {
        this.#drained = resolve;
        this.#isDraining = true;
        this.#drainedYet();
      }),
    );
  }

  close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    return Promise.resolve();
  }

  /** What the server must hold when the loop has stopped, where it held this much before. */
  expectedHoldings(before: Holdings): Holdings {
    const sum = (of: (feed: LaneFeed) => number): number =>
      this.#connections.reduce((total, {feed}) => total + of(feed), 0);
    return {
      operations: before.operations + this.answers,
      reservations: before.reservations + sum(feed => feed.granted),
      held: HOT_RESOURCES + sum(feed => feed.holding),
    };
  }

  onChunk(): void {
    this.#nowMs = performance.now();
  }

  onAnswer(connection: LoadConnection): void {
    const {index} = connection;
    const turn = this.#turns[index] ?? 0;
    this.#turns[index] = turn + 1 === this.#outstanding ? 0 : turn + 1;
    this.latencies.answered(index * this.#outstanding + turn, this.#nowMs);
    this.answers++;
    if (!this.#isDraining) connection.send();
    else this.#drainedYet();
  }

  fail(error: Error): void {
    this.#fail(error);
  }

  #drainedYet(): void {
    if (this.#connections.every(({feed}) => feed.outstanding === 0)) this.#drained();
  }
}
