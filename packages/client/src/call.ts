/**
 * One call, from the moment it is made until it is settled: what was sent of it, what came back, and what is therefore
 * known. The dispatcher decides when it is sent; this file decides what it means.
 *
 * A call is in doubt once an attempt may have been executed without an answer saying so: the connection ended before the
 * answer, or the answer was itself indefinite. Doubt does not go away when a later attempt fails definitely; only an
 * answer ends it. A read is never in doubt, because it changes nothing.
 */
import {
  type AbortSignalLike,
  AllocDbError,
  type ApiRequest,
  type ApiResponse,
  databaseError,
  decodeResponseAt,
  definiteFailure,
  type FailureCode,
  indefiniteFailure,
  isIndefinite,
  type OperationId,
  type SignalFanout,
  type SubmissionFailure,
  type TransportOptions,
} from '@allocdb/api';
import type {LinkEnd} from './link.ts';
import type {ResponseSink} from './response_queue.ts';

/** What a call tells the dispatcher. */
export interface CallOwner {
  /** The answer to the attempt on the connection came, in time or not; its bytes are no longer in flight. */
  onAnswered(call: Call): void;
  /** The answer is one that a later attempt may better. */
  onTransient(call: Call): void;
  /** The connection sent something that is no response. */
  onGarbage(call: Call, error: unknown): void;
  /** The call is settled and needs nothing any more. */
  onSettled(call: Call): void;
  readonly signals: SignalFanout;
  /** The call's signal or budget ended it. */
  onExpired(call: Call, bySignal: boolean): void;
}

/** The failure that made a response one to be asked for again, null when it is final. */
function transientFailure(response: ApiResponse): SubmissionFailure | null {
  switch (response.type) {
    case 'submit_rejected':
      return isTransient(response.failure) ? response.failure : null;
    case 'batch_result':
      for (const result of response.results) {
        const failure = transientFailure(result);
        if (failure !== null) return failure;
      }
      return null;
    case 'resource_engine_halted':
    case 'reservation_engine_halted':
      return {code: 'engine_halted'};
    default:
      return null;
  }
}

function isTransient(failure: SubmissionFailure): boolean {
  return failure.code === 'overloaded' || failure.code === 'storage_full' || isIndefinite(failure);
}

/**
 * A refusal that says nothing about earlier attempts, null when there is none. One of the bytes themselves says that
 * every attempt was refused.
 */
function refusedMember(response: ApiResponse): SubmissionFailure | null {
  if (response.type === 'batch_result') return response.results.map(refusedMember).find(each => each !== null) ?? null;
  if (response.type !== 'submit_rejected') return null;
  const {failure} = response;
  return failure.code === 'invalid_request' || failure.code === 'command_too_large' ? null : failure;
}

/** Some member of the response, or the response itself, fulfils `test`. */
function some(response: ApiResponse, test: (response: ApiResponse) => boolean): boolean {
  return response.type === 'batch_result' ? response.results.some(test) : test(response);
}

const isInDoubt = (response: ApiResponse): boolean =>
  response.type === 'submit_rejected' && isIndefinite(response.failure);
const isExecuted = (response: ApiResponse): boolean => response.type === 'submit_committed';

export class Call implements ResponseSink {
  /** The request, as it is sent in every attempt. */
  readonly frame: Uint8Array;
  /** Attempts that failed. */
  failures: number = 0;
  /** Kept by the queue of calls that wait to be sent. */
  waiting: boolean = false;
  /** Runs while the call waits for its next attempt. */
  backoff: NodeJS.Timeout | null = null;
  readonly #owner: CallOwner;
  readonly #operationIds: readonly OperationId[];
  readonly #signal: AbortSignalLike | null;
  readonly #resolve: (response: ApiResponse) => void;
  readonly #reject: (error: AllocDbError) => void;
  readonly #abort = (): void => this.#owner.onExpired(this, true);
  readonly #budget: NodeJS.Timeout | null;
  #onConnection: boolean = false;
  #settled: boolean = false;
  #inDoubt: boolean = false;
  /** Members of a batch were executed and answered while others were not. */
  #partlyExecuted: boolean = false;
  #lastError: AllocDbError | null = null;
  /** The best there is to resolve with when time runs out: a batch of which some members were answered. */
  #partial: ApiResponse | null = null;

  constructor(
    owner: CallOwner,
    frame: Uint8Array,
    options: TransportOptions,
    budgetMs: number,
    settle: {resolve: (response: ApiResponse) => void; reject: (error: AllocDbError) => void},
  ) {
    this.frame = frame;
    this.#owner = owner;
    this.#operationIds = options.operationIds;
    this.#signal = options.signal;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
    if (this.#signal !== null) owner.signals.add(this.#signal, this.#abort);
    this.#budget = this.#signal === null ? setTimeout(() => owner.onExpired(this, false), budgetMs) : null;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** The attempt begins: from now on it may be executed. */
  sent(): void {
    this.#onConnection = true;
    this.#partial = null;
  }

  onResponse(view: DataView, _bytes: Uint8Array, offset: number, length: number): void {
    this.#owner.onAnswered(this);
    if (this.#settled) return;
    let response: ApiResponse;
    try {
      response = decodeResponseAt(view, offset, length);
    } catch (error) {
      this.#owner.onGarbage(this, error);
      return;
    }
    this.#onConnection = false;
    const failure = transientFailure(response);
    if (failure === null) {
      this.#settleWith(response);
      return;
    }
    this.#partial = response.type === 'batch_result' && !this.#inDoubt ? response : null;
    if (some(response, isInDoubt)) this.#inDoubt = true;
    if (some(response, isExecuted)) this.#partlyExecuted = true;
    this.#lastError = databaseError(failure, this.#operationIds);
    this.#owner.onTransient(this);
  }

  /** The connection ended under the attempt. */
  lost(end: LinkEnd): void {
    this.#onConnection = false;
    this.#inDoubt = true;
    this.#partial = null;
    this.#lastError = new AllocDbError(
      this.#failure(end.code),
      end.text,
      end.cause === undefined ? {} : {cause: end.cause},
    );
  }

  /** The server refused the attempt itself, unexecuted. */
  refused(end: LinkEnd): void {
    this.#onConnection = false;
    this.fail(end.code, end.text);
  }

  /** Rejects, with what is known about its effects by now. */
  fail(code: FailureCode, message: string, options: {cause?: unknown} = {}): void {
    if (this.#settle()) this.#reject(new AllocDbError(this.#failure(code), message, options));
  }

  /** No further attempt: the last outcome stands, or `code` when there was none. */
  giveUp(code: FailureCode, message: string): void {
    const [partial, last] = [this.#partial, this.#lastError];
    if (partial !== null) {
      if (this.#settle()) this.#resolve(partial);
    } else if (last === null || this.#onConnection) {
      this.fail(code, message, last === null ? {} : {cause: last});
    } else {
      const detail = last.detail === null ? {} : {detail: last.detail};
      if (this.#settle())
        this.#reject(new AllocDbError(this.#failure(last.code), last.message, {...detail, cause: last.cause}));
    }
  }

  /** The signal's reason, as the cause of an abort. */
  abortCause(): unknown {
    return this.#signal?.reason;
  }

  #settleWith(response: ApiResponse): void {
    const refused = this.#inDoubt ? refusedMember(response) : null;
    if (!this.#settle()) return;
    if (refused === null) {
      this.#resolve(response);
    } else {
      const {message} = databaseError(refused, this.#operationIds);
      this.#reject(new AllocDbError(this.#failure(refused.code), message, {detail: refused}));
    }
  }

  #failure(code: FailureCode): ReturnType<typeof definiteFailure> {
    const somethingMayHaveHappened = this.#inDoubt || this.#partlyExecuted || this.#onConnection;
    return somethingMayHaveHappened ? indefiniteFailure(code, this.#operationIds) : definiteFailure(code);
  }

  /** True for the first to settle it. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#signal !== null) this.#owner.signals.remove(this.#signal, this.#abort);
    if (this.#budget !== null) clearTimeout(this.#budget);
    if (this.backoff !== null) clearTimeout(this.backoff);
    this.#owner.onSettled(this);
    return true;
  }
}

/** Why a request cannot be sent to a server with these bounds, null when it can. */
export function refusal(
  request: ApiRequest,
  frame: Uint8Array,
  bounds: {maxFrameBytes: number; maxBatch: number},
): AllocDbError | null {
  if (request.type === 'submit_batch' && request.payloads.length > bounds.maxBatch) {
    const text = `a batch of ${request.payloads.length} commands; the server allows ${bounds.maxBatch}`;
    return new AllocDbError(definiteFailure('batch_too_large'), text);
  }
  if (frame.byteLength <= bounds.maxFrameBytes) return null;
  const text = `a request of ${frame.byteLength} bytes; the server allows ${bounds.maxFrameBytes}`;
  return new AllocDbError(definiteFailure('frame_too_large'), text);
}
