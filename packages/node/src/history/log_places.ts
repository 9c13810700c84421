/**
 * The check in_log: where the log has the operations of a history, and whether that is where it must have them. Reads all
 * records once, without applying any; operations learn their lsns from it, which the checks of order then use.
 *
 * An operation that was told several lsns is right when the log has it at each of them: it was executed anew when it was
 * no longer remembered, or had not been remembered (operation_table_full). Whether that was right, replay will say.
 */
import {type ClientRequest, decodeClientRequest} from '@allocdb/core';
import {type LogCursor, READ} from '@allocdb/wal';
import {RECORD_TYPE} from '../engine/command_log.ts';
import type {HistoryLog} from './directory_log.ts';
import type {Findings} from './findings.ts';
import {type Committed, type History, isOwnAnswer, type Operation, sameCommand} from './history.ts';
import {HistoryError} from './history_error.ts';
import {LogTicks} from './log_ticks.ts';

/** The client command of a record; null for an internal one. Throws HistoryError for what is neither. */
export function requestOf(cursor: LogCursor): ClientRequest | null {
  if (cursor.type === RECORD_TYPE.INTERNAL_COMMAND) return null;
  const request = decodeClientRequest(cursor.bytes.subarray(cursor.offset, cursor.offset + cursor.length));
  if ('status' in request) throw new HistoryError(0, `the record at lsn ${cursor.lsn} of the log is no command`);
  return request;
}

/** Makes the check; returns the last lsn of the log, or that before it while it is empty. */
export function checkPlaces(
  history: History,
  log: HistoryLog,
  severalLsns: readonly Operation[],
  findings: Findings,
): bigint {
  const lastLsn = noteLsns(history, log, findings);
  const isMissing = ({logged}: Operation, {lsn}: Committed): boolean => lsn >= log.firstLsn && !logged.includes(lsn);
  for (const operation of severalLsns) {
    const own = operation.attempts.filter(isOwnAnswer);
    if (operation.blamed || !own.some(({answer}) => isMissing(operation, answer))) continue;
    const lsns = [...new Set(own.map(({answer}) => answer.lsn))].join(' and ');
    const why = `operation ${operation.id} was told for lsns ${lsns}, and the log has not all of them`;
    findings.add('at_most_once', why, operation.lines);
    operation.blamed = true;
  }
  for (const operation of history.operations.values()) {
    if (operation.blamed) continue;
    const why = whyMisplaced(operation, lastLsn, isMissing);
    if (!findings.look('in_log', why, operation.lines)) operation.blamed = true;
  }
  return lastLsn;
}

function noteLsns(history: History, log: HistoryLog, findings: Findings): bigint {
  let lastLsn = log.firstLsn - 1n;
  const ticks = new LogTicks(history);
  const cursor = log.records();
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event !== READ.RECORD) continue;
      lastLsn = cursor.lsn;
      const request = requestOf(cursor);
      ticks.take(lastLsn, request === null);
      const operation = request === null ? undefined : history.operations.get(request.operationId);
      if (request === null || operation === undefined) continue;
      operation.isLoggedAt(lastLsn);
      if (operation.blamed || operation.attempts.some(({command}) => sameCommand(command, request.command))) continue;
      const why = `operation ${operation.id} is in the log at lsn ${lastLsn} as another command`;
      findings.look('in_log', why, operation.lines);
      operation.blamed = true;
    }
  } finally {
    cursor.close();
  }
  ticks.judge(log.firstLsn, lastLsn, (why, line) => findings.look('in_log', why, [line]));
  return lastLsn;
}

function whyMisplaced(
  operation: Operation,
  lastLsn: bigint,
  isMissing: (operation: Operation, answer: Committed) => boolean,
): string | null {
  const {id, logged, attempts} = operation;
  for (const {answer} of attempts) {
    if (answer.type !== 'committed' || !isMissing(operation, answer)) continue;
    const what = answer.lsn > lastLsn ? `the log ends at lsn ${lastLsn}` : 'something else is there';
    const place = logged.length === 0 ? '' : `, and the operation at lsn ${logged.join(' and ')}`;
    return `operation ${id} was acknowledged at lsn ${answer.lsn}: ${what}${place}`;
  }
  if (operation.isRefused && logged.length > 0) {
    return `operation ${id} was refused for good, and is in the log at lsn ${logged[0]}`;
  }
  // What was remembered, or was refused, was put into the log by another attempt.
  const causes = attempts.filter(({answer}) =>
    answer.type === 'committed' ? !answer.fromRetryCache : answer.type !== 'definite',
  );
  if (logged.length <= causes.length) return null;
  return `operation ${id} is in the log at lsns ${logged.join(' and ')}, and ${causes.length} of its attempts can have been executed`;
}
