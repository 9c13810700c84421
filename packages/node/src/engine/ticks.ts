/**
 * tick_expirations: logs and applies an expire for every hold that is due, at most `maxExpirationsPerTick`, all at one
 * slot and in one frame. A tick is applied as a whole, rejected with nothing committed, or indefinite; a tick with
 * nothing due logs nothing and moves no time.
 *
 * Checks in order: engine_halted, lsn_exhausted, slot_overflow, the log.
 */
import {
  putRejectedEngineHalted,
  putRejectedLsnExhausted,
  putRejectedOverloaded,
  putRejectedSlotOverflow,
  putRejectedStorageFull,
  putTickApplied,
  RESPONSE,
} from '@allocdb/api';
import {
  type AllocDb,
  DECODE,
  EXPIRE_BYTES,
  historyOverflows,
  Outcome,
  RESERVATION,
  SlotOverflow,
  writeExpire,
} from '@allocdb/core';
import {STATUS} from '@allocdb/wal';
import type {AnswerBuffer} from './answer_buffer.ts';
import {RECORD_TYPE} from './command_log.ts';
import type {Stepper} from './stepper.ts';

const {TICK_REJECTED} = RESPONSE;
const {NONE} = DECODE;
const {WORDS, LSN, DEADLINE} = RESERVATION;
const {STORAGE_FULL, OK} = STATUS;
const {INTERNAL_COMMAND} = RECORD_TYPE;

export class ExpirationTicks {
  private readonly stepper: Stepper;
  private readonly due: Int32Array;
  private readonly ids: Int32Array = new Int32Array(4);
  private readonly lsn: Int32Array = new Int32Array(2);
  private readonly current: Int32Array = new Int32Array(2);
  private readonly slot: Int32Array = new Int32Array(2);
  private readonly outcome: Outcome = new Outcome();
  private readonly overflow: SlotOverflow = new SlotOverflow();
  /** The expire records of the tick at hand, one behind the other. */
  private readonly payloads: Uint8Array;
  private readonly view: DataView;

  constructor(stepper: Stepper) {
    const most = Math.min(stepper.limits.maxExpirationsPerTick, stepper.db.config.maxReservations);
    this.stepper = stepper;
    this.due = new Int32Array(most);
    this.payloads = new Uint8Array(most * EXPIRE_BYTES);
    this.view = new DataView(this.payloads.buffer);
  }

  /** Runs the tick, writes its answer at `at` and returns where it ends. */
  tick(slotLo: number, slotHi: number, answers: AnswerBuffer, at: number): number {
    const {stepper, current, slot, overflow} = this;
    const {db} = stepper;
    const out = answers.view;
    const tag = TICK_REJECTED;
    if (stepper.halted) return putRejectedEngineHalted(out, at, tag);
    if (!stepper.nextLsn(this.lsn)) return putRejectedLsnExhausted(out, at, tag, db.lastLsnLo, db.lastLsnHi);
    stepper.statedSlot(slotLo, slotHi, current);
    const count = db.wheel.collectDue(current[0] ?? 0, current[1] ?? 0, this.due);
    if (count === 0) return putTickApplied(out, at, 0, false, 0, 0);
    if (lsnsLeft(db) < count) return putRejectedLsnExhausted(out, at, tag, db.lastLsnLo, db.lastLsnHi);
    stepper.effectiveSlot(slotLo, slotHi, slot);
    if (historyOverflows(db, slot[0] ?? 0, slot[1] ?? 0, overflow)) {
      const {kind, deltaLo, deltaHi} = overflow;
      return putRejectedSlotOverflow(out, at, tag, kind, slot[0] ?? 0, slot[1] ?? 0, deltaLo, deltaHi);
    }
    const status = stepper.appender.room(count, count * EXPIRE_BYTES);
    if (stepper.halted) return putRejectedEngineHalted(out, at, tag);
    if (status === STORAGE_FULL) return putRejectedStorageFull(out, at, tag);
    if (status !== OK) {
      return putRejectedOverloaded(out, at, tag, stepper.queueDepth, stepper.limits.maxSubmissionQueue);
    }
    this.writePayloads(count);
    for (let i = 0; i < count; i++) this.expire(i);
    stepper.counters.expired(count);
    return putTickApplied(out, at, count, true, db.lastLsnLo, db.lastLsnHi);
  }

  /** Encodes every record before the first is applied: applying frees what the next one's fields are read from. */
  private writePayloads(count: number): void {
    const {db} = this.stepper;
    const {words} = db.reservations;
    for (let i = 0; i < count; i++) {
      const record = (this.due[i] ?? 0) * WORDS;
      this.ids[0] = words[record + LSN] ?? 0;
      this.ids[1] = words[record + LSN + 1] ?? 0;
      this.ids[2] = db.shard.lo;
      this.ids[3] = db.shard.hi;
      const deadline = record + DEADLINE;
      writeExpire(this.view, i * EXPIRE_BYTES, this.ids, 0, words[deadline] ?? 0, words[deadline + 1] ?? 0);
    }
  }

  private expire(i: number): void {
    const {stepper, slot, lsn} = this;
    const {db} = stepper;
    const offset = i * EXPIRE_BYTES;
    const logged = stepper.appender.append(INTERNAL_COMMAND, slot, this.payloads, offset, EXPIRE_BYTES);
    if (logged !== OK) throw new Error('assertion failed: room for the whole tick was promised');
    const decoded = db.decodeInternal(this.view, offset, EXPIRE_BYTES);
    if (decoded !== NONE) throw new Error('assertion failed: an expire record decodes');
    stepper.nextLsn(lsn);
    db.applyInternal(lsn[0] ?? 0, lsn[1] ?? 0, slot[0] ?? 0, slot[1] ?? 0, this.outcome);
    stepper.log.annotate(this.outcome.code);
  }
}

/** How many lsns are left, as a double: exact where it is small. */
function lsnsLeft(db: AllocDb): number {
  return (0xffff_ffff - (db.lastLsnHi >>> 0)) * 0x1_0000_0000 + (0xffff_ffff - (db.lastLsnLo >>> 0));
}
