/**
 * A reader that stays: durable records one by one, and when there are no more it waits for the next sync.
 *
 * Invariant: nothing is shown before it is durable, nothing is left out or shown twice, and memory does not grow with
 * the distance to the end. By default a follower holds the log where it reads; one that yields is passed by truncation
 * and told so. Not here: who wakes it (`log_writer.ts`).
 */

import {endOfTurn} from '../end_of_turn.ts';
import {type LogCursor, READ} from './log_cursor.ts';
import type {LogChain} from './log_walker.ts';
import type {ReadOptions} from './record_filter.ts';
import type {LogRecord} from './record_view.ts';

/** What to follow, how long, and whether the log waits for the follower. */
export interface FollowOptions extends ReadOptions {
  /** Ends the iteration by throwing its reason. */
  readonly signal?: AbortSignal;
  /** Truncation may pass the follower, which then throws `missing_segment`. Default false: it stops truncation. */
  readonly yields?: boolean;
}

/** What a follower needs of an open log. */
export interface FollowSource {
  openCursor(): LogCursor;
  chain(): LogChain;
  /** Calls back after each sync, and at the log's end; returns how to stop that. */
  watch(onChange: () => void): () => void;
  /** Throws when the log has failed. */
  assertAlive(): void;
  isClosed(): boolean;
}

/** Frames after which commits, timers and sockets get their turn while a follower catches up. */
const FRAMES_A_TURN = 8;

export async function* follow(source: FollowSource, signal: AbortSignal | undefined): AsyncGenerator<LogRecord, void> {
  signal?.throwIfAborted();
  const cursor = source.openCursor();
  const alarm = new Alarm();
  const unwatch = source.watch(() => alarm.ring());
  signal?.addEventListener('abort', alarm.ring);
  let frames = 0;
  try {
    for (;;) {
      for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
        if (event === READ.RECORD) yield cursor.toRecord();
        if (event === READ.FRAME_END && ++frames % FRAMES_A_TURN === 0) await endOfTurn();
        signal?.throwIfAborted();
        source.assertAlive();
        if (source.isClosed()) return;
      }
      if (cursor.isComplete) return;
      await alarm.rung();
      signal?.throwIfAborted();
      source.assertAlive();
      if (source.isClosed()) return;
      cursor.extend(source.chain());
    }
  } finally {
    signal?.removeEventListener('abort', alarm.ring);
    unwatch();
    cursor.close();
  }
}

/** Remembers that it rang until somebody has heard it. */
class Alarm {
  #hasRung = false;
  #wake: (() => void) | null = null;

  readonly ring = (): void => {
    this.#hasRung = true;
    this.#wake?.();
  };

  async rung(): Promise<void> {
    if (!this.#hasRung) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    this.#wake = null;
    this.#hasRung = false;
  }
}
