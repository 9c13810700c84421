/**
 * One named queue of writes in front of the coordinator, bounded by entries and bytes, and who waits for room in it.
 *
 * Invariants: entries leave in the order in which they came; a write that waits for room is let in before any that comes
 * later, and whoever waits first is let in as soon as there is room. A flush is an entry too, so that it covers what its
 * caller wrote before; it takes no room.
 * Not here: whose turn it is among the channels (`fair_merge.ts`).
 */

import {type CoordinatorError, type CoordinatorErrorCode, handingBack} from './coordinator_error.ts';
import type {ChannelMetrics} from './metrics.ts';
import {abortedBy, Deferred} from './promises.ts';
import {Fifo} from './queues.ts';
import {PendingWrite, type Ticket} from './ticket.ts';
import {checkTimeout, WaitingWrite, WaitingWrites, type WriteOptions} from './waiting_writes.ts';
import type {Watermarks} from './watermarks.ts';

/** Why a write was not accepted: no room now, or never again for the reason that the code names. */
export type RefusalReason = 'backpressure' | CoordinatorErrorCode;

/** What `tryWrite` answers; a refused write is handed back. */
export type WriteOutcome<Write, ApplyResult> =
  | {readonly accepted: true; readonly ticket: Ticket<ApplyResult>}
  | {readonly accepted: false; readonly reason: RefusalReason; readonly write: Write};

export interface PendingFlush {
  readonly kind: 'flush';
  readonly storage: boolean;
  readonly done: Deferred<void>;
}

export type Entry<Write, ApplyResult> = PendingWrite<Write, ApplyResult> | PendingFlush;

export interface ChannelOptions<Write> {
  readonly name: string;
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly sizeOf: (write: Write) => number;
  readonly marks: Watermarks;
  readonly clock: () => number;
  /** Called when there is something to take. */
  readonly wake: () => void;
}

export class Channel<Write, ApplyResult> {
  readonly name: string;
  /** Whether it stands in the line of the merge. */
  isListed = false;
  isPaused = false;
  readonly #options: ChannelOptions<Write>;
  readonly #entries: Fifo<Entry<Write, ApplyResult>> = new Fifo();
  readonly #waiting: WaitingWrites<Write, ApplyResult> = new WaitingWrites();
  #writes = 0;
  #bytes = 0;
  #closed: CoordinatorError | null = null;
  readonly #counts: {accepted: number; sendMs: number; backpressure: {entries: number; bytes: number}};

  constructor(options: ChannelOptions<Write>) {
    this.name = options.name;
    this.#options = options;
    this.#counts = {accepted: 0, sendMs: 0, backpressure: {entries: 0, bytes: 0}};
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get metrics(): ChannelMetrics {
    const {accepted, sendMs, backpressure} = this.#counts;
    const state = {queueDepth: this.#writes, queueBytes: this.#bytes, waiting: this.#waiting.size};
    return {...state, accepted, sendMs, backpressure: {...backpressure}, isPaused: this.isPaused};
  }

  tryWrite(write: Write): WriteOutcome<Write, ApplyResult> {
    if (this.#closed !== null) return {accepted: false, reason: this.#closed.code, write};
    const bytes = this.#sizeOf(write);
    const ticket = this.#hasRoomFor(bytes) ? this.#accept(write, bytes) : null;
    return ticket === null ? {accepted: false, reason: 'backpressure', write} : {accepted: true, ticket};
  }

  async write(write: Write, options: WriteOptions): Promise<Ticket<ApplyResult>> {
    checkTimeout(options.timeoutMs);
    if (options.signal?.aborted === true) throw abortedBy(options.signal, write);
    if (this.#closed !== null) throw handingBack(this.#closed, write);
    const bytes = this.#sizeOf(write);
    if (this.#hasRoomFor(bytes)) return this.#accept(write, bytes);
    return this.#waiting.add(new WaitingWrite(write, bytes, this.#options.clock()), options, () => this.#admit());
  }

  flush(storage: boolean): Promise<void> {
    const done = new Deferred<void>();
    if (this.#closed !== null) done.reject(this.#closed);
    else {
      this.#entries.push({kind: 'flush', storage, done});
      this.#options.wake();
    }
    return done.promise;
  }

  /** The next entry, where there is one; whoever waits for the room it leaves is let in. */
  take(): Entry<Write, ApplyResult> {
    const entry = this.#entries.shift() as Entry<Write, ApplyResult>;
    if (entry.kind === 'write') {
      this.#writes--;
      this.#bytes -= entry.bytes;
      this.#admit();
    }
    return entry;
  }

  /** Takes no more writes; those that wait for room go back. What is queued stays. */
  close(error: CoordinatorError): void {
    this.#closed ??= error;
    this.#waiting.refuseAll(this.#closed);
  }

  /** What is queued goes back too. */
  drop(error: CoordinatorError): void {
    this.close(error);
    while (!this.isEmpty) {
      const entry = this.take();
      if (entry.kind === 'write') entry.dropped(error);
      else entry.done.reject(error);
    }
  }

  #admit(): void {
    for (let next = this.#waiting.first; next !== null; next = this.#waiting.first) {
      if (this.#lackFor(next.bytes) !== null) return;
      this.#counts.sendMs += this.#options.clock() - next.sinceMs;
      this.#waiting.accept(next, this.#accept(next.write, next.bytes));
    }
  }

  #accept(write: Write, bytes: number): Ticket<ApplyResult> {
    const ticket = new PendingWrite<Write, ApplyResult>(write, bytes, this.#options.marks);
    this.#entries.push(ticket);
    this.#writes++;
    this.#bytes += bytes;
    this.#counts.accepted++;
    this.#options.wake();
    return ticket;
  }

  /** Nobody overtakes those who wait; what the first of them lacks, the offered write lacks too. */
  #hasRoomFor(bytes: number): boolean {
    const {first} = this.#waiting;
    const lack = this.#lackFor(bytes) ?? (first === null ? null : this.#lackFor(first.bytes));
    if (lack !== null) this.#counts.backpressure[lack]++;
    return lack === null && first === null;
  }

  #lackFor(bytes: number): 'entries' | 'bytes' | null {
    if (this.#writes === 0) return null;
    if (this.#writes >= this.#options.entriesMax) return 'entries';
    return this.#bytes + bytes > this.#options.bytesMax ? 'bytes' : null;
  }

  #sizeOf(write: Write): number {
    const bytes = this.#options.sizeOf(write);
    if (bytes >= 0 && Number.isFinite(bytes)) return bytes;
    throw new RangeError('sizeOf is a number from 0');
  }
}
