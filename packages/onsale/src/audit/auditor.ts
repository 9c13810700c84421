/**
 * The auditor: rebuilds what happened from the log, and holds ledgers, clocks and API against it and against each other.
 * It is given plain data, so that tests can hand it a forged history; it opens no connection and no file.
 *
 * Three sources that were written by different hands must tell one story: what the database logged, what it told its
 * clients, and what it shows when asked.
 */

import type {LedgerLine} from '../ledger.ts';
import {ApiAudit, type ApiView, type NamedSeat, type SeatSum} from './api_audit.ts';
import {ClockAudit} from './clock_audit.ts';
import {Findings} from './findings.ts';
import {History, type Rules} from './history.ts';
import {type Crash, LedgerAudit} from './ledger_audit.ts';
import type {LogRecord} from './log_command.ts';

/** The log, read from its beginning; `digest` is of what was read so far. */
export interface RecordedLog {
  read(): Iterable<LogRecord>;
  digest(): string;
}

/** A ledger; `timed` when its answers count for speed. */
export interface AuditedLedger {
  readonly lines: Iterable<LedgerLine>;
  readonly timed: boolean;
}

/** What the server's own verification said. */
export interface ServerVerdict {
  readonly ok: boolean;
  readonly lsn: number;
  readonly resources: number;
  readonly text: string;
}

export interface AuditInput {
  readonly rules: Rules;
  readonly seats: readonly NamedSeat[];
  readonly log: RecordedLog;
  readonly ledgers: readonly AuditedLedger[];
  /** In order: crash i ended life i. */
  readonly crashes: readonly Crash[];
  readonly api: ApiView;
}

export interface AuditResult {
  readonly findings: Findings;
  readonly history: History;
  readonly ledgers: LedgerAudit;
  readonly sum: SeatSum;
}

export function audit(input: AuditInput): AuditResult {
  const findings = new Findings();
  const history = new History(input.rules, findings);
  replay(input, history, findings);

  const ledgers = new LedgerAudit(history, input.crashes, findings);
  for (const {lines, timed} of input.ledgers) ledgers.read(lines, timed);
  ledgers.finish();

  const clocks = new ClockAudit(history, ledgers.told, findings);
  clocks.checkOrder();
  clocks.checkHolds(ledgers.told, input.rules.slotMs);
  clocks.checkLooks(ledgers.seen);

  const api = new ApiAudit(history, input.api, findings);
  const sum = api.checkSeats(input.seats);
  api.checkLeases();
  api.checkOwners(input.seats);
  api.checkSales(ledgers.sales);

  return {findings, history, ledgers, sum};
}

/** Holds the server's verification of the same directory against what the auditor found. */
export function checkVerdict({findings, history}: AuditResult, server: ServerVerdict): void {
  findings.check('server', server.ok, () => `it says ${server.text}`);
  findings.check(
    'server',
    server.lsn === history.lastLsn,
    () => `it ends at lsn ${server.lsn}, not ${history.lastLsn}`,
  );
  const seats = history.seats.size;
  findings.check('server', server.resources === seats, () => `it has ${server.resources} seats, not ${seats}`);
}

/** Replays the log, and compares its hash at each crash with the one that was taken then. */
function replay(input: AuditInput, history: History, findings: Findings): void {
  const {log, crashes} = input;
  let next = 0;
  for (const record of log.read()) {
    history.apply(record);
    for (let crash = crashes[next]; crash?.lastLsn === record.lsn; crash = crashes[++next]) {
      const {lastLsn, logDigest} = crash;
      const number = next + 1;
      findings.check(
        'log_history',
        log.digest() === logDigest,
        () => `up to lsn ${lastLsn} the log is not what it was after crash ${number}`,
      );
    }
  }
  for (const {lastLsn} of crashes.slice(next)) {
    findings.check('log_history', false, () => `the log reached lsn ${lastLsn} and ends at ${history.lastLsn}`);
  }
}
