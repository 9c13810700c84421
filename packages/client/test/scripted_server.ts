/**
 * A TCP server that speaks the framing and whatever else the test says: it is no database. Every connection and every
 * request can be awaited, in order, or answered by a function.
 */
import {once} from 'node:events';
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
import {
  type ApiRequest,
  type ApiResponse,
  CONNECTION_FRAME,
  decodeHello,
  decodeRequest,
  decodeSubscribe,
  encodeConnectionError,
  encodeResponse,
  encodeWelcome,
  FrameSplitter,
  type Hello,
  PROTOCOL_VERSION,
  type Welcome,
} from '@allocdb/api';

export const WELCOME: Welcome = {
  version: PROTOCOL_VERSION,
  currentSlot: 100n,
  slotDurationMs: 1_000,
  lastDurableLsn: 5n,
  maxFrameBytes: 1 << 20,
  maxBatch: 100,
};

/** Values put in one at a time and awaited one at a time. */
export class Inbox<T> {
  readonly #values: T[] = [];
  readonly #waiting: ((value: T) => void)[] = [];

  put(value: T): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#values.push(value);
    else next(value);
  }

  get size(): number {
    return this.#values.length;
  }

  next(): Promise<T> {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift() as T);
    return new Promise(resolve => this.#waiting.push(resolve));
  }
}

export type Answer = (request: ApiRequest, connection: ServerConnection) => ApiResponse | null;

export class ServerConnection {
  readonly socket: Socket;
  readonly requests: Inbox<ApiRequest> = new Inbox();
  /** The lsns from which changes were asked for. */
  readonly subscriptions: Inbox<bigint> = new Inbox();
  /** How many chunks the requests came in. */
  chunks = 0;
  hello: Hello | null = null;
  readonly closed: Promise<unknown>;

  constructor(socket: Socket, onHello: (connection: ServerConnection) => void, answer: () => Answer | null) {
    this.socket = socket;
    this.closed = new Promise(resolve => socket.once('close', resolve));
    socket.on('error', () => {});
    const splitter = new FrameSplitter(1 << 24, (_view, bytes, offset, length) => {
      const frame = Uint8Array.from(bytes.subarray(offset, offset + length));
      if (this.hello === null) {
        this.hello = decodeHello(frame);
        onHello(this);
        return;
      }
      if (frame[0] === CONNECTION_FRAME.SUBSCRIBE) {
        this.subscriptions.put(decodeSubscribe(frame));
        return;
      }
      const request = decodeRequest(frame);
      const response = answer()?.(request, this);
      if (response === undefined) this.requests.put(request);
      else if (response !== null) this.respond(response);
    });
    socket.on('data', chunk => {
      this.chunks++;
      splitter.push(chunk);
    });
  }

  send(...frames: Uint8Array[]): void {
    const parts = frames.flatMap(frame => {
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32LE(frame.byteLength);
      return [prefix, frame];
    });
    this.socket.write(Buffer.concat(parts));
  }

  respond(...responses: ApiResponse[]): void {
    this.send(...responses.map(encodeResponse));
  }

  /** An error frame, then the end, as a server does it. */
  refuse(code: number, text: string): void {
    this.send(encodeConnectionError({code, text}));
    this.socket.end();
  }

  cut(): void {
    this.socket.destroy();
  }
}

export class ScriptedServer implements AsyncDisposable {
  readonly connections: Inbox<ServerConnection> = new Inbox();
  /** What happens on a hello; by default it is welcomed. */
  onHello: (connection: ServerConnection) => void = connection => connection.send(encodeWelcome(this.welcome));
  /** Answers requests at once (null: never); without it they wait in `connection.requests`. */
  answer: Answer | null = null;
  welcome: Welcome = WELCOME;
  accepted = 0;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #port = 0;

  constructor() {
    this.#server = createServer(socket => {
      this.accepted++;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      const onHello = (connection: ServerConnection): void => {
        this.onHello(connection);
        this.connections.put(connection);
      };
      new ServerConnection(socket, onHello, () => this.answer);
    });
  }

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    await server.listen();
    return server;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening and cuts every connection; `listen` brings it back at the same address. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get url(): string {
    return `allocdb://127.0.0.1:${this.#port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
  }
}

/** A submit's answer with this lsn and result. */
export function committed(
  appliedLsn: bigint,
  resultCode: 'ok' | 'resource_busy' | 'already_exists' = 'ok',
): ApiResponse {
  return {
    type: 'submit_committed',
    appliedLsn,
    resultCode,
    reservationId: null,
    deadlineSlot: null,
    fromRetryCache: false,
  };
}
