// Little-endian reader and writer of the model, one method for each field type of the wire formats.
//
// Built on DataView and arrays for plainness; speed and reuse of buffers are the engine's business. Every way of being
// malformed is one CodecError, whose kind says what the caller is told.

export const U64_MAX: bigint = (1n << 64n) - 1n;
export const U128_MAX: bigint = (1n << 128n) - 1n;

export type CodecProblem =
  | {kind: 'buffer_too_short'}
  | {kind: 'invalid_layout'}
  | {kind: 'invalid_request_tag'; tag: number}
  | {kind: 'invalid_command_tag'; tag: number}
  | {kind: 'invalid_enum_value'; value: number; enumKind: string};

export class CodecError extends Error {
  readonly problem: CodecProblem;

  constructor(problem: CodecProblem) {
    super(problem.kind);
    this.problem = problem;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  left(): number {
    return this.#bytes.length - this.#at;
  }

  #advance(width: number): number {
    if (width > this.left()) throw new CodecError({kind: 'buffer_too_short'});
    const at = this.#at;
    this.#at += width;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  u128(): bigint {
    const at = this.#advance(16);
    return this.#view.getBigUint64(at, true) | (this.#view.getBigUint64(at + 8, true) << 64n);
  }

  opt64(): bigint | null {
    const presence = this.u8();
    if (presence > 1) throw new CodecError({kind: 'invalid_enum_value', value: presence, enumKind: 'optional_u64'});
    return presence === 1 ? this.u64() : null;
  }

  opt128(): bigint | null {
    const presence = this.u8();
    if (presence > 1) throw new CodecError({kind: 'invalid_enum_value', value: presence, enumKind: 'optional_u128'});
    return presence === 1 ? this.u128() : null;
  }

  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.slice(at, at + length);
  }

  /** A frame must be consumed exactly. */
  end(): void {
    if (this.left() !== 0) throw new CodecError({kind: 'invalid_layout'});
  }
}

export class ByteWriter {
  readonly #bytes: number[] = [];

  #number(value: bigint, width: number): this {
    if (value < 0n || value >> BigInt(8 * width) !== 0n) throw new RangeError(`${value} does not fit ${width} bytes`);
    for (let index = 0; index < width; index += 1) this.#bytes.push(Number((value >> BigInt(8 * index)) & 0xffn));
    return this;
  }

  u8(value: number): this {
    return this.#number(BigInt(value), 1);
  }

  u16(value: number): this {
    return this.#number(BigInt(value), 2);
  }

  u32(value: number): this {
    return this.#number(BigInt(value), 4);
  }

  u64(value: bigint): this {
    return this.#number(value, 8);
  }

  u128(value: bigint): this {
    return this.#number(value, 16);
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  opt64(value: bigint | null): this {
    return value === null ? this.u8(0) : this.u8(1).u64(value);
  }

  opt128(value: bigint | null): this {
    return value === null ? this.u8(0) : this.u8(1).u128(value);
  }

  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
