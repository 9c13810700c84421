/**
 * `allocdb verify DIR`: reads everything and changes nothing: configuration, log, snapshots, replay, invariants, digests.
 * With `--history` the answers that clients were told are held against the log as well, or, without DIR, against each
 * other alone.
 *
 * Exit 0 only when all of it holds. A torn tail of an unclean stop is fine; what opening would cut is said.
 */
import {verifyDirectory} from '@allocdb/node';
import {EXIT, fail} from '../exit.ts';
import {historyJson, historyText, verifyHistory} from './verify_history.ts';

/** Flags of `verify` as the command line gives them. */
export interface VerifyFlags {
  json: boolean;
  history?: string;
  /** Most findings of each check that are printed. */
  findings: number;
}

export function verify(dir: string | undefined, flags: VerifyFlags): number {
  if (dir === undefined && flags.history === undefined) {
    return fail(EXIT.USAGE, "verify needs a data directory, or '--history <file>', or both");
  }
  const directory = dir === undefined ? null : directoryReport(dir);
  // Answers cannot be held against a log that is not what it was.
  const isChecked = flags.history !== undefined && directory?.ok !== false;
  const report = isChecked && flags.history !== undefined ? verifyHistory(dir, flags.history, flags.findings) : null;
  const ok = directory?.ok !== false && (report === null || report.found === 0);
  if (flags.json) {
    const history = report === null ? {} : {history: historyJson(report)};
    process.stdout.write(`${JSON.stringify({...directory, ok, ...history})}\n`);
  } else {
    if (directory !== null) process.stdout.write(directoryText(directory));
    if (report !== null) process.stdout.write(historyText(report));
    else if (flags.history !== undefined) process.stdout.write('the history was not checked\n');
  }
  return ok ? EXIT.OK : EXIT.FAILURE;
}

/** What is printed of a directory. */
interface DirectoryText {
  readonly ok: boolean;
  readonly lsn: string | null;
  readonly digest: string | null;
  readonly slot: string | null;
  readonly resources: number;
  readonly reservations: number;
  readonly operations: number;
  readonly replayedRecords: number;
  readonly logFirstLsn: string;
  readonly tornBytes: number;
  readonly snapshots: readonly {lsn: string; problem: string | null; matchesReplay: boolean | null}[];
  readonly problems: readonly string[];
}

function directoryReport(dir: string): DirectoryText {
  const report = verifyDirectory(dir);
  return {
    ok: report.problems.length === 0,
    lsn: report.lsn === null ? null : String(report.lsn),
    digest: report.digest === null ? null : report.digest.toString(16).padStart(32, '0'),
    slot: report.slot === null ? null : String(report.slot),
    resources: report.resources,
    reservations: report.reservations,
    operations: report.operations,
    replayedRecords: report.replayedRecords,
    logFirstLsn: String(report.logFirstLsn),
    tornBytes: report.tornBytes,
    snapshots: report.snapshots.map(snapshot => ({
      lsn: String(snapshot.lsn),
      problem: snapshot.problem,
      matchesReplay: snapshot.matchesReplay,
    })),
    problems: report.problems,
  };
}

function directoryText(text: DirectoryText): string {
  const summary = `lsn=${text.lsn} digest=${text.digest} resources=${text.resources} reservations=${text.reservations} operations=${text.operations} snapshots=${text.snapshots.length}`;
  if (!text.ok) return `not sound  ${summary}\n${text.problems.map(line => `  ${line}\n`).join('')}`;
  const torn = text.tornBytes > 0 ? `; opening would cut ${text.tornBytes} bytes of an unfinished write` : '';
  return `ok  ${summary}${torn}\n`;
}
