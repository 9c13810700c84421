/**
 * The engine without time, files or promises: takes request frames, decides, applies, writes answers, and keeps them back
 * until it is told that their frame is durable. Everything an engine must get right is decided here, in one order:
 *
 * submit: command_too_large, invalid_request, engine_halted, retry cache, lsn_exhausted, slot_overflow, overloaded, log.
 *
 * A command is applied before it is durable; its answer, and every read that saw it, waits. If the frame fails, the
 * engine halts, the waiting answers are rewritten (halted_answers.ts) and memory is never shown again. The driver decides
 * when the open frame is frozen and written; the simulator can be that driver.
 *
 * Beside it: ticks.ts (expirations), reads.ts (lookups and metrics). Not here: sockets, fsync, checkpoints.
 */
import {
  CODEC,
  FAILURE,
  putBatchResult,
  putRejectedCommandTooLarge,
  putRejectedEngineHalted,
  putRejectedInvalidRequest,
  putRejectedLsnExhausted,
  putRejectedOverloaded,
  putRejectedSlotOverflow,
  putRejectedStorageFull,
  putSubmitCommitted,
  REQUEST,
  REQUEST_LANES,
  RESPONSE,
  RequestRegisters,
  readRequest,
  SIZE,
} from '@allocdb/api';
import {type AllocDb, DECODE, Outcome, overflowOf, SlotOverflow} from '@allocdb/core';
import {STATUS, type Status} from '@allocdb/wal';
import type {EngineLimits} from '../config.ts';
import {AnswerBuffer, LENGTH_BYTES} from './answer_buffer.ts';
import {type CommandLog, RECORD_TYPE} from './command_log.ts';
import {EngineCounters} from './counters.ts';
import {membersAhead} from './frames_ahead.ts';
import {type PutHaltedMetrics, rewriteHalted, rewriteMembers} from './halted_answers.ts';
import {LogAppender, type LogHost} from './log_appender.ts';
import {ReadSide, type RecoveryFacts} from './reads.ts';
import type {SlotSource} from './slot_source.ts';
import {ExpirationTicks} from './ticks.ts';

const {NONE: CODEC_NONE} = CODEC;
const {STORAGE_FAILURE, ENGINE_HALTED, INVALID_REQUEST, SLOT_OVERFLOW, COMMAND_TOO_LARGE} = FAILURE;
const {LSN_EXHAUSTED, OVERLOADED, STORAGE_FULL: DISK_FULL} = FAILURE;
const {SUBMIT, SUBMIT_BATCH, TICK_EXPIRATIONS} = REQUEST;
const {SLOT} = REQUEST_LANES;
const {SUBMIT_REJECTED} = RESPONSE;
const {FIXED_RESPONSE_MAX, BATCH_RESULT_HEADER, SUBMIT_COMMITTED_MAX} = SIZE;
const {NONE: DECODE_NONE} = DECODE;
const {OK, STORAGE_FULL} = STATUS;
const {CLIENT_COMMAND} = RECORD_TYPE;

export class Stepper {
  readonly db: AllocDb;
  readonly log: CommandLog;
  readonly limits: EngineLimits;
  readonly counters: EngineCounters = new EngineCounters();
  readonly reads: ReadSide;
  readonly appender: LogAppender;
  /** Commands that were sequenced and not answered yet. */
  queueDepth: number = 0;
  halted: boolean = false;
  private readonly ticks: ExpirationTicks;
  private readonly slots: SlotSource;
  private readonly request: RequestRegisters = new RequestRegisters();
  private readonly outcome: Outcome = new Outcome();
  private readonly overflow: SlotOverflow = new SlotOverflow();
  /** Effective slot of the request at hand, two lanes. */
  private readonly slot: Int32Array = new Int32Array(2);
  private frameInFlight: boolean = false;
  private openCommands: number = 0;
  private flightCommands: number = 0;
  private open: AnswerBuffer[] = [];
  private flight: AnswerBuffer[] = [];
  private ready: AnswerBuffer[] = [];
  /** How many frames have become durable; tells a batch which of its members already are. */
  private durableFrames: number = 0;

  constructor(
    db: AllocDb,
    log: CommandLog,
    limits: EngineLimits,
    slots: SlotSource,
    recovery: RecoveryFacts,
    host: LogHost,
  ) {
    this.db = db;
    this.log = log;
    this.limits = limits;
    this.slots = slots;
    this.appender = new LogAppender(log, host);
    this.reads = new ReadSide(this, recovery);
    this.ticks = new ExpirationTicks(this);
  }

  /** True while an answer waits for a frame, open or in flight. */
  get isBusy(): boolean {
    return !this.halted && (this.frameInFlight || this.log.openRecords > 0);
  }

  /** True while a frame is being written. */
  get isFlying(): boolean {
    return this.frameInFlight;
  }

  /**
   * Takes one request frame in `view[offset..offset+length)`, over the same memory as `bytes`. Answers NONE when a
   * response was written (behind its length) to `answers`, else the codec error of the caller: then nothing was done.
   * With `bounded` false the queue's capacity is not applied.
   */
  handle(
    view: DataView,
    bytes: Uint8Array,
    offset: number,
    length: number,
    answers: AnswerBuffer,
    bounded: boolean,
  ): number {
    const {request} = this;
    const error = readRequest(view, offset, length, request);
    if (error !== CODEC_NONE) return error;
    const prefix = answers.end;
    const at = prefix + LENGTH_BYTES;
    answers.ensure(prefix, LENGTH_BYTES + FIXED_RESPONSE_MAX);
    let end: number;
    switch (request.tag) {
      case SUBMIT: {
        this.slots.effective(request.words[SLOT] ?? 0, request.words[SLOT + 1] ?? 0, this.slot);
        const full = bounded && this.queueDepth >= this.limits.maxSubmissionQueue;
        end = this.submit(view, bytes, request.payloadOffset, request.payloadLength, answers, at, full);
        break;
      }
      case SUBMIT_BATCH:
        end = this.submitBatch(view, bytes, answers, at, bounded);
        break;
      case TICK_EXPIRATIONS:
        end = this.ticks.tick(request.words[SLOT] ?? 0, request.words[SLOT + 1] ?? 0, answers, at);
        break;
      default:
        end = this.reads.answer(request, answers, at);
    }
    this.complete(answers, prefix, end);
    return CODEC_NONE;
  }

  /** Puts the length before a response that was written behind `prefix`, and files it. */
  private complete(answers: AnswerBuffer, prefix: number, end: number): void {
    const length = end - prefix - LENGTH_BYTES;
    // A halt while the response was being written has shortened what stands before it.
    if (answers.end < prefix) answers.bytes.copyWithin(answers.end + LENGTH_BYTES, prefix + LENGTH_BYTES, end);
    answers.view.setUint32(answers.end, length, true);
    answers.end += LENGTH_BYTES + length;
    this.file(answers);
  }

  /** The open frame was taken by the driver to be written; what is answered from now on waits for the next one. */
  frameFrozen(): void {
    this.frameInFlight = true;
    this.flightCommands = this.openCommands;
    this.openCommands = 0;
    this.reads.capture();
    [this.flight, this.open] = [this.open, this.flight];
    for (const answers of this.flight) {
      answers.inOpen = false;
      answers.inFlight = true;
      answers.flightEnd = answers.end;
    }
  }

  /** The frozen frame is durable: its answers are released. */
  frameDurable(): void {
    this.frameInFlight = false;
    this.durableFrames++;
    this.queueDepth -= this.flightCommands;
    this.flightCommands = 0;
    this.reads.latch();
    for (const answers of this.flight) {
      answers.inFlight = false;
      answers.releasedEnd = answers.flightEnd;
      this.markReady(answers);
    }
    this.flight.length = 0;
  }

  /** Writing failed: no later frame will be written, and nothing that waits can be answered as it was decided. */
  frameFailed(): void {
    this.halted = true;
    this.frameInFlight = false;
    this.queueDepth = 0;
    this.openCommands = 0;
    this.flightCommands = 0;
    for (const answers of new Set([...this.flight, ...this.open])) this.rewrite(answers);
    this.flight.length = 0;
    this.open.length = 0;
  }

  /** Calls `onReady` of every buffer that has something to take. */
  deliver(): void {
    const {ready} = this;
    if (ready.length === 0) return;
    this.ready = [];
    for (const answers of ready) {
      answers.isReady = false;
      answers.onReady();
    }
  }

  /** The slot of a reader or tick; see SlotSource. */
  statedSlot(slotLo: number, slotHi: number, out: Int32Array): void {
    this.slots.stated(slotLo, slotHi, out);
  }

  /** The slot of a request as it is applied; see SlotSource. */
  effectiveSlot(slotLo: number, slotHi: number, out: Int32Array): void {
    this.slots.effective(slotLo, slotHi, out);
  }

  /** The lsn after the last applied one as lanes in `out`; false when none is left. */
  nextLsn(out: Int32Array): boolean {
    const {lastLsnLo, lastLsnHi} = this.db;
    out[0] = (lastLsnLo + 1) | 0;
    out[1] = out[0] === 0 ? (lastLsnHi + 1) | 0 : lastLsnHi;
    return lastLsnLo !== -1 || lastLsnHi !== -1;
  }

  private readonly lsn: Int32Array = new Int32Array(2);

  /** One command, at the effective slot in `this.slot`; writes its answer at `at` and returns where it ends. */
  private submit(
    view: DataView,
    bytes: Uint8Array,
    offset: number,
    length: number,
    answers: AnswerBuffer,
    at: number,
    queueFull: boolean,
  ): number {
    const {db, limits, counters, outcome, slot, lsn} = this;
    const out = answers.view;
    const tag = SUBMIT_REJECTED;
    if (length > limits.maxCommandBytes) {
      counters.refused(COMMAND_TOO_LARGE);
      return putRejectedCommandTooLarge(out, at, tag, length | 0, 0, limits.maxCommandBytes | 0, 0);
    }
    const status = db.decodeClient(view, offset, length);
    if (status !== DECODE_NONE) {
      counters.refused(INVALID_REQUEST);
      return putRejectedInvalidRequest(out, at, tag, status, db.command.tag);
    }
    if (this.halted) {
      counters.refused(ENGINE_HALTED);
      return putRejectedEngineHalted(out, at, tag);
    }
    const slotLo = slot[0] ?? 0;
    const slotHi = slot[1] ?? 0;
    if (!db.findRetry(slotLo, slotHi, outcome)) {
      if (!this.nextLsn(lsn)) {
        counters.refused(LSN_EXHAUSTED);
        return putRejectedLsnExhausted(out, at, tag, db.lastLsnLo, db.lastLsnHi);
      }
      if (overflowOf(db, slotLo, slotHi, this.overflow)) {
        const {kind, deltaLo, deltaHi} = this.overflow;
        counters.refused(SLOT_OVERFLOW);
        return putRejectedSlotOverflow(out, at, tag, kind, slotLo, slotHi, deltaLo, deltaHi);
      }
      if (queueFull) {
        counters.refused(OVERLOADED);
        return putRejectedOverloaded(out, at, tag, this.queueDepth, limits.maxSubmissionQueue);
      }
      const logged = this.appender.append(CLIENT_COMMAND, slot, bytes, offset, length);
      if (logged !== OK) return this.putNotLogged(answers, at, logged);
      db.applyFresh(lsn[0] ?? 0, lsn[1] ?? 0, slotLo, slotHi, outcome);
      this.log.annotate(outcome.code);
      this.openCommands++;
      this.queueDepth++;
      if (this.queueDepth > counters.queueHighWater) counters.queueHighWater = this.queueDepth;
      counters.command(db.command.tag, outcome.code);
    } else counters.retry();
    const {shard} = db;
    return putSubmitCommitted(
      out,
      at,
      outcome.appliedLsnLo,
      outcome.appliedLsnHi,
      outcome.code,
      outcome.granted,
      outcome.appliedLsnLo,
      outcome.appliedLsnHi,
      shard.lo,
      shard.hi,
      outcome.deadlineLo,
      outcome.deadlineHi,
      outcome.fromRetryCache,
    );
  }

  /** The answer to a command that the log did not take. */
  private putNotLogged(answers: AnswerBuffer, at: number, status: Status): number {
    const {counters} = this;
    const tag = SUBMIT_REJECTED;
    if (this.halted) {
      counters.refused(ENGINE_HALTED);
      return putRejectedEngineHalted(answers.view, at, tag);
    }
    if (status === STORAGE_FULL) {
      counters.refused(DISK_FULL);
      return putRejectedStorageFull(answers.view, at, tag);
    }
    // The frame in flight is still being written and the open one is full.
    counters.refused(OVERLOADED);
    return putRejectedOverloaded(answers.view, at, tag, this.queueDepth, this.limits.maxSubmissionQueue);
  }

  private submitBatch(view: DataView, bytes: Uint8Array, answers: AnswerBuffer, at: number, bounded: boolean): number {
    const {request, limits} = this;
    const count = request.batchCount;
    answers.ensure(at, BATCH_RESULT_HEADER + count * SUBMIT_COMMITTED_MAX + FIXED_RESPONSE_MAX);
    let end = putBatchResult(answers.view, at, count);
    const depth = this.queueDepth;
    const tooMany = depth > 0 && depth + count > limits.maxSubmissionQueue;
    // While a frame is being written a batch must fit into the open one, or it would be taken in part.
    const fits = !this.frameInFlight || this.appender.takesBatch(view, request.batchOffset, count) || this.halted;
    const refused = bounded && (tooMany || !fits);
    if (refused) this.counters.refused(OVERLOADED, count);
    // Members from here on are in frames that are not durable yet.
    let undurable = end;
    let frames = this.durableFrames;
    let member = request.batchOffset;
    this.slots.effective(request.words[SLOT] ?? 0, request.words[SLOT + 1] ?? 0, this.slot);
    let seen = 0;
    for (let i = 0; i < count; i++) {
      if (i === seen && !refused && !this.halted) seen += membersAhead(this.db.lookahead, view, member, count - i);
      const length = view.getUint32(member, true);
      const haltedBefore = this.halted;
      const memberAt = end;
      end = refused
        ? putRejectedOverloaded(answers.view, end, SUBMIT_REJECTED, depth, limits.maxSubmissionQueue)
        : this.submit(view, bytes, member + 4, length, answers, end, false);
      if (this.durableFrames !== frames) {
        frames = this.durableFrames;
        undurable = memberAt;
        answers.durableEnd = memberAt;
      } else if (this.halted && !haltedBefore) {
        // The frame that held the members before this one has just failed.
        const own = answers.bytes.slice(memberAt, end);
        end = rewriteMembers(answers.view, undurable, memberAt, STORAGE_FAILURE, answers.view, undurable);
        answers.bytes.set(own, end);
        end += own.length;
      }
      member += 4 + length;
    }
    return end;
  }

  /** Lists the buffer, whose last answer was just completed, under the frame for which that answer waits. */
  private file(answers: AnswerBuffer): void {
    if (this.log.openRecords > 0 && !this.halted) {
      if (answers.inOpen) return;
      answers.inOpen = true;
      this.open.push(answers);
    } else if (this.frameInFlight) {
      answers.flightEnd = answers.end;
      if (answers.inFlight) return;
      answers.inFlight = true;
      this.flight.push(answers);
    } else {
      answers.flightEnd = answers.end;
      answers.releasedEnd = answers.end;
      this.markReady(answers);
    }
  }

  private markReady(answers: AnswerBuffer): void {
    if (answers.isReady) return;
    answers.isReady = true;
    this.ready.push(answers);
  }

  private rewrite(answers: AnswerBuffer): void {
    const {bytes, releasedEnd, flightEnd, durableEnd, end} = answers;
    const rewritten = new AnswerBuffer();
    const putMetrics: PutHaltedMetrics = (view, at, response) => this.reads.putHaltedAgain(view, at, response);
    const inFlight = answers.inFlight ? flightEnd : releasedEnd;
    rewriteHalted(bytes, releasedEnd, inFlight, durableEnd, STORAGE_FAILURE, putMetrics, rewritten);
    rewriteHalted(bytes, inFlight, end, durableEnd, ENGINE_HALTED, putMetrics, rewritten);
    answers.replacePending(rewritten.bytes.subarray(0, rewritten.end));
    answers.inOpen = false;
    answers.inFlight = false;
    this.markReady(answers);
  }
}
