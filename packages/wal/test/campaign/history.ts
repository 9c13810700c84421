/**
 * What a log may hold after a crash: everything that was appended, and how much of it was acknowledged.
 *
 * `check` reads a log that has just been opened and throws a `Violation` unless it holds a prefix of what was appended
 * that reaches what was acknowledged, every record with its own bytes and every group whole or absent.
 */

import {type LogCursor, READ, type Wal} from '../../src/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';

export const PAYLOAD_BYTES_MAX = 2048;

/** Every payload is a piece of this. */
export const NOISE: Buffer = noise(new SimRandom(78), 1 << 18);

/** Where the payload of a record begins in `NOISE`: it differs from lsn to lsn, and from life to life. */
export function payloadStart(lsn: number, life: number): number {
  return (Math.imul(lsn * 31 + life, 0x9e3779b1) >>> 0) % (NOISE.length - PAYLOAD_BYTES_MAX);
}

function noise(random: SimRandom, bytes: number): Buffer {
  return Buffer.alloc(bytes).map(() => random.below(256)) as Buffer;
}

/** A promise of the log that did not hold. */
export class Violation extends Error {
  override readonly name: string = 'Violation';
}

interface Appended {
  readonly bytes: number;
  readonly life: number;
}

interface Group {
  readonly first: number;
  readonly last: number;
}

export class History {
  acknowledged = 0;
  /** The log may begin at this lsn, or before. */
  truncatedBefore = 1;
  /** Groups of several records found whole, and gone. */
  wholeGroups = 0;
  lostGroups = 0;
  /** By lsn. */
  readonly #records: Appended[] = [];
  #groups: Group[] = [];

  appended(lsn: number, bytes: number, life: number): void {
    this.#records[lsn] = {bytes, life};
  }

  /** Records that were appended into one frame. */
  grouped(first: number, last: number): void {
    this.#groups.push({first, last});
  }

  /** What the log says is durable can only grow, and not beyond what was appended. */
  acknowledge(wal: Wal): void {
    const durable = Number(wal.durableLsn);
    if (durable < this.acknowledged) throw new Violation(`durable went back from ${this.acknowledged} to ${durable}`);
    if (durable >= this.#records.length && durable > 0) throw new Violation(`lsn ${durable} is durable, not appended`);
    this.acknowledged = durable;
  }

  /** The record that a cursor stands on is the one that was appended with this lsn. */
  checkRecord(cursor: LogCursor, expected: number): void {
    const lsn = Number(cursor.lsn);
    if (lsn !== expected) throw new Violation(`lsn ${lsn} where ${expected} was due`);
    const record = this.#records[lsn];
    if (record === undefined) throw new Violation(`lsn ${lsn} was never appended`);
    const start = payloadStart(lsn, record.life);
    const end = cursor.offset + cursor.length;
    const isSame = NOISE.compare(cursor.bytes, cursor.offset, end, start, start + record.bytes) === 0;
    if (!isSame) throw new Violation(`lsn ${lsn} holds other bytes`);
  }

  /** Judges a log that was opened after a crash, and goes on from what it holds. */
  check(wal: Wal): void {
    const last = Number(wal.durableLsn);
    if (last < this.acknowledged) throw new Violation(`ends at lsn ${last}, acknowledged was ${this.acknowledged}`);
    const first = Number(wal.firstLsn);
    if (first > this.truncatedBefore) throw new Violation(`begins at lsn ${first}, not before ${this.truncatedBefore}`);
    const cursor = wal.read(wal.firstLsn);
    let expected = first;
    try {
      for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
        if (event === READ.RECORD) this.checkRecord(cursor, expected++);
      }
    } finally {
      cursor.close();
    }
    if (expected !== last + 1) throw new Violation(`${last} is said to be the last lsn, ${expected - 1} was`);
    this.#checkGroups(last);
    this.#records.length = Math.min(this.#records.length, last + 1);
    this.acknowledged = last;
  }

  #checkGroups(last: number): void {
    for (const group of this.#groups) {
      if (group.first > last) this.lostGroups++;
      else if (group.last <= last) this.wholeGroups++;
      else throw new Violation(`the group of lsns ${group.first} to ${group.last} was cut at ${last}`);
    }
    this.#groups = [];
  }
}
