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
  decodeSubscribe,
  encodeConnectionError,
  encodeWelcome,
  FrameSplitter,
  type Hello,
  PROTOCOL_VERSION,
  REQUEST,
  SPLIT,
} from '@allocdb/api';
import {AnswerBuffer} from '@allocdb/node';
import {FrameGate} from '../access/frame_gate.ts';
import type {Principal, Session} from '../access/principal.ts';
import type {ConnectionEnd, ConnectionHost} from './connection_host.ts';
import {FeedWriter} from './feed_writer.ts';
import {exceedsBatch, HELLO_BYTES_MAX, isScan, isTlsHello} from './frame_shapes.ts';
import {writeTo} from './sliced_writes.ts';

/** With `feeding` requests have ended and changes go out; in `ending` nothing more is taken in, but what was is answered. */
type State = 'hello' | 'open' | 'feeding' | 'ending' | 'ended';

const NOTHING = (): void => undefined;

export class Connection implements Session {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #commonName: string | null;
  readonly #answers: AnswerBuffer;
  readonly #splitter: FrameSplitter;
  /** Frames that arrived behind the one that filled the answer bound. */
  #deferred: Uint8Array[] = [];
  /** What arrived behind the deferred frames and ends the connection once they were answered. */
  #onDeferredDone: (() => void) | null = null;
  #paused: boolean = false;
  #principal: Principal | null = null;
  #gate: FrameGate | null = null;
  /** Runs while the first of the deferred frames waits for its principal's rate. */
  #rateTimer: NodeJS.Timeout | null = null;
  /** What had been read when something was last seen to happen, and when that was. */
  #bytesSeen: number = 0;
  #busyAtMs: number = 0;
  #state: State = 'hello';
  #timer: NodeJS.Timeout | null = null;
  #endReason: ConnectionEnd | null = null;
  /** What ends the connection once every answer before it was sent. */
  #lastFrame: Uint8Array | null = null;
  #feed: FeedWriter | null = null;
  /** The lsn from which changes go out once every answer before them was sent. */
  #feedFrom: bigint | null = null;

  /** `commonName` is that of the verified certificate of the peer, null without one. */
  constructor(socket: Socket, host: ConnectionHost, commonName: string | null) {
    this.#socket = socket;
    this.#host = host;
    this.#commonName = commonName;
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
    socket.on('error', error => this.#end({reason: `socket: ${error.message}`}));
    socket.on('close', () => this.#end(null));
    const onLate = (): void => this.#fail(CONNECTION_ERROR.BAD_MAGIC, 'no hello arrived');
    this.#timer = setTimeout(onLate, host.limits.helloTimeoutMs);
  }

  /** Refuses a connection that was just accepted. */
  refuse(code: number, text: string): void {
    this.#fail(code, text);
  }

  /** Ends a connection that has not said hello for the sake of a newer one: says why, and waits for nothing. */
  giveWay(): void {
    this.#fail(CONNECTION_ERROR.TOO_MANY_CONNECTIONS, 'no hello arrived, and the place was needed');
    this.#socket.destroySoon();
  }

  /** Takes no more requests; answers what was taken, says why, and ends. */
  shutDown(): void {
    this.#fail(CONNECTION_ERROR.SHUTTING_DOWN, 'the server is shutting down');
  }

  onAccessEnd(text: string): void {
    this.#fail(CONNECTION_ERROR.UNAUTHORIZED, text);
  }

  /**
   * To be called every now and then: ends the connection when nothing has come and nothing was owed for the allowed time.
   * What was read is compared here, so that nothing has to be noted for each chunk. A feed is owed the next change.
   */
  endIfIdle(nowMs: number): void {
    const {bytesRead} = this.#socket;
    const isIdle = this.#state === 'open' && !this.#paused && this.#waitingBytes() === 0;
    if (!isIdle || bytesRead !== this.#bytesSeen) {
      this.#bytesSeen = bytesRead;
      this.#busyAtMs = nowMs;
    } else if (nowMs - this.#busyAtMs >= this.#host.limits.idleMs) this.#endQuietly();
  }

  /** Ends at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state === 'ending' || this.#state === 'ended') return;
    if (this.#state === 'hello' && this.#splitter.pendingBytes === 0 && isTlsHello(chunk)) {
      this.#fail(CONNECTION_ERROR.BAD_MAGIC, 'this port does not speak TLS: connect to it with allocdb://');
      return;
    }
    const status = this.#splitter.push(chunk);
    if (this.#state === 'hello' && this.#splitter.pendingBytes > HELLO_BYTES_MAX) {
      this.#fail(CONNECTION_ERROR.BAD_MAGIC, 'the first frame must be a hello');
      return;
    }
    if (status === SPLIT.FRAME_TOO_LARGE) {
      const text = `a frame has at most ${this.#host.limits.maxFrameBytes} bytes`;
      this.#behindDeferred(() => this.#fail(CONNECTION_ERROR.FRAME_TOO_LARGE, text));
    } else if (status === SPLIT.EMPTY_FRAME) {
      this.#behindDeferred(() => this.#fail(CONNECTION_ERROR.EMPTY_FRAME, 'a frame has at least one byte'));
    }
  }

  /** Ends the connection, but only when the frames that wait for the answer bound were taken; the first end counts. */
  #behindDeferred(end: () => void): void {
    if (this.#paused) this.#onDeferredDone ??= end;
    else end();
  }

  #onFrame(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    if (this.#state === 'hello') this.#onHello(bytes.subarray(offset, offset + length));
    else if (this.#state === 'feeding')
      this.#fail(CONNECTION_ERROR.MALFORMED_REQUEST, 'a change feed takes no requests');
    else if (this.#state !== 'open') return;
    else if (this.#paused || (this.#gate !== null && this.#isOverRate(this.#gate, view, offset, length)))
      this.#deferred.push(bytes.slice(offset, offset + length));
    else this.#onRequest(view, bytes, offset, length);
  }

  #onHello(frame: Uint8Array): void {
    this.#clearTimers();
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
    const principal = host.authenticate({token: hello.token, commonName: this.#commonName});
    if (principal === null) {
      const shown = hello.token.length > 0 ? 'the token is' : 'without a token you are';
      this.#fail(CONNECTION_ERROR.UNAUTHORIZED, `${shown} not accepted`);
      return;
    }
    if (!principal.enter(this)) {
      const text = `at most ${principal.sessionsMax} connections of ${principal.name}`;
      this.#fail(CONNECTION_ERROR.TOO_MANY_CONNECTIONS, text);
      return;
    }
    this.#principal = principal;
    this.#gate = FrameGate.of(principal);
    this.#state = 'open';
    host.onHello(this);
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
    const isTick = tag === REQUEST.TICK_EXPIRATIONS && !trustClientSlots;
    const refusal = this.#gate?.refusal(view, offset, length) ?? (isTick ? 'this server ticks by itself' : null);
    if (refusal !== null) {
      this.#fail(CONNECTION_ERROR.FORBIDDEN, refusal);
      return;
    }
    if (tag === CONNECTION_FRAME.HELLO) {
      this.#fail(CONNECTION_ERROR.MALFORMED_REQUEST, 'hello was said already');
      return;
    }
    if (tag === CONNECTION_FRAME.SUBSCRIBE) {
      this.#subscribe(bytes.subarray(offset, offset + length));
      return;
    }
    if (tag === REQUEST.SUBMIT_BATCH && exceedsBatch(view, offset, length, limits.maxBatch)) {
      this.#fail(CONNECTION_ERROR.BATCH_TOO_LARGE, `a batch has at most ${limits.maxBatch} commands`);
      return;
    }
    const error = engine.submitBytes(view, bytes, offset, length, this.#answers);
    if (error !== CODEC.NONE) {
      this.#fail(CONNECTION_ERROR.MALFORMED_REQUEST, `request frame cannot be decoded (codec error ${error})`);
    } else if (isScan(tag) || this.#waitingBytes() > limits.maxAnswerBytes) this.#pause();
  }

  #subscribe(frame: Uint8Array): void {
    try {
      this.#feedFrom = decodeSubscribe(frame);
    } catch {
      this.#fail(CONNECTION_ERROR.MALFORMED_REQUEST, 'the subscription cannot be decoded');
      return;
    }
    this.#state = 'feeding';
    this.#startFeed();
  }

  /** Once no answer waits any more. */
  #startFeed(): void {
    const from = this.#feedFrom;
    if (from === null || this.#answers.pendingBytes > 0) return;
    this.#feedFrom = null;
    const send = (bytes: Uint8Array): Promise<void> => new Promise(resolve => this.#write(bytes, resolve));
    this.#feed = new FeedWriter(this.#host, {send, endWith: (frame, reason) => this.#endWith(frame, {reason})});
    this.#feed.run(from).catch((error: unknown) => this.#end({reason: `feed: ${String(error)}`}));
  }

  /** True when a frame has to wait for its principal's rate; then everything behind it waits too. */
  #isOverRate(gate: FrameGate, view: DataView, offset: number, length: number): boolean {
    const waitMs = gate.waitMs(view, offset, length);
    if (waitMs === 0) return false;
    this.#pause();
    this.#rateTimer = setTimeout(() => {
      this.#rateTimer = null;
      this.#resumeIfPossible();
    }, waitMs);
    return true;
  }

  #waitingBytes(): number {
    return this.#answers.pendingBytes + this.#socket.writableLength;
  }

  #pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  /** Goes on with what was deferred, then with the socket, as far as the answer bound and the principal's rate allow. */
  #resumeIfPossible(): void {
    if (!this.#paused || this.#state !== 'open' || this.#rateTimer !== null) return;
    if (this.#waitingBytes() > this.#host.limits.maxAnswerBytes / 2) return;
    this.#paused = false;
    const frames = this.#deferred;
    this.#deferred = [];
    for (const [index, frame] of frames.entries()) {
      this.#onFrame(new DataView(frame.buffer, frame.byteOffset, frame.length), frame, 0, frame.length);
      if (!this.#paused) continue;
      this.#deferred.push(...frames.slice(index + 1));
      return;
    }
    this.#socket.resume();
    const end = this.#onDeferredDone;
    this.#onDeferredDone = null;
    end?.();
  }

  #send(): void {
    const taken = this.#answers.take();
    if (taken !== null) this.#write(taken);
    if (this.#lastFrame !== null) this.#endWhenAnswered();
    else if (this.#feedFrom !== null) this.#startFeed();
    else this.#resumeIfPossible();
  }

  /** `sent` is called when the bytes have left, or never will. */
  #write(bytes: Uint8Array, sent: () => void = NOTHING): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      sent();
      return;
    }
    writeTo(this.#socket, bytes, () => {
      AnswerBuffer.recycle(bytes);
      this.#resumeIfPossible();
      sent();
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
    this.#endReason ??= {reason: CONNECTION_ERROR_NAMES[CONNECTION_ERROR.SLOW_CONSUMER]};
    this.#state = 'ending';
    this.#feed?.stop();
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
    this.#feed?.stop();
    this.#lastFrame = new Uint8Array(0);
    this.#endWhenAnswered();
  }

  #fail(code: number, text: string): void {
    this.#endWith(encodeConnectionError({code, text}), {reason: CONNECTION_ERROR_NAMES[code] ?? String(code), text});
  }

  #endWith(lastFrame: Uint8Array, reason: ConnectionEnd): void {
    if (this.#lastFrame !== null || this.#state === 'ended') return;
    this.#endReason = reason;
    this.#state = 'ending';
    this.#splitter.stop();
    this.#deferred = [];
    this.#clearTimers();
    this.#feed?.stop();
    this.#lastFrame = lastFrame;
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

  #clearTimers(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#rateTimer !== null) clearTimeout(this.#rateTimer);
    this.#timer = null;
    this.#rateTimer = null;
  }

  #end(reason: ConnectionEnd | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#feed?.stop();
    this.#clearTimers();
    this.#socket.destroy();
    this.#principal?.leave(this);
    const end = this.#endReason ?? reason;
    this.#host.onEnd(this, end === null || this.#principal === null ? end : {...end, principal: this.#principal.name});
  }
}
