/**
 * Shared promises over the write path: one frame in flight, all waiters of a frame share its promise.
 *
 * A frame is written at the end of the event loop's turn, so that whatever one turn appends goes into one frame, and so
 * that commits in a row, which may block, leave a turn to sockets, timers and background work; there is no other delay.
 * Every promise settles: when the log fails, all of them reject with the same error.
 * When nothing has been committed for a while, the last frame is proven by an idle marker.
 */

import {endOfTurn} from '../end_of_turn.ts';
import {FRAME_KIND} from '../format/format.ts';
import type {LogWriter} from './log_writer.ts';
import type {SyncMeter} from './sync_meter.ts';

interface Waiters {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const DONE: Promise<void> = Promise.resolve();

export class CommitPump {
  readonly #writer: LogWriter;
  readonly #meter: SyncMeter;
  readonly #idleMarkerMs: number;
  #current: Waiters | null = null;
  #next: Waiters | null = null;
  #running: Promise<void> | null = null;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(writer: LogWriter, meter: SyncMeter, idleMarkerMs: number) {
    this.#writer = writer;
    this.#meter = meter;
    this.#idleMarkerMs = idleMarkerMs;
  }

  /** Not `async`: that would make a promise for each caller. */
  commit(): Promise<void> {
    try {
      this.#writer.assertUsable();
    } catch (error) {
      return Promise.reject(error);
    }
    const {open, frozen} = this.#writer.stage;
    if (open.records > 0 || (frozen.records > 0 && this.#current === null)) {
      this.#next ??= newWaiters();
      this.#running ??= this.#run();
      return this.#next.promise;
    }
    return this.#current?.promise ?? DONE;
  }

  /** Resolves when no frame is in flight and none is waited for. */
  async drained(): Promise<void> {
    await this.#running;
    await this.#landed();
  }

  stop(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
  }

  async #run(): Promise<void> {
    while (this.#next !== null) {
      await endOfTurn();
      const waiters = this.#next;
      this.#current = waiters;
      this.#next = null;
      try {
        await this.#writeAll();
        waiters.resolve();
      } catch (error) {
        waiters.reject(error);
        this.#rejectNext(error);
      }
      this.#current = null;
    }
    this.#running = null;
    this.#armIdleTimer();
  }

  /** A frame that was frozen by hand goes first; while it is written, somebody may freeze the next one by hand too. */
  async #writeAll(): Promise<void> {
    const {stage} = this.#writer;
    await this.#landed();
    if (stage.frozen.records > 0) await this.#writeFrozen();
    await this.#landed();
    stage.freeze();
    if (stage.frozen.records > 0) await this.#writeFrozen();
  }

  /** A frame that somebody writes by hand is on disk, or the log has failed. */
  async #landed(): Promise<void> {
    const {watchers} = this.#writer;
    while (this.#writer.inFlight) {
      await new Promise<void>(resolve => {
        const stop = watchers.add(() => {
          stop();
          resolve();
        });
      });
    }
  }

  async #writeFrozen(): Promise<void> {
    if (this.#meter.prefersInline) this.#writer.writeFrozenSync();
    else await this.#writer.writeFrozen();
  }

  #rejectNext(error: unknown): void {
    this.#next?.reject(error);
    this.#next = null;
  }

  #armIdleTimer(): void {
    if (this.#idleMarkerMs === 0 || this.#writer.failure !== null || this.#writer.isClosed) return;
    if (this.#idleTimer === null) {
      this.#idleTimer = setTimeout(() => this.#onIdle(), this.#idleMarkerMs);
      this.#idleTimer.unref();
    } else {
      this.#idleTimer.refresh();
    }
  }

  #onIdle(): void {
    if (this.#running !== null || this.#writer.failure !== null) return;
    try {
      this.#writer.prove(FRAME_KIND.IDLE);
    } catch {
      // The log has recorded its failure; the next call on it throws.
    }
  }
}

function newWaiters(): Waiters {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return {promise, resolve, reject};
}
