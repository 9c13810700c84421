/**
 * An engine of this process as what carries the facade's requests: what `openDb` and a server's HTTP port have in common.
 * Requests go the way of everybody else's, pipelined and sequenced in order of arrival, and an answer is durable.
 *
 * Not here: whose the engine is. It is closed, or not, by whoever opened it.
 */
import {
  type AbortSignalLike,
  AllocDbError,
  type ApiRequest,
  type ApiResponse,
  definiteFailure,
  indefiniteFailure,
  SignalFanout,
  type Transport,
  type TransportOptions,
} from '@allocdb/api';
import {framesFrom} from './engine/engine_feed.ts';
import type {SingleNodeEngine} from './engine/single_node_engine.ts';
import type {SlotClock} from './engine/slot_source.ts';

/** Carries requests to an engine in this process. `clock` tells the slots that requests state. */
export class EngineTransport implements Transport {
  private readonly engine: SingleNodeEngine;
  private readonly clock: SlotClock;
  private readonly onClose: () => Promise<void>;
  private readonly signals: SignalFanout = new SignalFanout();

  /** `onClose` runs when the facade is closed; without it that leaves the engine as it is. */
  constructor(engine: SingleNodeEngine, clock: SlotClock, onClose: () => Promise<void> = () => Promise.resolve()) {
    this.engine = engine;
    this.clock = clock;
    this.onClose = onClose;
  }

  currentSlot(): bigint {
    return this.clock.now();
  }

  call(request: ApiRequest, {signal, operationIds}: TransportOptions): Promise<ApiResponse> {
    if (this.engine.state === 'closed') return Promise.reject(closedError());
    if (signal?.aborted) {
      const message = 'the call was aborted before it was queued';
      return Promise.reject(new AllocDbError(definiteFailure('aborted'), message, {cause: signal.reason}));
    }
    const answered = this.engine.submit(request);
    if (!signal) return answered;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const message = 'the call was aborted after it was queued; its outcome is unknown';
        reject(new AllocDbError(indefiniteFailure('aborted', operationIds), message, {cause: signal.reason}));
      };
      this.signals.add(signal, onAbort);
      answered.then(resolve, reject).finally(() => this.signals.remove(signal, onAbort));
    });
  }

  feed(from: bigint | null, signal: AbortSignalLike | null): AsyncGenerator<readonly Uint8Array[], void> {
    return framesFrom(() => {
      if (this.engine.state === 'closed') throw closedError();
      return this.engine.changes(from);
    }, signal);
  }

  close(): Promise<void> {
    return this.onClose();
  }
}

function closedError(): AllocDbError {
  return new AllocDbError(definiteFailure('closed'), 'the database is closed');
}
