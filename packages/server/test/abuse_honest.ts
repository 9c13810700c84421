/**
 * An honest client beside the abuse: it goes through the life of holds on resources of its own, again and again, knows each
 * answer before it comes, and notes every one that is another. Its ids have nothing in common with those of abusers, so
 * that whatever they achieve, no answer to it may change.
 *
 * A lane is a resource whose steps follow each other; several lanes are under way at once. When to send is the caller's
 * business. No test tool in it: tests and the campaign use it.
 */
import {type ApiRequest, type ApiResponse, type Command, decodeResponse, encodeRequest} from '@allocdb/api';
import {openRawConnection, type RawConnection} from '@allocdb/client';
import {encodeClientRequest} from '@allocdb/sim';

const HONEST = 0x5eed_5eed_5eed_5eed_5eed_0000_0000_0000n;
/** Far longer than any test. */
const TTL_SLOTS = 5000n;
const WRONG_MAX = 20;
const PACE_MS = 10;

type Committed = Extract<ApiResponse, {type: 'submit_committed'}>;

/** A request, and what is wrong with an answer to it. */
interface Step {
  readonly request: ApiRequest;
  readonly judge: (response: ApiResponse) => string | null;
}

export interface HonestOptions {
  readonly port: number;
  readonly token?: string;
  /** Tells one client from others of the same database. */
  readonly number: number;
  /** How many steps can be under way at once. */
  readonly lanes: number;
}

/** One connection of an honest client. */
export class HonestClient {
  answers: number = 0;
  /** What was not as it had to be. */
  readonly wrong: string[] = [];
  readonly #connection: RawConnection;
  readonly #free: Lane[] = [];

  /** Connects, and creates its resources. */
  static async open({port, token = '', number, lanes}: HonestOptions): Promise<HonestClient> {
    const connection = await openRawConnection(`allocdb://127.0.0.1:${port}`, {token});
    const client = new HonestClient(connection);
    for (let i = 0; i < lanes; i++) {
      const lane = new Lane(HONEST | (BigInt(number) << 40n) | (BigInt(i) << 28n));
      const created = decodeResponse(await connection.request(encodeRequest(lane.creation)));
      const fault = isOk(created) ? null : textOf(created);
      if (fault !== null) throw new Error(`the resource of a lane was not created: ${fault}`);
      client.#free.push(lane);
    }
    return client;
  }

  private constructor(connection: RawConnection) {
    this.#connection = connection;
    void connection.ended.then(({code, text}) => {
      if (code !== 'closed') this.#note(`the connection ended: ${code} ${text}`);
    });
  }

  /** Whether a lane waits for nothing. */
  get isFree(): boolean {
    return this.#free.length > 0;
  }

  /** Sends the next step of the lane that has waited longest; `onAnswer` is told of its answer. */
  send(onAnswer: () => void): void {
    const lane = this.#free.shift();
    if (lane === undefined) throw new Error('every lane waits for an answer');
    const {request, judge} = lane.next();
    this.#connection.send(encodeRequest(request), (_view, bytes, offset, length) => {
      const fault = judge(decodeResponse(bytes.subarray(offset, offset + length)));
      this.answers++;
      if (fault !== null) this.#note(`${request.type} of ${lane.resourceId.toString(16)}: ${fault}`);
      this.#free.push(lane);
      onAnswer();
    });
  }

  /** Works on all lanes until this holds, a step of each now and then; resolves when nothing is under way any more. */
  async workUntil(isOver: () => boolean): Promise<void> {
    while (!isOver() && this.wrong.length === 0) {
      while (this.isFree) this.send(() => undefined);
      await this.#connection.idle();
      // Faster, and a database would be full of holds that are over.
      await new Promise(resolve => setTimeout(resolve, PACE_MS));
    }
    await this.#connection.idle();
  }

  /** Resolves when every answer has come. */
  idle(): Promise<void> {
    return this.#connection.idle();
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #note(fault: string): void {
    if (this.wrong.length < WRONG_MAX) this.wrong.push(fault);
  }
}

/** A resource and the hold on it: each step knows what those before it were answered. */
class Lane {
  readonly resourceId: bigint;
  readonly creation: ApiRequest;
  #operations: bigint = 0n;
  #step: number = 0;
  #reserve: ApiRequest;
  #reserved: Committed | null = null;

  constructor(resourceId: bigint) {
    this.resourceId = resourceId;
    this.creation = this.#submit({kind: 'create_resource', resourceId});
    this.#reserve = this.creation;
  }

  next(): Step {
    const {resourceId} = this;
    const holderId = resourceId;
    const reservationId = this.#reserved?.reservationId ?? 0n;
    switch (this.#step++) {
      case 0:
        this.#reserve = this.#submit({kind: 'reserve', resourceId, holderId, ttlSlots: TTL_SLOTS});
        return {request: this.#reserve, judge: response => this.#judgeReserve(response)};
      case 1:
        return {request: this.#reserve, judge: response => this.#judgeRepeat(response)};
      case 2:
        return {request: this.#read(), judge: response => this.#judgeRead(response, 'reserved')};
      case 3:
        return {request: this.#submit({kind: 'confirm', reservationId, holderId}), judge: okFault};
      case 4: {
        const request = {type: 'get_lease', requiredLsn: null, currentSlot: 0n, reservationId} as const;
        return {request, judge: response => this.#judgeLease(response)};
      }
      case 5:
        return {request: this.#submit({kind: 'release', reservationId, holderId}), judge: okFault};
      default:
        this.#step = 0;
        return {request: this.#read(), judge: response => this.#judgeRead(response, 'available')};
    }
  }

  #submit(command: Command): ApiRequest {
    const payload = encodeClientRequest(this.resourceId | this.#operations++, HONEST, command as never);
    return {type: 'submit', requestSlot: 0n, payload};
  }

  #read(): ApiRequest {
    return {type: 'get_resource', requiredLsn: null, resourceId: this.resourceId};
  }

  #judgeReserve(response: ApiResponse): string | null {
    this.#reserved = isOk(response) ? response : null;
    return this.#reserved?.reservationId == null || this.#reserved.fromRetryCache ? textOf(response) : null;
  }

  #judgeRepeat(response: ApiResponse): string | null {
    return textOf(response) === textOf({...(this.#reserved as Committed), fromRetryCache: true})
      ? null
      : textOf(response);
  }

  #judgeRead(response: ApiResponse, state: 'reserved' | 'available'): string | null {
    const reservationId = state === 'reserved' ? this.#reserved?.reservationId : null;
    const isRight =
      response.type === 'resource_found' &&
      response.resourceId === this.resourceId &&
      response.state === state &&
      response.currentReservationId === reservationId;
    return isRight ? null : textOf(response);
  }

  #judgeLease(response: ApiResponse): string | null {
    const isRight =
      response.type === 'lease_found' &&
      response.state === 'confirmed' &&
      response.holderId === this.resourceId &&
      response.reservationId === this.#reserved?.reservationId &&
      response.resourceIds.join() === String(this.resourceId);
    return isRight ? null : textOf(response);
  }
}

function isOk(response: ApiResponse): response is Committed {
  return response.type === 'submit_committed' && response.resultCode === 'ok';
}

function okFault(response: ApiResponse): string | null {
  return isOk(response) && !response.fromRetryCache ? null : textOf(response);
}

function textOf(response: ApiResponse): string {
  return JSON.stringify(response, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
