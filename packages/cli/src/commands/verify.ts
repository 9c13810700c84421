/**
 * `allocdb verify DIR`: reads everything and changes nothing: configuration, log, snapshots, replay, invariants, digests.
 * With `--history` the answers that clients were told are held against the log as well, or, without DIR, against each
 * other alone.
 *
 * Exit 0 only when all of it holds. A torn tail of an unclean stop is fine; what opening would cut is said.
 */
import {verifyDirectory} from '@allocdb/node';
import type {Command} from 'commander';
import {whole} from '../arguments.ts';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';
import {historyJson, historyText, verifyHistory} from './verify_history.ts';

/** Flags of `verify` as the command line gives them. */
export interface VerifyFlags {
  history?: string;
  /** Most findings of each check that are printed. */
  findings: number;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('verify')
    .argument('[dir]', 'data directory; not one that a server is using')
    .description('check log, snapshots, invariants and digests, and what clients were told; changes nothing')
    .option('--history <file>', 'client history (JSON lines) to check, against the directory where one is given')
    .option('--findings <n>', 'most findings of each check of a history to print', whole(1, 1_000_000), 10)
    .action((dir: string | undefined, flags: VerifyFlags) => verify(session, dir, flags));
  addExamples(command, session, ['verify ./data', 'verify ./data --history history.jsonl --json']);
}

async function verify(session: Session, dir: string | undefined, flags: VerifyFlags): Promise<void> {
  if (dir === undefined && flags.history === undefined) {
    fail(EXIT.USAGE, "verify needs a data directory, or '--history <file>', or both");
  }
  const directory = dir === undefined ? null : directoryReport(dir);
  // Answers cannot be held against a log that is not what it was.
  const isChecked = flags.history !== undefined && directory?.ok !== false;
  const report = isChecked && flags.history !== undefined ? verifyHistory(dir, flags.history, flags.findings) : null;
  const ok = directory?.ok !== false && (report === null || report.found === 0);
  const history = report === null ? {} : {history: historyJson(report)};
  const unchecked = flags.history === undefined ? '' : 'the history was not checked\n';
  const text = `${directory === null ? '' : directoryText(directory)}${report === null ? unchecked : historyText(report)}`;
  session.exitCode = ok ? EXIT.OK : EXIT.FAILURE;
  await session.output.line({...directory, ok, ...history}, text.trimEnd());
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
