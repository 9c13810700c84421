/**
 * What the raw path of the log takes from the heap: appends into a large frame, and the two steps of a commit, each
 * between two looks at the heap. Run as a process of its own, `--expose-gc log_heap_program.js DIR ROUNDS`, whose heap
 * nothing else uses. Prints a line of JSON with the bytes per record, and per frame, of each round.
 *
 * No collection runs between the looks: what is allocated counts, even if it would be collected. A look itself takes a
 * few bytes, so each is over many records or many frames.
 */
import {RECORD_FLAG, STATUS, Wal} from '@allocdb/wal';
import {RECORD_BYTES, recordPayload} from './log_subject.ts';

const APPENDS = 30_000;
const FRAMES = 200;
const WARM_UP_ROUNDS = 12;

class HeapProbe {
  readonly #wal: Wal;
  readonly #payload: Uint8Array = recordPayload();
  readonly #collect: () => void;

  constructor(dir: string, collect: () => void) {
    this.#wal = Wal.open({dir, segmentBytes: 256 << 20, background: false});
    this.#collect = collect;
  }

  /** Bytes of heap for each of many records that join one frame. */
  records(): number {
    this.#collect();
    const before = heapUsed();
    for (let i = 0; i < APPENDS; i++) this.#append();
    const taken = heapUsed() - before;
    this.#write();
    return taken / APPENDS;
  }

  /** Bytes of heap for each of many frames of one record. */
  frames(): number {
    this.#collect();
    const before = heapUsed();
    for (let i = 0; i < FRAMES; i++) {
      this.#append();
      this.#write();
    }
    return (heapUsed() - before) / FRAMES;
  }

  get written(): number {
    return this.#wal.metrics.records;
  }

  close(): void {
    this.#wal.closeSync();
  }

  #append(): void {
    const status = this.#wal.append(1, RECORD_FLAG.REQUIRED, 0, 0, this.#payload, 0, RECORD_BYTES);
    if (status !== STATUS.OK) throw new Error(`the log refused a record: status ${status}`);
  }

  #write(): void {
    this.#wal.freeze();
    this.#wal.writeFrozenSync();
  }
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

function main(dir: string, rounds: number): void {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  const probe = new HeapProbe(dir, () => void collect());
  const [perRecord, perFrame]: [number[], number[]] = [[], []];
  for (let i = 0; i < WARM_UP_ROUNDS + rounds; i++) {
    const [records, frames] = [probe.records(), probe.frames()];
    if (i < WARM_UP_ROUNDS) continue;
    perRecord.push(records);
    perFrame.push(frames);
  }
  const expected = (WARM_UP_ROUNDS + rounds) * (APPENDS + FRAMES);
  if (probe.written !== expected) throw new Error(`${expected} records were appended, ${probe.written} written`);
  probe.close();
  process.stdout.write(`${JSON.stringify({perRecord, perFrame})}\n`);
}

const [, , dir, rounds] = process.argv;
if (dir === undefined || rounds === undefined) throw new RangeError('usage: log_heap_program DIR ROUNDS');
main(dir, Number(rounds));
