/**
 * One connection to a server, from connecting to its end: handshake, framing, requests out, responses in order to
 * whoever waits for them. It neither retries nor reconnects, and knows nothing of commands.
 *
 * It ends exactly once. Everything that was sent and not answered is handed over then, in order; after that nothing is
 * told any more. A server's error frame stands behind the responses to all requests before the one it is about, so with
 * a code that blames a request, that request is the first unanswered one and was not executed.
 */
import {
  CONNECTION_ERROR,
  CONNECTION_FRAME,
  connectionErrorName,
  decodeConnectionError,
  decodeWelcome,
  encodeHello,
  type FailureCode,
  FrameSplitter,
  PROTOCOL_VERSION,
  SPLIT,
  type Welcome,
} from '@allocdb/api';
import type {Address} from './address.ts';
import {ResponseQueue, type ResponseSink} from './response_queue.ts';
import {type TlsSettings, tlsFailureText} from './tcp_tls.ts';
import {TcpStream} from './tcp_transport.ts';
import {WriteQueue} from './write_queue.ts';

/** Why a connection ended. */
export interface LinkEnd {
  code: FailureCode;
  /** The server's own words where it gave any. */
  text: string;
  cause: unknown;
  /** True when the server refused the first unanswered request itself, unexecuted. */
  blamesHead: boolean;
  /** How many responses were still to come. */
  unanswered: number;
}

export interface LinkOptions {
  address: Address;
  /** Null without TLS. */
  tls: TlsSettings;
  token: Uint8Array;
  handshakeTimeoutMs: number;
  /** A connection with unanswered requests on which nothing arrives for so long is given up; 0 waits for ever. */
  responseTimeoutMs: number;
  maxResponseBytes: number;
}

export interface LinkEvents {
  /** The handshake is complete. */
  onOpen(welcome: Welcome): void;
  /** A frame of a change feed, valid until it returns; a connection without one must not be sent any. */
  onFeed?(bytes: Uint8Array, offset: number, length: number): void;
  /** The end, before or after onOpen; `unanswered` waited for responses, in order. */
  onEnd(end: LinkEnd, unanswered: readonly ResponseSink[]): void;
}

const REQUEST_ERRORS: ReadonlySet<number> = new Set([
  CONNECTION_ERROR.FRAME_TOO_LARGE,
  CONNECTION_ERROR.EMPTY_FRAME,
  CONNECTION_ERROR.MALFORMED_REQUEST,
  CONNECTION_ERROR.BATCH_TOO_LARGE,
  CONNECTION_ERROR.FORBIDDEN,
]);

export class Link {
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #stream: TcpStream;
  readonly #out: WriteQueue;
  readonly #splitter: FrameSplitter;
  readonly #waiting: ResponseQueue = new ResponseQueue();
  readonly #handshakeTimer: NodeJS.Timeout;
  #watchdog: NodeJS.Timeout | null = null;
  /** When something last arrived, or the first request after a pause was sent. */
  #lastSignOfLifeMs: number = 0;
  #welcomed: boolean = false;
  #ended: boolean = false;
  readonly #gone: Promise<void>;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#splitter = new FrameSplitter(options.maxResponseBytes, (view, bytes, offset, length) =>
      this.#onFrame(view, bytes, offset, length),
    );
    let gone = (): void => {};
    this.#gone = new Promise(resolve => {
      gone = resolve;
    });
    this.#stream = new TcpStream(options.address, options.tls, {
      onOpen: () => {
        if (!this.#ended) this.#out.frame(encodeHello({version: PROTOCOL_VERSION, token: options.token}));
      },
      onChunk: chunk => this.#onChunk(chunk),
      onEnd: error => {
        this.#onStreamEnd(error);
        gone();
      },
    });
    this.#out = new WriteQueue((bytes, done) => this.#stream.write(bytes, done));
    this.#handshakeTimer = setTimeout(() => {
      this.end('connect_timed_out', `no welcome within ${options.handshakeTimeoutMs} ms`);
    }, options.handshakeTimeoutMs);
  }

  /** Responses that are still to come. */
  get unanswered(): number {
    return this.#waiting.size;
  }

  /** Bytes that the system has not taken yet. */
  get bufferedBytes(): number {
    return this.#out.waitingBytes + this.#stream.bufferedBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends one request, at the end of this turn. The frame is copied. Only after onOpen and before onEnd. */
  send(frame: Uint8Array, sink: ResponseSink): void {
    this.#expect(sink, 1);
    this.#out.frame(frame);
  }

  /** Sends a frame that has no response. */
  tell(frame: Uint8Array): void {
    this.#out.frame(frame);
  }

  /** Takes nothing more from the socket until `resume`. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Sends `count` requests that already have their length prefixes. */
  sendPrefixed(bytes: Uint8Array, count: number, sink: ResponseSink): void {
    this.#expect(sink, count);
    this.#out.prefixed(bytes);
  }

  /** Ends it now, telling why; without effect when it has ended. */
  end(code: FailureCode, text: string, cause: unknown = undefined, blamesHead: boolean = false): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#handshakeTimer);
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#splitter.stop();
    this.#out.drop();
    this.#stream.destroy();
    const end: LinkEnd = {code, text, cause, blamesHead, unanswered: this.#waiting.size};
    this.#events.onEnd(end, this.#waiting.takeAll());
  }

  /** Resolves when the socket is gone. */
  gone(): Promise<void> {
    return this.#gone;
  }

  #expect(sink: ResponseSink, count: number): void {
    if (this.#waiting.size === 0) this.#lastSignOfLifeMs = performance.now();
    this.#waiting.push(sink, count);
  }

  #onChunk(chunk: Uint8Array): void {
    this.#lastSignOfLifeMs = performance.now();
    const status = this.#splitter.push(chunk);
    if (status === SPLIT.FRAME_TOO_LARGE) {
      this.end('protocol_error', `a response is longer than ${this.#options.maxResponseBytes} bytes`);
    } else if (status === SPLIT.EMPTY_FRAME) {
      this.end('protocol_error', 'the server sent an empty frame');
    }
  }

  #onFrame(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const tag = view.getUint8(offset);
    if (tag === CONNECTION_FRAME.ERROR) {
      this.#onErrorFrame(bytes.subarray(offset, offset + length));
    } else if (!this.#welcomed) {
      this.#onFirstFrame(bytes.subarray(offset, offset + length));
    } else if (tag === CONNECTION_FRAME.CHANGE || tag === CONNECTION_FRAME.FEED_END) {
      if (this.#events.onFeed === undefined) this.end('protocol_error', 'the server sent a change nobody asked for');
      else this.#events.onFeed(bytes, offset, length);
    } else {
      const sink = this.#waiting.shift();
      if (sink === null) this.end('protocol_error', 'the server answered what was not asked');
      else sink.onResponse(view, bytes, offset, length);
    }
  }

  #onErrorFrame(frame: Uint8Array): void {
    const error = decodeOr(frame, decodeConnectionError);
    if (error === null) {
      this.end('protocol_error', 'the server sent a malformed error frame');
      return;
    }
    const code = connectionErrorName(error.code);
    const text = error.text === '' ? (code ?? `error ${error.code}`) : error.text;
    this.end(code ?? 'connection_lost', text, undefined, this.#welcomed && REQUEST_ERRORS.has(error.code));
  }

  #onFirstFrame(frame: Uint8Array): void {
    const welcome = decodeOr(frame, decodeWelcome);
    if (welcome === null) {
      this.end('protocol_error', 'the server did not begin with a welcome');
    } else if (welcome.version !== PROTOCOL_VERSION) {
      this.end('unsupported_version', `the server speaks protocol version ${welcome.version}`);
    } else {
      clearTimeout(this.#handshakeTimer);
      this.#welcomed = true;
      this.#watch(this.#options.responseTimeoutMs);
      this.#events.onOpen(welcome);
    }
  }

  #watch(timeoutMs: number): void {
    if (timeoutMs === 0) return;
    this.#watchdog = setInterval(
      () => {
        const silentMs = performance.now() - this.#lastSignOfLifeMs;
        if (this.#waiting.size > 0 && silentMs >= timeoutMs) {
          this.end('connection_lost', `nothing arrived for ${Math.round(silentMs)} ms while answers were due`);
        }
      },
      Math.ceil(timeoutMs / 4),
    );
    this.#watchdog.unref();
  }

  #onStreamEnd(error: Error | null): void {
    const reason = error === null ? 'the server closed the connection' : error.message;
    if (this.#welcomed) this.end('connection_lost', reason, error ?? undefined);
    else this.end('connect_failed', this.#options.tls === null ? reason : tlsFailureText(error), error ?? undefined);
  }
}

function decodeOr<T>(frame: Uint8Array, decode: (frame: Uint8Array) => T): T | null {
  try {
    return decode(frame);
  } catch {
    return null;
  }
}
