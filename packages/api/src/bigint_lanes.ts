/**
 * From bigints and names to the lanes and numbers of the writers, with the range checks that the object level promises: a
 * value that does not fit its width is misuse and throws RangeError naming the field. One scratch is shared by all
 * callers, which is sound because nothing here waits between filling it and reading it.
 */

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const U128_MAX = (1n << 128n) - 1n;

const scratch: DataView = new DataView(new ArrayBuffer(16));

/** Checks that an integer lies between 0 and `max`; `field` names it in the error. */
export function checkNumber(value: number, max: number, field: string): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${field} must be an integer between 0 and ${max}, got ${String(value)}`);
  }
  return value;
}

/** Number of a name; the index of an unknown one, or of the unused first entry, is misuse. */
export function codeOf(names: readonly string[], name: string, field: string): number {
  const code = names.indexOf(name);
  if (code < 1) throw new RangeError(`${field} has no value '${name}'`);
  return code;
}

/** Checks that a bigint fits 64 bits. */
export function checkU64(value: bigint, field: string): bigint {
  if (typeof value !== 'bigint') throw new TypeError(`${field} must be a bigint`);
  if (value < 0n || value > U64_MAX) throw new RangeError(`${field} must fit 64 bits, got ${value}`);
  return value;
}

/** Checks that a bigint fits 128 bits. */
export function checkU128(value: bigint, field: string): bigint {
  if (typeof value !== 'bigint') throw new TypeError(`${field} must be a bigint`);
  if (value < 0n || value > U128_MAX) throw new RangeError(`${field} must fit 128 bits, got ${value}`);
  return value;
}

/** Writes a u64 as two lanes; an absent value leaves leftovers, which its presence byte hides. */
export function writeU64(words: Int32Array, at: number, value: bigint | null, field: string): void {
  if (value === null) return;
  scratch.setBigUint64(0, checkU64(value, field), true);
  words[at] = scratch.getInt32(0, true);
  words[at + 1] = scratch.getInt32(4, true);
}

/** Writes a u128 as four lanes; an absent value leaves leftovers, which its presence byte hides. */
export function writeU128(words: Int32Array, at: number, value: bigint | null, field: string): void {
  if (value === null) return;
  checkU128(value, field);
  scratch.setBigUint64(0, BigInt.asUintN(64, value), true);
  scratch.setBigUint64(8, value >> 64n, true);
  words[at] = scratch.getInt32(0, true);
  words[at + 1] = scratch.getInt32(4, true);
  words[at + 2] = scratch.getInt32(8, true);
  words[at + 3] = scratch.getInt32(12, true);
}

/** A u64 into a view. */
export function setU64(view: DataView, offset: number, value: bigint, field: string): number {
  view.setBigUint64(offset, checkU64(value, field), true);
  return offset + 8;
}

/** A u128 into a view. */
export function setU128(view: DataView, offset: number, value: bigint, field: string): number {
  checkU128(value, field);
  view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  view.setBigUint64(offset + 8, value >> 64n, true);
  return offset + 16;
}
