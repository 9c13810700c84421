/**
 * The closed loop: a number of commands outstanding on each of several connections; every answer is checked and followed
 * by the lane's next command; what one chunk of answers brings about leaves in one write.
 *
 * It counts and reads no clock; whoever wants to know when what was answered gives it an observer. A closed loop waits for
 * slow answers before it asks again, so its waits are no latencies of the server's users. For those see `open_loop.ts`.
 */
import {LaneFeed} from './lane_feed.ts';
import {type ConnectionOwner, LoadConnection} from './load_connection.ts';
import {LoopEnd} from './loop_end.ts';
import {batchOf, type LoadShape} from './scenario.ts';
import {Workload} from './workload.ts';

/** How a client loads, and over what. */
export interface LoadOptions {
  readonly port: number;
  readonly shape: LoadShape;
  readonly resources: number;
  readonly ttlSlots: number;
}

/** Told by a {@link LoadClient} what arrives, as it arrives; must not throw. */
export interface AnswerObserver {
  /** A chunk has arrived on a connection; its answers follow before the next chunk of any connection. */
  onChunk(): void;
  /**
   * The oldest request of the connection with this index was answered as expected; the next one is sent afterwards. So the
   * answers of a connection belong to its `outstanding` requests in turn.
   */
  onAnswer(connection: number): void;
}

/**
 * A closed loop over TCP: the lanes of the workload, `outstanding` requests on each of `connections`, until it is stopped.
 * At the first answer that is not as the workload expects, or a connection that ends, {@link LoadClient.orFailure} rejects.
 */
export class LoadClient implements ConnectionOwner {
  /** Commands answered so far, every one as expected. */
  answers: number = 0;
  readonly #batch: number;
  readonly #connections: LoadConnection[] = [];
  readonly #requests: number;
  readonly #observer: AnswerObserver | null;
  readonly #end: LoopEnd = new LoopEnd(() => this.#connections.every(({feed}) => feed.outstanding === 0));

  /**
   * Connects all connections and completes their handshakes; nothing is sent yet. Rejects when one of them fails. The
   * handshakes arrive in chunks too, of which the observer is told.
   */
  static async connect(options: LoadOptions, observer: AnswerObserver | null = null): Promise<LoadClient> {
    const client = new LoadClient(options, observer);
    await client.orFailure(Promise.all(client.#connections.map(connection => connection.ready)));
    return client;
  }

  private constructor({port, shape, resources, ttlSlots}: LoadOptions, observer: AnswerObserver | null) {
    const {connections, outstanding} = shape;
    const batch = batchOf(shape);
    const lanes = outstanding * batch;
    const workload = new Workload({lanes: connections * lanes, resources, ttlSlots});
    this.#batch = batch;
    this.#requests = outstanding;
    this.#observer = observer;
    for (let i = 0; i < connections; i++) {
      const feed = new LaneFeed(workload, i * lanes, lanes, batch);
      this.#connections.push(new LoadConnection(this, port, i, feed, lanes));
    }
  }

  /** Reservations that answers have granted. */
  get granted(): number {
    return this.#connections.reduce((sum, {feed}) => sum + feed.granted, 0);
  }

  /** Resources that the lanes hold; only once it is stopped. */
  get holding(): number {
    return this.#connections.reduce((sum, {feed}) => sum + feed.holding, 0);
  }

  /** Sends the first requests of every connection. */
  start(): void {
    for (const connection of this.#connections) {
      for (let i = 0; i < this.#requests; i++) connection.send();
      connection.flush();
    }
  }

  /** The promise's value, or the first thing that went wrong on a connection. */
  orFailure<T>(promise: Promise<T>): Promise<T> {
    return this.#end.orFailure(promise);
  }

  /** Sends no more and resolves when nothing is outstanding; the connections stay open. */
  stop(): Promise<void> {
    return this.#end.stop();
  }

  /** Closes the connections without waiting; without effect when they are closed. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  onChunk(): void {
    this.#observer?.onChunk();
  }

  onAnswer(connection: LoadConnection): void {
    this.answers += this.#batch;
    this.#observer?.onAnswer(connection.index);
    if (this.#end.goesOn()) connection.send();
  }

  /** Told by connections; the first one counts. */
  fail(error: Error): void {
    this.#end.fail(error);
  }
}
