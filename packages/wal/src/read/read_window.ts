/**
 * A window of one file in one reused buffer: bounded memory whatever the file's size.
 *
 * `at(position, length)` answers the index of that range in `bytes`, reading ahead when it is not there yet; the range
 * is valid until the next call. A frame that straddles the window is read again from its start instead of being moved.
 */

import {guardIo} from '../errors.ts';
import {type FileIo, readFully} from '../file_io.ts';

const WINDOW_BYTES: number = 1 << 20;

export class ReadWindow {
  readonly #io: FileIo;
  readonly #lengthMax: number;
  bytes: Uint8Array;
  view: DataView;
  #words: Int32Array;
  #handle = -1;
  #limit = 0;
  #start = 0;
  #end = 0;

  /** `lengthMax` bounds one range, and with it the memory. The buffer grows only when a file or a range needs it. */
  constructor(io: FileIo, lengthMax: number) {
    this.#io = io;
    this.#lengthMax = lengthMax;
    this.bytes = new Uint8Array(0);
    this.view = new DataView(this.bytes.buffer);
    this.#words = new Int32Array(this.bytes.buffer);
  }

  /** Reads this file from now on, up to `limit`. */
  attach(handle: number, limit: number): void {
    this.#handle = handle;
    this.#limit = limit;
    this.#grow(Math.min(WINDOW_BYTES, limit));
    this.#start = 0;
    this.#end = 0;
  }

  /** Index of bytes [position, position + length) of the file, or -1 where the file or the bound ends before. */
  at(position: number, length: number): number {
    if (position >= this.#start && position + length <= this.#end) return position - this.#start;
    if (position + length > this.#limit || length > this.#lengthMax) return -1;
    this.#fill(position, length);
    return position + length <= this.#end ? 0 : -1;
  }

  /** Whether a range that `at` has just answered is all zeros; both numbers are multiples of four. */
  isZero(at: number, length: number): boolean {
    const words = this.#words;
    const end = (at + length) >> 2;
    let i = at >> 2;
    for (; i + 4 <= end; i += 4) {
      const some =
        (words[i] as number) | (words[i + 1] as number) | (words[i + 2] as number) | (words[i + 3] as number);
      if (some !== 0) return false;
    }
    for (; i < end; i++) if (words[i] !== 0) return false;
    return true;
  }

  #fill(position: number, length: number): void {
    if (length > this.bytes.length) this.#grow(Math.min(this.#lengthMax, Math.max(length, this.bytes.length * 2)));
    const wanted = Math.min(this.bytes.length, this.#limit - position);
    this.#start = position;
    this.#end = position;
    const count = guardIo('reading a segment', () =>
      readFully(this.#io, this.#handle, this.bytes, 0, wanted, position),
    );
    this.#end = position + count;
  }

  #grow(size: number): void {
    if (size <= this.bytes.length) return;
    this.bytes = new Uint8Array((size + 3) & -4);
    this.view = new DataView(this.bytes.buffer);
    this.#words = new Int32Array(this.bytes.buffer);
  }
}
