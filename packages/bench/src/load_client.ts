/**
 * The closed loop: a number of commands outstanding on each of several connections; every answer is checked and followed
 * by the lane's next command; what one chunk of answers brings about leaves in one write.
 *
 * Rates only: a closed loop waits for slow answers before it asks again, so its waits are no latencies of the server's
 * users. For those see `open_loop.ts`.
 */
import {LaneFeed} from './lane_feed.ts';
import {type ConnectionOwner, LoadConnection} from './load_connection.ts';
import {batchOf, type LoadShape} from './scenario.ts';
import {Workload} from './workload.ts';

/** How a client loads, and over what. */
export interface LoadOptions {
  readonly port: number;
  readonly shape: LoadShape;
  readonly resources: number;
  readonly ttlSlots: number;
}

export class LoadClient implements ConnectionOwner {
  /** Answers to commands taken so far. */
  answers: number = 0;
  readonly #batch: number;
  readonly #connections: LoadConnection[] = [];
  readonly #requests: number;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #draining: boolean = false;
  #drained: () => void = () => undefined;

  /** Connects all connections and completes their handshakes; nothing is sent yet. */
  static async connect(options: LoadOptions): Promise<LoadClient> {
    const client = new LoadClient(options);
    await client.orFailure(Promise.all(client.#connections.map(connection => connection.ready)));
    return client;
  }

  private constructor({port, shape, resources, ttlSlots}: LoadOptions) {
    const {connections, outstanding} = shape;
    const batch = batchOf(shape);
    const lanes = outstanding * batch;
    const workload = new Workload({lanes: connections * lanes, resources, ttlSlots});
    this.#batch = batch;
    this.#requests = outstanding;
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    for (let i = 0; i < connections; i++) {
      const feed = new LaneFeed(workload, i * lanes, lanes, batch);
      this.#connections.push(new LoadConnection(this, port, i, feed, lanes));
    }
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
    return Promise.race([promise, this.#failed]);
  }

  /** Sends no more, waits for what is outstanding, and closes. */
  async stop(): Promise<void> {
    await this.orFailure(
      new Promise<void>(resolve => {
        this.#drained = resolve;
        this.#draining = true;
        this.#drainedYet();
      }),
    );
    this.destroy();
  }

  /** Closes without waiting. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  onChunk(): void {
    // A closed loop reads no clock.
  }

  onAnswer(connection: LoadConnection): void {
    this.answers += this.#batch;
    if (!this.#draining) connection.send();
    else this.#drainedYet();
  }

  /** Told by connections; the first one counts. */
  fail(error: Error): void {
    this.#fail(error);
  }

  #drainedYet(): void {
    if (this.#connections.every(({feed}) => feed.outstanding === 0)) this.#drained();
  }
}
