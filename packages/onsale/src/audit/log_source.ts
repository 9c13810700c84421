/**
 * The log on disk as records, read without opening the database: nothing is changed, no lock is taken. Only for a server
 * that is not running. Reading can go on later from where it stopped, and a running hash over all bytes read says
 * whether two readings saw the same history.
 */
import {createHash, type Hash} from 'node:crypto';
import {type LogCursor, READ, readWal} from '@allocdb/wal';
import {decodeRecord, type LogRecord} from './log_command.ts';

export class LogSource {
  readonly #dir: string;
  readonly #hash: Hash = createHash('sha256');
  readonly #head: DataView = new DataView(new ArrayBuffer(20));
  /** The last lsn read; 0 before the first. */
  lastLsn: number = 0;

  /** Reads the log in this directory (`wal` of a data directory). */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The records after the last one read, to the end of the log. Throws what the log reader throws. */
  *read(): Generator<LogRecord> {
    for (const cursor of this.#walk()) {
      const payload = cursor.bytes.subarray(cursor.offset, cursor.offset + cursor.length);
      yield {lsn: this.lastLsn, slot: Number(cursor.stamp), content: decodeRecord(cursor.type, payload)};
    }
  }

  /** Goes to the end of the log as `read` does, for lsn and hash alone. */
  advance(): void {
    for (const _ of this.#walk());
  }

  *#walk(): Generator<LogCursor> {
    const cursor = this.lastLsn === 0 ? readWal({dir: this.#dir}) : readWal({dir: this.#dir}, BigInt(this.lastLsn + 1));
    try {
      for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
        if (event !== READ.RECORD) continue;
        const lsn = Number(cursor.lsn);
        const payload = cursor.bytes.subarray(cursor.offset, cursor.offset + cursor.length);
        this.#head.setFloat64(0, lsn);
        this.#head.setFloat64(8, Number(cursor.stamp));
        this.#head.setUint32(16, cursor.type);
        this.#hash.update(this.#head).update(payload);
        this.lastLsn = lsn;
        yield cursor;
      }
    } finally {
      cursor.close();
    }
  }

  /** Hash of everything read so far. */
  digest(): string {
    return this.#hash.copy().digest('hex').slice(0, 32);
  }
}
