/**
 * Reading a log that is open for writing: cursors, pages, followers, copies, and the pins that keep truncation away.
 *
 * Everything read here is durable. `Wal` adds opening, commits and closing.
 */

import {WalError} from './errors.ts';
import {firstLsnOf, type SegmentInfo} from './format/segment_header.ts';
import type {ResolvedWalOptions} from './log_options.ts';
import {type FollowOptions, follow} from './read/follow.ts';
import {LogCursor} from './read/log_cursor.ts';
import {LogTail, type TailOptions, type TailSource} from './read/log_tail.ts';
import {segmentIndexOf} from './read/log_walker.ts';
import {type PageOptions, pagesOf, type RecordPage} from './read/pages.ts';
import type {Pin} from './read/pins.ts';
import type {ReadOptions} from './read/record_filter.ts';
import type {LogRecord} from './read/record_view.ts';
import {type CopyWalOptions, copySegments} from './read/wal_copy.ts';
import type {WalReport} from './read/wal_reader.ts';
import type {LogWriter} from './write/log_writer.ts';
import {RawLog} from './write/raw_log.ts';
import type {SparePool} from './write/spare_pool.ts';
import type {SyncMeter} from './write/sync_meter.ts';

/** The half of `Wal` that reads. */
export class ReadableLog extends RawLog {
  protected readonly options: ResolvedWalOptions;

  protected constructor(writer: LogWriter, meter: SyncMeter, spares: SparePool, options: ResolvedWalOptions) {
    super(writer, meter, spares);
    this.options = options;
  }

  /**
   * Reads the durable records from this lsn on, or what the options choose, up to those durable now. Throws
   * `missing_segment` below the first. The cursor pins what it has not read: close it.
   */
  read(from: bigint | ReadOptions = {}): LogCursor {
    this.writer.assertUsable();
    return this.#cursor(typeof from === 'bigint' ? {from} : from, false);
  }

  /**
   * The durable records from this lsn on, and each further one once it is durable, for as long as the log is open:
   * `for await (const record of wal.follow({from, signal}))`. Records are copies. The iteration ends with `to`, or when the
   * log is closed; it throws the signal's reason, `failed`, or what `read` throws. Memory is bounded however far the
   * follower is behind, and others get their turns while it catches up; unless it `yields`, the log keeps what it has not
   * read. One that waits is stopped by its signal: `return()` takes effect with the next record only.
   */
  follow(options: FollowOptions = {}): AsyncGenerator<LogRecord, void> {
    return follow(this.#tailSource(options), options.signal);
  }

  /**
   * A cursor that can go on to what becomes durable later, for readers that choose when they read; what `follow` says of
   * `yields` holds for it. Its `next` tells the end of frames before `from` too, so that a long way there can be walked in
   * steps. Throws what `read` throws. Close it.
   */
  tail(options: TailOptions): LogTail {
    return new LogTail(this.#tailSource(options, true), options.onMore);
  }

  /** `read` in arrays of records that are copies. Closes its cursor when it ends or is left. */
  pages(options: PageOptions = {}): Generator<RecordPage, void> {
    return pagesOf(() => this.read(options), options);
  }

  /**
   * Copies everything durable now into an empty directory, as a log of its own that opens like a cleanly closed one, while
   * appends and commits go on. Durable and verified when it resolves. See `copyWal` for the options and errors.
   */
  async copyTo(options: CopyWalOptions): Promise<WalReport> {
    const pin = this.pin(this.firstLsn);
    try {
      const {io, dir, maxReadFrameBytes} = this.options;
      const {uuid} = this.writer.segments;
      const place = {lastLsn: this.durableLsn, chain: this.writer.segments.chain()};
      const source = {io, dir, maxReadFrameBytes, uuid, ...place, check: () => this.writer.assertUsable()};
      return await copySegments(source, options);
    } finally {
      pin.release();
    }
  }

  /** Keeps all records from this lsn on, which is in the log, until the pin is moved or released. */
  pin(lsn: bigint): Pin {
    this.writer.assertUsable();
    if (lsn < this.firstLsn) {
      const evidence = `the log begins at lsn ${this.firstLsn}`;
      throw new WalError('missing_segment', 'cannot pin what is gone', {lsn, evidence});
    }
    return this.writer.segments.pins.hold(lsn);
  }

  #tailSource(options: Omit<TailOptions, 'onMore'>, tellsSkipped = false): TailSource {
    const {writer} = this;
    return {
      openCursor: () => {
        writer.assertUsable();
        return this.#cursor(options, options.yields ?? false, tellsSkipped);
      },
      chain: () => writer.segments.chain(),
      watch: onChange => writer.watchers.add(onChange),
      assertAlive: () => {
        if (writer.failure !== null) throw writer.failure;
      },
      isClosed: () => writer.isClosed,
    };
  }

  #cursor(read: ReadOptions, yields: boolean, tellsSkipped = false): LogCursor {
    const {io, dir, maxReadFrameBytes} = this.options;
    const from = read.from ?? this.firstLsn;
    const chain = this.writer.segments.chain();
    const {segments} = chain;
    const first = firstLsnOf(segments[segmentIndexOf(segments, from)] as SegmentInfo);
    const pin = this.writer.segments.pins.hold(first, yields);
    try {
      return new LogCursor({io, dir, maxReadFrameBytes, chain, read: {...read, from}, pin, tellsSkipped});
    } catch (error) {
      pin.release();
      throw error;
    }
  }
}
