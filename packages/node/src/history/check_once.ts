/**
 * The check at_most_once, from answers alone: all answers to an operation tell of one execution with one outcome, only
 * one of them is the first, a remembered one has something to remember, and no lsn belongs to two operations.
 *
 * An operation answered with operation_table_full was not remembered and may be executed again; each such answer stands
 * for itself. Several executions of one id are also right when its window had passed in between. Only a log can tell:
 * `needsLog` collects those, and without a log each of them is a finding.
 */
import type {Attempt} from './entry.ts';
import type {Findings} from './findings.ts';
import {
  type Committed,
  type History,
  isCertain,
  isLasting,
  isOwnAnswer,
  lsnsOfTick,
  type Operation,
  sameCommand,
} from './history.ts';
import {countBelow} from './known_lsns.ts';

type Answered = Attempt & {answer: Committed};

/** Makes the check; returns the operations with several lsns, about which only a log can decide. */
export function checkOnce(history: History, hasLog: boolean, findings: Findings): Operation[] {
  const owners = new Map<bigint, Operation>();
  const needsLog: Operation[] = [];
  for (const operation of history.operations.values()) {
    const answered = operation.attempts.filter(isOwnAnswer);
    for (const attempt of operation.attempts) {
      if (attempt.answer.type !== 'committed') continue;
      const why = whyNotOnce(operation, attempt as Answered, answered, hasLog);
      if (!findings.look('at_most_once', why, operation.lines)) {
        operation.blamed = true;
        break;
      }
    }
    if (!operation.blamed && lsnsOf(answered.filter(isLasting)).size > 1) needsLog.push(operation);
    if (operation.blamed) continue;
    for (const {answer} of answered) shareLsn(owners, answer.lsn, operation, findings);
  }
  checkTicks(history, owners, findings);
  return needsLog;
}

function lsnsOf(answered: readonly Answered[]): Set<bigint> {
  return new Set(answered.map(({answer}) => answer.lsn));
}

function shareLsn(owners: Map<bigint, Operation>, lsn: bigint, operation: Operation, findings: Findings): void {
  const owner = owners.get(lsn);
  if (owner === undefined) owners.set(lsn, operation);
  else if (owner !== operation) {
    const why = `lsn ${lsn} was told for operations ${owner.id} and ${operation.id}`;
    findings.add('at_most_once', why, [...owner.lines, ...operation.lines]);
    owner.blamed = true;
    operation.blamed = true;
  }
}

function whyNotOnce(
  operation: Operation,
  attempt: Answered,
  answered: readonly Answered[],
  hasLog: boolean,
): string | null {
  const {id} = operation;
  const {lsn, result, fromRetryCache} = attempt.answer;
  if (result === 'operation_conflict') return whyNoConflict(operation, attempt, hasLog);
  if (result === 'operation_table_full') {
    return fromRetryCache ? `operation ${id} was remembered as operation_table_full, which is not remembered` : null;
  }
  if (fromRetryCache && !hasCause(operation, attempt)) {
    return `operation ${id} was answered as remembered, and no attempt before can have been executed`;
  }
  for (const other of answered) {
    if (other === attempt || other.answer.lsn !== lsn) continue;
    if (!sameCommand(other.command, attempt.command))
      return `operation ${id} was executed at lsn ${lsn} as two commands`;
    if (!sameOutcome(other.answer, attempt.answer))
      return `operation ${id} was answered in two ways, both at lsn ${lsn}`;
    if (fromRetryCache) continue;
    if (!other.answer.fromRetryCache) return `operation ${id} was answered as new twice, both at lsn ${lsn}`;
    if ((other.came ?? 0) < attempt.sent) return `operation ${id} was answered as new after it had been remembered`;
  }
  return null;
}

/** True when another attempt, sent before this answer came, may have been executed and remembered as this command. */
function hasCause(operation: Operation, attempt: Attempt): boolean {
  return operation.attempts.some(
    other =>
      other.line !== attempt.line && mayHaveCaused(other, attempt) && sameCommand(other.command, attempt.command),
  );
}

/** Clocks may be coarse: what was sent at the moment of the answer may have been sent before it. */
function mayHaveCaused(other: Attempt, {came}: Attempt): boolean {
  return other.sent <= (came ?? 0) && (!isCertain(other.answer) || isLasting(other));
}

function whyNoConflict(operation: Operation, attempt: Answered, hasLog: boolean): string | null {
  const {id} = operation;
  const {lsn, fromRetryCache} = attempt.answer;
  if (!fromRetryCache) return `operation ${id} was answered operation_conflict as if it were new`;
  const rivals = operation.attempts.filter(
    other => mayHaveCaused(other, attempt) && !sameCommand(other.command, attempt.command),
  );
  if (rivals.length === 0) return `operation ${id} was answered operation_conflict, and no other command has it`;
  if (lsnsOf(rivals.filter(isLasting)).has(lsn)) return null;
  // A rival without an answer may have been executed, but not beside another execution that is remembered. With a log that
  // may have been behind the window, and whether the operation is at that lsn the log will say.
  const remembered = operation.attempts.find(isLasting)?.answer.lsn;
  const isOpen = rivals.some(({answer}) => !isCertain(answer));
  if (isOpen && (hasLog || remembered === undefined)) return null;
  return `operation ${id} conflicts with lsn ${lsn}, and was told for lsn ${remembered}`;
}

function sameOutcome(a: Committed, b: Committed): boolean {
  return a.result === b.result && a.reservationId === b.reservationId && a.deadlineSlot === b.deadlineSlot;
}

/** The lsns of a tick are those of its expirations. */
function checkTicks({ticks, wrongTicks}: History, owners: ReadonlyMap<bigint, Operation>, findings: Findings): void {
  const told = BigUint64Array.from(owners.keys()).sort();
  for (const tick of ticks) {
    const range = lsnsOfTick(tick);
    if (range === null) continue;
    // By what was told, not by what the tick says of itself: one line may claim any number.
    for (let i = countBelow(told, range.first); i < told.length && (told[i] ?? 0n) <= range.last; i++) {
      const [lsn, owner] = [told[i] ?? 0n, owners.get(told[i] ?? 0n)];
      if (owner === undefined) continue;
      findings.add('at_most_once', `lsn ${lsn} was told for operation ${owner.id} and for a tick`, [
        tick.line,
        ...owner.lines,
      ]);
      owner.blamed = true;
      wrongTicks.add(tick);
    }
    findings.look('at_most_once', null);
  }
}
