/**
 * Where answers to one caller wait, in request order, until what they say is durable: a growing buffer of response
 * frames, each behind its u32 length. One per connection; the stepper writes, the transport takes.
 *
 *     taken | released: may be sent | in flight: wait for the frame being written | open: wait for the frame being filled
 *           0               releasedEnd                                    flightEnd                              end
 *
 * Nothing behind `releasedEnd` ever leaves. Not here: which frame an answer waits for (stepper.ts) and sockets.
 */

/** Room of a connection's buffer before it grows; one for a single answer asks for less. */
const INITIAL_BYTES = 4096;

/** A buffer up to this size is kept when it is empty. */
const KEPT_BYTES: number = 64 * 1024;

/** Bytes of the length before each response. */
export const LENGTH_BYTES = 4;

export class AnswerBuffer {
  bytes: Uint8Array;
  view: DataView;
  releasedEnd: number = 0;
  flightEnd: number = 0;
  end: number = 0;
  /** Members before this place, of a batch that takes several frames, are durable already. */
  durableEnd: number = 0;
  /** Set while the buffer is listed for the open frame, the frame in flight, or as having something to take. */
  inOpen: boolean = false;
  inFlight: boolean = false;
  isReady: boolean = false;
  /** Called once per turn in which answers were released; the transport takes and sends them. */
  readonly onReady: () => void;

  constructor(onReady: () => void = () => undefined, initialBytes: number = INITIAL_BYTES) {
    this.onReady = onReady;
    this.bytes = new Uint8Array(initialBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Bytes that wait here, released or not. */
  get pendingBytes(): number {
    return this.end;
  }

  /** Makes sure that `count` bytes can be written at `offset`; views taken before may be stale afterwards. */
  ensure(offset: number, count: number): void {
    if (offset + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, offset + count));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /** Removes and returns the released responses, lengths included; null when there are none. The bytes are the caller's. */
  take(): Uint8Array | null {
    const count = this.releasedEnd;
    if (count === 0) return null;
    if (count === this.end && this.bytes.length > KEPT_BYTES) return this.handOver();
    const taken = this.bytes.slice(0, count);
    this.bytes.copyWithin(0, count, this.end);
    this.releasedEnd = 0;
    this.flightEnd -= count;
    this.durableEnd = Math.max(0, this.durableEnd - count);
    this.end -= count;
    return taken;
  }

  /** A buffer that a burst has made large leaves with the answers: a thousand idle connections must not keep theirs. */
  private handOver(): Uint8Array {
    const taken = this.bytes.subarray(0, this.end);
    this.bytes = new Uint8Array(INITIAL_BYTES);
    this.view = new DataView(this.bytes.buffer);
    this.releasedEnd = 0;
    this.flightEnd = 0;
    this.durableEnd = 0;
    this.end = 0;
    return taken;
  }

  /**
   * Replaces everything behind `releasedEnd`, and releases it: what the answers become when the engine halts. Never
   * longer than what it replaces, so that a response which is being written behind `end` stays as it is.
   */
  replacePending(responses: Uint8Array): void {
    if (this.releasedEnd + responses.length > this.end) throw new Error('assertion failed: a rewrite does not grow');
    this.bytes.set(responses, this.releasedEnd);
    this.end = this.releasedEnd + responses.length;
    this.flightEnd = this.end;
    this.releasedEnd = this.end;
  }
}
