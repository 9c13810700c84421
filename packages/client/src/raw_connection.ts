/**
 * One connection without retries, reconnecting or objects: frames out, frames in, in order. For tools, benchmarks and
 * tests; applications want `connect`. Requests are encoded with the codecs of `@allocdb/api`.
 *
 * Pipelining costs nothing extra: frames sent in one turn leave in one write, responses are handed over where they lie
 * in the read buffer. Nothing bounds what is in flight but the sender, and the server, which stops reading.
 */
import {
  AllocDbError,
  definiteFailure,
  type FailureCode,
  type FrameHandler,
  indefiniteFailure,
  type OperationId,
  operationIdFromBigint,
  REQUEST,
  RequestRegisters,
  readRequest,
  type Welcome,
} from '@allocdb/api';
import type {Link, LinkEnd} from './link.ts';
import {connectionFailure, type LinkOwner, openLink} from './open_link.ts';
import {type ConnectionOptions, linkOptions} from './options.ts';
import type {ResponseSink} from './response_queue.ts';

/** Options of {@link openRawConnection}. */
export interface RawConnectionOptions extends ConnectionOptions {
  /** Takes the response of every frame sent without a handler of its own; without one they are dropped. */
  onResponse?: FrameHandler | undefined;
}

/** Why a raw connection ended: `closed` when this side did it. */
export interface RawConnectionEnd {
  code: FailureCode;
  /** The server's own words where it gave any. */
  text: string;
  /** Frames that were sent and never answered; whether they were executed is not known. */
  unanswered: number;
}

/** See {@link openRawConnection}. */
export interface RawConnection extends AsyncDisposable {
  /** What the server said in the handshake. */
  readonly welcome: Welcome;
  /** Responses that are still to come. */
  readonly unanswered: number;
  /** Bytes sent that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** Resolves, and never rejects, when the connection has ended, whoever ended it. */
  readonly ended: Promise<RawConnectionEnd>;
  /** Sends one request frame, without length prefix; it is copied. Throws AllocDbError when the connection has ended. */
  send(frame: Uint8Array, onResponse?: FrameHandler): void;
  /** Sends `count` frames that have their length prefixes already, as one piece. */
  sendPrefixed(bytes: Uint8Array, count: number, onResponse?: FrameHandler): void;
  /** Sends one request frame and resolves with a copy of its response; rejects with AllocDbError when there is none. */
  request(frame: Uint8Array): Promise<Uint8Array>;
  /** Resolves when no response is due, or the connection has ended. */
  idle(): Promise<void>;
  /** Ends it now; pending requests reject. Idempotent. */
  close(): Promise<void>;
}

/** Operation ids that a request frame carries, as far as it is one. */
function operationIdsOf(frame: Uint8Array): OperationId[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const registers = new RequestRegisters();
  const ids: OperationId[] = [];
  const add = (offset: number, length: number): void => {
    if (length < 16) return;
    const id = (view.getBigUint64(offset + 8, true) << 64n) | view.getBigUint64(offset, true);
    ids.push(operationIdFromBigint(id));
  };
  if (readRequest(view, 0, frame.byteLength, registers) !== 0) return ids;
  if (registers.tag === REQUEST.SUBMIT) add(registers.payloadOffset, registers.payloadLength);
  if (registers.tag !== REQUEST.SUBMIT_BATCH) return ids;
  for (let i = 0, at = registers.batchOffset; i < registers.batchCount; i++) {
    const length = view.getUint32(at, true);
    add(at + 4, length);
    at += 4 + length;
  }
  return ids;
}

/** Waits for one response of `request`, whose frame it keeps to name the operations in doubt. */
class PendingRequest implements ResponseSink {
  readonly #frame: Uint8Array;
  readonly #resolve: (response: Uint8Array) => void;
  readonly #reject: (error: AllocDbError) => void;

  constructor(frame: Uint8Array, resolve: (response: Uint8Array) => void, reject: (error: AllocDbError) => void) {
    this.#frame = frame;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onResponse(_view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    this.#resolve(Uint8Array.from(bytes.subarray(offset, offset + length)));
  }

  lost(end: LinkEnd, isHead: boolean): void {
    const executed = !(end.blamesHead && isHead);
    const failure = executed ? indefiniteFailure(end.code, operationIdsOf(this.#frame)) : definiteFailure(end.code);
    this.#reject(new AllocDbError(failure, end.text, end.cause === undefined ? {} : {cause: end.cause}));
  }
}

class LinkedRawConnection implements RawConnection, LinkOwner {
  readonly welcome: Welcome;
  readonly ended: Promise<RawConnectionEnd>;
  readonly #link: Link;
  readonly #defaultSink: ResponseSink;
  #lastHandler: FrameHandler | undefined;
  #lastSink: ResponseSink;
  #idleWaiters: (() => void)[] = [];
  #end: LinkEnd | null = null;
  #resolveEnded: (end: RawConnectionEnd) => void = () => {};

  constructor(link: Link, welcome: Welcome, onResponse: FrameHandler | undefined) {
    this.#link = link;
    this.welcome = welcome;
    this.#defaultSink = this.#sinkOf(onResponse ?? (() => {}));
    this.#lastSink = this.#defaultSink;
    this.ended = new Promise(resolve => {
      this.#resolveEnded = resolve;
    });
  }

  get unanswered(): number {
    return this.#link.unanswered;
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  send(frame: Uint8Array, onResponse?: FrameHandler): void {
    this.#expectOpen();
    if (frame.byteLength === 0) throw new RangeError('a frame has at least one byte');
    this.#link.send(frame, this.#sinkFor(onResponse));
  }

  sendPrefixed(bytes: Uint8Array, count: number, onResponse?: FrameHandler): void {
    this.#expectOpen();
    this.#link.sendPrefixed(bytes, count, this.#sinkFor(onResponse));
  }

  async request(frame: Uint8Array): Promise<Uint8Array> {
    this.#expectOpen();
    if (frame.byteLength === 0) throw new RangeError('a frame has at least one byte');
    const response = await new Promise<Uint8Array>((resolve, reject) => {
      this.#link.send(frame, new PendingRequest(Uint8Array.from(frame), resolve, reject));
    });
    this.#checkIdle();
    return response;
  }

  async idle(): Promise<void> {
    if (this.#end !== null || this.#link.unanswered === 0) return;
    await new Promise<void>(resolve => {
      this.#idleWaiters.push(resolve);
    });
  }

  async close(): Promise<void> {
    this.#link.end('closed', 'this side closed the connection');
    await this.#link.gone();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The link's end, told by whoever opened it. */
  onEnd(end: LinkEnd, unanswered: readonly ResponseSink[]): void {
    this.#end = end;
    unanswered.forEach((sink, i) => {
      if (sink instanceof PendingRequest) sink.lost(end, i === 0);
    });
    this.#wakeIdle();
    this.#resolveEnded({code: end.code, text: end.text, unanswered: end.unanswered});
  }

  #expectOpen(): void {
    if (this.#end !== null) throw connectionFailure(this.#end);
  }

  #sinkOf(handler: FrameHandler): ResponseSink {
    return {
      onResponse: (view, bytes, offset, length) => {
        handler(view, bytes, offset, length);
        this.#checkIdle();
      },
    };
  }

  /** The sink of a handler; a stream of frames with the same one makes one sink. */
  #sinkFor(handler: FrameHandler | undefined): ResponseSink {
    if (handler === undefined) return this.#defaultSink;
    if (handler !== this.#lastHandler) {
      this.#lastHandler = handler;
      this.#lastSink = this.#sinkOf(handler);
    }
    return this.#lastSink;
  }

  #checkIdle(): void {
    if (this.#idleWaiters.length > 0 && this.#link.unanswered === 0) this.#wakeIdle();
  }

  #wakeIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}

/**
 * Connects to `allocdb://host:port` and completes the handshake, or rejects with AllocDbError: `unauthorized`,
 * `unsupported_version` and the server's other codes with its own words, `connect_failed`, `connect_timed_out`,
 * `aborted`, `protocol_error`. Bad arguments reject with TypeError or RangeError.
 */
export async function openRawConnection(url: string, options: RawConnectionOptions = {}): Promise<RawConnection> {
  const checked = linkOptions(url, options, 0);
  return openLink(
    checked,
    options.signal ?? null,
    (link, welcome) => new LinkedRawConnection(link, welcome, options.onResponse),
  );
}
