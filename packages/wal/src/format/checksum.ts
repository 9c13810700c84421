/**
 * CRC-32C over byte ranges, continuing from a seed: `crc32c(b, s, n, crc32c(a, …))` is the checksum of a then b.
 *
 * Two implementations with equal results: a table for short inputs, where the call into native code costs more than
 * the work (60 bytes: 150 ns against 200 ns and more), and `@node-rs/crc32` for all others (4 KiB: 10 us against 1 us).
 * Results are signed 32-bit, so that they compare equal to what `DataView.getInt32` reads back.
 */

import {crc32c as nativeCrc32c} from '@node-rs/crc32';

const SHORT_BYTES = 96;
const POLYNOMIAL = 0x82f63b78;

const TABLE: Int32Array = new Int32Array(256).map((_, index) => {
  let word = index;
  for (let bit = 0; bit < 8; bit++) word = (word & 1) === 1 ? (word >>> 1) ^ POLYNOMIAL : word >>> 1;
  return word;
});

export function crc32c(bytes: Uint8Array, offset: number, length: number, seed: number): number {
  return length < SHORT_BYTES ? crc32cByTable(bytes, offset, length, seed) : crc32cNative(bytes, offset, length, seed);
}

export function crc32cByTable(bytes: Uint8Array, offset: number, length: number, seed: number): number {
  let crc = ~seed;
  const end = offset + length;
  for (let i = offset; i < end; i++) {
    crc = (TABLE[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return ~crc;
}

export function crc32cNative(bytes: Uint8Array, offset: number, length: number, seed: number): number {
  return nativeCrc32c(bytes.subarray(offset, offset + length), seed >>> 0) | 0;
}
