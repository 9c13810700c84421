/**
 * The workload as HTTP: the next commands of its lanes, one for a request or many in a batch, from the very payloads that
 * the binary protocol carries, and its answers compared with what the workload expects. Beside it reads of resources, one
 * after the other, that nobody touches. Every command has an idempotency key, which is its operation, as a careful
 * client's has; so the answer must name it.
 *
 * The first answer that is not as expected throws. Not here: sockets and time.
 */
import {CLIENT_HEADER_BYTES} from '@allocdb/core';
import {coprimeStride} from './stride.ts';
import {PAYLOAD_BYTES_MAX, resourceIdOf, STEP, type Step, type Workload} from './workload.ts';

/** What one connection asks, a request after the other. */
export interface HttpFeed {
  /** The next request, whole. */
  next(): string;
  /** Takes the answer to it. Throws Error when it is not the expected one. */
  take(status: number, body: string): void;
}

/** What an answer to a command may have; of a batch's member likewise. */
interface CommandBody {
  readonly result?: string;
  readonly code?: string;
  readonly operation?: string;
  readonly from_retry_cache?: boolean;
  readonly reservation?: string | {readonly id: string};
}

/** A command as text: its operation, and what it says. */
interface CommandText {
  readonly operation: string;
  readonly step: Step;
  /** The resource of a reserve, else the reservation. */
  readonly subject: string;
  readonly holder: string;
}

const HOST = 'host: 127.0.0.1\r\n';
const SUBJECT_AT: number = CLIENT_HEADER_BYTES + 1;
const HOLDER_AT: number = SUBJECT_AT + 16;
const ID_BYTES = 16;
const RESULTS = ['reserved', 'confirmed', 'released'] as const;
const CREATED = 201;
const OK = 200;
const CONFLICT = 409;

/** A 128-bit id as 32 hex digits. */
export function idText(id: bigint): string {
  return id.toString(16).padStart(2 * ID_BYTES, '0');
}

function post(path: string, key: string | null, body: string): string {
  const keyLine = key === null ? '' : `idempotency-key: ${key}\r\n`;
  return `POST ${path} HTTP/1.1\r\n${HOST}content-type: application/json\r\n${keyLine}content-length: ${body.length}\r\n\r\n${body}`;
}

function unexpected(status: number, body: string): Error {
  return new Error(`a request was answered by ${status}: ${body.slice(0, 400)}`);
}

/** Payloads of the workload as text, and the answers to them. */
class LaneCommands {
  readonly #workload: Workload;
  readonly #ttlSlots: number;
  readonly #payload: Buffer = Buffer.alloc(PAYLOAD_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#payload.buffer, this.#payload.byteOffset, PAYLOAD_BYTES_MAX);
  readonly #id: Buffer = Buffer.alloc(ID_BYTES);

  constructor(workload: Workload, ttlSlots: number) {
    this.#workload = workload;
    this.#ttlSlots = ttlSlots;
  }

  /** The lane's next command. */
  next(lane: number): CommandText {
    const step = this.#workload.stepOf(lane);
    this.#workload.writePayload(lane, this.#view, 0);
    return {operation: this.#idAt(0), step, subject: this.#idAt(SUBJECT_AT), holder: this.#idAt(HOLDER_AT)};
  }

  /** It as a request of its own. */
  request({operation, step, subject, holder}: CommandText): string {
    if (step === STEP.RESERVE || step === STEP.HOT) {
      const body = `{"resource":"${subject}","holder":"${holder}","ttl_slots":${this.#ttlSlots}}`;
      return post('/v1/reservations', operation, body);
    }
    const command = step === STEP.CONFIRM ? 'confirm' : 'release';
    return post(`/v1/reservations/${subject}/${command}`, operation, `{"holder":"${holder}"}`);
  }

  /** It as a member of a batch. */
  member({operation, step, subject, holder}: CommandText): string {
    const rest = `"holder":"${holder}","idempotency_key":"${operation}"`;
    if (step === STEP.RESERVE || step === STEP.HOT) {
      return `{"command":"reserve","resource":"${subject}","ttl_slots":${this.#ttlSlots},${rest}}`;
    }
    return `{"command":"${step === STEP.CONFIRM ? 'confirm' : 'release'}","reservation":"${subject}",${rest}}`;
  }

  /** Takes the answer to the lane's outstanding command; false when it is not the expected one. */
  settle(lane: number, operation: string, status: number, body: CommandBody): boolean {
    const step = this.#workload.stepOf(lane);
    if (body.operation !== operation || body.from_retry_cache !== false) return false;
    if (step === STEP.HOT) {
      if (status !== CONFLICT || body.code !== 'resource_busy') return false;
      this.#workload.settle(lane, 0, 0, 0, 0);
      return true;
    }
    if (status !== (step === STEP.RESERVE ? CREATED : OK) || body.result !== RESULTS[step]) return false;
    const {reservation} = body;
    if (step !== STEP.RESERVE) this.#workload.settle(lane, 0, 0, 0, 0);
    else if (typeof reservation === 'object') this.#keep(lane, reservation.id);
    else return false;
    return true;
  }

  #keep(lane: number, id: string): void {
    const word = (i: number): number => Number.parseInt(id.slice(8 * i, 8 * i + 8), 16) | 0;
    this.#workload.settle(lane, word(3), word(2), word(1), word(0));
  }

  #idAt(at: number): string {
    for (let i = 0; i < ID_BYTES; i++) this.#id[i] = this.#payload[at + ID_BYTES - 1 - i] as number;
    return this.#id.toString('hex');
  }
}

/** One lane of the workload, a command in each request. */
export class CommandFeed implements HttpFeed {
  readonly #commands: LaneCommands;
  readonly #lane: number;
  #operation: string = '';

  constructor(workload: Workload, lane: number, ttlSlots: number) {
    this.#commands = new LaneCommands(workload, ttlSlots);
    this.#lane = lane;
  }

  next(): string {
    const command = this.#commands.next(this.#lane);
    this.#operation = command.operation;
    return this.#commands.request(command);
  }

  take(status: number, body: string): void {
    const answer = JSON.parse(body) as CommandBody;
    if (!this.#commands.settle(this.#lane, this.#operation, status, answer)) throw unexpected(status, body);
  }
}

/** Neighbouring lanes of the workload, a command of each in every batch. */
export class BatchFeed implements HttpFeed {
  readonly #commands: LaneCommands;
  readonly #firstLane: number;
  readonly #operations: string[];

  constructor(workload: Workload, firstLane: number, lanes: number, ttlSlots: number) {
    this.#commands = new LaneCommands(workload, ttlSlots);
    this.#firstLane = firstLane;
    this.#operations = new Array<string>(lanes).fill('');
  }

  next(): string {
    const members = this.#operations.map((_, i) => {
      const command = this.#commands.next(this.#firstLane + i);
      this.#operations[i] = command.operation;
      return this.#commands.member(command);
    });
    return post('/v1/batch', null, `{"commands":[${members.join(',')}]}`);
  }

  take(status: number, body: string): void {
    if (status !== OK) throw unexpected(status, body);
    const {results} = JSON.parse(body) as {results: {status: number; body: CommandBody}[]};
    if (results.length !== this.#operations.length) throw unexpected(status, body);
    for (const [i, member] of results.entries()) {
      const operation = this.#operations[i] ?? '';
      if (this.#commands.settle(this.#firstLane + i, operation, member.status, member.body)) continue;
      throw unexpected(member.status, JSON.stringify(member.body));
    }
  }
}

/** Reads of resources from `first` to `end`, that nobody has ever reserved, in a scattered order, from a share of it on. */
export class ReadFeed implements HttpFeed {
  readonly #first: number;
  readonly #count: number;
  readonly #stride: number;
  #at: number;
  #id: string = '';

  constructor(first: number, end: number, share: number) {
    this.#first = first;
    this.#count = end - first;
    this.#at = Math.floor(share * this.#count);
    this.#stride = coprimeStride(this.#count);
  }

  next(): string {
    this.#at = (this.#at + this.#stride) % this.#count;
    this.#id = idText(resourceIdOf(this.#first + this.#at));
    return `GET /v1/resources/${this.#id} HTTP/1.1\r\n${HOST}\r\n`;
  }

  take(status: number, body: string): void {
    const {id, state, reservation, version} = JSON.parse(body) as Record<string, unknown>;
    if (status === OK && id === this.#id && state === 'available' && reservation === null && version === '0') return;
    throw unexpected(status, body);
  }
}
