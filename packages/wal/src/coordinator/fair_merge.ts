/**
 * Whose turn it is: one entry from each channel that has any, round after round.
 *
 * Invariants: a channel stands in line at most once; one with entries that is not paused stands in it. So a full channel
 * waits one entry of each other channel, and a taken entry costs the same however many channels are idle.
 */

import type {Channel, Entry} from './channel.ts';
import {Fifo} from './queues.ts';

export class FairMerge<Write, ApplyResult> {
  readonly #line: Fifo<Channel<Write, ApplyResult>> = new Fifo();

  /** To be called when a channel got an entry or is not paused any more. */
  enlist(channel: Channel<Write, ApplyResult>): void {
    if (channel.isListed || channel.isEmpty) return;
    channel.isListed = true;
    this.#line.push(channel);
  }

  /** Whether an entry can be taken; channels that are empty or paused by now leave the line. */
  hasNext(): boolean {
    for (let channel = this.#line.first; channel !== undefined; channel = this.#line.first) {
      if (!channel.isEmpty && !channel.isPaused) return true;
      this.#leave();
    }
    return false;
  }

  /** The next entry, or null where there is none. */
  next(): Entry<Write, ApplyResult> | null {
    if (!this.hasNext()) return null;
    const channel = this.#leave();
    const entry = channel.take();
    this.enlist(channel);
    return entry;
  }

  #leave(): Channel<Write, ApplyResult> {
    const channel = this.#line.shift() as Channel<Write, ApplyResult>;
    channel.isListed = false;
    return channel;
  }
}
