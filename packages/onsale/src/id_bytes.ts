/**
 * Ids between their two forms: 32 hex digits for people, ledgers and maps, 16 little-endian bytes for frames and log
 * records. Nothing here knows what an id stands for.
 */

/** The 16 bytes of an id, as the wire has them. */
export function bytesOfId(id: string): Uint8Array {
  return Buffer.from(id, 'hex').reverse();
}

/** The id in the 16 bytes at `offset`. */
export function idAt(bytes: Uint8Array, offset: number): string {
  for (let i = 0; i < 16; i++) REVERSED[15 - i] = bytes[offset + i] ?? 0;
  return REVERSED.toString('hex');
}

const REVERSED: Buffer = Buffer.alloc(16);

/** The id of a u128. */
export function idOfBigint(value: bigint): string {
  return value.toString(16).padStart(32, '0');
}
