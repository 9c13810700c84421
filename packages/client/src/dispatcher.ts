/**
 * What a client is made of: calls that wait, one connection, and what happens when it ends. Every call is sent on one
 * connection at a time and again only after that attempt was answered or its connection is gone, always with the same
 * bytes, hence the same operation id.
 *
 * Calls leave in the order in which they were made, and those that a lost connection left unanswered go first. In flight
 * is bounded in bytes; what is beyond waits here, unsent. Nothing here decodes answers: that is call.ts.
 */
import {
  type AbortSignalLike,
  AllocDbError,
  type ApiRequest,
  type ApiResponse,
  definiteFailure,
  encodeRequest,
  type FailureCode,
  SIZE,
  SignalFanout,
  type Transport,
  type TransportOptions,
  type Welcome,
} from '@allocdb/api';
import {addressText} from './address.ts';
import {backoffMs} from './backoff.ts';
import {Call, type CallOwner, refusal} from './call.ts';
import {CallQueue} from './call_queue.ts';
import {networkFeed} from './feed.ts';
import type {Link, LinkEnd, LinkOptions} from './link.ts';
import {connectionFailure, type LinkOwner, openLink} from './open_link.ts';
import type {RetryPolicy} from './options.ts';
import type {ResponseSink} from './response_queue.ts';

/** What a client is doing behind the calls. A snapshot; it changes by itself. */
export interface ClientStatus {
  /** `disconnected`: the server refused the client; the next call tries again. */
  readonly state: 'connected' | 'connecting' | 'disconnected' | 'closed';
  readonly address: string;
  /** Calls that are not settled. */
  readonly pendingCalls: number;
  /** Requests sent on the present connection and not answered; a call that was aborted meanwhile still counts. */
  readonly inFlight: number;
  readonly inFlightBytes: number;
  /** Connections made since the first. */
  readonly reconnects: number;
  /** Why the last connection ended or could not be made, null when that never happened. */
  readonly lastError: AllocDbError | null;
  /** What the server said in the last handshake. */
  readonly server: Welcome;
}

/** Ends of a handshake that trying again cannot mend. */
const REFUSALS: ReadonlySet<FailureCode> = new Set([
  'bad_magic',
  'unsupported_version',
  'unauthorized',
  'forbidden',
  'protocol_error',
]);

export class Dispatcher implements Transport, CallOwner, LinkOwner {
  readonly signals: SignalFanout = new SignalFanout();
  readonly #options: LinkOptions;
  readonly #policy: RetryPolicy;
  readonly #maxInFlightBytes: number;
  readonly #closing: AbortController = new AbortController();
  readonly #pending: Set<Call> = new Set();
  readonly #queue: CallQueue = new CallQueue();
  #link: Link | null = null;
  #welcome: Welcome | null = null;
  #welcomedAtMs: number = 0;
  /** When the present or next connection was begun: before the server told its slot. */
  #begunAtMs: number = 0;
  #inFlightBytes: number = 0;
  /** The call whose response was garbage, while its connection is being ended. */
  #garbled: Call | null = null;
  #connections: number = 0;
  /** Connections that ended without an answer, in a row. */
  #failures: number = 0;
  #lastError: AllocDbError | null = null;
  #attempt: AbortController | null = null;
  #pause: NodeJS.Timeout | null = null;
  #closed: boolean = false;
  #gone: Promise<void> | null = null;

  constructor(options: LinkOptions, policy: RetryPolicy, maxInFlightBytes: number) {
    this.#options = options;
    this.#policy = policy;
    this.#maxInFlightBytes = maxInFlightBytes;
  }

  /** The first connection: one attempt, which rejects with AllocDbError when it fails. */
  async open(signal: AbortSignalLike | null): Promise<void> {
    const begunAtMs = performance.now();
    await openLink(this.#options, signal, (link, welcome) => this.#own(link, welcome, begunAtMs));
  }

  get status(): ClientStatus {
    const trying = this.#attempt !== null || this.#pause !== null;
    const down = trying ? 'connecting' : 'disconnected';
    return {
      state: this.#closed ? 'closed' : this.#link !== null ? 'connected' : down,
      address: addressText(this.#options.address),
      pendingCalls: this.#pending.size,
      inFlight: this.#link?.unanswered ?? 0,
      inFlightBytes: this.#inFlightBytes,
      reconnects: Math.max(0, this.#connections - 1),
      lastError: this.#lastError,
      server: this.welcome(),
    };
  }

  /** What the server said in the last handshake. */
  welcome(): Welcome {
    if (this.#welcome === null) throw new Error('a client exists only after its first handshake');
    return this.#welcome;
  }

  currentSlot(): bigint {
    const {currentSlot, slotDurationMs} = this.welcome();
    if (slotDurationMs === 0) return currentSlot;
    return currentSlot + BigInt(Math.floor((performance.now() - this.#welcomedAtMs) / slotDurationMs));
  }

  /**
   * How many milliseconds the server needs at least to reach a slot; negative when it may have reached it. Allows for
   * the time that the handshake took, for a slot that had begun, and for clocks that differ by a thousandth.
   */
  msUntilSlot(slot: bigint): number {
    const {currentSlot, slotDurationMs} = this.welcome();
    const ageMs = performance.now() - this.#begunAtMs;
    return Number(slot - currentSlot - 1n) * slotDurationMs - ageMs * 1.001;
  }

  call(request: ApiRequest, options: TransportOptions): Promise<ApiResponse> {
    return new Promise((resolve, reject) => {
      const frame = encodeRequest(request);
      const {signal} = options;
      if (this.#closed) throw new AllocDbError(definiteFailure('closed'), 'the client is closed');
      if (signal?.aborted === true) {
        const cause = {cause: signal.reason};
        throw new AllocDbError(definiteFailure('aborted'), 'the signal had fired before the call', cause);
      }
      const refused = refusal(request, frame, this.welcome());
      if (refused !== null) throw refused;
      const call = new Call(this, frame, options, this.#policy.budgetMs, {resolve, reject});
      this.#pending.add(call);
      this.#queue.push(call);
      if (this.#link !== null) this.#pump();
      else if (this.#attempt === null && this.#pause === null) void this.#reconnect();
    });
  }

  feed(from: bigint | null, signal: AbortSignalLike | null): AsyncGenerator<readonly Uint8Array[], void> {
    return networkFeed({options: this.#options, policy: this.#policy, closed: this.#closing.signal}, from, signal);
  }

  close(): Promise<void> {
    this.#gone ??= this.#end();
    return this.#gone;
  }

  async #end(): Promise<void> {
    this.#closed = true;
    this.#closing.abort();
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
    this.#attempt?.abort();
    for (const call of this.#pending) call.fail('closed', 'the client was closed before the answer came');
    const link = this.#link;
    link?.end('closed', 'the client was closed');
    await link?.gone();
  }

  onAnswered(call: Call): void {
    this.#failures = 0;
    this.#inFlightBytes -= SIZE.FRAME_PREFIX + call.frame.byteLength;
    this.#pump();
  }

  onTransient(call: Call): void {
    if (!this.#policy.resend) {
      call.giveUp('timed_out', 'retrying is switched off');
      return;
    }
    call.failures += 1;
    const pauseMs = backoffMs(call.failures, this.#policy);
    call.backoff = setTimeout(() => {
      call.backoff = null;
      this.#queue.push(call);
      this.#pump();
    }, pauseMs);
  }

  onGarbage(call: Call, error: unknown): void {
    this.#garbled = call;
    this.#link?.end('protocol_error', 'the server sent a malformed response', error);
  }

  onSettled(call: Call): void {
    this.#pending.delete(call);
    this.#queue.forget(call);
  }

  onExpired(call: Call, bySignal: boolean): void {
    if (bySignal) {
      call.fail('aborted', 'the signal fired before the answer came', {cause: call.abortCause()});
      return;
    }
    const why = this.#link === null && this.#lastError !== null ? `: ${this.#lastError.message}` : '';
    call.giveUp('timed_out', `no answer within ${this.#policy.budgetMs} ms${why}`);
  }

  onEnd(end: LinkEnd, unanswered: readonly ResponseSink[]): void {
    const sinks = this.#garbled === null ? unanswered : [this.#garbled, ...unanswered];
    this.#garbled = null;
    this.#link = null;
    this.#inFlightBytes = 0;
    const again: Call[] = [];
    sinks.forEach((call, i) => {
      if (!(call instanceof Call) || call.settled) return;
      if (end.blamesHead && i === 0) {
        call.refused(end);
        return;
      }
      call.lost(end);
      if (this.#policy.resend) again.push(call);
      else call.giveUp(end.code, end.text);
    });
    this.#queue.unshift(again);
    this.#afterFailure(connectionFailure(end), false);
  }

  #own(link: Link, welcome: Welcome, begunAtMs: number): this {
    this.#begunAtMs = begunAtMs;
    this.#link = link;
    this.#welcome = welcome;
    this.#welcomedAtMs = performance.now();
    this.#connections += 1;
    this.#pump();
    return this;
  }

  /** Sends what may be sent. At least one call is always in flight, however large. */
  #pump(): void {
    const link = this.#link;
    while (link !== null && !link.ended && this.#inFlightBytes < this.#maxInFlightBytes) {
      const call = this.#queue.shift();
      if (call === null) return;
      this.#inFlightBytes += SIZE.FRAME_PREFIX + call.frame.byteLength;
      call.sent();
      link.send(call.frame, call);
    }
  }

  async #reconnect(): Promise<void> {
    const attempt = new AbortController();
    const begunAtMs = performance.now();
    this.#attempt = attempt;
    try {
      await openLink(this.#options, attempt.signal, (link, welcome) => {
        this.#attempt = null;
        return this.#own(link, welcome, begunAtMs);
      });
    } catch (error) {
      this.#attempt = null;
      this.#afterFailure(error as AllocDbError, true);
    }
  }

  /** A connection ended, or could not be made: try again after a pause, or tell all callers that it is no use. */
  #afterFailure(error: AllocDbError, inHandshake: boolean): void {
    this.#lastError = error;
    this.#failures += 1;
    if (this.#closed) return;
    if (inHandshake && REFUSALS.has(error.code)) {
      for (const call of this.#pending) call.fail(error.code, error.message, {cause: error});
      return;
    }
    this.#pause = setTimeout(
      () => {
        this.#pause = null;
        void this.#reconnect();
      },
      backoffMs(this.#failures, this.#policy),
    );
  }
}
