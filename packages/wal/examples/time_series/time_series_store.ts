/**
 * A time-series store: appends through channels, queries over all that is in files, frozen and in memory.
 *
 * Invariant: a query answers from one view, so it sees each append once or not at all, whatever is flushed meanwhile.
 * After a crash everything is there that `sync` or a ticket reported durable.
 */

import {type CoordinatorView, type Ticket, type ViewSubscription, WriteCoordinator} from '@allocdb/wal';
import {FileFlusher, type FileSet, openFiles, readPoints} from './file_flusher.ts';
import type {Append, GrowingSeries, LastTimes, Point, PointsBySeries} from './points.ts';
import {type Appended, SeriesDelta} from './series_delta.ts';

export type SeriesView = CoordinatorView<GrowingSeries, PointsBySeries, FileSet>;

export interface StoreOptions {
  readonly dir: string;
  readonly channels: readonly string[];
  /** Size of a delta that is flushed. Default 64 KiB. */
  readonly flushBytes?: number;
}

export class TimeSeriesStore {
  readonly #dir: string;
  readonly #channels: readonly string[];
  readonly #coordinator: WriteCoordinator<Append, Appended, SeriesView>;

  private constructor({dir, channels}: StoreOptions, coordinator: WriteCoordinator<Append, Appended, SeriesView>) {
    this.#dir = dir;
    this.#channels = channels;
    this.#coordinator = coordinator;
  }

  /** Opens or begins the store; epochs go on behind the last file. */
  static async open(options: StoreOptions): Promise<TimeSeriesStore> {
    const {dir, channels, flushBytes = 65_536} = options;
    const files = await openFiles(dir);
    const coordinator = WriteCoordinator.start({
      delta: {init: context => new SeriesDelta(context)},
      flusher: new FileFlusher(dir, files),
      context: await lastTimesIn(dir, files),
      snapshot: files,
      channels,
      flushBytes,
      firstEpoch: files.at(-1)?.epochs.end ?? 1,
      sizeOf: append => append.points.length * 16,
    });
    return new TimeSeriesStore(options, coordinator);
  }

  /** Waits for room. The ticket's `apply_failed` says that the points are not later than those of the series. */
  append(channel: string, append: Append): Promise<Ticket<Appended>> {
    return this.#coordinator.handle(channel).write(append);
  }

  /** Everything appended through any channel before is durable when this resolves. */
  async sync(): Promise<void> {
    await Promise.all(this.#channels.map(name => this.#coordinator.handle(name).flush({storage: true})));
  }

  /** The points of a series with from <= time < to, oldest first, as they are now or were in this view. */
  async query(series: string, from: number, to: number, view: SeriesView = this.view()): Promise<Point[]> {
    const parts: (readonly Point[])[] = [];
    for (const file of view.snapshot.value) {
      if (file.series.includes(series)) parts.push((await readPoints(this.#dir, file)).get(series) ?? []);
    }
    for (const {value} of view.frozen.toReversed()) parts.push(value.get(series) ?? []);
    const open = view.current.value.get(series);
    if (open !== undefined) parts.push(open.points.slice(0, open.count));
    return parts.flat().filter(({time}) => time >= from && time < to);
  }

  view(): SeriesView {
    return this.#coordinator.handle(this.#channels[0]).view();
  }

  /** Views as they come; see `ViewSubscription` for what happens to a slow reader. */
  watch(): ViewSubscription<SeriesView> {
    return this.#coordinator.handle(this.#channels[0]).subscribe();
  }

  /** Everything appended is durable when this resolves. */
  close(): Promise<void> {
    return this.#coordinator.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function lastTimesIn(dir: string, files: FileSet): Promise<LastTimes> {
  const times = new Map<string, number>();
  for (const file of files) {
    for (const [series, points] of await readPoints(dir, file)) {
      const last = points.at(-1);
      if (last !== undefined) times.set(series, last.time);
    }
  }
  return times;
}
