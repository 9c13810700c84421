/**
 * The digest of a state: the sum, modulo 2^128, of the content hashes of its canonical records and of its position. A
 * sum, so that neither rows nor order matter and it can be computed in slices; two states with the same digest hold the
 * same records but for a chance of 2^-128. It guards against rot and divergence, not against an adversary.
 */
import {Hash128} from '../hash.ts';
import type {SnapshotPosition} from './snapshot_reader.ts';

/** Domain of the position's hash. */
const POSITION = 4;

export class StateDigest {
  /** The sum so far, four lanes. */
  readonly lanes: Int32Array = new Int32Array(4);
  private readonly hash: Hash128 = new Hash128();

  /** Adds the canonical record in `words[at..at+count)`. */
  add(domain: number, words: Int32Array, at: number, count: number): void {
    const hash = this.hash;
    hash.begin(domain);
    hash.absorb(words, at, count >> 2);
    const rest = count & 3;
    const i = at + count - rest;
    // Past the record's end stand zeros, whatever stands behind it in the array.
    if (rest > 0) hash.block(words[i], rest > 1 ? words[i + 1] : 0, rest > 2 ? words[i + 2] : 0, 0);
    hash.end();
    this.sum(hash.lanes);
  }

  /** Adds the position: last lsn, last slot and the retired watermark. */
  addPosition(position: SnapshotPosition): void {
    const hash = this.hash;
    hash.begin(POSITION);
    hash.block(position.lsnLo, position.lsnHi, position.slotLo, position.slotHi);
    hash.block(position.watermarkLo, position.watermarkHi, 0, 0);
    hash.end();
    this.sum(hash.lanes);
  }

  private sum(value: Int32Array): void {
    let carry = 0;
    for (let lane = 0; lane < 4; lane++) {
      const sum = (this.lanes[lane] >>> 0) + (value[lane] >>> 0) + carry;
      this.lanes[lane] = sum | 0;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
  }
}
