/**
 * The scope of a record: whose it is. Tenant, database and vshard stand in 20 bytes between header and payload.
 *
 * The raw path takes five 32-bit words, low words first; objects exist at the edge only.
 */

import {SCOPE, SCOPE_BYTES} from './format.ts';
import {highWord, lowWord, U64_MAX} from './words.ts';

/** Whose a record is; what the numbers name is the caller's business. */
export interface RecordScope {
  /** u64 */
  readonly tenant: bigint;
  /** u64 */
  readonly database: bigint;
  /** u32 */
  readonly vshard: number;
}

export const SCOPE_WORDS: number = SCOPE_BYTES >> 2;

const VSHARD_MAX = 0xffff_ffff;

/** Writes the five words of a scope. Throws `RangeError` for a number that does not fit its width. */
export function scopeToWords(scope: RecordScope, into: Int32Array): void {
  const {tenant, database, vshard} = scope;
  const fits = isU64(tenant) && isU64(database) && Number.isInteger(vshard) && vshard >= 0 && vshard <= VSHARD_MAX;
  if (!fits) throw new RangeError('a scope is tenant u64, database u64, vshard u32');
  into[0] = lowWord(tenant);
  into[1] = highWord(tenant);
  into[2] = lowWord(database);
  into[3] = highWord(database);
  into[4] = vshard | 0;
}

/** The scope that begins at `offset`. */
export function readScope(view: DataView, offset: number): RecordScope {
  return {
    tenant: view.getBigUint64(offset + SCOPE.TENANT, true),
    database: view.getBigUint64(offset + SCOPE.DATABASE, true),
    vshard: view.getUint32(offset + SCOPE.VSHARD, true),
  };
}

function isU64(value: bigint): boolean {
  return value >= 0n && value <= U64_MAX;
}
