/**
 * The check replay with a log at hand: every record behind the base is applied through core, and every answer compared
 * with what core makes of it. Facts for the other checks are what core says, so that an answer that differs is found
 * here and nowhere else. Answers about what lies before the base are held against what the base remembers.
 *
 * Not here: whether what was acknowledged is in the log at all (`log_places.ts`).
 */
import {
  type AllocDb,
  bigintOfU64,
  type ClientRequest,
  DECODE,
  encodeClientRequest,
  hiOf,
  loOf,
  Outcome,
  overflowOf,
  RESULT_NAMES,
  type ResultName,
  SlotOverflow,
  U64_MAX,
} from '@allocdb/core';
import type {LogCursor} from '@allocdb/wal';
import type {Attempt} from './entry.ts';
import type {Fact} from './fact.ts';
import type {Findings} from './findings.ts';
import {type Committed, type History, isLasting, type Operation, sameCommand} from './history.ts';
import {HistoryError} from './history_error.ts';
import type {Expire} from './lifecycle.ts';
import {requestOf} from './log_places.ts';

type Said = Pick<Fact, 'result' | 'reservationId' | 'deadlineSlot'>;

export class LogJudge {
  /** The last lsn before the first one that is replayed. */
  readonly baseLsn: bigint;
  readonly #db: AllocDb;
  readonly #history: History;
  readonly #findings: Findings;
  readonly #outcome: Outcome = new Outcome();

  constructor(history: History, db: AllocDb, findings: Findings) {
    this.#history = history;
    this.#db = db;
    this.#findings = findings;
    this.baseLsn = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  }

  /** Holds answers about what lies before the base against what the state remembers of it. */
  checkRemembered(): void {
    const {lastSlotLo, lastSlotHi} = this.#db;
    for (const operation of this.#history.operations.values()) {
      if (operation.blamed) continue;
      for (const attempt of lastAnswers(operation, this.baseLsn)) {
        const {answer} = attempt;
        this.#decode(
          encodeClientRequest({operationId: operation.id, clientId: attempt.client, command: attempt.command}),
        );
        if (!this.#db.findRetry(lastSlotLo, lastSlotHi, this.#outcome)) continue;
        const lsn = bigintOfU64(this.#outcome.appliedLsnLo, this.#outcome.appliedLsnHi);
        // Behind its window it was executed anew, and nobody was told.
        if (lsn > answer.lsn && (operation.logged.includes(lsn) || !operation.isAnswered)) continue;
        const why = answer.lsn === lsn ? whyUntrue(answer, this.#said()) : `the state remembers it at lsn ${lsn}`;
        if (this.#findings.look('replay', why === null ? null : `operation ${operation.id}: ${why}`, [attempt.line]))
          continue;
        operation.blamed = true;
      }
    }
  }

  /** Takes the next record of the log; returns what happened there, or null where that is not known. */
  take(cursor: LogCursor): Fact | null {
    const {lsn, stamp} = cursor;
    if (lsn <= this.baseLsn) return null;
    this.#expectOrder(cursor);
    const request = requestOf(cursor);
    if (request === null) return this.#expire(cursor);
    const said = this.#apply(cursor);
    const operation = this.#history.operations.get(request.operationId);
    if (operation !== undefined && !operation.blamed) this.#compare(operation, request, lsn, said);
    if (this.#outcome.fromRetryCache) return null;
    const teller = operation?.attempts.find(({answer}) => answer.type === 'committed' && answer.lsn === lsn);
    return {lsn, slotAtMost: stamp, command: request.command, ...said, line: teller?.line ?? 0};
  }

  #compare(operation: Operation, request: ClientRequest, lsn: bigint, said: Said): void {
    const {id, lines} = operation;
    if (this.#outcome.fromRetryCache) {
      const before = bigintOfU64(this.#outcome.appliedLsnLo, this.#outcome.appliedLsnHi);
      const why = `operation ${id} is in the log at lsn ${before}, and again at lsn ${lsn} while it was remembered`;
      this.#findings.add('at_most_once', why, lines);
      operation.blamed = true;
      return;
    }
    for (const attempt of operation.attempts) {
      if (attempt.answer.type !== 'committed' || attempt.answer.lsn !== lsn) continue;
      const why = whyFalse(attempt, request, said);
      const message = why === null ? null : `operation ${id} at lsn ${lsn}: ${why}`;
      if (this.#findings.look('replay', message, [attempt.line])) continue;
      operation.blamed = true;
      return;
    }
  }

  #apply({lsn, stamp, bytes, offset, length}: LogCursor): Said {
    this.#decode(bytes.subarray(offset, offset + length));
    if (overflowOf(this.#db, loOf(stamp), hiOf(stamp), new SlotOverflow())) {
      throw new HistoryError(0, `the record at lsn ${lsn} of the log cannot have been logged at slot ${stamp}`);
    }
    this.#db.applyClient(loOf(lsn), hiOf(lsn), loOf(stamp), hiOf(stamp), this.#outcome);
    return this.#said();
  }

  #expire(cursor: LogCursor): Fact {
    const {lsn, stamp, view, offset, length} = cursor;
    if (this.#db.decodeInternal(view, offset, length) !== DECODE.NONE) {
      throw new HistoryError(0, `the record at lsn ${lsn} of the log is no command`);
    }
    this.#db.applyInternal(loOf(lsn), hiOf(lsn), loOf(stamp), hiOf(stamp), this.#outcome);
    const u64 = (at: number): bigint => view.getBigUint64(offset + at, true);
    const command: Expire = {kind: 'expire', reservationId: (u64(9) << 64n) | u64(1), deadlineSlot: u64(17)};
    return {lsn, slotAtMost: stamp, command, ...this.#said(), line: 0};
  }

  #expectOrder({lsn, stamp}: LogCursor): void {
    const {lastLsnLo, lastLsnHi, lastSlotLo, lastSlotHi} = this.#db;
    if (lsn === bigintOfU64(lastLsnLo, lastLsnHi) + 1n && stamp >= bigintOfU64(lastSlotLo, lastSlotHi)) return;
    throw new HistoryError(0, `the record at lsn ${lsn} of the log is out of order`);
  }

  #decode(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    if (this.#db.decodeClient(view, 0, payload.length) !== DECODE.NONE)
      throw new Error('assertion failed: a command decodes');
  }

  #said(): Said {
    const {code, granted, appliedLsnLo, appliedLsnHi, deadlineLo, deadlineHi} = this.#outcome;
    const {shard} = this.#db;
    const lsn = bigintOfU64(appliedLsnLo, appliedLsnHi);
    return {
      result: (RESULT_NAMES[code] ?? '') as ResultName,
      reservationId: granted ? (bigintOfU64(shard.lo, shard.hi) << 64n) | (lsn & U64_MAX) : null,
      deadlineSlot: granted ? bigintOfU64(deadlineLo, deadlineHi) : null,
    };
  }
}

/** The answers that tell of its last execution at or below an lsn, as far as it was told: only that is remembered. */
function lastAnswers(operation: Operation, upTo: bigint): (Attempt & {answer: Committed})[] {
  const answers = operation.attempts.filter(isLasting).filter(({answer}) => answer.lsn <= upTo);
  let last = 0n;
  for (const {answer} of answers) if (answer.lsn > last) last = answer.lsn;
  return answers.filter(({answer}) => answer.lsn === last);
}

/** Why this answer, which names the record's lsn, is not that of the record; null where it is. */
function whyFalse(attempt: Attempt, request: ClientRequest, said: Said): string | null {
  const {answer, command} = attempt;
  if (answer.type !== 'committed') return null;
  const isSame = sameCommand(command, request.command);
  if (answer.result === 'operation_conflict') {
    if (said.result === 'operation_table_full') return 'it conflicts with what was not remembered';
    return isSame ? 'it conflicts with itself' : null;
  }
  if (!isSame) return 'the log has another command there';
  return whyUntrue(answer, said);
}

function whyUntrue(answer: Committed, said: Said): string | null {
  const {result, reservationId, deadlineSlot} = answer;
  if (result === said.result && reservationId === said.reservationId && deadlineSlot === said.deadlineSlot) return null;
  return `answered ${outcomeText(answer)}, the log makes it ${outcomeText(said)}`;
}

function outcomeText({result, reservationId, deadlineSlot}: Said): string {
  const grant = reservationId === null && deadlineSlot === null ? '' : ` (${reservationId}, deadline ${deadlineSlot})`;
  return `${result}${grant}`;
}
