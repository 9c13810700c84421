/**
 * What a store brings along: a delta that takes writes, a flusher that makes it last, and the words for how far a write is.
 *
 * A write passes three stages: applied to the open delta, written by the flusher as part of a frozen one, durable after a
 * storage flush. Stages and names follow the write coordinator of OpenData; here they are interfaces only.
 */

/** The levels a write reaches, in this order. */
export const DURABILITY: Readonly<{applied: 0; written: 1; durable: 2}> = Object.freeze({
  applied: 0,
  written: 1,
  durable: 2,
});

/**
 * - `applied`: in the current view of this process
 * - `written`: flushed by `flushDelta`, and in the snapshot of the view
 * - `durable`: a `flushStorage` that began after that has returned
 */
export type Durability = keyof typeof DURABILITY;

export function isDurability(level: string): level is Durability {
  return Object.hasOwn(DURABILITY, level);
}

/** Epochs from `start` up to, but not including, `end`. */
export interface EpochRange {
  readonly start: number;
  readonly end: number;
}

/** A value and the epochs that are in it. */
export interface EpochStamped<T> {
  readonly value: T;
  readonly epochs: EpochRange;
}

/** What freezing a delta leaves. */
export interface FrozenDelta<Context, Frozen, FrozenView> {
  /** For the flusher. Must not change any more. */
  readonly frozen: Frozen;
  /** For readers, until the snapshot has it. May be the same object. */
  readonly view: FrozenView;
  /** What the next delta starts from. */
  readonly context: Context;
}

/** Collects writes in memory. All methods are synchronous and called by the coordinator only, never two at once. */
export interface Delta<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView> {
  /**
   * Takes one write. Throwing refuses it: its ticket rejects, its epoch is used up, later writes go on, so the delta must
   * then be as it was before.
   */
  apply(write: Write): ApplyResult;
  /** Bytes, roughly. Asked after each write, so it must not count anew each time. */
  estimateSize(): number;
  /** Called once, as the last method: writes wait meanwhile, so hand over references instead of copies. */
  freeze(): FrozenDelta<Context, Frozen, FrozenView>;
  /** What readers see of the open delta. If it shows later writes too, so do views that were taken before them. */
  reader(): DeltaView;
}

/** Makes deltas: one at the start, one after each freeze. */
export interface DeltaFactory<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView> {
  init(context: Context): Delta<Context, Write, Frozen, FrozenView, ApplyResult, DeltaView>;
}

/** Makes frozen deltas last. At most one call runs at a time, in the order of epochs. */
export interface Flusher<Frozen, Snapshot> {
  /**
   * Writes one delta and returns what readers use from now on for everything up to the end of these epochs. Its failure is
   * the coordinator's. A delta may be empty of effects where all its writes were refused.
   */
  flushDelta(frozen: Frozen, epochs: EpochRange): Promise<Snapshot>;
  /** Everything that `flushDelta` wrote before is durable when this resolves. */
  flushStorage(): Promise<void>;
}

/**
 * All that can be read at one moment, without a hole: the epochs of `snapshot`, of `frozen` from last to first, and of
 * `current` follow each other.
 */
export interface CoordinatorView<DeltaView, FrozenView, Snapshot> {
  readonly current: EpochStamped<DeltaView>;
  /** Frozen and not yet written, newest first. */
  readonly frozen: readonly EpochStamped<FrozenView>[];
  readonly snapshot: EpochStamped<Snapshot>;
  /** The delta that the last flush wrote. */
  readonly lastWritten: EpochStamped<FrozenView> | null;
}
