/**
 * A reader that stays: durable records one by one, and when there are no more it waits for the next sync.
 *
 * Memory does not grow with the distance to the end. By default a follower holds the log where it reads; one that yields
 * is passed by truncation and told so. Not here: who wakes it (`log_writer.ts`).
 */

import {endOfTurn} from '../end_of_turn.ts';
import {READ} from './log_cursor.ts';
import {LogTail, type TailOptions, type TailSource} from './log_tail.ts';
import type {LogRecord} from './record_view.ts';

/** What to follow, how long, and whether the log waits for the follower. */
export interface FollowOptions extends Omit<TailOptions, 'onMore'> {
  /** Ends the iteration by throwing its reason. */
  readonly signal?: AbortSignal;
}

/** Frames after which commits, timers and sockets get their turn while a follower catches up. */
const FRAMES_A_TURN = 8;

export async function* follow(source: TailSource, signal: AbortSignal | undefined): AsyncGenerator<LogRecord, void> {
  signal?.throwIfAborted();
  const alarm = new Alarm();
  const tail = new LogTail(source, alarm.ring);
  const {cursor} = tail;
  signal?.addEventListener('abort', alarm.ring);
  let frames = 0;
  try {
    for (;;) {
      for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
        if (event === READ.RECORD) yield cursor.toRecord();
        if (event === READ.FRAME_END && ++frames % FRAMES_A_TURN === 0) await endOfTurn();
        signal?.throwIfAborted();
        if (!tail.isOpen) return;
      }
      if (cursor.isComplete) return;
      await alarm.rung();
      signal?.throwIfAborted();
      if (!tail.isOpen) return;
      tail.refresh();
    }
  } finally {
    signal?.removeEventListener('abort', alarm.ring);
    tail.close();
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
