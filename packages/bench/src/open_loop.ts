/**
 * The open loop: requests leave by a fixed schedule, whatever has been answered, as from users who do not know of each
 * other. The i-th arrival is due i / rate after the start and belongs to connection i modulo their number; its latency is
 * counted from the moment at which it was due, so that neither a stalled server nor a late sender hides anything.
 *
 * In every turn of the event loop the sender sends what has become due, one write for each connection, and naps. One that
 * never sleeps would send every command by itself and take a processor that the server's threads and the disk's need too.
 * Where all lanes of a connection are outstanding an arrival waits for the next answer, and its latency goes on.
 */
import {performance} from 'node:perf_hooks';
import {LaneFeed} from './lane_feed.ts';
import {type ConnectionOwner, LoadConnection} from './load_connection.ts';
import {Workload, type WorkloadSize} from './workload.ts';

/** A nap: short beside the time of a sync, and several commands long at the rates that are of interest. */
const NAP_MS = 0.1;

/** What is told about every arrival; moments are of `performance.now()`. */
export interface ArrivalObserver {
  sent(dueMs: number, nowMs: number): void;
  answered(dueMs: number, nowMs: number): void;
}

/** Where arrivals go, and how many of them. */
export interface OpenLoopOptions {
  readonly port: number;
  readonly connections: number;
  /** Commands that can be outstanding on each connection. */
  readonly lanes: number;
  /** Arrivals per second over all connections. */
  readonly rate: number;
  /** Which resources and operations, and for how long a reserve asks. */
  readonly over: Omit<WorkloadSize, 'lanes'>;
}

export class OpenLoop implements ConnectionOwner {
  readonly #observer: ArrivalObserver;
  readonly #connections: LoadConnection[] = [];
  readonly #sent: Float64Array;
  readonly #taken: Float64Array;
  readonly #perMs: number;
  readonly #failed: Promise<never>;
  readonly #bed: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  #fail: (error: Error) => void = () => undefined;
  #startMs: number = 0;
  #nowMs: number = 0;
  /** Arrivals of this index and later are not sent. */
  #end: number = Number.POSITIVE_INFINITY;
  #destroyed: boolean = false;
  #onDone: () => void = () => undefined;

  /** Connects all connections and completes their handshakes; nothing is sent yet. */
  static async connect(options: OpenLoopOptions, observer: ArrivalObserver): Promise<OpenLoop> {
    const loop = new OpenLoop(options, observer);
    await loop.orFailure(Promise.all(loop.#connections.map(connection => connection.ready)));
    return loop;
  }

  private constructor({port, connections, lanes, rate, over}: OpenLoopOptions, observer: ArrivalObserver) {
    this.#observer = observer;
    this.#perMs = rate / 1000;
    this.#sent = new Float64Array(connections);
    this.#taken = new Float64Array(connections);
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    const workload = new Workload({...over, lanes: connections * lanes});
    for (let i = 0; i < connections; i++) {
      this.#connections.push(new LoadConnection(this, port, i, new LaneFeed(workload, i * lanes, lanes, 1), lanes));
    }
  }

  /** Arrivals that were answered. */
  get answers(): number {
    return this.#taken.reduce((sum, each) => sum + each, 0);
  }

  /** Begins the schedule. */
  start(): void {
    this.#startMs = performance.now();
    this.#pump();
  }

  /** The promise's value, or the first thing that went wrong on a connection. */
  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  /** Ends the schedule at this moment, and resolves when everything that was due has been answered. */
  async end(): Promise<void> {
    this.#end = this.#dueAt(performance.now());
    await this.orFailure(
      new Promise<void>(resolve => {
        this.#onDone = resolve;
        this.#doneYet();
      }),
    );
    this.destroy();
  }

  /** Closes without waiting. */
  destroy(): void {
    this.#destroyed = true;
    for (const connection of this.#connections) connection.destroy();
  }

  onChunk(): void {
    this.#nowMs = performance.now();
  }

  onAnswer({index}: LoadConnection): void {
    const place = this.#taken[index] ?? 0;
    this.#taken[index] = place + 1;
    this.#observer.answered(this.#dueMsOf(place, index), this.#nowMs);
    if (this.#end !== Number.POSITIVE_INFINITY) this.#doneYet();
  }

  fail(error: Error): void {
    this.#fail(error);
  }

  #pump(): void {
    if (this.#destroyed) return;
    const nowMs = performance.now();
    const due = Math.min(this.#end, this.#dueAt(nowMs));
    for (const connection of this.#connections) this.#sendDue(connection, due, nowMs);
    // No timer is as short as this.
    Atomics.wait(this.#bed, 0, 0, NAP_MS);
    setImmediate(() => this.#pump());
  }

  #sendDue(connection: LoadConnection, due: number, nowMs: number): void {
    const {index, feed} = connection;
    const count = Math.ceil((due - index) / this.#connections.length);
    let place = this.#sent[index] ?? 0;
    for (; place < count && feed.isFree; place++) {
      this.#observer.sent(this.#dueMsOf(place, index), nowMs);
      connection.send();
    }
    this.#sent[index] = place;
    connection.flush();
  }

  /** How many arrivals have become due. */
  #dueAt(nowMs: number): number {
    return Math.floor((nowMs - this.#startMs) * this.#perMs);
  }

  /** When the arrival at a place of a connection's own order is due. */
  #dueMsOf(place: number, connection: number): number {
    return this.#startMs + (place * this.#connections.length + connection) / this.#perMs;
  }

  #doneYet(): void {
    if (this.answers === this.#end) this.#onDone();
  }
}
