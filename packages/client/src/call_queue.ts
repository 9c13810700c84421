/**
 * Calls that wait to be sent, in order. A call that settles while it waits stays as a gap until it is passed over or
 * gaps outnumber calls, so that an outage does not collect the frames of calls that were given up long ago.
 */
import type {Call} from './call.ts';

const COMPACT_AT = 64;

export class CallQueue {
  #calls: Call[] = [];
  #head: number = 0;
  #gaps: number = 0;

  /** Calls that wait and are not settled. */
  get size(): number {
    return this.#calls.length - this.#head - this.#gaps;
  }

  push(call: Call): void {
    call.waiting = true;
    this.#calls.push(call);
  }

  /** Puts calls before all others, in their order. */
  unshift(calls: readonly Call[]): void {
    for (const call of calls) call.waiting = true;
    this.#replace([...calls, ...this.#rest()]);
  }

  /** The next call that is not settled, null when there is none. */
  shift(): Call | null {
    for (;;) {
      const call = this.#calls[this.#head];
      if (call === undefined) {
        this.#replace([]);
        return null;
      }
      this.#head += 1;
      if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#calls.length) this.#dropPassed();
      if (call.waiting) {
        call.waiting = false;
        return call;
      }
      this.#gaps -= 1;
    }
  }

  /** A call was settled; it does not wait any more. */
  forget(call: Call): void {
    if (!call.waiting) return;
    call.waiting = false;
    this.#gaps += 1;
    if (this.#gaps >= COMPACT_AT && this.#gaps * 2 >= this.#calls.length - this.#head) this.#replace(this.#rest());
  }

  #rest(): Call[] {
    return this.#calls.slice(this.#head).filter(call => call.waiting);
  }

  #dropPassed(): void {
    this.#calls = this.#calls.slice(this.#head);
    this.#head = 0;
  }

  #replace(calls: Call[]): void {
    this.#calls = calls;
    this.#head = 0;
    this.#gaps = 0;
  }
}
