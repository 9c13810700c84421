/**
 * The workload of every speed figure: lanes that each loop over resources of their own with reserve, confirm, release,
 * and of which every tenth command is a reserve of one of a hundred hot resources that others hold. A lane has at most
 * one command outstanding, because what it does next needs the answer.
 *
 * Deterministic: the same lanes and answers give the same bytes. The hot command stands at another place in the ten of
 * each lane, so that lanes do not march in step. Bytes are written in place and nothing is allocated for a command.
 */
import {CLIENT_HEADER_BYTES, COMMAND, RESULT} from '@allocdb/core';
import {REQUEST, SIZE} from '@allocdb/node';
import {coprimeStride} from './stride.ts';

/** Resources that are held by others all the time; they are the first ones. */
export const HOT_RESOURCES = 100;
/** Every so many commands of a lane, one is for a hot resource; the others are whole cycles of three. */
export const PERIOD = 10;

/** What a lane does next. */
export const STEP = {RESERVE: 0, CONFIRM: 1, RELEASE: 2, HOT: 3} as const;
/** One of {@link STEP}. */
export type Step = (typeof STEP)[keyof typeof STEP];

/** Bytes of a submit request around its payload: length, tag, slot, payload length. */
export const SUBMIT_HEADER_BYTES: number = SIZE.FRAME_PREFIX + 1 + 8 + 4;
/** Bytes of a submit batch before its members: length, tag, slot, count. Each member is a length and a payload. */
export const BATCH_HEADER_BYTES: number = SIZE.FRAME_PREFIX + 1 + 8 + 2;
/** Longest payload that is written here. */
export const PAYLOAD_BYTES_MAX = 73;
/** Bytes of a create_resource payload. */
export const CREATE_BYTES = 49;
/** Bytes of the answers: with and without a reservation. */
export const GRANT_ANSWER_BYTES: number = SIZE.SUBMIT_COMMITTED_MAX;
export const PLAIN_ANSWER_BYTES: number = GRANT_ANSWER_BYTES - 16 - 8;

/** Offset, in a request without its length, of the result that its answer must have; a database sees it as slot. */
export const ECHO_RESULT_AT = 2;

const HOLDER_MARK = 0x484f4c44;
const SETUP_LANE = 0x7fff_ffff;

/** What the lane does at a position of its loop. */
export function stepAt(lane: number, position: number): Step {
  const hot = lane % PERIOD;
  const at = position % PERIOD;
  if (at === hot) return STEP.HOT;
  return ((at > hot ? at - 1 : at) % 3) as Step;
}

/** Writes the id of the resource with this index: unique, and spread over the low lane as random ids are. */
export function writeResourceId(view: DataView, at: number, index: number): void {
  view.setInt32(at, Math.imul(index + 1, 0x9e3779b1 | 0), true);
  view.setInt32(at + 4, index, true);
  view.setInt32(at + 8, 0x5345_4154, true);
  view.setInt32(at + 12, ~index, true);
}

/** The id that {@link writeResourceId} writes, as a number. */
export function resourceIdOf(index: number): bigint {
  const view = new DataView(new ArrayBuffer(16));
  writeResourceId(view, 0, index);
  return (view.getBigUint64(8, true) << 64n) | view.getBigUint64(0, true);
}

function writeHolder(view: DataView, at: number, lane: number): void {
  view.setInt32(at, Math.imul(lane + 1, 0x85eb_ca6b | 0), true);
  view.setInt32(at + 4, lane, true);
  view.setInt32(at + 8, 0, true);
  view.setInt32(at + 12, HOLDER_MARK, true);
}

function writeHeader(view: DataView, at: number, operation: number, lane: number, tag: number): void {
  view.setInt32(at, Math.imul(operation | 0, 0x9e3779b1 | 0), true);
  view.setInt32(at + 4, operation | 0, true);
  view.setInt32(at + 8, (operation / 0x1_0000_0000) | 0, true);
  view.setInt32(at + 12, lane, true);
  writeHolder(view, at + 16, lane);
  view.setUint8(at + CLIENT_HEADER_BYTES, tag);
}

/** How many lanes, and over which resources. */
export interface WorkloadSize {
  readonly lanes: number;
  /** Where the resources end that lanes have as their own. */
  readonly resources: number;
  /** Where they begin; behind the hot ones unless set. Several workloads of one database must not share any. */
  readonly firstResource?: number;
  /** Number of the first operation, 0 unless set; for a database that has seen such a workload before. */
  readonly firstOperation?: number;
  /** Slots for which a reserve asks; long enough that nothing expires. */
  readonly ttlSlots: number;
}

export class Workload {
  readonly lanes: number;
  readonly #ttlSlots: number;
  readonly #firstResource: number;
  readonly #resourcesPerLane: number;
  readonly #stride: number;
  readonly #positions: Int32Array;
  readonly #cursors: Int32Array;
  /** The reservation that each lane holds, four lanes of 32 bits. */
  readonly #held: Int32Array;
  #operation: number;

  constructor({lanes, resources, ttlSlots, firstResource = HOT_RESOURCES, firstOperation = 0}: WorkloadSize) {
    this.#resourcesPerLane = Math.floor((resources - firstResource) / lanes);
    if (this.#resourcesPerLane < 1)
      throw new RangeError(`${lanes} lanes need at least ${firstResource + lanes} resources`);
    this.lanes = lanes;
    this.#operation = firstOperation;
    this.#firstResource = firstResource;
    this.#ttlSlots = ttlSlots;
    this.#stride = coprimeStride(this.#resourcesPerLane);
    this.#positions = new Int32Array(lanes).fill(0);
    this.#cursors = new Int32Array(lanes).fill(0);
    this.#held = new Int32Array(4 * lanes).fill(0);
  }

  /** What the lane's next command is, or the one that is outstanding. */
  stepOf(lane: number): Step {
    return stepAt(lane, this.#positions[lane] as number);
  }

  /** Writes the lane's next client payload and returns its length. */
  writePayload(lane: number, view: DataView, at: number): number {
    const step = this.stepOf(lane);
    const operation = this.#operation++;
    const body = at + CLIENT_HEADER_BYTES + 1;
    if (step === STEP.RESERVE || step === STEP.HOT) {
      writeHeader(view, at, operation, lane, COMMAND.RESERVE);
      writeResourceId(view, body, step === STEP.HOT ? operation % HOT_RESOURCES : this.#nextResource(lane));
      writeHolder(view, body + 16, lane);
      view.setInt32(body + 32, this.#ttlSlots, true);
      view.setInt32(body + 36, 0, true);
      return PAYLOAD_BYTES_MAX;
    }
    writeHeader(view, at, operation, lane, step === STEP.CONFIRM ? COMMAND.CONFIRM : COMMAND.RELEASE);
    for (let word = 0; word < 4; word++) view.setInt32(body + 4 * word, this.#held[4 * lane + word] as number, true);
    writeHolder(view, body + 16, lane);
    return PAYLOAD_BYTES_MAX - 8;
  }

  /**
   * Writes the lane's next command as a submit request with its length, and returns how many bytes that is. The slot,
   * which a server replaces by its own, says size and result of the answer: a server without a database answers by it.
   */
  writeFrame(lane: number, view: DataView, at: number): number {
    const answerBytes = this.stepOf(lane) === STEP.RESERVE ? GRANT_ANSWER_BYTES : PLAIN_ANSWER_BYTES;
    const length = this.writePayload(lane, view, at + SUBMIT_HEADER_BYTES);
    view.setInt32(at, SUBMIT_HEADER_BYTES - SIZE.FRAME_PREFIX + length, true);
    view.setUint8(at + 4, REQUEST.SUBMIT);
    view.setInt32(at + 5, answerBytes | (this.expectedResult(lane) << 8), true);
    view.setInt32(at + 9, 0, true);
    view.setInt32(at + 13, length, true);
    return SUBMIT_HEADER_BYTES + length;
  }

  /**
   * Writes the next commands of so many lanes, from one on, as a submit batch with its length, and returns how many bytes
   * that is.
   */
  writeBatchFrame(firstLane: number, count: number, view: DataView, at: number): number {
    let end = at + BATCH_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      const length = this.writePayload(firstLane + i, view, end + 4);
      view.setInt32(end, length, true);
      end += 4 + length;
    }
    view.setInt32(at, end - at - SIZE.FRAME_PREFIX, true);
    view.setUint8(at + 4, REQUEST.SUBMIT_BATCH);
    view.setInt32(at + 5, 0, true);
    view.setInt32(at + 9, 0, true);
    view.setUint16(at + 13, count, true);
    return end - at;
  }

  /** Whether the lane, which has nothing outstanding, holds a resource. */
  isHolding(lane: number): boolean {
    const position = this.#positions[lane] as number;
    const step = stepAt(lane, position);
    const own = step === STEP.HOT ? stepAt(lane, position + 1) : step;
    return own !== STEP.RESERVE;
  }

  /** The result that the lane's outstanding command must have. */
  expectedResult(lane: number): number {
    return this.stepOf(lane) === STEP.HOT ? RESULT.RESOURCE_BUSY : RESULT.OK;
  }

  /** Takes the answer to the lane's outstanding command; the id's lanes count only where it was a reserve. */
  settle(lane: number, w0: number, w1: number, w2: number, w3: number): void {
    if (this.stepOf(lane) === STEP.RESERVE) {
      const at = 4 * lane;
      this.#held[at] = w0;
      this.#held[at + 1] = w1;
      this.#held[at + 2] = w2;
      this.#held[at + 3] = w3;
    }
    const next = (this.#positions[lane] as number) + 1;
    this.#positions[lane] = next === PERIOD ? 0 : next;
  }

  #nextResource(lane: number): number {
    const own = this.#resourcesPerLane;
    const cursor = ((this.#cursors[lane] as number) + this.#stride) % own;
    this.#cursors[lane] = cursor;
    return this.#firstResource + lane * own + cursor;
  }
}

/**
 * What a payload of the workload will be answered by, from its bytes alone: the answer's size in the low byte, its result
 * above. For a server without a database, where a batch has no room to say so.
 */
export function answerOfPayload(view: DataView, at: number): number {
  if (view.getUint8(at + CLIENT_HEADER_BYTES) !== COMMAND.RESERVE) return PLAIN_ANSWER_BYTES | (RESULT.OK << 8);
  const resource = view.getInt32(at + CLIENT_HEADER_BYTES + 1 + 4, true);
  return resource < HOT_RESOURCES
    ? PLAIN_ANSWER_BYTES | (RESULT.RESOURCE_BUSY << 8)
    : GRANT_ANSWER_BYTES | (RESULT.OK << 8);
}

/** Writes a create_resource payload and returns its length; `operation` tells it from every other of the setup. */
export function writeCreate(view: DataView, at: number, operation: number, resource: number): number {
  writeHeader(view, at, operation, SETUP_LANE, COMMAND.CREATE_RESOURCE);
  writeResourceId(view, at + CLIENT_HEADER_BYTES + 1, resource);
  return CREATE_BYTES;
}

/** Writes the reserve of a resource by the one who keeps it, and returns its length. */
export function writeKeptReserve(view: DataView, at: number, operation: number, resource: number, ttl: number): number {
  const body = at + CLIENT_HEADER_BYTES + 1;
  writeHeader(view, at, operation, SETUP_LANE, COMMAND.RESERVE);
  writeResourceId(view, body, resource);
  writeHolder(view, body + 16, SETUP_LANE);
  view.setInt32(body + 32, ttl, true);
  view.setInt32(body + 36, 0, true);
  return PAYLOAD_BYTES_MAX;
}

/** Writes the confirm of a reservation that {@link writeKeptReserve} made; its id is the low u64 `lsn` of shard 0. */
export function writeKeptConfirm(view: DataView, at: number, operation: number, lsn: number): number {
  const body = at + CLIENT_HEADER_BYTES + 1;
  writeHeader(view, at, operation, SETUP_LANE, COMMAND.CONFIRM);
  view.setInt32(body, lsn | 0, true);
  view.setInt32(body + 4, (lsn / 0x1_0000_0000) | 0, true);
  view.setInt32(body + 8, 0, true);
  view.setInt32(body + 12, 0, true);
  writeHolder(view, body + 16, SETUP_LANE);
  return PAYLOAD_BYTES_MAX - 8;
}
