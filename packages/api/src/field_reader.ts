/**
 * A cursor over one frame for the object level: little-endian fields as numbers and bigints, each checked against the
 * end before it is read. It throws CodecError and nothing else; whoever reads a frame ends with `finish`, so that no
 * byte is left over. Nothing is sized by a count that `expectCount` did not check against the bytes present.
 */
import {CodecError, type EnumKind} from './codec_error.ts';

export class FieldReader {
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  constructor(view: DataView, offset: number, length: number) {
    this.#view = view;
    this.#at = offset;
    this.#end = offset + length;
  }

  /** Advances over `bytes` and answers where they began. */
  #take(bytes: number): number {
    if (this.#end - this.#at < bytes) throw new CodecError('buffer_too_short');
    const at = this.#at;
    this.#at = at + bytes;
    return at;
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

  u128(): bigint {
    const at = this.#take(16);
    return (this.#view.getBigUint64(at + 8, true) << 64n) | this.#view.getBigUint64(at, true);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length).slice();
  }

  /** How many bytes are left. */
  left(): number {
    return this.#end - this.#at;
  }

  bool(kind: EnumKind = 'bool'): boolean {
    const value = this.u8();
    if (value > 1) throw new CodecError('invalid_enum_value', kind, value);
    return value === 1;
  }

  opt64(): bigint | null {
    return this.bool('optional_u64') ? this.u64() : null;
  }

  opt128(): bigint | null {
    return this.bool('optional_u128') ? this.u128() : null;
  }

  /** A byte that indexes `names`, whose entry 0 is unused. */
  name<Name extends string>(names: readonly Name[], kind: EnumKind): Exclude<Name, '' | 'none'> {
    const name = this.nameOrNull(names, kind);
    if (name === null) throw new CodecError('invalid_enum_value', kind, 0);
    return name;
  }

  /** The same where 0 stands for none of them. */
  nameOrNull<Name extends string>(names: readonly Name[], kind: EnumKind): Exclude<Name, '' | 'none'> | null {
    const value = this.u8();
    if (value === 0) return null;
    const name = names[value];
    if (name === undefined) throw new CodecError('invalid_enum_value', kind, value);
    return name as Exclude<Name, '' | 'none'>;
  }

  /** Refuses a count whose elements, of at least `minBytes` each, cannot be present. */
  expectCount(count: number, minBytes: number): number {
    if (count * minBytes > this.left()) throw new CodecError('invalid_layout');
    return count;
  }

  /** The frame must end here. */
  finish(): void {
    if (this.#at !== this.#end) throw new CodecError('invalid_layout');
  }
}

/** A view of exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
