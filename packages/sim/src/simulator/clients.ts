// The clients of a run: what they send, what they get back, and what they have to ask again.
//
// Each has one answer buffer, as a connection has. An answer is judged twice: when the engine has decided it, against the
// model, and when it leaves, byte for byte against what was decided and against what the disk holds by then. Requests
// that a process took with it are unknown until the same operation, sent again, is answered.
import {AnswerBuffer, CODEC} from '@allocdb/node';
import {CodecError} from '../model/bytes.ts';
import {operationWindow} from '../model/config.ts';
import {afterHalt, type HaltPoint} from './after_halt.ts';
import {answerCode} from './answer_codes.ts';
import type {Circumstances, Decision, Part} from './decision.ts';
import {keyOf, requestOf} from './oracle.ts';
import {type SimProcess, u64} from './process.ts';
import {hex, sameBytes} from './refusals.ts';
import type {RunState} from './run_state.ts';
import {Violation, violationOf} from './violation.ts';

const LENGTH_BYTES = 4;
const BATCH_HEADER_BYTES = 3;
const REMEMBERED = 64;
/** Of so many requests one is looked at before. */
const LOOK_EVERY = 3;

interface Waiting {
  readonly request: number;
  readonly decided: Uint8Array;
  readonly decision: Decision;
}

/** A command that may have been applied, or not. */
interface Unknown {
  readonly payload: Uint8Array;
  /** Its lsn in the log that was recovered; null where it is not in there, or nothing was recovered since. */
  appliedLsn: bigint | null;
  recoveredLsn: bigint | null;
}

export class Client {
  readonly index: number;
  answers: AnswerBuffer = new AnswerBuffer();
  waiting: Waiting[] = [];
  /** Payloads of its operations, newest last. */
  readonly history: Uint8Array[] = [];
  readonly unknown: Map<string, Unknown> = new Map();

  constructor(index: number) {
    this.index = index;
  }
}

export class Clients {
  readonly all: readonly Client[];
  readonly #run: RunState;
  #process: SimProcess | null = null;
  #requests = 0;

  constructor(run: RunState) {
    this.#run = run;
    this.all = Array.from({length: run.schedule.settings.clients}, (_, index) => new Client(index));
  }

  get(index: number): Client {
    return this.all[index % this.all.length] as Client;
  }

  get isWaiting(): boolean {
    return this.all.some(client => client.waiting.length > 0);
  }

  get unknowns(): number {
    return this.all.reduce((sum, client) => sum + client.unknown.size, 0);
  }

  /** A new process takes requests from here on. */
  connect(process: SimProcess): void {
    this.#process = process;
    for (const client of this.all) {
      client.answers = new AnswerBuffer(() => {
        try {
          this.#deliver(process, client);
        } catch (error) {
          this.#run.trouble ??= violationOf(error);
        }
      });
      for (const unknown of client.unknown.values()) {
        unknown.recoveredLsn = process.recoveredLsn;
        unknown.appliedLsn = this.#loggedAt(unknown.payload);
      }
    }
  }

  /** The process has ended: whoever waits will never hear. */
  disconnect(): void {
    this.#process = null;
    for (const client of this.all) {
      for (const {decision} of client.waiting) for (const part of decision.parts) this.#unknown(client, part);
      client.waiting = [];
    }
  }

  /** A request that a process took with it before anything was decided. */
  lose(client: Client, payloads: readonly Uint8Array[]): void {
    for (const payload of payloads) {
      this.#unknown(client, {payload, fate: 'committed', answer: null, length: 0, slot: 0n, lsn: 0n});
    }
  }

  remember(client: Client, payload: Uint8Array): void {
    client.history.push(payload);
    if (client.history.length > REMEMBERED) client.history.shift();
  }

  /** Hands the engine one request and judges what it decides. */
  send(client: Client, frame: Uint8Array): void {
    const process = this.#process;
    if (process === null) throw new Error('nobody takes requests');
    const {engine, io} = process;
    const {oracle, transcript, counts} = this.#run;
    const {answers} = client;
    const before = this.#circumstances(process);
    const failedBefore = io.failed.length;
    const end = answers.end;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    if (counts.requests % LOOK_EVERY === 0) this.#lookAhead(process, frame);
    const error = engine.submitBytes(view, frame, 0, frame.length, answers);
    counts.requests++;
    const request = requestOf(frame);
    if (request === null) {
      if (error === CODEC.NONE || answers.end !== end)
        throw new Violation('answer', `took ${hex(frame)} for a request`);
      return;
    }
    if (error !== CODEC.NONE) throw new Violation('answer', `codec error ${error} for ${hex(frame)}`);
    const decided = lastAnswer(answers);
    const spaceRefused = io.failed.slice(failedBefore).some(({code}) => code === 'ENOSPC');
    const haltedAfter = engine.state === 'halted';
    const sent = hex(frame);
    transcript.mix(sent);
    transcript.note(`  c${client.index} > ${hex(decided)}`, () => `to ${sent}`);
    const decision = oracle.judge(request, decided, {...before, spaceRefused, haltedAfter, knownLsnAfter: io.knownLsn});
    client.waiting.push({request: this.#requests++, decided, decision});
    for (const {answer} of decision.parts) {
      if (answer !== null && answer.reservationId !== null) this.#run.draw.noteGranted(answer.reservationId);
    }
    const last = u64(engine.db.lastLsnLo, engine.db.lastLsnHi);
    if (!haltedAfter && last !== oracle.lastLsn) {
      throw new Violation('answer', `the engine is at lsn ${last}, the model at ${oracle.lastLsn}`);
    }
  }

  /** Has the engine look at what is to come: nothing may follow from it. */
  #lookAhead({engine}: SimProcess, frame: Uint8Array): void {
    const prefixed = new Uint8Array(LENGTH_BYTES + frame.length);
    const view = new DataView(prefixed.buffer);
    view.setUint32(0, frame.length, true);
    prefixed.set(frame, LENGTH_BYTES);
    const seen = engine.lookAhead(view, 0, prefixed.length);
    if (seen > 1) throw new Violation('answer', `${seen} frames were seen in one`);
    this.#run.counts.lookedAhead++;
  }

  #circumstances({engine, io, stated}: SimProcess): Circumstances {
    const {oracle} = this.#run;
    const haltedBefore = engine.state === 'halted';
    return {
      depth: haltedBefore ? 0 : oracle.commandsBehind(io.knownLsn),
      writingLsn: !haltedBefore && io.isWriting ? io.watch.begunLsn : null,
      haltedBefore,
      haltedAfter: haltedBefore,
      spaceRefused: false,
      activeSnapshotLsn: io.publishedLsn,
      knownLsn: io.knownLsn,
      knownLsnAfter: io.knownLsn,
      stated,
    };
  }

  #deliver(process: SimProcess, client: Client): void {
    // A process that has ended sends nothing, whatever its memory still does.
    if (process.io.isDead || process !== this.#process) return;
    const released = client.answers.take();
    if (released === null) return;
    const {harness} = this.#run;
    const taken = harness.onTaken?.(released) ?? released;
    const view = new DataView(taken.buffer, taken.byteOffset, taken.byteLength);
    for (let at = 0; at < taken.length; ) {
      const length = view.getUint32(at, true);
      const start = at + LENGTH_BYTES;
      this.#take(process, client, taken.subarray(start, start + length));
      at = start + length;
    }
  }

  #take(process: SimProcess, client: Client, answer: Uint8Array): void {
    const {transcript} = this.#run;
    const waiting = client.waiting.shift();
    if (waiting === undefined) throw new Violation('answer', `an answer that nobody waits for: ${hex(answer)}`);
    const {decided, decision, request} = waiting;
    const {durableLsn} = process.io.watch;
    transcript.note(`  c${client.index} < ${sameBytes(answer, decided) ? `#${request}` : hex(answer)}`);
    this.#count(answer, sameBytes(answer, decided) ? decision.parts : []);
    const isHalted = process.engine.haltCause !== null;
    if (sameBytes(answer, decided)) {
      for (const part of decision.parts) this.#settle(client, part);
      if (!isHalted || !decision.isRefusal) this.#shown(decision.needs, durableLsn);
      return;
    }
    const {knownLsn, watch} = process.io;
    const at: HaltPoint = {knownLsn, begunLsn: watch.begunLsn, isBeginning: watch.isBeginning};
    const kept = isHalted ? afterHalt(this.#run.oracle, at, {decided, decision, answer}) : null;
    if (kept === null) throw new Violation('answer', `#${request} was decided as ${hex(decided)}, told ${hex(answer)}`);
    for (const [index, part] of decision.parts.entries()) {
      if (!kept.includes(index)) this.#unknown(client, part);
      else {
        this.#settle(client, part);
        this.#shown(part.answer?.appliedLsn ?? null, durableLsn);
      }
    }
  }

  /** Counts an answer, and the members of a batch by the lengths that they were decided with. */
  #count(answer: Uint8Array, parts: readonly Part[]): void {
    const {counts} = this.#run;
    counts.answers++;
    const code = answerCode(answer);
    counts.codes[code] = (counts.codes[code] ?? 0) + 1;
    if (code !== 'batch') return;
    let at = BATCH_HEADER_BYTES;
    for (const {length} of parts) {
      const member = answerCode(answer, at);
      counts.codes[member] = (counts.codes[member] ?? 0) + 1;
      at += length;
    }
  }

  #shown(needs: bigint | null, durableLsn: bigint): void {
    if (needs === null) return;
    if (needs > durableLsn) throw new Violation('shown_early', `lsn ${needs} was shown, durable is ${durableLsn}`);
    if (needs > this.#run.acknowledgedLsn) this.#run.acknowledgedLsn = needs;
  }

  #settle(client: Client, part: Part): void {
    const {payload, fate, answer, slot} = part;
    const {ledger, oracle, counts} = this.#run;
    if (fate === 'unknown') this.#unknown(client, part);
    if (fate !== 'committed') counts.refusals++;
    if (fate === 'postponed' || fate === 'unknown') return;
    if (answer !== null) ledger.answered(payload, answer, oracle.record(answer.appliedLsn)?.slot ?? slot);
    if (client.unknown.size > 0) this.#resolve(client, part);
  }

  /** What nobody knew is known now: from the log that was recovered, or because it is not in there. */
  #resolve(client: Client, {payload, answer, slot}: Part): void {
    const {counts} = this.#run;
    const key = keyOrNull(payload);
    const unknown = key === null ? undefined : client.unknown.get(key);
    if (key === null || unknown === undefined || unknown.recoveredLsn === null) return;
    client.unknown.delete(key);
    counts.resolved++;
    const {appliedLsn, recoveredLsn} = unknown;
    if (answer === null || answer.result === 'operation_conflict') {
      // What the log holds is remembered, and neither refused nor in conflict, until its window is over.
      if (appliedLsn !== null && this.#isRemembered(appliedLsn, slot)) {
        throw new Violation('unresolved', `the command at lsn ${appliedLsn} was refused when it was sent again`);
      }
      return;
    }
    if (appliedLsn === null) {
      if (answer.appliedLsn > recoveredLsn) return;
      throw new Violation('unresolved', `lsn ${answer.appliedLsn} answers a command that is not in the log`);
    }
    counts.resolvedFromLog++;
    if (this.#isRemembered(appliedLsn, slot) && answer.appliedLsn !== appliedLsn) {
      throw new Violation('unresolved', `the command at lsn ${appliedLsn} was answered from ${answer.appliedLsn}`);
    }
  }

  #isRemembered(lsn: bigint, slot: bigint): boolean {
    const record = this.#run.oracle.record(lsn);
    return record !== null && slot <= record.slot + operationWindow(this.#run.schedule.config);
  }

  #unknown(client: Client, {payload, fate}: Part): void {
    const key = keyOrNull(payload);
    // What was refused, or is no command, leaves nothing to find out.
    if (fate === 'refused' || fate === 'postponed' || key === null) return;
    this.#run.ledger.unanswered(payload);
    if (!client.unknown.has(key)) client.unknown.set(key, {payload, appliedLsn: null, recoveredLsn: null});
  }

  #loggedAt(payload: Uint8Array): bigint | null {
    const key = keyOf(payload);
    const {records} = this.#run.oracle;
    for (let i = records.length - 1; i >= 0; i--) {
      const record = records[i];
      if (record?.isStored === true && record.key === key) return record.lsn;
    }
    return null;
  }
}

function keyOrNull(payload: Uint8Array): string | null {
  try {
    return keyOf(payload);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

/** The answer that was written last, released or not. */
function lastAnswer({view, bytes, end}: AnswerBuffer): Uint8Array {
  let at = 0;
  let start = 0;
  while (at < end) {
    start = at + LENGTH_BYTES;
    at = start + view.getUint32(at, true);
  }
  return bytes.slice(start, at);
}
