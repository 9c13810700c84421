/**
 * A change feed on its way to one connection: the next chunk is asked for when the last one has left for the system, so a
 * peer that does not read costs one chunk, and the connection's own limit for unread answers ends it.
 */
import {AllocDbError, encodeFeedEnd, type FailureCode, FEED_END} from '@allocdb/api';
import type {ChangeFeed} from '@allocdb/node';
import type {ConnectionHost} from './connection_host.ts';

/** What a feed needs of the server. */
type FeedHost = Pick<ConnectionHost, 'engine' | 'onFeed'>;

/** What it needs of its connection. */
export interface FeedConnection {
  /** Resolves when the bytes have left, or never will. */
  send(bytes: Uint8Array): Promise<void>;
  /** Ends the connection with a frame, and says why in the log. */
  endWith(frame: Uint8Array, reason: string): void;
}

const END_CODES: Partial<Record<FailureCode, number>> = {
  lsn_not_retained: FEED_END.NOT_RETAINED,
  lsn_ahead: FEED_END.LSN_AHEAD,
  log_damaged: FEED_END.LOG_DAMAGED,
  engine_halted: FEED_END.ENGINE_HALTED,
};

export class FeedWriter {
  readonly #host: FeedHost;
  readonly #connection: FeedConnection;
  #feed: ChangeFeed | null = null;
  #stopped: boolean = false;

  constructor(host: FeedHost, connection: FeedConnection) {
    this.#host = host;
    this.#connection = connection;
  }

  /** Sends every change from this lsn on until it is stopped or the engine closes, or says with a frame why it ends. */
  async run(from: bigint): Promise<void> {
    try {
      const feed = this.#host.engine.changes(from);
      this.#feed = feed;
      this.#host.onFeed(feed);
      for (let chunk = await feed.next(); chunk !== null && !this.#stopped; chunk = await feed.next()) {
        await this.#connection.send(chunk);
      }
    } catch (error) {
      const code = error instanceof AllocDbError ? END_CODES[error.code] : undefined;
      if (code === undefined) throw error;
      const {failure, message} = error as AllocDbError;
      const oldestLsn = failure.certainty === 'definite' ? (failure.oldestLsn ?? 0n) : 0n;
      this.#connection.endWith(encodeFeedEnd({code, oldestLsn}), `feed ended: ${message}`);
    } finally {
      this.#feed?.close();
    }
  }

  /** Sends nothing more. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#feed?.close();
  }
}
