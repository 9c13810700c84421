/**
 * Histories that are written down step by step and happen on a real engine: one command after another, each of which is
 * answered or loses its answer, with a log that can be cut. For what is too rare to be drawn by a seed.
 *
 * Not here: clients that run beside each other (`history_world.ts`).
 */
import type {ApiRequest, ApiResponse} from '@allocdb/api';
import {type Command, encodeClientRequest} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {
  type Attempt,
  answerOf,
  checkHistory,
  type HistoryEntry,
  type HistoryHeader,
  type HistoryReport,
  openDirectoryLog,
  type Read,
  readAnswerOf,
} from '../src/history/index.ts';
import type {DatabaseConfig, SingleNodeEngine} from '../src/index.ts';
import {Caller, configWith, DIR, openOn, until} from './support.ts';

/** Slots for which an operation is remembered. */
export const WINDOW = 25n;

export class HistoryScript {
  readonly entries: HistoryEntry[] = [];
  readonly disk: SimDisk = new SimDisk();
  slot: bigint = 1n;
  readonly #config: DatabaseConfig;
  readonly #engine: SingleNodeEngine;
  readonly #caller: Caller;
  readonly #isCoarse: boolean;
  #now: number = 0;
  #fillers: number = 0;

  /** With a coarse clock everything happens at one moment. */
  constructor({operations = 256, isCoarse = false}: {operations?: number; isCoarse?: boolean} = {}) {
    this.#isCoarse = isCoarse;
    this.#config = configWith({}, {maxOperations: operations, operationWindowSlots: WINDOW, maxResources: 256});
    this.#engine = openOn(this.disk, {
      config: this.#config,
      commitMode: 'inline',
      segmentBytes: 16 * 1024,
      maxFrameBytes: 4096,
      checkpoint: {everyLogBytes: null, bytesPerSecond: 1e12, retainLogBytes: 0},
    });
    this.#caller = new Caller(this.#engine);
  }

  get header(): HistoryHeader {
    return {type: 'history', version: 1, begins: 'empty', core: this.#config.core};
  }

  /** Sends an operation and returns what it was told, as an attempt. */
  submit(operation: bigint, command: Command): Promise<Attempt> {
    return this.#submit(operation, command, true);
  }

  /** Sends an operation that is executed; nobody hears its answer. */
  lose(operation: bigint, command: Command): Promise<Attempt> {
    return this.#submit(operation, command, false);
  }

  async read(id: bigint): Promise<Read> {
    const [kind, requiredLsn, sent] = ['get_resource', null, this.#time()] as const;
    const response = await this.#ask({type: kind, requiredLsn, resourceId: id});
    const span = {...this.#span(), sent, came: this.#time()};
    return this.#record({
      type: 'read',
      kind,
      id,
      requiredLsn,
      slot: null,
      ...span,
      answer: readAnswerOf(response),
    }) as Read;
  }

  async tick(): Promise<void> {
    const {slot} = this;
    const sent = this.#time();
    const response = await this.#ask({type: 'tick_expirations', currentWallClockSlot: slot});
    if (response.type !== 'tick_applied') throw new Error(`a tick is applied, not ${response.type}`);
    const answer = {type: 'applied', count: response.processedCount, lastLsn: response.lastAppliedLsn} as const;
    this.#record({type: 'tick', slot, ...this.#span(), sent, came: this.#time(), answer});
  }

  /** So many operations of no account: creations of resources of their own. */
  async fill(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const id = BigInt(100 + this.#fillers++);
      await this.submit(10_000n + id, {kind: 'create_resource', resourceId: id});
    }
  }

  async checkpoint(): Promise<void> {
    await this.#engine.checkpoint();
  }

  async end(): Promise<void> {
    await this.#engine.close();
  }

  alone(entries: readonly HistoryEntry[] = this.entries): HistoryReport {
    return checkHistory(this.header, entries);
  }

  withLog(entries: readonly HistoryEntry[] = this.entries): HistoryReport {
    using log = openDirectoryLog(DIR, this.disk);
    return checkHistory(this.header, entries, {log});
  }

  async #submit(operation: bigint, command: Command, isHeard: boolean): Promise<Attempt> {
    const sent = this.#time();
    const payload = encodeClientRequest({operationId: operation, clientId: 1n, command});
    const answer = answerOf(await this.#ask({type: 'submit', requestSlot: this.slot, payload}));
    if (answer?.type !== 'committed') throw new Error(`operation ${operation} is committed`);
    const told = isHeard ? {came: this.#time(), answer} : ({came: null, answer: {type: 'nothing'}} as const);
    return this.#record({type: 'attempt', operation, command, ...this.#span(), sent, ...told}) as Attempt;
  }

  async #ask(request: ApiRequest): Promise<ApiResponse> {
    this.#caller.send(request);
    await until(() => this.#caller.responses.length > 0);
    const [response] = this.#caller.responses.splice(0);
    if (response === undefined) throw new Error(`${request.type} is answered`);
    return response;
  }

  #span(): {client: bigint; connection: null; place: number; line: number} {
    return {client: 1n, connection: null, place: 0, line: this.entries.length + 2};
  }

  #time(): number {
    return this.#isCoarse ? 0 : ++this.#now;
  }

  #record(entry: HistoryEntry): HistoryEntry {
    this.entries.push(entry);
    return entry;
  }
}
