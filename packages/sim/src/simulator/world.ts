// The simulated world: one machine with one disk, one process after another on it, several clients, and the schedule that
// says what happens next. Nothing happens but by an event; between two events every promise that can settle has settled.
//
// Drives the real engine. Judges are elsewhere: answers in `clients.ts` and `oracle.ts`, what a crash has left in
// `recovery.ts`, the clients' own view in `ledger.ts`. Here is only what the events do, and the supervisor that starts a
// new process where one has ended or has been halted for a while.
import {createDirectoryAt} from '@allocdb/node/testing';
import {SimDisk} from '@allocdb/wal/testing';
import {malformFrame, malformPayload} from '../generator_malformed.ts';
import {drawReservationScan, drawResourceScan} from '../generator_scans.ts';
import {type Command, decodeClientRequest, encodeClientRequest} from '../model/command.ts';
import {encodeApiRequest} from '../model/request.ts';
import {Random} from '../random.ts';
import {type Client, Clients} from './clients.ts';
import {CRASH_POINTS} from './crash_points.ts';
import type {Armed, ArmedCrash} from './faults.ts';
import {DIR, databaseConfig, type SimProcess} from './process.ts';
import {Recovery} from './recovery.ts';
import {comeToRest, quiet} from './rest.ts';
import type {RunState} from './run_state.ts';
import type {SimEvent} from './schedule.ts';
import {Violation} from './violation.ts';

/** Events for which a halted engine is left to answer; then its supervisor ends it. */
const HALTED_EVENTS = 8;
const FINAL_ROUNDS = 300;
/** Least of a log that begins elsewhere than at lsn 1. */
const FIRST_SEGMENT_BYTES = 32_768;
/** Of so many rests one has the whole state compared. */
const COMPARE_EVERY = 4;

type Of<Kind extends SimEvent['do']> = Extract<SimEvent, {do: Kind}>;

export class World {
  readonly run: RunState;
  readonly clients: Clients;
  readonly recovery: Recovery;
  readonly armed: Armed = {crash: null, faults: []};
  #haltedFor = 0;

  constructor(run: RunState) {
    this.run = run;
    this.clients = new Clients(run);
    this.recovery = new Recovery(run, this.clients, this.armed, new SimDisk({seed: run.schedule.seed}));
  }

  get process(): SimProcess {
    return this.recovery.process;
  }

  /** Creates the database and starts the first process. */
  async begin(): Promise<void> {
    const {config, start, settings} = this.run.schedule;
    if (start !== null) {
      const segmentBytes = Math.max(settings.segmentBytes, FIRST_SEGMENT_BYTES);
      await createDirectoryAt(DIR, databaseConfig(config), start, this.recovery.disk, segmentBytes);
    }
    this.recovery.start();
    await this.#settle();
  }

  async step(event: SimEvent, index: number): Promise<void> {
    const {transcript, counts, harness} = this.run;
    transcript.note(`${index} ${event.do}`, () => JSON.stringify(event));
    counts.events++;
    harness.onStep?.(this, index);
    await this.#perform(event);
    await this.#settle();
  }

  /** Ends well: nothing fails any more, everybody gets an answer, and the closed directory verifies. */
  async finish(): Promise<void> {
    const {clients, recovery, armed, run} = this;
    armed.crash = null;
    armed.faults.splice(0);
    recovery.disk.spaceBytes = Number.POSITIVE_INFINITY;
    const random = new Random(BigInt(run.schedule.seed)).fork('finish');
    // A damaged snapshot is set aside by an opening only.
    if (run.rotten.size > 0) recovery.crash(finalKill(random));
    for (let round = 0; round < FINAL_ROUNDS; round++) {
      if (this.process.engine.state !== 'running') recovery.crash(finalKill(random));
      await comeToRest(run, this.process, clients, random);
      if (clients.unknowns === 0) break;
      this.#askAgain();
    }
    if (clients.unknowns > 0) throw new Violation('unresolved', `${clients.unknowns} commands stay unknown`);
    await recovery.closeAndVerify(random);
    run.ledger.checkAll();
  }

  async #perform(event: SimEvent): Promise<void> {
    const {process, clients, armed, recovery} = this;
    switch (event.do) {
      case 'submit':
        return this.#submit(event);
      case 'batch':
        return this.#batch(event);
      case 'retry':
        return this.#retry(event);
      case 'malformed':
        return this.#malformed(event);
      case 'read':
        return this.#read(event);
      case 'tick':
        return this.#tick(event);
      case 'clock':
        this.run.draw.slot(event.slot, randomOf(event.dice), false);
        return;
      case 'turn':
        return process.scheduler.runTurn();
      case 'io':
        return process.io.pending[event.nth % process.io.pending.length]?.step();
      case 'timer':
        return process.scheduler.runTimer();
      case 'rest':
        this.#askAgain();
        await comeToRest(this.run, process, clients, randomOf(event.dice));
        if (process.io.isDead) return;
        this.run.ledger.checkAll();
        recovery.checkAtRest();
        if (event.dice % COMPARE_EVERY === 0) recovery.compareNow();
        return;
      case 'checkpoint':
        return recovery.beginCheckpoint();
      case 'crash':
        return process.io.end({point: null, skip: 0, how: event.how, dice: event.dice});
      case 'crash_at': {
        const {point, skip, how, dice} = event;
        armed.crash = {point, skip, how, dice};
        return;
      }
      case 'restart':
        return recovery.restart(randomOf(event.dice));
      case 'probe':
        return recovery.probe(event.dice);
      case 'fault':
        armed.faults.push({on: event.on, kind: event.kind, skip: event.skip, times: event.times});
        return;
      case 'space':
        return recovery.limitSpace(event.bytes);
      case 'rot':
        return recovery.rot(randomOf(event.dice));
      case 'sync_time':
        recovery.disk.syncMs = event.ms;
    }
  }

  /** Lets everything settle that can, and deals with processes that have ended or are of no use any more. */
  async #settle(): Promise<void> {
    const {recovery, run} = this;
    await quiet();
    if (run.trouble !== null) throw run.trouble;
    await this.#replaceEnded();
    recovery.checkRunning();
    this.#haltedFor = this.process.engine.state === 'halted' ? this.#haltedFor + 1 : 0;
    if (this.#haltedFor < HALTED_EVENTS) return;
    this.#haltedFor = 0;
    this.process.io.end({point: null, skip: 0, how: 'kill', dice: run.counts.events});
    await this.#replaceEnded();
  }

  /** A new process for one that has ended; where asking again ends that one too, another. */
  async #replaceEnded(): Promise<void> {
    for (let by = this.process.io.endedBy; by !== null; by = this.process.io.endedBy) {
      this.recovery.crash(by);
      this.#askAgain();
      await quiet();
    }
  }

  #submit({client, op, command, slot, dice}: Of<'submit'>): void {
    const random = randomOf(dice);
    const from = this.clients.get(client);
    const payload = this.#payload(from, op, command, random);
    this.#sendCommands(from, [payload], this.run.draw.slot(slot, random, false), false);
  }

  #batch({client, op, commands, slot, dice}: Of<'batch'>): void {
    const random = randomOf(dice);
    const from = this.clients.get(client);
    const payloads = commands.map((command, index) => this.#payload(from, op + index, command, random));
    this.#sendCommands(from, payloads, this.run.draw.slot(slot, random, false), true);
  }

  #retry({client, how, slot, dice}: Of<'retry'>): void {
    const random = randomOf(dice);
    const from = this.clients.get(client);
    const payload = random.pickFrom(from.history);
    if (payload === null) return;
    const {operationId, clientId, command} = decodeClientRequest(payload);
    let again = payload;
    if (how === 'other_client') again = encodeClientRequest(operationId, random.u128(), command);
    if (how === 'conflict') {
      again = encodeClientRequest(operationId, clientId, this.run.draw.nearlySame(command, random));
    }
    this.#sendCommands(from, [again], this.run.draw.slot(slot, random, false), false);
  }

  #malformed({client, what, dice}: Of<'malformed'>): void {
    const random = randomOf(dice);
    const {draw, schedule} = this.run;
    const from = this.clients.get(client);
    const ids = {op: draw.operationId(dice), by: BigInt(from.index)};
    const payload = encodeClientRequest(ids.op, ids.by, draw.command('reserve', random));
    const requestSlot = draw.clock;
    if (what === 'payload') {
      const bundle = encodeClientRequest(ids.op, ids.by, draw.command('reserve_bundle', random));
      const spoilt = malformPayload(random, payload, bundle, schedule.config.maxCommandBytes);
      this.#sendCommands(from, [spoilt], requestSlot, false);
      return;
    }
    const frame = malformFrame(random, [
      encodeApiRequest({kind: 'submit', requestSlot, payload}),
      encodeApiRequest({kind: 'get_resource', requiredLsn: draw.fence(random), resourceId: draw.resourceId(random)}),
      encodeApiRequest({kind: 'get_metrics', currentSlot: requestSlot}),
    ]);
    this.#send(from, frame, []);
  }

  #read({client, of, slot, dice}: Of<'read'>): void {
    const random = randomOf(dice);
    const {draw} = this.run;
    const from = this.clients.get(client);
    const requiredLsn = draw.fence(random);
    const currentSlot = draw.slot(slot, random, true);
    if (of === 'metrics') this.#send(from, encodeApiRequest({kind: 'get_metrics', currentSlot}), []);
    else if (of === 'resources') {
      const rows = this.run.oracle.state.resources.size;
      this.#send(from, encodeApiRequest(drawResourceScan(random, requiredLsn, rows)), []);
    } else if (of === 'reservations') {
      const scan = drawReservationScan(random, requiredLsn, currentSlot, draw.holderIds);
      this.#send(from, encodeApiRequest(scan), []);
    } else if (of === 'resource') {
      this.#send(from, encodeApiRequest({kind: 'get_resource', requiredLsn, resourceId: draw.resourceId(random)}), []);
    } else {
      const kind = of === 'lease' ? 'get_lease' : 'get_reservation';
      const reservationId = draw.reservationId(random);
      this.#send(from, encodeApiRequest({kind, requiredLsn, currentSlot, reservationId}), []);
    }
  }

  #tick({client, slot, dice}: Of<'tick'>): void {
    const random = randomOf(dice);
    const {draw} = this.run;
    const at = (): bigint => {
      if (slot === 'due') return draw.dueSlot(random);
      return slot === 'beyond' ? draw.beyondSlot() : draw.slot(slot, random, false);
    };
    this.#send(this.clients.get(client), encodeApiRequest({kind: 'tick_expirations', currentSlot: at()}), []);
  }

  #payload(from: Client, op: number, command: Command['kind'], random: Random): Uint8Array {
    const {draw} = this.run;
    const payload = encodeClientRequest(draw.operationId(op), BigInt(from.index), draw.command(command, random));
    this.clients.remember(from, payload);
    return payload;
  }

  #sendCommands(from: Client, payloads: readonly Uint8Array[], requestSlot: bigint, isBatch: boolean): void {
    const [payload] = payloads;
    const frame =
      isBatch || payload === undefined
        ? encodeApiRequest({kind: 'submit_batch', requestSlot, payloads: [...payloads]})
        : encodeApiRequest({kind: 'submit', requestSlot, payload});
    this.#send(from, frame, payloads);
  }

  /** Sends, unless the process ends just before it takes the request, or just after it has applied it. */
  #send(from: Client, frame: Uint8Array, payloads: readonly Uint8Array[]): void {
    const {io, engine, stated} = this.process;
    const {oracle} = this.run;
    if (io.isDead) {
      this.clients.lose(from, payloads);
      return;
    }
    // Which kind of record the request would append matters only where a crash is armed and somebody takes requests.
    const isAsked = this.armed.crash !== null && engine.state === 'running';
    const kind = isAsked ? oracle.wouldLog(frame, stated) : null;
    if (kind !== null && this.#strikes(kind, 'before')) {
      this.clients.lose(from, payloads);
      return;
    }
    const before = oracle.lastLsn;
    this.clients.send(from, frame);
    if (oracle.lastLsn === before) return;
    if (oracle.record(oracle.lastLsn)?.payload === null) this.recovery.checkTick(before + 1n, oracle.lastLsn);
    if (kind !== null) this.#strikes(kind, 'after');
  }

  #strikes(logs: 'client' | 'internal', moment: 'before' | 'after'): boolean {
    const {crash} = this.armed;
    if (crash === null || crash.point === null) return false;
    const point = CRASH_POINTS[crash.point];
    if (point.at !== 'request' || point.of !== logs || point.moment !== moment) return false;
    if (crash.skip-- > 0) return false;
    this.armed.crash = null;
    this.process.io.end(crash);
    return true;
  }

  /** Everybody sends again what went unanswered before the last opening, as much of it as may wait. */
  #askAgain(): void {
    const {clients, run} = this;
    let left = run.schedule.config.maxSubmissionQueue;
    for (const client of clients.all) {
      for (const {payload, recoveredLsn} of [...client.unknown.values()]) {
        if (this.process.io.isDead || this.process.engine.state !== 'running') return;
        if (recoveredLsn === null) continue;
        if (left-- === 0) return;
        this.#sendCommands(client, [payload], run.draw.clock, false);
      }
    }
  }
}

function randomOf(dice: number): Random {
  return new Random(BigInt(dice));
}

function finalKill(random: Random): ArmedCrash {
  return {point: null, skip: 0, how: 'kill', dice: random.u32()};
}
