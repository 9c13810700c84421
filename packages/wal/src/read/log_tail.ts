/**
 * A reader that stays, step by step: a cursor that goes on to what has become durable since, and a call when there is
 * more. For followers with a pace of their own; `follow.ts` is the one that waits by itself.
 *
 * Invariant: nothing is shown before it is durable, nothing is left out or shown twice. Not here: when it is read.
 */

import {WalError} from '../errors.ts';
import type {LogCursor} from './log_cursor.ts';
import type {LogChain} from './log_walker.ts';
import type {ReadOptions} from './record_filter.ts';

/** What to follow, and whether the log waits for it. */
export interface TailOptions extends ReadOptions {
  /** Truncation may pass the reader, which then throws `missing_segment`. Default false: it stops truncation. */
  readonly yields?: boolean;
  /** Called after each sync, and at the log's end, whether it failed or was closed. */
  readonly onMore: () => void;
}

/** What a tail needs of an open log. */
export interface TailSource {
  openCursor(): LogCursor;
  chain(): LogChain;
  /** Calls back after each sync, and at the log's end; returns how to stop that. */
  watch(onChange: () => void): () => void;
  /** Throws when the log has failed. */
  assertAlive(): void;
  isClosed(): boolean;
}

export class LogTail {
  /** Where the tail stands. After `END` comes `refresh`. */
  readonly cursor: LogCursor;
  readonly #source: TailSource;
  readonly #unwatch: () => void;

  constructor(source: TailSource, onMore: () => void) {
    this.#source = source;
    this.cursor = source.openCursor();
    this.#unwatch = source.watch(onMore);
  }

  /** False once the log is closed. Throws `failed` when it has failed: after one more `refresh` no more comes. */
  get isOpen(): boolean {
    this.#source.assertAlive();
    return !this.#source.isClosed();
  }

  /** After `END`: lets the cursor go on to what is durable by now, also where the log has failed since. Throws `closed`. */
  refresh(): void {
    if (this.#source.isClosed()) throw new WalError('closed', 'the log was closed');
    this.cursor.extend(this.#source.chain());
  }

  /** Gives up the log's files and its hold on them; idempotent. */
  close(): void {
    this.#unwatch();
    this.cursor.close();
  }
}
