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
import {type Committed, type History, isOwnAnswer, type Operation, sameCommand} from './history.ts';

type Answered = Attempt & {answer: Committed};

/** Makes the check; returns the operations with several lsns, about which only a log can decide. */
export function checkOnce(history: History, findings: Findings): Operation[] {
  const owners = new Map<bigint, Operation>();
  const needsLog: Operation[] = [];
  for (const operation of history.operations.values()) {
    const answered = operation.attempts.filter(isOwnAnswer);
    for (const attempt of operation.attempts) {
      if (attempt.answer.type !== 'committed') continue;
      const why = whyNotOnce(operation, attempt as Answered, answered);
      if (!findings.look('at_most_once', why, operation.lines)) {
        operation.blamed = true;
        break;
      }
    }
    if (!operation.blamed && lsnsOf(answered).size > 1) needsLog.push(operation);
    if (operation.blamed) continue;
    for (const {answer} of answered) shareLsn(owners, answer.lsn, operation, findings);
  }
  checkTicks(history, owners, findings);
  return needsLog;
}

/** Lsns of executions, but of those that were not remembered. */
function lsnsOf(answered: readonly Answered[]): Set<bigint> {
  return new Set(answered.filter(({answer}) => answer.result !== 'operation_table_full').map(({answer}) => answer.lsn));
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

function whyNotOnce(operation: Operation, attempt: Answered, answered: readonly Answered[]): string | null {
  const {id} = operation;
  const {lsn, result, fromRetryCache} = attempt.answer;
  if (result === 'operation_conflict') return whyNoConflict(operation, attempt, answered);
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

/** True when another attempt, sent before this answer came, may have been executed. */
function hasCause(operation: Operation, {line, came}: Attempt): boolean {
  return operation.attempts.some(
    other => other.line !== line && other.answer.type !== 'definite' && other.sent < (came ?? 0),
  );
}

function whyNoConflict(operation: Operation, attempt: Answered, answered: readonly Answered[]): string | null {
  const {id} = operation;
  const {lsn, fromRetryCache} = attempt.answer;
  if (!fromRetryCache) return `operation ${id} was answered operation_conflict as if it were new`;
  const rivals = operation.attempts.filter(other => !sameCommand(other.command, attempt.command));
  if (rivals.every(({answer}) => answer.type === 'definite')) {
    return `operation ${id} was answered operation_conflict, and no other command has it`;
  }
  if (answered.length > 0 && !answered.some(({answer}) => answer.lsn === lsn)) {
    return `operation ${id} conflicts with lsn ${lsn}, and was told for lsn ${answered[0]?.answer.lsn}`;
  }
  return null;
}

function sameOutcome(a: Committed, b: Committed): boolean {
  return a.result === b.result && a.reservationId === b.reservationId && a.deadlineSlot === b.deadlineSlot;
}

/** The lsns of a tick are those of its expirations. */
function checkTicks({ticks}: History, owners: ReadonlyMap<bigint, Operation>, findings: Findings): void {
  for (const {answer, line} of ticks) {
    if (answer.type !== 'applied' || answer.lastLsn === null) continue;
    for (let lsn = answer.lastLsn - BigInt(answer.count) + 1n; lsn <= answer.lastLsn; lsn++) {
      const owner = owners.get(lsn);
      const why = owner === undefined ? null : `lsn ${lsn} was told for operation ${owner.id} and for a tick`;
      if (findings.look('at_most_once', why, [line, ...(owner?.lines ?? [])]) || owner === undefined) continue;
      owner.blamed = true;
    }
  }
}
