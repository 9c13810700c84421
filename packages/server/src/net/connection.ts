/**
 * One TCP connection: hello first, then requests in, responses out in request order. Bytes go to the engine where they
 * lie in the socket's chunk; answers come back through one AnswerBuffer and leave in one write per flush.
 *
 * Bounded in every direction: a frame by its announced length, before a buffer of that size exists; answers that wait or
 * are unread, in bytes, beyond which the connection is not read; an answer that stays unread for too long ends it. The
 * side that ends a connection with an error sends it behind all answers, half-closes and drains, so that a reset does not
 * eat it. Not here: listening, slots, what a request means.
 */
import type {Socket} from 'node:net';
import {
  CODEC,
  CONNECTION_ERROR,
  CONNECTION_ERROR_NAMES,
  CONNECTION_FRAME,
  decodeHello,
  encodeConnectionError,
  encodeWelcome,
  FrameSplitter,
  type Hello,
  PROTOCOL_VERSION,
  REQUEST,
  RequestRegisters,
  readRequest,
  SPLIT,
} from '@allocdb/api';
import {AnswerBuffer, type SingleNodeEngine} from '@allocdb/node';

/** What every connection of a server has in common. */
export interface ConnectionHost {
  readonly engine: SingleNodeEngine;
  readonly limits: ConnectionLimits;
  /** True to accept ticks and slots from clients. */
  readonly trustClientSlots: boolean;
  /** The present slot, for the welcome. */
  currentSlot(): bigint;
  readonly slotDurationMs: number;
  /** True when a hello's token is accepted. */
  authorize(token: Uint8Array): boolean;
  /** Told once, when the connection has ended; `reason` is null for an ordinary end. */
  onEnd(connection: Connection, reason: string | null): void;
}

/** Bounds of a connection. */
export interface ConnectionLimits {
  /** Longest request frame. */
  readonly maxFrameBytes: number;
  /** Most commands in a batch. */
  readonly maxBatch: number;
  /** Answers, waiting and unread, beyond which the connection is not read. */
  readonly maxAnswerBytes: number;
  /** How long answers may stay unread. */
  readonly slowConsumerMs: number;
  readonly helloTimeoutMs: number;
  /** How long what still arrives is drained after an error was sent. */
  readonly drainMs: number;
}

/** In `ending` nothing more is taken in, but what was taken is still answered. */
type State = 'hello' | 'open' | 'ending' | 'ended';

const BATCH_HEADER_BYTES = 11;
const BATCH_COUNT_OFFSET = 9;

export class Connection {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #answers: AnswerBuffer;
  readonly #splitter: FrameSplitter;
  /** Frames that arrived behind the one that filled the answer bound. */
  #deferred: Uint8Array[] = [];
  /** What arrived behind the deferred frames and ends the connection once they were answered. */
  #onDeferredDone: (() => void) | null = null;
  #paused: boolean = false;
  #state: State = 'hello';
  #timer: NodeJS.Timeout | null = null;
  #reason: string | null = null;
  /** What ends the connection once every answer before it was sent. */
  #lastFrame: Uint8Array | null = null;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#answers = new AnswerBuffer(() => this.#send());
    this.#splitter = new FrameSplitter(
      host.limits.maxFrameBytes,
      (view, bytes, offset, length) => this.#onFrame(view, bytes, offset, length),
      // What will be put off or refused needs no memory yet.
      (view, offset, end) => (this.#state === 'open' && !this.#paused ? host.engine.lookAhead(view, offset, end) : 0),
    );
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#onData(chunk));
    socket.on('timeout', () => this.#onStill());
    socket.on('end', () => this.#onPeerEnd());
    socket.on('error', error => this.#end(`socket: ${error.message}`));
    socket.on('close', () => this.#end(null));
    this.#timer = setTimeout(
      () => this.#fail(CONNECTION_ERROR.BAD_MAGIC, 'no hello arrived'),
      host.limits.helloTimeoutMs,
    );
  }

  /** Refuses a connection that was just accepted. */
  refuse(code: number, text: string): void {
    this.#fail(code, text);
  }

  /** Takes no more requests; answers what was taken, says why, and ends. */
  shutDown(): void {
    this.#fail(CONNECTION_ERROR.SHUTTING_DOWN, 'the server is shutting down');
  }

  /** Ends at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state === 'ending' || this.#state === 'ended') return;
    const status = this.#splitter.push(chunk);
    if (status === SPLIT.FRAME_TOO_LARGE) {
      const text = `a frame has at most ${this.#host.limits.maxFrameBytes} bytes`;
      this.#behindDeferred(() => this.#fail(CONNECTION_ERROR.FRAME_TOO_LARGE, text));
    } else if (status === SPLIT.EMPTY_FRAME) {
      this.#behindDeferred(() => this.#fail(CONNECTION_ERROR.EMPTY_FRAME, 'a frame has at least one byte'));
    }
  }

  /** Ends the connection, but only when the frames that wait for the answer bound were taken. */
  #behindDeferred(end: () => void): void {
    if (this.#paused) this.#onDeferredDone = end;
    else end();
  }

  #onFrame(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    if (this.#state === 'hello') this.#onHello(bytes.subarray(offset, offset + length));
    else if (this.#state !== 'open') return;
    else if (this.#paused) this.#deferred.push(bytes.slice(offset, offset + length));
    else this.#onRequest(view, bytes, offset, length);
  }

  #onHello(frame: Uint8Array): void {
    this.#clearTimer();
    let hello: Hello;
    try {
      hello = decodeHello(frame);
    } catch {
      this.#fail(CONNECTION_ERROR.BAD_MAGIC, 'the first frame must be a hello');
      return;
    }
    if (hello.version !== PROTOCOL_VERSION) {
      this.#fail(CONNECTION_ERROR.UNSUPPORTED_VERSION, `this server speaks version ${PROTOCOL_VERSION}`);
      return;
    }
    const host = this.#host;
    if (!host.authorize(hello.token)) {
      this.#fail(CONNECTION_ERROR.UNAUTHORIZED, 'the token is not accepted');
      return;
    }
    this.#state = 'open';
    this.#writeFrame(
      encodeWelcome({
        version: PROTOCOL_VERSION,
        currentSlot: host.currentSlot(),
        slotDurationMs: host.slotDurationMs,
        lastDurableLsn: host.engine.durableLsn,
        maxFrameBytes: host.limits.maxFrameBytes,
        maxBatch: host.limits.maxBatch,
      }),
    );
  }

  #onRequest(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const {engine, limits, trustClientSlots} = this.#host;
    const tag = view.getUint8(offset);
    if (tag === REQUEST.TICK_EXPIRATIONS && !trustClientSlots) {
      this.#fail(CONNECTION_ERROR.FORBIDDEN, 'this server ticks by itself');
      return;
    }
    if (tag === CONNECTION_FRAME.HELLO) {
      this.#fail(CONNECTION_ERROR.MALFORMED_REQUEST, 'hello was said already');
      return;
    }
    if (tag === REQUEST.SUBMIT_BATCH && exceedsBatch(view, offset, length, limits.maxBatch)) {
      this.#fail(CONNECTION_ERROR.BATCH_TOO_LARGE, `a batch has at most ${limits.maxBatch} commands`);
      return;
    }
    const error = engine.submitBytes(view, bytes, offset, length, this.#answers);
    if (error !== CODEC.NONE) {
      this.#fail(CONNECTION_ERROR.MALFORMED_REQUEST, `request frame cannot be decoded (codec error ${error})`);
    } else if (this.#waitingBytes() > limits.maxAnswerBytes) this.#pause();
  }

  #waitingBytes(): number {
    return this.#answers.pendingBytes + this.#socket.writableLength;
  }

  #pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  /** Goes on with what was deferred, then with the socket, as far as the answer bound allows. */
  #resumeIfPossible(): void {
    if (!this.#paused || this.#state !== 'open' || this.#waitingBytes() > this.#host.limits.maxAnswerBytes / 2) return;
    this.#paused = false;
    const frames = this.#deferred;
    this.#deferred = [];
    for (const frame of frames) {
      this.#onFrame(new DataView(frame.buffer, frame.byteOffset, frame.length), frame, 0, frame.length);
    }
    if (this.#paused) return;
    this.#socket.resume();
    const end = this.#onDeferredDone;
    this.#onDeferredDone = null;
    end?.();
  }

  #send(): void {
    const taken = this.#answers.take();
    if (taken !== null) this.#write(taken);
    if (this.#lastFrame !== null) this.#endWhenAnswered();
    else this.#resumeIfPossible();
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.write(bytes, () => {
      AnswerBuffer.recycle(bytes);
      this.#resumeIfPossible();
    });
    if (this.#socket.writableLength > 0) this.#socket.setTimeout(this.#host.limits.slowConsumerMs);
  }

  /**
   * Ends the connection when nothing of what was written has left for the allowed time. The socket's own timeout knows of
   * progress within one large write, which its counters show only when all of it has left.
   */
  #onStill(): void {
    if (this.#state === 'ended') return;
    if (this.#socket.writableLength > 0) this.#endSlowReader();
    else this.#socket.setTimeout(0);
  }

  #endSlowReader(): void {
    this.#reason ??= CONNECTION_ERROR_NAMES[CONNECTION_ERROR.SLOW_CONSUMER];
    this.#state = 'ending';
    this.#splitter.stop();
    this.#deferred = [];
    this.#lastFrame ??= new Uint8Array(0);
    this.#writeFrame(encodeConnectionError({code: CONNECTION_ERROR.SLOW_CONSUMER, text: 'answers were not read'}));
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), this.#host.limits.drainMs).unref();
  }

  /** The peer sends no more: what it asked is answered, then the connection ends. */
  #onPeerEnd(): void {
    if (this.#state === 'hello' || this.#state === 'ended') this.#socket.end();
    else this.#behindDeferred(() => this.#endQuietly());
  }

  #endQuietly(): void {
    if (this.#lastFrame !== null) return;
    this.#state = 'ending';
    this.#lastFrame = new Uint8Array(0);
    this.#endWhenAnswered();
  }

  #fail(code: number, text: string): void {
    if (this.#lastFrame !== null || this.#state === 'ended') return;
    this.#reason = CONNECTION_ERROR_NAMES[code] ?? String(code);
    this.#state = 'ending';
    this.#splitter.stop();
    this.#deferred = [];
    this.#clearTimer();
    this.#lastFrame = encodeConnectionError({code, text});
    this.#endWhenAnswered();
  }

  /** Once no answer waits any more: the last frame, half-close, and a bounded time of draining. */
  #endWhenAnswered(): void {
    const last = this.#lastFrame;
    if (last === null || this.#answers.pendingBytes > 0 || this.#socket.writableEnded) return;
    if (last.length > 0) this.#writeFrame(last);
    // Draining begins when everything has left: until then a peer has the time that slow readers have.
    this.#socket.end(() => {
      if (this.#state === 'ending') this.#timer ??= setTimeout(() => this.destroy(), this.#host.limits.drainMs);
    });
    this.#socket.resume();
  }

  #writeFrame(frame: Uint8Array): void {
    const bytes = new Uint8Array(4 + frame.length);
    new DataView(bytes.buffer).setUint32(0, frame.length, true);
    bytes.set(frame, 4);
    this.#write(bytes);
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #end(reason: string | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#clearTimer();
    this.#socket.destroy();
    this.#host.onEnd(this, this.#reason ?? reason);
  }
}

/** True for a batch of more commands than allowed; one that cannot be decoded is another error. */
function exceedsBatch(view: DataView, offset: number, length: number, maxBatch: number): boolean {
  if (length < BATCH_HEADER_BYTES || view.getUint16(offset + BATCH_COUNT_OFFSET, true) <= maxBatch) return false;
  return readRequest(view, offset, length, new RequestRegisters()) === CODEC.NONE;
}
