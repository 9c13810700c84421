/**
 * Answers without a database: takes the requests of the workload, hands their payloads to a file, and writes answers of
 * the size and result that a database would give. Size and result stand in a submit where a database would see a slot;
 * of a batch's members they follow from tag and resource.
 *
 * Not here: when the file is synced and where the answers go.
 */
import {REQUEST, RESPONSE, SIZE} from '@allocdb/node';
import type {BareFile} from './bare_file.ts';
import {answerOfPayload, ECHO_RESULT_AT, GRANT_ANSWER_BYTES} from './workload.ts';

/** Offsets in a request without its length. */
const ANSWER_BYTES_AT = 1;
const PAYLOAD_LENGTH_AT = 9;
const PAYLOAD_AT = 13;
const BATCH_COUNT_AT = 9;
const BATCH_MEMBERS_AT = 11;
/** Offsets in a submit committed. */
const CODE_AT = 9;
const GRANTED_AT = 10;

export class BareAnswers {
  readonly #file: BareFile;
  #bytes: Uint8Array = new Uint8Array(4096);
  #view: DataView = new DataView(this.#bytes.buffer);
  #end: number = 0;

  constructor(file: BareFile) {
    this.#file = file;
  }

  /** Takes a request; its answer waits here, behind its length, until it is taken. Throws RangeError for any other. */
  add(view: DataView, offset: number, length: number): void {
    if (view.getUint8(offset) === REQUEST.SUBMIT_BATCH) this.#addBatch(view, offset, length);
    else this.#addSubmit(view, offset, length);
  }

  /** Removes and returns everything that waits; the bytes are the caller's. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#end);
    this.#end = 0;
    return taken;
  }

  #addSubmit(view: DataView, offset: number, length: number): void {
    const payload = view.getInt32(offset + PAYLOAD_LENGTH_AT, true);
    if (PAYLOAD_AT + payload !== length) throw new RangeError('the request is one of the workload');
    this.#file.append(view, offset + PAYLOAD_AT, payload);
    const answerBytes = view.getUint8(offset + ANSWER_BYTES_AT);
    this.#reserve(SIZE.FRAME_PREFIX + answerBytes);
    this.#view.setInt32(this.#end, answerBytes, true);
    this.#putAnswer(this.#end + SIZE.FRAME_PREFIX, answerBytes, view.getUint8(offset + ECHO_RESULT_AT));
  }

  #addBatch(view: DataView, offset: number, length: number): void {
    const count = view.getUint16(offset + BATCH_COUNT_AT, true);
    this.#reserve(SIZE.FRAME_PREFIX + SIZE.BATCH_RESULT_HEADER + count * GRANT_ANSWER_BYTES);
    const prefix = this.#end;
    this.#end += SIZE.FRAME_PREFIX + SIZE.BATCH_RESULT_HEADER;
    let member = offset + BATCH_MEMBERS_AT;
    for (let i = 0; i < count; i++) {
      const payload = view.getInt32(member, true);
      this.#file.append(view, member + 4, payload);
      const answer = answerOfPayload(view, member + 4);
      this.#putAnswer(this.#end, answer & 0xff, answer >> 8);
      member += 4 + payload;
    }
    if (member !== offset + length) throw new RangeError('the batch is one of the workload');
    this.#view.setInt32(prefix, this.#end - prefix - SIZE.FRAME_PREFIX, true);
    this.#view.setUint8(prefix + SIZE.FRAME_PREFIX, RESPONSE.BATCH_RESULT);
    this.#view.setUint16(prefix + SIZE.FRAME_PREFIX + 1, count, true);
  }

  /** As many bytes as the database's answer has, most of them of no meaning. */
  #putAnswer(at: number, answerBytes: number, result: number): void {
    const view = this.#view;
    for (let i = 0; i + 4 <= answerBytes; i += 4) view.setInt32(at + i, 1, true);
    view.setUint8(at, RESPONSE.SUBMIT_COMMITTED);
    view.setUint8(at + CODE_AT, result);
    view.setUint8(at + GRANTED_AT, answerBytes === GRANT_ANSWER_BYTES ? 1 : 0);
    this.#end = at + answerBytes;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * this.#bytes.length + bytes);
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
