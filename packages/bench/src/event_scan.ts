/**
 * Server-sent events cut out of chunks of any size, of which nothing is looked at but their id, which must be the next lsn.
 * Comments are passed over; an event without an id, which ends a stream of changes, throws.
 */

const EVENT_END: Buffer = Buffer.from('\n\n');
const ID: Buffer = Buffer.from('id: ');
const [COLON, LINE_END, ZERO] = [0x3a, 0x0a, 0x30];

export class EventScan {
  /** The last lsn that has arrived; before the first, the one below it. */
  lastLsn: number;
  changes: number = 0;
  /** Of whole events, comments too. */
  bytes: number = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(from: number) {
    this.lastLsn = from - 1;
  }

  /** Takes the next chunk, which must not be used again. Throws Error at what is no next change. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (let end = bytes.indexOf(EVENT_END, at); end >= 0; end = bytes.indexOf(EVENT_END, at)) {
      if (bytes[at] !== COLON) this.#take(bytes, at, end);
      this.bytes += end + EVENT_END.length - at;
      at = end + EVENT_END.length;
    }
    this.#rest = bytes.subarray(at);
  }

  #take(bytes: Buffer, begin: number, end: number): void {
    if (bytes.compare(ID, 0, ID.length, begin, begin + ID.length) !== 0) {
      throw new Error(`an event without an id: ${bytes.toString('utf8', begin, end).slice(0, 400)}`);
    }
    let lsn = 0;
    for (let at = begin + ID.length; bytes[at] !== LINE_END && at < end; at++) lsn = 10 * lsn + (bytes[at] ?? 0) - ZERO;
    if (lsn !== this.lastLsn + 1) throw new Error(`lsn ${lsn} came behind ${this.lastLsn}`);
    this.lastLsn = lsn;
    this.changes++;
  }
}
