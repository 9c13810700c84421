/**
 * Writes the fields of a payload in order: the counterpart of `payload_reader.ts`.
 *
 * Invariant: never longer than its bound, and nothing is written that would not be read back as it was given: a number
 * outside its width or text with half a surrogate pair is a `RangeError`.
 */

import {RecordError} from './record_error.ts';

const FIRST_BYTES = 64;
const U64_END: bigint = 1n << 64n;
const I64_END: bigint = 1n << 63n;

/** Every method throws `too_large` past the bound and `RangeError` for a value that its field cannot hold. */
export class PayloadWriter {
  readonly #maxBytes: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #end = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  u8(value: number): void {
    const at = this.#grow(1, isUnsigned(value, 0xff), 'u8');
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.#grow(2, isUnsigned(value, 0xffff), 'u16');
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#grow(4, isUnsigned(value, 0xffff_ffff), 'u32');
    this.#view.setUint32(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#grow(8, value >= 0n && value < U64_END, 'u64');
    this.#view.setBigUint64(at, value, true);
  }

  i64(value: bigint): void {
    const at = this.#grow(8, value >= -I64_END && value < I64_END, 'i64');
    this.#view.setBigInt64(at, value, true);
  }

  /** Text that takes at most `maxBytes` bytes of UTF-8. */
  string(value: string, maxBytes: number): void {
    if (/\p{Surrogate}/u.test(value)) throw new RangeError('half a surrogate pair has no UTF-8');
    this.bytes(new TextEncoder().encode(value), maxBytes);
  }

  bytes(value: Uint8Array, maxBytes: number): void {
    if (value.length > maxBytes) throw new RangeError(`a field of ${value.length} bytes, at most ${maxBytes} allowed`);
    this.u32(value.length);
    this.raw(value);
  }

  /** Bytes without a length before them. */
  raw(value: Uint8Array): void {
    const at = this.#grow(value.length, true, 'bytes');
    this.#bytes.set(value, at);
  }

  /** What was written, over the writer's own memory. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  #grow(count: number, fits: boolean, width: string): number {
    if (!fits) throw new RangeError(`a value does not fit its ${width}`);
    const at = this.#end;
    const end = at + count;
    if (end > this.#maxBytes) throw new RecordError('too_large', `the payload takes more than ${this.#maxBytes} bytes`);
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(FIRST_BYTES, end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#end = end;
    return at;
  }
}

function isUnsigned(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
