/**
 * Cuts a stream of length-prefixed frames out of chunks of any size. A frame that lies within one chunk is handed over
 * where it is, without a copy; one that spans chunks is assembled in a buffer that grows with the bytes that arrived,
 * never with the length that was announced. A length of zero or over the maximum is reported before its first byte.
 *
 * Used by both ends of a connection. It knows no tags, keeps no frame, and never calls back outside `push`.
 */
import {SIZE} from './constants.ts';

const {FRAME_PREFIX} = SIZE;

/** Receives one frame, without its prefix: `length` bytes at `offset` of both `view` and `bytes`, valid until it returns. */
export type FrameHandler = (view: DataView, bytes: Uint8Array, offset: number, length: number) => void;

/**
 * Told of a stretch of a chunk, `view[offset..end)`, in which frames stand one behind the other, each behind its length,
 * the last perhaps cut, before they are handed over; answers how many of them it need not be told of again.
 */
export type AheadHandler = (view: DataView, offset: number, end: number) => number;

/** What `push` answers: OK, one of two errors numbered as in CONNECTION_ERROR, or STOPPED. */
export const SPLIT = {
  OK: 0,
  FRAME_TOO_LARGE: 4,
  EMPTY_FRAME: 5,
  STOPPED: -1,
} as const;
const {
  OK: SPLIT_OK,
  STOPPED: SPLIT_STOPPED,
  EMPTY_FRAME: SPLIT_EMPTY_FRAME,
  FRAME_TOO_LARGE: SPLIT_FRAME_TOO_LARGE,
} = SPLIT;

/** An assembly buffer up to this size is kept for the next frame that spans chunks. */
const KEPT_BYTES = 64 * 1024;
const FIRST_BYTES = 1024;

/** See the head of this file. Once `push` answered anything but OK it delivers nothing more. */
export class FrameSplitter {
  readonly #maxFrameBytes: number;
  readonly #handler: FrameHandler;
  readonly #ahead: AheadHandler | null;
  #status: number = SPLIT_OK;
  /** Prefix and body of the frame that spans chunks: its first `#have` bytes, of `#need` once the prefix is there. */
  #partial: Uint8Array = new Uint8Array(FIRST_BYTES);
  #partialView: DataView = new DataView(this.#partial.buffer);
  #have: number = 0;
  #need: number = 0;
  #chunk: Uint8Array = this.#partial;
  #chunkView: DataView = this.#partialView;

  /** `maxFrameBytes` bounds a frame without its prefix; `ahead` sees the frames of a chunk before `handler` does. */
  constructor(maxFrameBytes: number, handler: FrameHandler, ahead: AheadHandler | null = null) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#handler = handler;
    this.#ahead = ahead;
  }

  /** Bytes held of a frame that is not complete, its prefix included. */
  get pendingBytes(): number {
    return this.#have;
  }

  /** Nothing more is delivered, also not of the chunk being pushed. May be called by the handler. */
  stop(): void {
    if (this.#status === SPLIT_OK) this.#status = SPLIT_STOPPED;
  }

  /** Takes the next chunk; the handler is called for every frame completed by it. The chunk may be reused afterwards. */
  push(chunk: Uint8Array): number {
    const end = chunk.byteLength;
    let at = 0;
    while (this.#have > 0 && at < end && this.#status === SPLIT_OK) at = this.#fill(chunk, at);
    if (this.#status !== SPLIT_OK || at === end) return this.#status;

    const view = this.#viewOfChunk(chunk);
    const ahead = this.#ahead;
    let seen = 0;
    while (end - at >= FRAME_PREFIX) {
      if (seen === 0 && ahead !== null) seen = ahead(view, at, end);
      if (seen > 0) seen--;
      const length = view.getUint32(at, true);
      if (!this.#accepts(length)) return this.#status;
      const body = at + FRAME_PREFIX;
      if (end - body < length) break;
      this.#handler(view, chunk, body, length);
      at = body + length;
      if (this.#status !== SPLIT_OK) return this.#status;
    }
    while (at < end && this.#status === SPLIT_OK) at = this.#fill(chunk, at);
    return this.#status;
  }

  #accepts(length: number): boolean {
    if (length === 0) this.#status = SPLIT_EMPTY_FRAME;
    else if (length > this.#maxFrameBytes) this.#status = SPLIT_FRAME_TOO_LARGE;
    return this.#status === SPLIT_OK;
  }

  /** Moves bytes from `chunk` into the partial frame, as far as its prefix or its end; answers how far it read. */
  #fill(chunk: Uint8Array, at: number): number {
    const prefixed = this.#have >= FRAME_PREFIX;
    const target = prefixed ? this.#need : FRAME_PREFIX;
    const count = Math.min(target - this.#have, chunk.byteLength - at);
    this.#reserve(this.#have + count);
    this.#partial.set(chunk.subarray(at, at + count), this.#have);
    this.#have += count;
    if (this.#have === target) {
      if (prefixed) {
        this.#deliverPartial();
      } else {
        const length = this.#partialView.getUint32(0, true);
        if (this.#accepts(length)) this.#need = FRAME_PREFIX + length;
      }
    }
    return at + count;
  }

  #deliverPartial(): void {
    const [view, bytes, length] = [this.#partialView, this.#partial, this.#need - FRAME_PREFIX];
    this.#have = 0;
    if (bytes.byteLength > KEPT_BYTES) this.#replace(new Uint8Array(FIRST_BYTES));
    this.#handler(view, bytes, FRAME_PREFIX, length);
  }

  /** Doubles the buffer until it holds `bytes`: at most twice what has arrived. */
  #reserve(bytes: number): void {
    let size = this.#partial.byteLength;
    if (size >= bytes) return;
    while (size < bytes) size *= 2;
    const larger = new Uint8Array(size);
    larger.set(this.#partial.subarray(0, this.#have));
    this.#replace(larger);
  }

  #replace(buffer: Uint8Array): void {
    this.#partial = buffer;
    this.#partialView = new DataView(buffer.buffer);
  }

  /** One DataView for each chunk; a reader that reuses its buffer gets the same one again. */
  #viewOfChunk(chunk: Uint8Array): DataView {
    const last = this.#chunk;
    if (
      chunk.buffer !== last.buffer ||
      chunk.byteOffset !== last.byteOffset ||
      chunk.byteLength > this.#chunkView.byteLength
    ) {
      this.#chunk = chunk;
      this.#chunkView = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    return this.#chunkView;
  }
}
