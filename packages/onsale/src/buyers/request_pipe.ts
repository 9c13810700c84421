/**
 * The requests of one client process on one pipelined connection. What a broken connection leaves unanswered is sent
 * again on the next one, first and in the same order, with the same bytes and so the same operation ids, until each is
 * answered; a new operation is never made for an unanswered one.
 *
 * Every answer goes into the ledger before anybody is told of it. After each reconnection some of the last answered
 * operations are asked once more: an acknowledged answer must still be given, word for word.
 */
import {type ApiResponse, decodeResponseAt} from '@allocdb/api';
import {openRawConnection, type RawConnection} from '@allocdb/client';
import {idOfBigint} from '../id_bytes.ts';
import {type CommandFacts, type LedgerWriter, nowUs} from '../ledger.ts';

/** A request from the first sending to its answer. */
export interface Request {
  readonly frame: Uint8Array;
  /** Null for a look. */
  readonly operation: string | null;
  readonly command: CommandFacts | null;
  /** The resource of a look. */
  readonly seat: string | null;
  /** Told once, when it is answered. */
  readonly answered: (response: ApiResponse) => void;
  sentUs: number;
  sends: number;
}

/** What happens to the connection. */
export interface PipeEvents {
  connected(life: number): void;
  /** The connection broke; so many requests had been sent and not answered. */
  lost(life: number, unanswered: number): void;
  /** The server said what it must never say. */
  failed(reason: string): void;
}

const ASKED_AGAIN = 24;
const RECONNECT_MS = 40;
const OVERLOADED_MS = 25;

export class RequestPipe {
  readonly #window: number;
  readonly #ledger: LedgerWriter;
  readonly #events: PipeEvents;
  #connection: RawConnection | null = null;
  #life: number = 0;
  #waiting: Request[] = [];
  #waitingAt: number = 0;
  #inFlight: Request[] = [];
  #inFlightAt: number = 0;
  #lately: Request[] = [];
  answers: number = 0;
  #lostAtMs: number | null = null;
  #downMs: number = 0;

  constructor(window: number, ledger: LedgerWriter, events: PipeEvents) {
    this.#window = window;
    this.#ledger = ledger;
    this.#events = events;
  }

  /** Requests sent and not answered. */
  get unanswered(): number {
    return this.#inFlight.length - this.#inFlightAt;
  }

  /** Milliseconds without a connection since the first one. */
  get downMs(): number {
    return this.#downMs + (this.#lostAtMs === null ? 0 : performance.now() - this.#lostAtMs);
  }

  /** Requests without an answer, sent or not. */
  get open(): number {
    return this.unanswered + this.#waiting.length - this.#waitingAt;
  }

  get life(): number {
    return this.#life;
  }

  /** Connects to the server of this life, trying until it answers. */
  async connect(port: number, life: number): Promise<void> {
    this.#life = life;
    while (this.#life === life) {
      try {
        const connection = await openRawConnection(`allocdb://127.0.0.1:${port}`, {
          onResponse: (view, _bytes, offset, length) => this.#onResponse(view, offset, length),
        });
        this.#opened(connection, life);
        return;
      } catch {
        await new Promise(resolve => setTimeout(resolve, RECONNECT_MS));
      }
    }
  }

  send(request: Request): void {
    this.#waiting.push(request);
    this.#pump();
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    await connection?.close();
  }

  #opened(connection: RawConnection, life: number): void {
    this.#connection = connection;
    this.#downMs = this.downMs;
    this.#lostAtMs = null;
    void connection.ended.then(() => this.#onEnd(connection, life));
    this.#events.connected(life);
    const again = life === 0 ? [] : this.#lately;
    this.#lately = [];
    const waiting = this.#waiting.slice(this.#waitingAt);
    this.#waiting = [...again.map(copyOf), ...waiting];
    this.#waitingAt = 0;
    this.#pump();
  }

  #onEnd(connection: RawConnection, life: number): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#lostAtMs = performance.now();
    const lost = this.#inFlight.slice(this.#inFlightAt);
    for (const {operation} of lost) this.#ledger.add({entry: 'lost', life, operation});
    this.#waiting = [...lost, ...this.#waiting.slice(this.#waitingAt)];
    this.#waitingAt = 0;
    this.#inFlight = [];
    this.#inFlightAt = 0;
    this.#events.lost(life, lost.length);
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === null) return;
    while (this.unanswered < this.#window && this.#waitingAt < this.#waiting.length) {
      const request = this.#waiting[this.#waitingAt++] as Request;
      if (request.sends++ === 0) request.sentUs = nowUs();
      this.#inFlight.push(request);
      connection.send(request.frame);
    }
    if (this.#waitingAt > 4096) {
      this.#waiting = this.#waiting.slice(this.#waitingAt);
      this.#waitingAt = 0;
    }
  }

  #onResponse(view: DataView, offset: number, length: number): void {
    const request = this.#inFlight[this.#inFlightAt++];
    if (this.#inFlightAt > 4096) {
      this.#inFlight = this.#inFlight.slice(this.#inFlightAt);
      this.#inFlightAt = 0;
    }
    if (request === undefined) {
      this.#events.failed('the server answered more than it was asked');
      return;
    }
    const response = decodeResponseAt(view, offset, length);
    if (response.type === 'submit_rejected') this.#rejected(request, response.failure.code);
    else {
      this.answers++;
      this.#write(request, response);
      request.answered(response);
    }
    this.#pump();
  }

  /** Not taken: asked again a little later when that is all, else the end of the demo. */
  #rejected(request: Request, failure: string): void {
    const times = {life: this.#life, sentUs: request.sentUs, receivedUs: nowUs(), sends: request.sends};
    this.#ledger.add({entry: 'rejected', ...times, operation: request.operation, failure});
    if (failure === 'overloaded') setTimeout(() => this.send(request), OVERLOADED_MS);
    else this.#events.failed(`the server rejected an operation: ${failure}`);
  }

  #write(request: Request, response: ApiResponse): void {
    const {operation, command, seat, sentUs, sends} = request;
    const times = {life: this.#life, sentUs, receivedUs: nowUs(), sends};
    if (operation !== null && command !== null && response.type === 'submit_committed') {
      const {appliedLsn, resultCode, reservationId, deadlineSlot, fromRetryCache} = response;
      this.#ledger.add({
        entry: 'answer',
        ...times,
        operation,
        command,
        result: resultCode,
        lsn: Number(appliedLsn),
        granted: reservationId === null ? null : idOfBigint(reservationId),
        deadline: deadlineSlot === null ? null : Number(deadlineSlot),
        cached: fromRetryCache,
      });
      this.#lately.push(request);
      if (this.#lately.length > 2 * ASKED_AGAIN) this.#lately = this.#lately.slice(-ASKED_AGAIN);
    } else if (seat !== null && response.type === 'resource_found') {
      const lease = response.currentReservationId;
      this.#ledger.add({
        entry: 'look',
        ...times,
        seat,
        state: response.state,
        lease: lease === null ? null : idOfBigint(lease),
        version: Number(response.version),
      });
    } else {
      this.#events.failed(`the server answered ${response.type} to ${command?.kind ?? 'a look'}`);
    }
  }
}

/** The same operation, asked once more by somebody who only wants to compare. */
function copyOf(request: Request): Request {
  return {...request, answered: () => undefined, sentUs: 0, sends: 0};
}
