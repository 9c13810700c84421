/**
 * Checks a client history: what every client was told, against each other, against the clock, against the rules of
 * reservations, and, with a log at hand, against the state machine. Pure: it reads what it is given and changes nothing
 * but the log's state, which is of its own.
 *
 * What one check finds wrong about an operation the later ones take as unknown, so that one fault is one finding.
 * Not here: the format (`history_line.ts`), files (`history_file.ts`), the directory (`directory_log.ts`).
 */
import {READ} from '@allocdb/wal';
import {checkOnce} from './check_once.ts';
import {checkOrder} from './check_order.ts';
import {checkReadsAlone, ReadJudge, windowsOf} from './check_reads.ts';
import type {HistoryLog} from './directory_log.ts';
import type {HistoryEntry, HistoryHeader} from './entry.ts';
import {type CheckCount, type Finding, Findings} from './findings.ts';
import {History, isOwnAnswer} from './history.ts';
import {KnownLsns} from './known_lsns.ts';
import {LogJudge} from './log_judge.ts';
import {checkPlaces} from './log_places.ts';
import {Timeline} from './timeline.ts';
import {toldFacts} from './told_facts.ts';
import {UnseenOperations} from './unseen.ts';

/** What was looked at and what was found. Sound if `found` is 0. */
export interface HistoryReport {
  readonly attempts: number;
  readonly operations: number;
  readonly reads: number;
  readonly ticks: number;
  readonly checks: readonly CheckCount[];
  /** The first of each check; `found` counts all. */
  readonly findings: readonly Finding[];
  readonly found: number;
  /** With a log: from which lsn on presence, and from which on outcomes were held against it; null without one. */
  readonly log: {readonly firstLsn: bigint; readonly replayedFrom: bigint; readonly lastLsn: bigint} | null;
  /** With a log: operations without an answer that are in it, and that are not. */
  readonly unanswered: {readonly happened: number; readonly not: number};
}

export interface CheckOptions {
  /** The log that the history's answers came from. */
  readonly log?: HistoryLog | undefined;
  /** Most findings of each check that are kept. Default 20. */
  readonly findingsMax?: number | undefined;
}

/** Checks the entries behind `header`. */
export function checkHistory(
  header: HistoryHeader,
  entries: Iterable<HistoryEntry>,
  {log, findingsMax = 20}: CheckOptions = {},
): HistoryReport {
  const findings = new Findings(findingsMax);
  const history = new History(header);
  for (const entry of entries) history.add(entry);
  const severalLsns = checkOnce(history, log !== undefined, findings);
  let span: HistoryReport['log'] = null;
  if (log === undefined) {
    for (const operation of severalLsns) {
      findings.add('at_most_once', `operation ${operation.id} was told for several lsns`, operation.lines);
      operation.blamed = true;
    }
    checkOrder(history, new KnownLsns(history), findings);
    checkAlone(history, findings);
  } else {
    const lastLsn = checkPlaces(history, log, severalLsns, findings);
    checkOrder(history, new KnownLsns(history), findings);
    const baseLsn = checkAgainstLog(history, log, findings);
    span = {firstLsn: log.firstLsn, replayedFrom: baseLsn + 1n, lastLsn};
  }
  return {
    attempts: history.attempts,
    operations: history.operations.size,
    reads: history.reads.length,
    ticks: history.ticks.length,
    checks: findings.counts,
    findings: findings.list,
    found: findings.total,
    log: span,
    unanswered: unansweredOf(history),
  };
}

/** Without a log: what the answers tell, in order of lsn. */
function checkAlone(history: History, findings: Findings): void {
  const facts = toldFacts(history, findings, null);
  const known = new KnownLsns(history);
  const unseen = new UnseenOperations(history, known, null);
  const {begins, core} = history.header;
  const timeline = new Timeline({fromEmpty: begins === 'empty', core, unseen, findings});
  for (const fact of facts) timeline.take(fact);
  checkReadsAlone(history, windowsOf(history, known), findings);
}

/** With a log: what it tells, behind what answers tell of the time before it. Returns the lsn that replay began behind. */
function checkAgainstLog(history: History, log: HistoryLog, findings: Findings): bigint {
  const judge = new LogJudge(history, log.db, findings);
  const {baseLsn} = judge;
  judge.checkRemembered();
  const facts = toldFacts(history, findings, baseLsn);
  const known = new KnownLsns(history);
  const unseen = new UnseenOperations(history, known, baseLsn);
  const fromEmpty = baseLsn === 0n || history.header.begins === 'empty';
  const timeline = new Timeline({fromEmpty, core: log.core, unseen, findings});
  for (const fact of facts) timeline.take(fact);
  timeline.countsReplay = false;
  const reads = new ReadJudge(windowsOf(history, known), log.db, findings);
  reads.reached(baseLsn);
  const cursor = log.records();
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      const fact = event === READ.RECORD ? judge.take(cursor) : null;
      if (fact === null) continue;
      timeline.take(fact);
      reads.reached(fact.lsn);
    }
  } finally {
    cursor.close();
  }
  reads.finish();
  return baseLsn;
}

function unansweredOf(history: History): {happened: number; not: number} {
  const unanswered = {happened: 0, not: 0};
  for (const {told, isAnswered, attempts, logged} of history.operations.values()) {
    if (told !== undefined || isAnswered) continue;
    const answered = new Set(attempts.filter(isOwnAnswer).map(({answer}) => answer.lsn));
    if (logged.some(lsn => !answered.has(lsn))) unanswered.happened++;
    else unanswered.not++;
  }
  return unanswered;
}
