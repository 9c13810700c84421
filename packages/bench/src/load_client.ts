/**
 * A client that keeps a number of commands outstanding on each of its connections: every answer is checked and answered
 * by the lane's next command; what one chunk of answers brings about leaves in one write. It runs the same code against
 * a server with and without a database, so that their figures differ only by the server.
 *
 * Not for applications: it knows the bytes of two requests and one response, and ends at the first surprise.
 */
import {connect, type Socket} from 'node:net';
import {
  CONNECTION_FRAME,
  decodeConnectionError,
  decodeResponse,
  encodeHello,
  FrameSplitter,
  PROTOCOL_VERSION,
  RESPONSE,
  SPLIT,
} from '@allocdb/node';
import type {LoadShape} from './scenario.ts';
import {PAYLOAD_BYTES_MAX, SUBMIT_HEADER_BYTES, Workload} from './workload.ts';

const READ_BUFFER_BYTES: number = 256 << 10;
const FRAME_BYTES_MAX: number = SUBMIT_HEADER_BYTES + PAYLOAD_BYTES_MAX;
const ANSWER_BYTES_MAX = 4096;

/** Offsets in a submit committed: result code, presence of a reservation id, the id. */
const CODE_AT = 9;
const GRANTED_AT = 10;
const ID_AT = 11;

/** How a client loads, and over what. */
export interface LoadOptions {
  readonly port: number;
  readonly shape: LoadShape;
  readonly resources: number;
  readonly ttlSlots: number;
}

export class LoadClient {
  /** Answers taken so far. */
  answers: number = 0;
  readonly workload: Workload;
  readonly #connections: LoadConnection[] = [];
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;

  /** Connects all connections and completes their handshakes; nothing is sent yet. */
  static async connect(options: LoadOptions): Promise<LoadClient> {
    const client = new LoadClient(options);
    await client.orFailure(Promise.all(client.#connections.map(connection => connection.ready)));
    return client;
  }

  private constructor({port, shape, resources, ttlSlots}: LoadOptions) {
    const {connections, outstanding} = shape;
    this.workload = new Workload({lanes: connections * outstanding, resources, ttlSlots});
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    for (let i = 0; i < connections; i++) {
      this.#connections.push(new LoadConnection(this, port, i * outstanding, outstanding));
    }
  }

  /** Sends the first command of every lane. */
  start(): void {
    for (const connection of this.#connections) connection.start();
  }

  /** The promise's value, or the first thing that went wrong on a connection. */
  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  /** Sends no more, waits for what is outstanding, and closes. */
  async stop(): Promise<void> {
    await this.orFailure(Promise.all(this.#connections.map(connection => connection.drain())));
    this.destroy();
  }

  /** Closes without waiting. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  /** Told by connections; the first one counts. */
  fail(error: Error): void {
    this.#fail(error);
  }
}

class LoadConnection {
  readonly ready: Promise<void>;
  readonly #client: LoadClient;
  readonly #socket: Socket;
  readonly #firstLane: number;
  readonly #lanes: number;
  readonly #splitter: FrameSplitter;
  readonly #bufferBytes: number;
  readonly #spare: Buffer[] = [];
  #out: Buffer;
  #outView: DataView;
  #outBytes: number = 0;
  /** The lane whose answer comes next: answers come in the order of requests, so lanes take turns. */
  #turn: number = 0;
  #outstanding: number = 0;
  #draining: boolean = false;
  #welcomed: () => void = () => undefined;
  #drained: () => void = () => undefined;

  constructor(client: LoadClient, port: number, firstLane: number, lanes: number) {
    this.#client = client;
    this.#firstLane = firstLane;
    this.#lanes = lanes;
    this.#bufferBytes = Math.max(4096, lanes * FRAME_BYTES_MAX);
    this.#out = Buffer.allocUnsafeSlow(this.#bufferBytes);
    this.#outView = viewOf(this.#out);
    this.#splitter = new FrameSplitter(ANSWER_BYTES_MAX, (view, bytes, offset, length) =>
      this.#onFrame(view, bytes, offset, length),
    );
    this.ready = new Promise(resolve => {
      this.#welcomed = resolve;
    });
    const buffer = new Uint8Array(READ_BUFFER_BYTES);
    const callback = (count: number): boolean => {
      this.#onChunk(buffer.subarray(0, count));
      return true;
    };
    this.#socket = connect({host: '127.0.0.1', port, noDelay: true, onread: {buffer, callback}});
    this.#socket.on('error', error => client.fail(error));
    this.#socket.on('close', () => client.fail(new Error('the server closed a connection')));
    this.#socket.on('connect', () => this.#sendHello());
  }

  start(): void {
    for (let i = 0; i < this.#lanes; i++) this.#send(this.#firstLane + i);
    this.#flush();
  }

  drain(): Promise<void> {
    return new Promise(resolve => {
      this.#drained = resolve;
      this.#draining = true;
      if (this.#outstanding === 0) resolve();
    });
  }

  destroy(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #sendHello(): void {
    const hello = encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(0)});
    this.#outView.setUint32(0, hello.length, true);
    this.#out.set(hello, 4);
    this.#outBytes = 4 + hello.length;
    this.#flush();
  }

  #onChunk(chunk: Uint8Array): void {
    const status = this.#splitter.push(chunk);
    if (status !== SPLIT.OK) this.#client.fail(new Error(`the server sent what is no frame (${status})`));
    this.#flush();
  }

  #onFrame(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const {workload} = this.#client;
    const lane = this.#firstLane + this.#turn;
    if (view.getUint8(offset) !== RESPONSE.SUBMIT_COMMITTED) {
      this.#onOther(bytes.slice(offset, offset + length));
      return;
    }
    const code = view.getUint8(offset + CODE_AT);
    if (code !== workload.expectedResult(lane)) {
      this.#client.fail(new Error(`a command had result ${code}, not ${workload.expectedResult(lane)}`));
      return;
    }
    if (view.getUint8(offset + GRANTED_AT) === 1) {
      const at = offset + ID_AT;
      const [w0, w1] = [view.getInt32(at, true), view.getInt32(at + 4, true)];
      workload.settle(lane, w0, w1, view.getInt32(at + 8, true), view.getInt32(at + 12, true));
    } else workload.settle(lane, 0, 0, 0, 0);
    this.#client.answers++;
    this.#turn = this.#turn + 1 === this.#lanes ? 0 : this.#turn + 1;
    this.#outstanding--;
    if (!this.#draining) this.#send(lane);
    else if (this.#outstanding === 0) this.#drained();
  }

  #onOther(frame: Uint8Array): void {
    const tag = frame[0];
    if (tag === CONNECTION_FRAME.WELCOME) this.#welcomed();
    else if (tag === CONNECTION_FRAME.ERROR) this.#client.fail(new Error(decodeConnectionError(frame).text));
    else this.#client.fail(new Error(`a command was answered by ${JSON.stringify(decodeResponse(frame), plain)}`));
  }

  #send(lane: number): void {
    this.#outBytes += this.#client.workload.writeFrame(lane, this.#outView, this.#outBytes);
    this.#outstanding++;
  }

  /** One write for all that has been put into the buffer; the socket gives it back when it has let go of it. */
  #flush(): void {
    if (this.#outBytes === 0) return;
    const full = this.#out;
    this.#socket.write(full.subarray(0, this.#outBytes), () => this.#spare.push(full));
    this.#outBytes = 0;
    this.#out = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#bufferBytes);
    this.#outView = viewOf(this.#out);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
