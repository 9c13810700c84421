/**
 * Where answers to one caller wait, in request order, until what they say is durable: a growing buffer of response
 * frames, each behind its u32 length. One per connection, and one for all callers that want promises; the stepper writes,
 * the transport takes.
 *
 *     taken | released: may be sent | in flight: wait for the frame being written | open: wait for the frame being filled
 *           0               releasedEnd                                    flightEnd                              end
 *
 * Nothing behind `releasedEnd` ever leaves. Not here: which frame an answer waits for (stepper.ts) and sockets.
 */
import {BufferPool, POOLED_BYTES_MAX} from './buffer_pool.ts';

/** Room of a buffer before it grows. */
const INITIAL_BYTES = 4096;

const NOTHING: Uint8Array = new Uint8Array(0);
const POOL: BufferPool = new BufferPool();

/** Bytes of the length before each response. */
export const LENGTH_BYTES = 4;

export class AnswerBuffer {
  bytes: Uint8Array = NOTHING;
  view: DataView = new DataView(NOTHING.buffer);
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
  /** What the last burst has needed: taken at once for the next one. */
  private usualBytes: number = INITIAL_BYTES;

  constructor(onReady: () => void = () => undefined) {
    this.onReady = onReady;
  }

  /** Bytes that wait here, released or not. */
  get pendingBytes(): number {
    return this.end;
  }

  /** Makes sure that `count` bytes can be written at `offset`; views taken before may be stale afterwards. */
  ensure(offset: number, count: number): void {
    if (offset + count <= this.bytes.length) return;
    const held = this.bytes;
    this.hold(Math.max(2 * held.length, offset + count, this.usualBytes));
    this.bytes.set(held);
  }

  /**
   * Removes and returns the released responses, lengths included; null when there are none. The bytes are the caller's, in
   * memory of at most four times their length; who gives them back with {@link AnswerBuffer.recycle} must not look at them
   * any more.
   */
  take(): Uint8Array | null {
    const count = this.releasedEnd;
    if (count === 0) return null;
    const {bytes, end} = this;
    // A few bytes leave as a copy: who does not read them must not hold a whole buffer for each.
    const taken = 4 * count < bytes.length ? bytes.slice(0, count) : this.handOver(count);
    if (this.bytes === bytes) {
      bytes.copyWithin(0, count, end);
      this.usualBytes = Math.max(INITIAL_BYTES, this.usualBytes / 2);
      if (end === count && bytes.length > INITIAL_BYTES) this.letGo(bytes);
    }
    this.releasedEnd = 0;
    this.flightEnd -= count;
    this.durableEnd = Math.max(0, this.durableEnd - count);
    this.end = end - count;
    return taken;
  }

  /** Gives back what `take` has returned, once it was sent: nobody may look at it any more. Anything else is ignored. */
  static recycle(taken: Uint8Array): void {
    POOL.give(taken);
  }

  /** The buffer itself leaves; what is not released yet moves to another one. */
  private handOver(count: number): Uint8Array {
    const {bytes, end} = this;
    this.usualBytes = Math.min(bytes.length, POOLED_BYTES_MAX);
    this.bytes = NOTHING;
    if (end > count) {
      this.hold(Math.max(end - count, this.usualBytes));
      this.bytes.set(bytes.subarray(count, end));
    }
    return bytes.subarray(0, count);
  }

  /** An idle connection keeps no more than it began with. */
  private letGo(bytes: Uint8Array): void {
    this.bytes = NOTHING;
    POOL.give(bytes);
  }

  private hold(bytes: number): void {
    this.bytes = POOL.take(bytes);
    this.view = new DataView(this.bytes.buffer);
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
