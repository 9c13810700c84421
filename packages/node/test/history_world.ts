/**
 * Histories as they really come about: an engine on a disk in memory, several clients that pipeline commands, batches and
 * reads, repeat operations, and lose their answers when the power goes. A seed decides everything that a client does;
 * whoever records sees what a recorder sees, and nothing else.
 */
import {type ApiRequest, type ApiResponse, isIndefinite} from '@allocdb/api';
import {type Command, encodeClientRequest} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {
  type Attempt,
  answerOf,
  type HistoryEntry,
  type HistoryHeader,
  type Read,
  readAnswerOf,
  type Tick,
} from '../src/history/index.ts';
import type {DatabaseConfig, SingleNodeEngine} from '../src/index.ts';
import {HistoryRandom} from './history_random.ts';
import {afterPowerCut, Caller, configWith, openOn, turns} from './support.ts';

const CLIENTS = 4;
const RESOURCES = 12;
const PIPELINE_MAX = 12;
/** Happenings that share a moment of a coarse clock. */
const COARSE = 9;

export interface WorldOptions {
  readonly steps: number;
  /** Whether the log is cut behind snapshots as soon as it can be. */
  readonly truncates: boolean;
  /** Whether operations are also repeated when their window has passed. */
  readonly repeatsLate: boolean;
  readonly crashes: boolean;
  /** Whether many commands share a slot. */
  readonly slow: boolean;
  /** Whether the table of operations is so small that it is full at times. */
  readonly smallTables: boolean;
  /** Whether the recorders' clock is so coarse that much happens at one moment. */
  readonly coarseClock: boolean;
}

export interface World {
  readonly header: HistoryHeader;
  readonly entries: HistoryEntry[];
  readonly disk: SimDisk;
  readonly config: DatabaseConfig;
  readonly crashes: number;
}

/** An entry before it is recorded: its answer is still to come. */
type Open<Entry> = {-readonly [Field in keyof Omit<Entry, 'line'>]: Entry[Field & keyof Entry]};
type Sent = Open<Attempt> | Open<Read> | Open<Tick>;

interface Operation {
  readonly id: bigint;
  readonly command: Command;
  readonly slot: bigint;
}

interface Hold {
  readonly id: bigint;
  readonly holder: bigint;
}

class Client {
  readonly number: bigint;
  readonly connection: string;
  readonly caller: Caller;
  place: number = 0;
  /** True once the power has gone: what the old process still says is heard by nobody. */
  isGone: boolean = false;
  /** Requests in order, each with the entries that its response answers. */
  readonly waiting: Sent[][] = [];

  constructor(number: bigint, connection: string, engine: SingleNodeEngine, onAnswer: (client: Client) => void) {
    this.number = number;
    this.connection = connection;
    this.caller = new Caller(engine, () => onAnswer(this));
  }
}

class Workload {
  readonly entries: HistoryEntry[] = [];
  crashes: number = 0;
  disk: SimDisk = new SimDisk();
  readonly #options: WorldOptions;
  readonly #random: HistoryRandom;
  readonly config: DatabaseConfig;
  #engine: SingleNodeEngine;
  #clients: Client[] = [];
  #lives: number = 0;
  #now: number = 0;
  #slot: bigint = 1n;
  #nextOperation: bigint = 1000n;
  readonly #operations: Operation[] = [];
  readonly #holds: Hold[] = [];

  constructor(seed: number, options: WorldOptions) {
    this.#random = new HistoryRandom(seed);
    this.#options = options;
    const window = options.repeatsLate || this.#random.chance(0.5) ? 25n : 150n;
    this.config = configWith(
      {maxSubmissionQueue: 24, maxExpirationsPerTick: 3},
      {maxOperations: options.smallTables ? 48 : 4096, operationWindowSlots: window, maxReservations: 256},
    );
    this.#engine = this.#open();
  }

  async run(): Promise<void> {
    for (let step = 0; step < this.#options.steps; step++) await this.#step();
    if (this.#random.chance(0.7)) await this.#settle();
    await turns(40);
    for (const client of this.#clients) this.#lose(client);
    await this.#engine.close();
  }

  #open(): SingleNodeEngine {
    const commitMode = (['inline', 'async', 'adaptive'] as const)[this.#random.below(3)] ?? 'inline';
    const engine = openOn(this.disk, {
      config: this.config,
      commitMode,
      segmentBytes: this.#options.truncates ? 16 * 1024 : 256 * 1024,
      maxFrameBytes: 4096,
      checkpoint: {everyLogBytes: null, bytesPerSecond: 1e12, retainLogBytes: this.#options.truncates ? 0 : 1 << 30},
    });
    this.#lives++;
    this.#clients = Array.from({length: CLIENTS}, (_, i) => {
      return new Client(BigInt(i + 1), `${this.#lives}.${i}`, engine, client => this.#collect(client));
    });
    return engine;
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const dice = random.below(1000);
    if (dice < 640) this.#send(this.#client());
    else if (dice < 800) await turns(1 + random.below(3));
    else if (dice < 900) this.#slot += BigInt(random.below(this.#options.slow ? 2 : 3));
    else if (dice < 960) this.#tick(random.chance(0.5));
    else if (dice < 985) await this.#checkpoint();
    else if (dice < 992 && this.#options.crashes) await this.#crash();
  }

  #client(): Client {
    const client = this.#clients[this.#random.below(CLIENTS)];
    if (client === undefined) throw new Error('there is a client');
    return client;
  }

  #send(client: Client): void {
    if (client.waiting.length >= PIPELINE_MAX) return;
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 20) this.#sendRead(client);
    else if (dice < 32) this.#sendBatch(client);
    else {
      const operation = this.#operation();
      const slot = this.#requestSlot();
      this.#submit(client, [this.#attempt(client, operation)], {
        type: 'submit',
        requestSlot: slot,
        payload: payloadOf(client, operation),
      });
    }
  }

  #sendBatch(client: Client): void {
    const operations = Array.from({length: 1 + this.#random.below(5)}, () => this.#operation());
    this.#submit(
      client,
      operations.map(operation => this.#attempt(client, operation)),
      {
        type: 'submit_batch',
        requestSlot: this.#requestSlot(),
        payloads: operations.map(operation => payloadOf(client, operation)),
      },
    );
  }

  #sendRead(client: Client): void {
    const random = this.#random;
    const kind = (['get_resource', 'get_reservation', 'get_lease'] as const)[random.below(3)] ?? 'get_lease';
    const id = kind === 'get_resource' ? this.#resource() : this.#hold().id;
    const requiredLsn = random.chance(0.2) ? BigInt(random.below(400)) : null;
    const slot = this.#slot;
    const read: Sent = {type: 'read', kind, id, requiredLsn, slot, ...this.#span(client), answer: {type: 'nothing'}};
    const request: ApiRequest =
      kind === 'get_resource'
        ? {type: kind, requiredLsn, resourceId: id}
        : {type: kind, requiredLsn, currentSlot: slot, reservationId: id};
    this.#submit(client, [read], request);
  }

  #tick(isSeen: boolean): void {
    const client = this.#client();
    const tick: Sent = {type: 'tick', slot: this.#slot, ...this.#span(client), answer: {type: 'nothing'}};
    if (isSeen) this.#submit(client, [tick], {type: 'tick_expirations', currentWallClockSlot: this.#slot});
    else new Caller(this.#engine).send({type: 'tick_expirations', currentWallClockSlot: this.#slot});
  }

  #submit(client: Client, entries: Sent[], request: ApiRequest): void {
    client.waiting.push(entries);
    client.caller.send(request);
    this.#collect(client);
  }

  #span(client: Client): Pick<Attempt, 'client' | 'sent' | 'came' | 'connection' | 'place'> {
    const {number, connection} = client;
    return {client: number, sent: this.#time(), came: null, connection, place: client.place++};
  }

  #time(): number {
    const now = ++this.#now;
    return this.#options.coarseClock ? Math.floor(now / COARSE) : now;
  }

  #attempt(client: Client, {id, command}: Operation): Sent {
    return {type: 'attempt', operation: id, command, ...this.#span(client), answer: {type: 'nothing'}};
  }

  #requestSlot(): bigint {
    return this.#slot - BigInt(this.#random.below(2));
  }

  /** A new operation, one that was sent before, or one that takes another's id. */
  #operation(): Operation {
    const random = this.#random;
    const known = this.#operations[random.below(this.#operations.length + 1)];
    const window = this.config.core.operationWindowSlots ?? 0n;
    const isYoung = known !== undefined && this.#slot <= known.slot + window - 1n;
    if (known !== undefined && random.chance(0.15) && (isYoung || this.#options.repeatsLate)) {
      return random.chance(0.1) ? {...known, command: this.#command()} : known;
    }
    const operation = {id: this.#nextOperation++, command: this.#command(), slot: this.#slot};
    this.#operations.push(operation);
    return operation;
  }

  #command(): Command {
    const random = this.#random;
    const holderId = BigInt(1 + random.below(3));
    const ttlSlots = BigInt(random.chance(0.03) ? random.below(2) * 101 : 1 + random.below(6));
    const hold = this.#hold();
    const named = {reservationId: hold.id, holderId: random.chance(0.9) ? hold.holder : holderId};
    const leaseEpoch = BigInt(1 + random.below(2));
    const dice = random.below(100);
    if (dice < 15) return {kind: 'create_resource', resourceId: this.#resource()};
    if (dice < 45) return {kind: 'reserve', resourceId: this.#resource(), holderId, ttlSlots};
    if (dice < 60) {
      const count = random.chance(0.05) ? 20 : random.below(5);
      const resourceIds = Array.from({length: count}, () => this.#resource());
      return {kind: 'reserve_bundle', resourceIds, holderId, ttlSlots};
    }
    if (dice < 70) return {kind: 'confirm', ...named};
    if (dice < 76) return {kind: 'confirm_fenced', ...named, leaseEpoch};
    if (dice < 84) return {kind: 'release', ...named};
    if (dice < 88) return {kind: 'release_fenced', ...named, leaseEpoch};
    return {kind: dice < 94 ? 'revoke' : 'reclaim', reservationId: hold.id};
  }

  #resource(): bigint {
    return BigInt(1 + this.#random.below(RESOURCES));
  }

  #hold(): Hold {
    const last = this.#holds.length;
    const hold = this.#random.chance(0.9) ? this.#holds[last - 1 - this.#random.below(8)] : undefined;
    return hold ?? {id: (7n << 64n) | BigInt(1 + this.#random.below(300)), holder: 1n};
  }

  #collect(client: Client): void {
    if (client.isGone) return;
    for (const response of client.caller.responses.splice(0)) {
      const entries = client.waiting.shift();
      if (entries === undefined) throw new Error('every response was asked for');
      const answers = response.type === 'batch_result' ? response.results : [response];
      for (const [i, entry] of entries.entries()) this.#answered(entry, answers[i]);
    }
  }

  #answered(entry: Sent, response: ApiResponse | undefined): void {
    if (response === undefined) throw new Error('every command of a batch is answered');
    entry.came = this.#time();
    if (entry.type === 'attempt') {
      const answer = answerOf(response);
      if (answer === null) throw new Error(`${response.type} is no answer to a command`);
      entry.answer = answer;
      if (answer.type === 'committed' && answer.reservationId !== null && 'holderId' in entry.command) {
        this.#holds.push({id: answer.reservationId, holder: entry.command.holderId});
      }
    } else if (entry.type === 'read') entry.answer = readAnswerOf(response);
    else if (response.type === 'tick_applied') {
      entry.answer = {type: 'applied', count: response.processedCount, lastLsn: response.lastAppliedLsn};
    } else if (response.type === 'tick_rejected') {
      const {failure} = response;
      entry.answer = {type: isIndefinite(failure) ? 'indefinite' : 'definite', code: failure.code};
    } else throw new Error(`${response.type} is no answer to a tick`);
    // A halted engine says nothing about what was asked.
    if (entry.answer.type === 'nothing') entry.came = null;
    this.#record(entry);
  }

  #record(entry: Sent): void {
    this.entries.push({...entry, line: this.entries.length + 2} as HistoryEntry);
  }

  /** What waits will not be answered any more. */
  #lose(client: Client): void {
    for (const entry of client.waiting.splice(0).flat()) this.#record(entry);
  }

  async #checkpoint(): Promise<void> {
    const done = this.#engine.checkpoint().then(
      () => undefined,
      () => undefined,
    );
    await turns(this.#random.below(6));
    if (this.#random.chance(0.8)) await done;
  }

  /** The power goes: between two calls, or in the middle of a write, which clients may still be told. */
  async #crash(): Promise<void> {
    this.crashes++;
    const orphans = this.#clients;
    if (this.#random.chance(0.5)) this.disk = afterPowerCut(this.disk, 1 + this.#random.below(1000));
    else {
      const isHeard = this.#random.chance(0.5);
      this.disk.arm({call: 1 + this.#random.below(6), kind: 'power_cut'});
      for (let i = 0; i < 60 && !this.disk.isDown; i++) {
        this.#send(this.#client());
        if (this.disk.isDown && !isHeard) for (const client of orphans) client.isGone = true;
        if (i % 8 === 7) await turns(1);
      }
      if (isHeard) await turns(10);
      this.disk.restart();
    }
    for (const client of orphans) {
      client.isGone = true;
      this.#lose(client);
    }
    this.#engine = this.#open();
  }

  /** Repeats what has no answer and is still remembered if it happened. */
  async #settle(): Promise<void> {
    await turns(20);
    const told = new Set(
      this.entries.flatMap(e => (e.type === 'attempt' && e.answer.type !== 'nothing' ? [e.operation] : [])),
    );
    for (const operation of this.#operations) {
      if (told.has(operation.id) || this.#slot >= operation.slot + (this.config.core.operationWindowSlots ?? 0n))
        continue;
      const client = this.#client();
      const payload = payloadOf(client, operation);
      this.#submit(client, [this.#attempt(client, operation)], {type: 'submit', requestSlot: this.#slot, payload});
      await turns(2);
    }
  }
}

function payloadOf(client: Client, {id, command}: Operation): Uint8Array {
  return encodeClientRequest({operationId: id, clientId: client.number, command});
}

/** Runs one seed to its end, with the directory closed. */
export async function runWorld(seed: number, options: Partial<WorldOptions> = {}): Promise<World> {
  const workload = new Workload(seed, {
    steps: 600,
    truncates: false,
    repeatsLate: false,
    crashes: true,
    slow: false,
    smallTables: false,
    coarseClock: false,
    ...options,
  });
  await workload.run();
  const {entries, disk, config, crashes} = workload;
  return {header: {type: 'history', version: 1, begins: 'empty', core: config.core}, entries, disk, config, crashes};
}
