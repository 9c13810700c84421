/**
 * The checks real_time_order and pipelined_order: lsns against the clock of the recorders, and against the order in which
 * one connection sent. Both look only at new executions: what a retry is told was decided earlier.
 */
import type {Attempt} from './entry.ts';
import type {Findings} from './findings.ts';
import {type History, lsnsOfTick, type Operation} from './history.ts';
import {firstSent, freshLsn, type KnownLsns} from './known_lsns.ts';

interface Placed {
  readonly operation: Operation;
  readonly attempt: Attempt;
  readonly lsn: bigint;
}

export function checkOrder(history: History, known: KnownLsns, findings: Findings): void {
  const connections = new Map<string, Placed[]>();
  const late: Operation[] = [];
  for (const operation of history.operations.values()) {
    if (operation.blamed) continue;
    if (!isBehindWhatWasTold(operation, known, findings)) late.push(operation);
    for (const attempt of operation.attempts) {
      const lsn = attempt.connection === null ? null : freshLsn(operation, attempt);
      if (lsn === null || attempt.connection === null) continue;
      const placed = connections.get(attempt.connection) ?? [];
      if (placed.length === 0) connections.set(attempt.connection, placed);
      placed.push({operation, attempt, lsn});
    }
  }
  for (const tick of history.ticks) {
    const range = lsnsOfTick(tick);
    if (range === null || history.wrongTicks.has(tick)) continue;
    findings.look('real_time_order', whyTooEarly('a tick', range.first, known.before(tick.sent)), [tick.line]);
  }
  for (const operation of late) operation.blamed = true;
  for (const placed of connections.values()) checkConnection(placed, findings);
}

function isBehindWhatWasTold(operation: Operation, known: KnownLsns, findings: Findings): boolean {
  const name = `operation ${operation.id}`;
  let hasFresh = false;
  for (const attempt of operation.attempts) {
    const lsn = freshLsn(operation, attempt);
    if (lsn === null) continue;
    hasFresh = true;
    const why = whyTooEarly(name, lsn, known.before(attempt.sent));
    if (!findings.look('real_time_order', why, [attempt.line])) return false;
  }
  if (hasFresh) return true;
  const {told, logged} = operation;
  const lsn = told?.answer.type === 'committed' ? told.answer.lsn : logged[0];
  if (lsn === undefined) return true;
  return findings.look('real_time_order', whyTooEarly(name, lsn, known.before(firstSent(operation))), operation.lines);
}

function whyTooEarly(name: string, lsn: bigint, told: bigint): string | null {
  if (lsn > told) return null;
  return `${name} was sent when lsn ${told} had been told, and stands at lsn ${lsn}`;
}

function checkConnection(placed: Placed[], findings: Findings): void {
  placed.sort((a, b) => a.attempt.place - b.attempt.place);
  let last: Placed | null = null;
  for (const each of placed) {
    if (each.operation.blamed) continue;
    const {attempt, lsn} = each;
    const inOrder: boolean = last === null || last.lsn < lsn;
    const why =
      inOrder || last === null
        ? null
        : `connection ${attempt.connection} sent lsn ${lsn} (place ${attempt.place}) behind lsn ${last.lsn} (place ${last.attempt.place})`;
    findings.look('pipelined_order', why, [attempt.line, last?.attempt.line ?? 0]);
    if (inOrder) last = each;
    else each.operation.blamed = true;
  }
}
