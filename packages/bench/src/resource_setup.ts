/**
 * What a database must hold before the workload runs: every resource, and some of them held by somebody who keeps them,
 * by ordinary commands in batches. How a request gets to a database and its answer back is the caller's.
 *
 * Every member of every batch must be answered by ok, for the first time.
 */
import {RESULT} from '@allocdb/core';
import {REQUEST, RESPONSE, SIZE} from '@allocdb/node';
import {
  BATCH_HEADER_BYTES,
  GRANT_ANSWER_BYTES,
  PAYLOAD_BYTES_MAX,
  PLAIN_ANSWER_BYTES,
  writeCreate,
  writeKeptConfirm,
  writeKeptReserve,
} from './workload.ts';

/** Sends a request without its length and answers its response, likewise. */
export type Ask = (frame: Uint8Array) => Promise<Uint8Array> | Uint8Array;

/** Commands of a batch. */
const BATCH = 4096;
/** Offsets in a submit committed. */
const CODE_AT = 9;
const GRANTED_AT = 10;

/** Writes the payload of the index-th command, with the number of an operation, and returns its length. */
type WritePayload = (view: DataView, at: number, operation: number, index: number) => number;

/** Numbers the operations of a setup, and where they go. */
export class ResourceSetup {
  readonly #ask: Ask;
  readonly #view: DataView = new DataView(new ArrayBuffer(BATCH_HEADER_BYTES + BATCH * (4 + PAYLOAD_BYTES_MAX)));
  #slot: number = 0;
  #operation: number = 0;
  #inSlot: number = 0;
  readonly #perSlot: number;

  /** States one slot more with every `perSlot` commands, about; a database with a clock of its own does not look. */
  constructor(ask: Ask, perSlot: number = Number.POSITIVE_INFINITY) {
    this.#ask = ask;
    this.#perSlot = perSlot;
  }

  /** Commands so far. */
  get commands(): number {
    return this.#operation;
  }

  /** The slot that was stated last. */
  get slot(): number {
    return this.#slot;
  }

  /** Creates resources 0 to `count`. */
  async create(count: number): Promise<void> {
    await this.#submit(count, (view, at, operation, i) => writeCreate(view, at, operation, i));
  }

  /** Reserves the resources from `first` to `end` for so many slots, and confirms so many of them, which keeps them. */
  async keep(first: number, end: number, ttlSlots: number, confirmed: number): Promise<void> {
    const lsns = await this.#submit(end - first, (view, at, operation, i) =>
      writeKeptReserve(view, at, operation, first + i, ttlSlots),
    );
    await this.#submit(confirmed, (view, at, operation, i) =>
      writeKeptConfirm(view, at, operation, lsns[i] ?? Number.NaN),
    );
  }

  /** Submits commands in batches and answers their lsns. */
  async #submit(count: number, write: WritePayload): Promise<Float64Array> {
    const lsns = new Float64Array(count);
    for (let first = 0; first < count; first += BATCH) {
      const size = Math.min(BATCH, count - first);
      const length = this.#writeBatch(size, first, write);
      readBatch(await this.#ask(new Uint8Array(this.#view.buffer, SIZE.FRAME_PREFIX, length)), size, lsns, first);
      this.#advance(size);
    }
    return lsns;
  }

  #writeBatch(count: number, first: number, write: WritePayload): number {
    const view = this.#view;
    view.setUint8(4, REQUEST.SUBMIT_BATCH);
    view.setInt32(5, this.#slot, true);
    view.setInt32(9, 0, true);
    view.setUint16(13, count, true);
    let at = BATCH_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      const length = write(view, at + 4, this.#operation++, first + i);
      view.setUint32(at, length, true);
      at += 4 + length;
    }
    return at - SIZE.FRAME_PREFIX;
  }

  #advance(commands: number): void {
    this.#inSlot += commands;
    const slots = Math.floor(this.#inSlot / this.#perSlot);
    this.#slot += slots;
    if (slots > 0) this.#inSlot -= slots * this.#perSlot;
  }
}

/** Lsns of a batch's answers, which must all be ok. */
function readBatch(response: Uint8Array, count: number, lsns: Float64Array, first: number): void {
  const view = new DataView(response.buffer, response.byteOffset, response.byteLength);
  if (view.getUint8(0) !== RESPONSE.BATCH_RESULT || view.getUint16(1, true) !== count) {
    throw new Error(`setup: a batch of ${count} was answered by a frame of tag ${view.getUint8(0)}`);
  }
  let at: number = SIZE.BATCH_RESULT_HEADER;
  for (let i = 0; i < count; i++) {
    const granted = view.getUint8(at + GRANTED_AT) === 1;
    const bytes = granted ? GRANT_ANSWER_BYTES : PLAIN_ANSWER_BYTES;
    const [tag, code, again] = [view.getUint8(at), view.getUint8(at + CODE_AT), view.getUint8(at + bytes - 1)];
    if (tag !== RESPONSE.SUBMIT_COMMITTED) throw new Error(`setup: a command was answered by a frame of tag ${tag}`);
    if (code !== RESULT.OK || again !== 0)
      throw new Error(`setup: a command had result ${code}${again === 0 ? '' : ' again'}`);
    lsns[first + i] = Number(view.getBigUint64(at + 1, true));
    at += bytes;
  }
}
