/**
 * A change feed over the network, on a connection of its own, so that neither answers nor changes wait for each other.
 * Frames gather until the consumer takes them; beyond a bound the socket is not read, and the server notices.
 *
 * A connection that is lost is replaced and the feed goes on behind the last change that arrived, so the consumer sees
 * every change once. What trying again cannot mend is thrown: a refused client, an lsn that is not in the log.
 */
import {
  type AbortSignalLike,
  AllocDbError,
  CONNECTION_FRAME,
  decodeFeedEnd,
  definiteFailure,
  encodeSubscribe,
  type FailureCode,
  FEED_END,
  type FeedEnd,
  leavable,
  type Welcome,
} from '@allocdb/api';
import {backoffMs} from './backoff.ts';
import {Link, type LinkEnd, type LinkOptions} from './link.ts';
import {connectionFailure} from './open_link.ts';
import type {RetryPolicy} from './options.ts';

/** Bytes that wait for the consumer before the socket is not read any more. */
const WAITING_BYTES_MAX = 1 << 20;
/** Where the lsn stands in a change frame. */
const LSN_AT = 1;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

const FEED_FAILURES: Readonly<Record<number, FailureCode>> = {
  [FEED_END.NOT_RETAINED]: 'lsn_not_retained',
  [FEED_END.LSN_AHEAD]: 'lsn_ahead',
  [FEED_END.LOG_DAMAGED]: 'log_damaged',
  [FEED_END.ENGINE_HALTED]: 'engine_halted',
};

/** Ends of a connection behind which the feed goes on with another one. */
const PASSING: ReadonlySet<FailureCode> = new Set([
  'connection_lost',
  'connect_failed',
  'connect_timed_out',
  'shutting_down',
  'slow_consumer',
  'too_many_connections',
  'rate_limited',
  // It comes back with its process.
  'engine_halted',
]);

/** One subscription on one connection. */
class Subscription {
  readonly #link: Link;
  #frames: Uint8Array[] = [];
  #bytes: number = 0;
  #ended: AllocDbError | null = null;
  #wake: (() => void) | null = null;
  #openedAtMs: number | null = null;
  /** The lsn of the next change to arrive; null while it is not known where the feed begins. */
  position: bigint | null;

  constructor(options: LinkOptions, position: bigint | null) {
    this.position = position;
    this.#link = new Link(options, {
      onOpen: welcome => this.#onOpen(welcome),
      onFeed: (bytes, offset, length) => this.#onFrame(bytes.slice(offset, offset + length)),
      onEnd: end => this.#onEnd(end),
    });
  }

  /** What has arrived, at least one frame; waits for it. Throws why no more will come once all was taken. */
  async next(): Promise<Uint8Array[]> {
    while (this.#frames.length === 0) {
      if (this.#ended !== null) throw this.#ended;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    this.#link.resume();
    return frames;
  }

  /** How long ago the server has welcomed it, 0 if it has not. */
  ageMs(nowMs: number): number {
    return this.#openedAtMs === null ? 0 : nowMs - this.#openedAtMs;
  }

  close(): void {
    this.#link.end('closed', 'the feed was closed');
  }

  #onOpen(welcome: Welcome): void {
    this.#openedAtMs = performance.now();
    this.position ??= (welcome.lastDurableLsn ?? 0n) + 1n;
    if (isLeft(this.position)) this.#link.tell(encodeSubscribe(this.position));
    else this.#link.end('connection_lost', 'no lsn is left');
  }

  #onFrame(frame: Uint8Array): void {
    if (frame[0] === CONNECTION_FRAME.FEED_END) {
      this.#onFeedEnd(frame);
      return;
    }
    const lsn = lsnOf(frame);
    if (lsn === null || lsn !== this.position) {
      this.#link.end('protocol_error', `the server sent the change ${lsn ?? 'of no lsn'} for ${this.position}`);
      return;
    }
    this.position = lsn + 1n;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (this.#bytes > WAITING_BYTES_MAX) this.#link.pause();
    this.#rouse();
  }

  #onFeedEnd(frame: Uint8Array): void {
    const end = endOf(frame);
    const code = end === null ? 'protocol_error' : FEED_FAILURES[end.code];
    const text = end === null ? 'the server sent a malformed end of the feed' : textOf(end);
    if (end !== null && (code === 'lsn_not_retained' || code === 'lsn_ahead'))
      this.#ended = new AllocDbError({code, certainty: 'definite', oldestLsn: end.oldestLsn}, text);
    // Whatever a later version may mean by another code, the next connection will show.
    this.#link.end(code ?? 'connection_lost', text);
  }

  #onEnd(end: LinkEnd): void {
    this.#ended ??= connectionFailure(end);
    this.#rouse();
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/** The lsn of a change frame; null for one that is too short to have one. The facade reads the rest. */
function lsnOf(frame: Uint8Array): bigint | null {
  if (frame.length < LSN_AT + 8) return null;
  return new DataView(frame.buffer, frame.byteOffset).getBigUint64(LSN_AT, true);
}

function isLeft(lsn: bigint | null): boolean {
  return lsn === null || lsn <= U64_MAX;
}

function endOf(frame: Uint8Array): FeedEnd | null {
  try {
    return decodeFeedEnd(frame);
  } catch {
    return null;
  }
}

function textOf({code, oldestLsn}: FeedEnd): string {
  switch (code) {
    case FEED_END.NOT_RETAINED:
      return `the log begins at lsn ${oldestLsn}`;
    case FEED_END.LSN_AHEAD:
      return 'the log has not come so far: it is that of another database, or of an older copy';
    case FEED_END.LOG_DAMAGED:
      return 'the log is damaged';
    case FEED_END.ENGINE_HALTED:
      return 'the engine has halted';
    default:
      return `the server ended the feed (code ${code})`;
  }
}

/** What a feed needs of the client that it belongs to. */
export interface FeedOwner {
  readonly options: LinkOptions;
  readonly policy: RetryPolicy;
  /** Fires when the client is closed, which ends the feed. */
  readonly closed: AbortSignal;
}

/** Change frames from an lsn on, or from now on, over as many connections as it takes. See {@link Transport.feed}. */
export function networkFeed(
  owner: FeedOwner,
  from: bigint | null,
  signal: AbortSignalLike | null,
): AsyncGenerator<readonly Uint8Array[], void> {
  const stop = new AbortController();
  return leavable(follow(owner, from, signal, stop), () => stop.abort());
}

/** Follows the log until `stop` fires, which happens here when the signal fires or the client is closed. */
async function* follow(
  {options, policy, closed}: FeedOwner,
  from: bigint | null,
  signal: AbortSignalLike | null,
  stop: AbortController,
): AsyncGenerator<readonly Uint8Array[], void> {
  if (closed.aborted) throw new AllocDbError(definiteFailure('closed'), 'the client is closed');
  let subscription: Subscription | null = null;
  const onStop = (): void => stop.abort();
  const close = (): void => subscription?.close();
  closed.addEventListener('abort', onStop);
  signal?.addEventListener('abort', onStop);
  stop.signal.addEventListener('abort', close);
  if (signal?.aborted) onStop();
  let position = from;
  let failures = 0;
  let failingSinceMs = 0;
  try {
    while (!stop.signal.aborted && isLeft(position)) {
      subscription = new Subscription(options, position);
      try {
        for (;;) {
          const frames = await subscription.next();
          failures = 0;
          yield frames;
        }
      } catch (error) {
        // All that has arrived was taken before.
        ({position} = subscription);
        if (stop.signal.aborted || !isLeft(position)) break;
        if (!(error instanceof AllocDbError) || !PASSING.has(error.code) || !policy.resend) throw error;
        const nowMs = performance.now();
        // One that has stood for a while was well, though nothing may have happened in that time.
        if (subscription.ageMs(nowMs) > policy.maxBackoffMs) failures = 0;
        if (failures++ === 0) failingSinceMs = nowMs;
        else if (signal === null && nowMs - failingSinceMs > policy.budgetMs) throw error;
        await pause(backoffMs(failures, policy), stop.signal);
      } finally {
        subscription.close();
      }
    }
    if (signal?.aborted) throw signal.reason;
  } finally {
    closed.removeEventListener('abort', onStop);
    signal?.removeEventListener('abort', onStop);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
