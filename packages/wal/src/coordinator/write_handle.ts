/**
 * What the users of one channel hold: writing, flushing, reading, and pausing of the channel.
 *
 * It has no state of its own: any number of callers share it, and it stays safe to call after the coordinator has ended.
 */

import type {Channel, WriteOutcome} from './channel.ts';
import {abortable, quiet, type WaitOptions} from './promises.ts';
import type {Ticket} from './ticket.ts';
import type {ViewSubscription} from './view_feed.ts';
import type {WriteOptions} from './waiting_writes.ts';

/** What a flush asks for. */
export interface FlushOptions extends WaitOptions {
  /** Also flush storage, so that everything before is durable. Default false. */
  readonly storage?: boolean;
}

/** What a handle needs of its coordinator. */
export interface HandleHost<View> {
  view(): View;
  subscribe(options: WaitOptions): ViewSubscription<View>;
  pause(): void;
  resume(): void;
}

/** Writes of one channel are applied in the order in which they were accepted. */
export class WriteHandle<Write, ApplyResult, View> {
  readonly channelName: string;
  readonly #channel: Channel<Write, ApplyResult>;
  readonly #host: HandleHost<View>;

  constructor(channel: Channel<Write, ApplyResult>, host: HandleHost<View>) {
    this.channelName = channel.name;
    this.#channel = channel;
    this.#host = host;
  }

  /** Accepts the write, or hands it back at once: `backpressure`, `shutdown`, or the code of the failure. */
  tryWrite(write: Write): WriteOutcome<Write, ApplyResult> {
    return this.#channel.tryWrite(write);
  }

  /**
   * Accepts the write as soon as there is room; nobody who comes later is served first. Rejects with the write handed back:
   * `timeout`, `aborted`, `shutdown`, or the failure; a `timeoutMs` that is no time is a `RangeError`.
   */
  write(write: Write, options: WriteOptions = {}): Promise<Ticket<ApplyResult>> {
    return quiet(this.#channel.write(write, options));
  }

  /**
   * Everything accepted here before, and everything applied from other channels until its turn comes, is written when this
   * resolves; with `storage` durable, and a storage flush has run even if there was nothing to write. It waits its turn
   * in the channel, so on a paused one until that is resumed. Rejects with `shutdown`, the failure, or `aborted`.
   */
  flush(options: FlushOptions = {}): Promise<void> {
    return abortable(this.#channel.flush(options.storage ?? false), options.signal);
  }

  /** Everything readable now, writes that are applied and not flushed included. Throws what the delta's reader throws. */
  view(): View {
    return this.#host.view();
  }

  /** Views from now on; nothing falls between `first` and what follows. Throws what the delta's reader throws. */
  subscribe(options: WaitOptions = {}): ViewSubscription<View> {
    return this.#host.subscribe(options);
  }

  /** Nothing of this channel is applied once this has resolved, until `resume` or `stop`. It still fills. */
  async pause(): Promise<void> {
    this.#host.pause();
  }

  resume(): void {
    this.#host.resume();
  }
}
