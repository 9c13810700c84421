/**
 * Who waits for the next response: responses come in the order of requests, so this is a queue and needs no ids. The
 * same waiter in a row is one entry with a count, which makes a stream of raw frames cost nothing each.
 */

/** Takes one response; the bytes are valid until it returns. */
export interface ResponseSink {
  onResponse(view: DataView, bytes: Uint8Array, offset: number, length: number): void;
}

const COMPACT_AT = 1024;

export class ResponseQueue {
  #sinks: ResponseSink[] = [];
  #counts: number[] = [];
  #head: number = 0;
  #size: number = 0;

  /** Responses that are still to come. */
  get size(): number {
    return this.#size;
  }

  push(sink: ResponseSink, count: number): void {
    if (count < 1) return;
    const last = this.#sinks.length - 1;
    if (last >= this.#head && this.#sinks[last] === sink) this.#counts[last] = (this.#counts[last] ?? 0) + count;
    else {
      this.#sinks.push(sink);
      this.#counts.push(count);
    }
    this.#size += count;
  }

  /** The waiter of the next response, null when none is expected. */
  shift(): ResponseSink | null {
    const sink = this.#sinks[this.#head];
    if (sink === undefined) return null;
    const left = (this.#counts[this.#head] ?? 1) - 1;
    this.#counts[this.#head] = left;
    this.#size -= 1;
    if (left === 0) this.#advance();
    return sink;
  }

  /** Removes all waiters and answers them in order; one that waits for several responses occurs once. */
  takeAll(): ResponseSink[] {
    const rest = this.#sinks.slice(this.#head);
    this.#sinks = [];
    this.#counts = [];
    this.#head = 0;
    this.#size = 0;
    return rest;
  }

  #advance(): void {
    this.#head += 1;
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#sinks.length) return;
    this.#sinks = this.#sinks.slice(this.#head);
    this.#counts = this.#counts.slice(this.#head);
    this.#head = 0;
  }
}
