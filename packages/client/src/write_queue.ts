/**
 * Collects frames and hands them to the socket once per turn of the event loop, as one write: a write for each frame
 * costs more than the frame. Every frame gets its length prefix here.
 *
 * Buffers are reused as soon as the socket has let go of them. No bound of its own: who sends, bounds what is in flight.
 */
import {SIZE} from '@allocdb/api';

const BUFFER_BYTES = 64 * 1024;
const SPARE_BUFFERS = 4;

/** Takes bytes away; they are its own until it calls `done`. */
export type WriteBytes = (bytes: Uint8Array, done: () => void) => void;

export class WriteQueue {
  readonly #write: WriteBytes;
  readonly #spare: Uint8Array[] = [];
  #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  #view: DataView = new DataView(this.#buffer.buffer);
  #used: number = 0;
  #scheduled: NodeJS.Immediate | null = null;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  /** Bytes that wait for the end of this turn. */
  get waitingBytes(): number {
    return this.#used;
  }

  /** Adds one frame, with its prefix before it. */
  frame(frame: Uint8Array): void {
    const bytes = SIZE.FRAME_PREFIX + frame.byteLength;
    this.#reserve(bytes);
    this.#view.setUint32(this.#used, frame.byteLength, true);
    this.#buffer.set(frame, this.#used + SIZE.FRAME_PREFIX);
    this.#used += bytes;
  }

  /** Adds frames that already have their prefixes. */
  prefixed(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.byteLength;
  }

  /** Nothing that waits is written any more. */
  drop(): void {
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#scheduled = null;
    this.#used = 0;
  }

  #reserve(bytes: number): void {
    if (this.#buffer.byteLength - this.#used < bytes) {
      this.#flush();
      if (this.#buffer.byteLength < bytes) this.#take(new Uint8Array(bytes));
    }
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = null;
      this.#flush();
    });
  }

  #take(buffer: Uint8Array): void {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }

  #flush(): void {
    if (this.#used === 0) return;
    const [full, used] = [this.#buffer, this.#used];
    this.#used = 0;
    this.#take(this.#spare.pop() ?? new Uint8Array(BUFFER_BYTES));
    this.#write(full.subarray(0, used), () => {
      if (full.byteLength === BUFFER_BYTES && this.#spare.length < SPARE_BUFFERS) this.#spare.push(full);
    });
  }
}
