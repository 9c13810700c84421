// What passes between the oracle and whoever asks it: records of the log as the model wrote them, the circumstances of a
// request, and what was decided for it.
// Types only.
import type {Committed, Expiry} from '../model/state.ts';

/** A record of the log, as the model wrote it. */
export interface LogRecord {
  readonly lsn: bigint;
  readonly slot: bigint;
  readonly payload: Uint8Array | null;
  /** `keyOf` the payload; empty for an internal record. */
  readonly key: string;
  readonly expiry: Expiry | null;
  /** False for a command that found the operation table full: a retry does not find it. */
  readonly isStored: boolean;
  /** Last lsn of the tick that it is part of, which is whole or absent; its own elsewhere. */
  readonly groupLast: bigint;
}

/** What was so when the engine decided, as far as the model cannot know. */
export interface Circumstances {
  /** Client commands that are not durable yet. */
  readonly depth: number;
  /** Last lsn of the frame that is being written; null where none is. */
  readonly writingLsn: bigint | null;
  readonly haltedBefore: boolean;
  readonly haltedAfter: boolean;
  /** The disk refused to give space while the request was handled. */
  readonly spaceRefused: boolean;
  readonly activeSnapshotLsn: bigint | null;
  /** Everything up to here was durable, to the engine's knowledge, before the request and after it. */
  readonly knownLsn: bigint;
  readonly knownLsnAfter: bigint;
  /** The slot that counts for a stated one. */
  readonly stated: (slot: bigint) => bigint;
}

/** What became of one command: answered; refused, now and whenever it is asked again; refused for now; nobody knows. */
export interface Part {
  readonly payload: Uint8Array;
  readonly fate: 'committed' | 'refused' | 'postponed' | 'unknown';
  readonly answer: Committed | null;
  /** Bytes of its answer. */
  readonly length: number;
  /** Slot at which it was decided. */
  readonly slot: bigint;
  /** Last lsn of the state that it tells. */
  readonly lsn: bigint;
}

export interface Decision {
  /** What must be durable before the answer is shown; null where it says nothing of the state. */
  readonly needs: bigint | null;
  /** A refusal for certain stays one when the engine halts, though what it was judged by is thrown away then. */
  readonly isRefusal: boolean;
  /** One for each command, in order; none for reads and ticks. */
  readonly parts: readonly Part[];
  /** Of metrics: what a halt leaves of them. */
  readonly metrics: AskedMetrics | null;
}

/** What metrics were asked for. */
export interface AskedMetrics {
  readonly slot: bigint;
  readonly activeSnapshotLsn: bigint | null;
}
