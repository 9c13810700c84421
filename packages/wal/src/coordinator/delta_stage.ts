/**
 * The open delta, the frozen ones that are not written yet, and the snapshot: all that a view is made of.
 *
 * Invariants: the epochs of snapshot, frozen deltas and open delta follow each other without a hole; a published view is
 * never changed. Not here: when to freeze (`write_loop.ts`), who flushes (`flush_line.ts`).
 */

import type {CoordinatorView, Delta, DeltaFactory, EpochRange, EpochStamped} from './delta.ts';
import type {CoordinatorOptions} from './options.ts';
import type {Batch} from './watermarks.ts';

export class DeltaStage<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot> {
  readonly #factory: DeltaFactory<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView>;
  #delta: Delta<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView>;
  /** As the delta estimated it after its last write. */
  bytes = 0;
  batch: Batch;
  #newestFrozen: Batch | null = null;
  #frozen: readonly EpochStamped<FrozenView>[] = Object.freeze([]);
  #snapshot: EpochStamped<Snapshot>;
  #lastWritten: EpochStamped<FrozenView> | null = null;
  #view: CoordinatorView<DeltaView, FrozenView, Snapshot> | null = null;

  constructor(
    options: CoordinatorOptions<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView, Snapshot>,
    firstEpoch: number,
  ) {
    this.#factory = options.delta;
    this.#delta = this.#factory.init(options.context);
    this.batch = {start: firstEpoch, end: firstEpoch};
    this.#snapshot = stamped(options.snapshot, this.batch);
  }

  /** Whether the open delta has taken no epoch. */
  get isEmpty(): boolean {
    return this.batch.end === this.batch.start;
  }

  /** The newest epochs that are not written, or null where all are. */
  get unwritten(): Batch | null {
    if (!this.isEmpty) return this.batch;
    return this.#frozen.length > 0 ? this.#newestFrozen : null;
  }

  /** Gives the next epoch to the write that is applied next, whether that succeeds or not. */
  takeEpoch(): number {
    this.#view = null;
    return this.batch.end++;
  }

  /** Throws what the delta throws. */
  apply(write: Write): ApplyResult {
    return this.#delta.apply(write);
  }

  /** To be called after each `apply`. A view that `apply` itself took is not what readers see from now on. */
  measure(): void {
    this.#view = null;
    this.bytes = this.#delta.estimateSize();
    if (!(this.bytes >= 0)) throw new RangeError('estimateSize is a number from 0');
  }

  /** Freezes the open delta and opens the next. Throws what the delta throws. */
  freeze(): EpochStamped<Frozen> {
    const {frozen, view, context} = this.#delta.freeze();
    const done = this.batch;
    const epochs = Object.freeze({...done});
    this.#delta = this.#factory.init(context);
    this.#frozen = Object.freeze([stamped(view, epochs), ...this.#frozen]);
    this.#newestFrozen = done;
    this.batch = {start: done.end, end: done.end};
    this.bytes = 0;
    this.#view = null;
    return {value: frozen, epochs};
  }

  /** The oldest frozen delta is in this snapshot. */
  written(snapshot: Snapshot): void {
    this.#lastWritten = this.#frozen.at(-1) ?? null;
    this.#frozen = Object.freeze(this.#frozen.slice(0, -1));
    const end = this.#lastWritten?.epochs.end ?? this.batch.start;
    this.#snapshot = stamped(snapshot, {start: this.#snapshot.epochs.start, end});
    this.#view = null;
  }

  /** What is readable now; the same object until something changes. Throws what the delta's reader throws. */
  view(): CoordinatorView<DeltaView, FrozenView, Snapshot> {
    this.#view ??= Object.freeze({
      current: stamped(this.#delta.reader(), this.batch),
      frozen: this.#frozen,
      snapshot: this.#snapshot,
      lastWritten: this.#lastWritten,
    });
    return this.#view;
  }
}

function stamped<T>(value: T, {start, end}: EpochRange): EpochStamped<T> {
  return Object.freeze({value, epochs: Object.freeze({start, end})});
}
