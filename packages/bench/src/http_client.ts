/**
 * The closed loop over HTTP: one request outstanding on each of several keep-alive connections; every answer is checked and
 * followed by the connection's next request. What a load asks is described here too.
 *
 * A closed loop waits for slow answers before it asks again: its latencies are those of this many clients that do nothing
 * else, and no latencies of users who come by a schedule.
 */
import {performance} from 'node:perf_hooks';
import {HttpConnection, type HttpOwner} from './http_connection.ts';
import {BatchFeed, CommandFeed, type HttpFeed, ReadFeed} from './http_requests.ts';
import type {LatencyRecorder} from './latency_recorder.ts';
import {LoopEnd} from './loop_end.ts';
import {Workload} from './workload.ts';
import {TTL_SLOTS} from './workload_config.ts';

/** What is asked, and on how many connections. */
export interface HttpLoad {
  readonly what: 'command' | 'batch' | 'read';
  readonly connections: number;
  /** Commands of each request; 1 but for batches. */
  readonly batch: number;
}

/** Resources that a load has to itself, and the number of its first operation: loads of one database share neither. */
export interface HttpPart {
  readonly firstResource: number;
  readonly endResource: number;
  readonly firstOperation: number;
}

export class HttpClient implements HttpOwner {
  /** Requests answered so far, every one as expected. */
  answers: number = 0;
  /** Takes how long each answer was waited for; null while that does not count. */
  recorder: LatencyRecorder | null = null;
  readonly #connections: HttpConnection[] = [];
  readonly #feeds: readonly HttpFeed[];
  readonly #sentMs: Float64Array;
  readonly #end: LoopEnd = new LoopEnd(() => this.#connections.every(({isOutstanding}) => !isOutstanding));

  /** Connects all connections; nothing is sent yet. Rejects when one of them fails. */
  static async connect(port: number, load: HttpLoad, part: HttpPart): Promise<HttpClient> {
    const client = new HttpClient(port, load, part);
    try {
      await client.orFailure(Promise.all(client.#connections.map(connection => connection.ready)));
      return client;
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  private constructor(port: number, load: HttpLoad, part: HttpPart) {
    const {connections} = load;
    this.#feeds = feedsOf(load, part);
    this.#sentMs = new Float64Array(connections);
    for (let i = 0; i < connections; i++) this.#connections.push(new HttpConnection(this, port, i));
  }

  /** Sends the first request of every connection. */
  start(): void {
    for (const connection of this.#connections) this.#send(connection);
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

  onAnswer(connection: HttpConnection, status: number, body: string): void {
    this.recorder?.record(performance.now() - (this.#sentMs[connection.index] as number));
    this.#feeds[connection.index]?.take(status, body);
    this.answers++;
    if (this.#end.goesOn()) this.#send(connection);
  }

  /** Told by connections; the first one counts. */
  fail(error: Error): void {
    this.#end.fail(error);
  }

  #send(connection: HttpConnection): void {
    const request = this.#feeds[connection.index]?.next() ?? '';
    this.#sentMs[connection.index] = performance.now();
    connection.send(request);
  }
}

/** A feed for each connection. */
function feedsOf({what, connections, batch}: HttpLoad, part: HttpPart): HttpFeed[] {
  const {firstResource, endResource, firstOperation} = part;
  const all = Array.from({length: connections}, (_, i) => i);
  if (what === 'read') return all.map(i => new ReadFeed(firstResource, endResource, i / connections));
  const workload = new Workload({
    lanes: connections * batch,
    firstResource,
    resources: endResource,
    firstOperation,
    ttlSlots: TTL_SLOTS,
  });
  if (what === 'command') return all.map(i => new CommandFeed(workload, i, TTL_SLOTS));
  return all.map(i => new BatchFeed(workload, i * batch, batch, TTL_SLOTS));
}
