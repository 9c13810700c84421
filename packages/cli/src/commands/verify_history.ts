/**
 * The part of `allocdb verify` that checks a client history: reads the file, holds it against the directory where one is
 * given, and says for each check how much it looked at and what it found. What the checks mean is in docs/history.md.
 * Not here: the checks (`@allocdb/node/history`).
 */
import {
  CHECKS,
  checkHistory,
  type Finding,
  type HistoryReport,
  isHistoryError,
  openDirectoryLog,
  readHistoryFile,
} from '@allocdb/node/history';
import {EXIT, fail} from '../exit.ts';

/** Checks a history; a file that is none ends the command with the number of its bad line. */
export function verifyHistory(dir: string | undefined, file: string, findingsMax: number): HistoryReport {
  try {
    const {header, entries} = readHistoryFile(file);
    if (dir === undefined) return checkHistory(header, entries, {findingsMax});
    using log = openDirectoryLog(dir);
    return checkHistory(header, entries, {log, findingsMax});
  } catch (error) {
    if (isHistoryError(error)) return fail(EXIT.USAGE, `--history ${file}: ${error.message}`);
    // What the directory's files do not give is an OpenError.
    if (error instanceof Error && 'syscall' in error) {
      fail(EXIT.FAILURE, `--history ${file} cannot be read: ${error.message}`);
    }
    throw error;
  }
}

/** The report as JSON: lsns are strings. */
export function historyJson(report: HistoryReport): object {
  const {log, ...rest} = report;
  const span = log === null ? null : Object.fromEntries(Object.entries(log).map(([name, lsn]) => [name, String(lsn)]));
  return {...rest, log: span};
}

/** The report for people. */
export function historyText(report: HistoryReport): string {
  const {attempts, operations, reads, ticks, log, unanswered, checks, findings, found} = report;
  const lines = [`history: ${attempts} attempts of ${operations} operations, ${reads} reads, ${ticks} ticks`];
  if (log === null) lines.push('  no log: answers are held against each other alone');
  else {
    const {firstLsn, replayedFrom, lastLsn} = log;
    lines.push(`  log: lsn ${firstLsn} to ${lastLsn}; outcomes are known from lsn ${replayedFrom} on`);
    lines.push(`  without an answer: ${unanswered.happened} had happened, ${unanswered.not} had not`);
  }
  for (const {check, checked, found: count} of checks) {
    const said = checked === 0 && count === 0 ? 'nothing to check' : `${checked} checked, ${count} found`;
    lines.push(`  ${check.padEnd(20)}${said}`);
  }
  lines.push(found === 0 ? 'ok  history' : `not sound  history: ${found} findings`);
  for (const finding of findings) lines.push(findingText(finding));
  return `${lines.join('\n')}\n`;
}

function findingText({check, message, lines}: Finding): string {
  const where = lines.length === 0 ? '' : `line ${lines.join(', ')}: `;
  return `  ${where}${message} [${check}: ${CHECKS[check]}]`;
}
