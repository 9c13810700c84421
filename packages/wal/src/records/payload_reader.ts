/**
 * Reads the fields of a payload in order: little-endian integers, and strings and bytes behind their u32 length.
 *
 * Invariant: every length is checked against what is left, and against the caller's bound, before anything is read or
 * allocated; a payload that ends early or goes on is `malformed`. Strings are strict UTF-8, byte order mark included.
 */

import {RecordError} from './record_error.ts';

/** Copies: what it returns stays valid when the reader of the log moves on. Every method throws `malformed`. */
export class PayloadReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset) {
    // A plain array over the same memory: a Buffer's slice would be no copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = offset;
    this.#end = offset + length;
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** Text of at most `maxBytes` bytes of UTF-8. */
  string(maxBytes: number): string {
    const [start, end] = this.#field(maxBytes);
    try {
      return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(this.#bytes.subarray(start, end));
    } catch (cause) {
      throw new RecordError('malformed', 'a string is not UTF-8', {cause});
    }
  }

  bytes(maxBytes: number): Uint8Array {
    return this.#bytes.slice(...this.#field(maxBytes));
  }

  /** Everything that is left, without a length before it. */
  rest(): Uint8Array {
    return this.#bytes.slice(this.#take(this.left), this.#end);
  }

  /** The payload must end here. */
  end(): void {
    if (this.left > 0) throw new RecordError('malformed', `${this.left} bytes follow the last field`);
  }

  #field(maxBytes: number): [start: number, end: number] {
    const length = this.u32();
    if (length > maxBytes)
      throw new RecordError('malformed', `a field has ${length} bytes, at most ${maxBytes} allowed`);
    const start = this.#take(length);
    return [start, start + length];
  }

  #take(bytes: number): number {
    if (bytes > this.left) throw new RecordError('malformed', `${bytes} bytes wanted where ${this.left} are left`);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}
