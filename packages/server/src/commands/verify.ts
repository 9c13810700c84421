/**
 * `allocdb verify DIR`: reads everything and changes nothing: configuration, log, snapshots, replay, invariants, digests.
 * Exit 0 only when all of it holds. A torn tail of an unclean stop is fine; what opening would cut is said.
 */
import {verifyDirectory} from '@allocdb/node';
import {EXIT} from '../exit.ts';

export function verify(dir: string, flags: {json: boolean}): number {
  const report = verifyDirectory(dir);
  const text = {
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
  if (flags.json) process.stdout.write(`${JSON.stringify(text)}\n`);
  else {
    const summary = `lsn=${text.lsn} digest=${text.digest} resources=${text.resources} reservations=${text.reservations} operations=${text.operations} snapshots=${text.snapshots.length}`;
    if (text.ok) {
      const torn = report.tornBytes > 0 ? `; opening would cut ${report.tornBytes} bytes of an unfinished write` : '';
      process.stdout.write(`ok  ${summary}${torn}\n`);
    } else process.stdout.write(`not sound  ${summary}\n${report.problems.map(line => `  ${line}\n`).join('')}`);
  }
  return text.ok ? EXIT.OK : EXIT.FAILURE;
}
