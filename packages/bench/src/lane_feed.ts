/**
 * A run of neighbouring lanes of the workload on one ordered stream: writes their next requests, single commands or
 * batches, and takes the answers, which come in the order of the requests. Lanes take turns in both directions, so that
 * whose answer it is follows from its place alone.
 *
 * Every answer is checked; the first one that is not as the workload expects throws. Not here: sockets, engines, time.
 */
import {decodeResponse, RESPONSE, SIZE} from '@allocdb/node';
import {
  BATCH_HEADER_BYTES,
  GRANT_ANSWER_BYTES,
  PAYLOAD_BYTES_MAX,
  PLAIN_ANSWER_BYTES,
  SUBMIT_HEADER_BYTES,
  type Workload,
} from './workload.ts';

/** Offsets in a submit committed: result code, presence of a reservation id, the id. */
const CODE_AT = 9;
const GRANTED_AT = 10;
const ID_AT = 11;

/** Bytes of the longest request for so many commands. */
export function requestBytesMax(batch: number): number {
  return batch === 1 ? SUBMIT_HEADER_BYTES + PAYLOAD_BYTES_MAX : BATCH_HEADER_BYTES + batch * (4 + PAYLOAD_BYTES_MAX);
}

/** Bytes of the longest answer to so many commands, without its length. */
export function answerBytesMax(batch: number): number {
  return SIZE.BATCH_RESULT_HEADER + batch * GRANT_ANSWER_BYTES;
}

export class LaneFeed {
  /** Commands of a request. */
  readonly batch: number;
  /** Commands that were written and whose answers have not been taken. */
  outstanding: number = 0;
  /** Answers that granted a reservation. */
  granted: number = 0;
  readonly #workload: Workload;
  readonly #firstLane: number;
  readonly #lanes: number;
  #sendTurn: number = 0;
  #takeTurn: number = 0;

  /** `lanes` is a multiple of `batch`. */
  constructor(workload: Workload, firstLane: number, lanes: number, batch: number) {
    if (lanes % batch !== 0) throw new RangeError(`${lanes} lanes are no whole number of batches of ${batch}`);
    this.#workload = workload;
    this.#firstLane = firstLane;
    this.#lanes = lanes;
    this.batch = batch;
  }

  /** Lanes that hold a resource; nothing may be outstanding. */
  get holding(): number {
    let count = 0;
    for (let i = 0; i < this.#lanes; i++) if (this.#workload.isHolding(this.#firstLane + i)) count++;
    return count;
  }

  /** False while every lane has a command outstanding. */
  get isFree(): boolean {
    return this.outstanding < this.#lanes;
  }

  /** Writes the next request with its length and returns how many bytes that is. Some lanes must be free. */
  write(view: DataView, at: number): number {
    const {batch} = this;
    const lane = this.#firstLane + this.#sendTurn;
    this.#sendTurn = this.#sendTurn + batch === this.#lanes ? 0 : this.#sendTurn + batch;
    this.outstanding += batch;
    return batch === 1
      ? this.#workload.writeFrame(lane, view, at)
      : this.#workload.writeBatchFrame(lane, batch, view, at);
  }

  /** Takes the answer to the oldest request. Throws Error when it is not the expected one. */
  take(view: DataView, offset: number, length: number): void {
    const tag = view.getUint8(offset);
    if (this.batch === 1) {
      if (this.#takeOne(view, offset) !== length) throw unexpected(view, offset, length);
      return;
    }
    const count = tag === RESPONSE.BATCH_RESULT ? view.getUint16(offset + 1, true) : 0;
    if (count !== this.batch) throw unexpected(view, offset, length);
    let at = offset + SIZE.BATCH_RESULT_HEADER;
    for (let i = 0; i < count; i++) {
      const bytes = this.#takeOne(view, at);
      if (bytes === 0) throw unexpected(view, offset, length);
      at += bytes;
    }
    if (at !== offset + length) throw unexpected(view, offset, length);
  }

  /** The size of the answer, or 0 when it is none. */
  #takeOne(view: DataView, at: number): number {
    if (view.getUint8(at) !== RESPONSE.SUBMIT_COMMITTED) return 0;
    const workload = this.#workload;
    const lane = this.#firstLane + this.#takeTurn;
    const code = view.getUint8(at + CODE_AT);
    const expected = workload.expectedResult(lane);
    if (code !== expected) throw new Error(`a command had result ${code}, not ${expected}`);
    this.#takeTurn = this.#takeTurn + 1 === this.#lanes ? 0 : this.#takeTurn + 1;
    this.outstanding--;
    if (view.getUint8(at + GRANTED_AT) !== 1) {
      workload.settle(lane, 0, 0, 0, 0);
      return PLAIN_ANSWER_BYTES;
    }
    this.granted++;
    const id = at + ID_AT;
    const [w0, w1] = [view.getInt32(id, true), view.getInt32(id + 4, true)];
    workload.settle(lane, w0, w1, view.getInt32(id + 8, true), view.getInt32(id + 12, true));
    return GRANT_ANSWER_BYTES;
  }
}

function unexpected(view: DataView, offset: number, length: number): Error {
  const response = decodeResponse(new Uint8Array(view.buffer, view.byteOffset + offset, length));
  return new Error(`a request was answered by ${JSON.stringify(response, plain).slice(0, 400)}`);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
