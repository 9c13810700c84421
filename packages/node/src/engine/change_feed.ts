/**
 * A change feed: the durable log from an lsn on, as change frames in chunks, for whoever asks for the next one. Nothing is
 * kept for a reader but its place in the log, so a slow one costs no memory; truncation passes it, and then it is told
 * from where the log can still be read.
 *
 * Reading never holds the writers up: it stops after half a millisecond, and goes on when `feed_pace.ts` lets it. Not here:
 * what carries the chunks, and when a reader that does not take them is given up.
 */
import {
  AllocDbError,
  CHANGE_HEADER_MAX,
  CHANGE_ORIGIN,
  type ChangeLanes,
  definiteFailure,
  putChangeHeader,
} from '@allocdb/api';
import {addU64, bigintOfU64, COMMAND, type Lanes, RESULT, U64_MAX} from '@allocdb/core';
import {isWalError, type LogCursor, type LogTail, READ, type Wal} from '@allocdb/wal';
import {LENGTH_BYTES} from './answer_buffer.ts';
import {RECORD_TYPE} from './command_log.ts';
import type {FeedPace} from './feed_pace.ts';

/** A chunk ends behind the change that fills it so far. */
const CHUNK_BYTES = 64 << 10;
/** One change more than that still fits; only a bundle of thousands needs a larger buffer. */
const SPARE_BYTES = 4 << 10;
/** Reading stops here for others to have their turn. */
const SLICE_MS = 0.5;

/** Tag of a client's command, and where its time-to-live stands, in its payload. */
const TAG_AT = 32;
const RESERVE_TTL_AT = 65;
const BUNDLE_TTL_AT = 49;

/** What a feed needs of the engine. */
export interface FeedHost {
  readonly wal: Wal;
  readonly shard: Lanes;
  /** One for all feeds of the engine. */
  readonly pace: FeedPace;
}

export class ChangeFeed {
  private readonly host: FeedHost;
  private tail: LogTail;
  private readonly lanes: MutableLanes = new MutableLanes();
  private readonly sum: Int32Array = new Int32Array(2);
  private buffer: Uint8Array = new Uint8Array(CHUNK_BYTES + SPARE_BYTES);
  private view: DataView = new DataView(this.buffer.buffer);
  private end: number = 0;
  private hasMore: boolean = true;
  private wake: (() => void) | null = null;
  private closed: boolean = false;
  /** What ended the reading, to be thrown behind what was read before. */
  private failure: unknown = null;
  private untoldLsn: bigint;

  /**
   * Opens a feed of every change from this lsn on, or of what becomes durable from now on. Throws AllocDbError, definite:
   * `lsn_not_retained` with `failure.oldestLsn` where the log begins later, `lsn_ahead` where it has not come so far that
   * this could be next, `engine_halted`, `closed`.
   */
  static open(host: FeedHost, from: bigint | null): ChangeFeed {
    const {wal} = host;
    const next = wal.durableLsn + 1n;
    if (from !== null && from > next) throw outside('lsn_ahead', `the next lsn is ${next}, not ${from}`, wal);
    const first = from ?? next;
    if (first <= U64_MAX) return new ChangeFeed(host, first);
    // No lsn is left: behind the last one nothing comes.
    const feed = new ChangeFeed(host, U64_MAX);
    feed.close();
    return feed;
  }

  private constructor(host: FeedHost, from: bigint) {
    this.host = host;
    this.untoldLsn = from;
    this.lanes.shardLo = host.shard.lo;
    this.lanes.shardHi = host.shard.hi;
    try {
      this.tail = this.openTail();
    } catch (error) {
      throw feedErrorOf(error, host.wal);
    }
  }

  /**
   * The next changes, each frame behind its length: at least one, about 64 KiB at most, the caller's to keep. Waits until
   * there are any. Null when the engine has closed, or the feed was. Throws as `open` does, and `log_damaged`; then it is
   * over. One call at a time.
   */
  async next(): Promise<Uint8Array | null> {
    try {
      while (!this.closed) {
        let isAtEnd = false;
        await this.host.pace.run(() => {
          isAtEnd = this.read();
          return !isAtEnd;
        });
        if (this.closed) break;
        if (this.end > 0) return this.take();
        if (this.failure !== null) this.recover();
        else if (isAtEnd && !(await this.grown())) break;
      }
    } catch (error) {
      this.close();
      if (!(isWalError(error) && error.code === 'closed')) throw feedErrorOf(error, this.host.wal);
    }
    this.close();
    return null;
  }

  /** The first lsn that no chunk has told yet. */
  get nextLsn(): bigint {
    return this.untoldLsn;
  }

  /** Nothing more comes. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Ends it; a call that waits resolves with null. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.tail.close();
    this.wake?.();
  }

  private openTail(): LogTail {
    const onMore = (): void => {
      this.hasMore = true;
      this.wake?.();
    };
    return this.host.wal.tail({from: this.untoldLsn, yields: true, onMore});
  }

  /**
   * Truncation passes whoever has not entered the next segment yet, though he may have read the last one to its end. All
   * that is left of the log is then still to be told, and reading goes on there; anything else is thrown.
   */
  private recover(): void {
    const {failure} = this;
    const isPassed = isWalError(failure) && failure.code === 'missing_segment';
    if (!isPassed || this.untoldLsn < this.host.wal.firstLsn) throw failure;
    this.failure = null;
    this.tail.close();
    this.tail = this.openTail();
  }

  private take(): Uint8Array {
    const chunk = this.buffer.slice(0, this.end);
    this.end = 0;
    this.untoldLsn = bigintOfU64(this.lanes.lsnLo, this.lanes.lsnHi) + 1n;
    return chunk;
  }

  /** Reads on until the chunk is full, the time is up, or nothing more can be read: true. */
  private read(): boolean {
    if (this.closed || this.failure !== null) return true;
    try {
      return this.fill(this.host.pace.now());
    } catch (error) {
      this.failure = error;
      return true;
    }
  }

  private fill(begunMs: number): boolean {
    const {cursor} = this.tail;
    for (;;) {
      const event = cursor.next();
      if (event === READ.END) return true;
      if (event === READ.RECORD) this.put(cursor);
      if (this.end >= CHUNK_BYTES) return false;
      if (event === READ.FRAME_END && this.host.pace.now() - begunMs > SLICE_MS) return false;
    }
  }

  private put(cursor: LogCursor): void {
    const {lanes} = this;
    lanes.lsnLo = cursor.lsnLo;
    lanes.lsnHi = cursor.lsnHi;
    lanes.slotLo = cursor.stampLo;
    lanes.slotHi = cursor.stampHi;
    lanes.resultCode = cursor.note;
    lanes.origin = cursor.type === RECORD_TYPE.CLIENT_COMMAND ? CHANGE_ORIGIN.CLIENT : CHANGE_ORIGIN.INTERNAL;
    this.readGrant(cursor);
    this.ensure(LENGTH_BYTES + CHANGE_HEADER_MAX + cursor.length);
    const at = this.end + LENGTH_BYTES;
    const payloadAt = putChangeHeader(this.view, at, lanes);
    this.buffer.set(cursor.bytes.subarray(cursor.offset, cursor.offset + cursor.length), payloadAt);
    this.view.setUint32(this.end, payloadAt - at + cursor.length, true);
    this.end = payloadAt + cursor.length;
  }

  /** A reservation was granted if the command asked for one and was answered ok; it ends at its slot and time-to-live. */
  private readGrant({view, offset, stampLo, stampHi}: LogCursor): void {
    const {lanes, sum} = this;
    lanes.granted = false;
    if (lanes.origin !== CHANGE_ORIGIN.CLIENT || lanes.resultCode !== RESULT.OK) return;
    const tag = view.getUint8(offset + TAG_AT);
    if (tag !== COMMAND.RESERVE && tag !== COMMAND.RESERVE_BUNDLE) return;
    const ttl = offset + (tag === COMMAND.RESERVE ? RESERVE_TTL_AT : BUNDLE_TTL_AT);
    addU64(sum, 0, stampLo, stampHi, view.getInt32(ttl, true), view.getInt32(ttl + 4, true));
    lanes.granted = true;
    lanes.deadlineLo = sum[0] ?? 0;
    lanes.deadlineHi = sum[1] ?? 0;
  }

  private ensure(bytes: number): void {
    const needed = this.end + bytes;
    if (needed <= this.buffer.length) return;
    const larger = new Uint8Array(needed);
    larger.set(this.buffer.subarray(0, this.end));
    this.buffer = larger;
    this.view = new DataView(larger.buffer);
  }

  /**
   * Waits until the log has grown; false when it is closed. Throws when it has failed and all that was durable by then
   * has been read.
   */
  private async grown(): Promise<boolean> {
    if (!this.hasMore) {
      if (!this.tail.isOpen) return false;
      await new Promise<void>(resolve => {
        this.wake = resolve;
      });
      this.wake = null;
    }
    this.hasMore = false;
    if (this.closed) return false;
    this.tail.refresh();
    return true;
  }
}

/** Lanes of the change that is being written; one object for all. */
class MutableLanes implements ChangeLanes {
  lsnLo = 0;
  lsnHi = 0;
  slotLo = 0;
  slotHi = 0;
  origin = 0;
  resultCode = 0;
  granted = false;
  deadlineLo = 0;
  deadlineHi = 0;
  shardLo = 0;
  shardHi = 0;
}

/** What the log throws, as failures of a feed. */
function feedErrorOf(error: unknown, wal: Wal): unknown {
  if (!isWalError(error)) return error;
  const {code, message} = error;
  switch (code) {
    case 'missing_segment':
      return outside('lsn_not_retained', `the log begins at lsn ${wal.firstLsn}`, wal);
    case 'failed':
      return new AllocDbError(definiteFailure('engine_halted'), message, {cause: error});
    case 'closed':
      return new AllocDbError(definiteFailure('closed'), 'the engine is closed', {cause: error});
    default:
      return new AllocDbError(definiteFailure('log_damaged'), message, {cause: error});
  }
}

function outside(code: 'lsn_not_retained' | 'lsn_ahead', message: string, wal: Wal): AllocDbError {
  return new AllocDbError({code, certainty: 'definite', oldestLsn: wal.firstLsn}, message);
}
