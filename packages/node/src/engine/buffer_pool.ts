/**
 * Buffers that a busy connection fills and empties hundreds of times a second. A new one each time would be zeroed,
 * paged in and collected each time, which costs more than what is written into it; so those that were sent come back.
 *
 * Sizes are powers of two; of each size a bounded number of bytes is kept, shared by the whole process, so that idle
 * connections keep nothing. Contents are leftovers: a taker writes before it reads.
 */

const SMALLEST_BYTES = 4096;
/** Larger ones are given out, and not kept. */
export const POOLED_BYTES_MAX: number = 1 << 20;
/** Most bytes that are kept of one size. */
const KEPT_BYTES: number = 2 << 20;

export class BufferPool {
  /** Free buffers, by size doubled from the smallest on. */
  private readonly free: ArrayBuffer[][] = [];
  /** Buffers that were taken and not given back: only those come in, and once. */
  private readonly out: WeakSet<ArrayBuffer> = new WeakSet();

  /** A buffer of at least so many bytes. */
  take(bytes: number): Uint8Array {
    let size = SMALLEST_BYTES;
    let level = 0;
    for (; size < bytes; size *= 2) level++;
    const buffer = this.free[level]?.pop() ?? new ArrayBuffer(size);
    this.out.add(buffer);
    return new Uint8Array(buffer);
  }

  /**
   * Takes back the buffer behind `bytes`, of which nobody may hold any part. What it has not given out, or has back
   * already, is left alone.
   */
  give(bytes: Uint8Array): void {
    const {buffer} = bytes;
    if (!(buffer instanceof ArrayBuffer) || !this.out.delete(buffer) || buffer.byteLength > POOLED_BYTES_MAX) return;
    let size = SMALLEST_BYTES;
    let level = 0;
    for (; size < buffer.byteLength; size *= 2) level++;
    this.free[level] ??= [];
    const free = this.free[level] as ArrayBuffer[];
    if ((free.length + 1) * size <= KEPT_BYTES) free.push(buffer);
  }
}
