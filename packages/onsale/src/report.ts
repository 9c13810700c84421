/**
 * The report at the end, as aligned plain text: what was sold to whom, how fast, what was refused and why, what each kill
 * left behind and how it resolved, and every check of the auditor with what it looked at.
 */
import type {AuditResult} from './audit/auditor.ts';
import {CHECKS, type CheckName} from './audit/findings.ts';
import {CONDITION_NAMES, grouped} from './run/progress.ts';
import type {SaleFacts} from './run/sale.ts';

export interface ReportInput {
  readonly seed: number;
  readonly buyers: number;
  readonly clients: number;
  readonly hall: string;
  readonly sale: SaleFacts;
  readonly audit: AuditResult;
  /** State digest of the database, as the server's verification computed it. */
  readonly digest: string;
  readonly createMs: number;
  readonly auditMs: number;
}

type Row = readonly [string, string];

/** The whole report, ready to be printed. */
export function renderReport(input: ReportInput): string {
  const {audit} = input;
  const sections: readonly (readonly [string, readonly Row[]])[] = [
    ['sale', saleRows(input)],
    ['answers', answerRows(input)],
    ['refused', refusalRows(input)],
    ...input.sale.kills.map((_, i) => [`kill ${i + 1}`, killRows(input, i)] as const),
    ['audit', auditRows(input)],
  ];
  const width = Math.max(...sections.flatMap(([, rows]) => rows.map(([name]) => name.length)));
  const lines = sections.flatMap(([title, rows]) => [
    '',
    title,
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
  ]);
  const {violations, violationCount} = audit.findings;
  const listed = violations.map(({check, what}) => `  ${check}: ${what}`);
  const unlisted = violationCount - violations.length;
  if (unlisted > 0) listed.push(`  and ${grouped(unlisted)} more`);
  const verdict = violationCount === 1 ? '1 violation' : `${grouped(violationCount)} violations`;
  return [...lines, '', ...(listed.length > 0 ? [...listed, ''] : []), verdict].join('\n');
}

function saleRows({seed, buyers, clients, hall, sale, audit, createMs, digest}: ReportInput): Row[] {
  const {sum, history} = audit;
  const leases = [...history.leases.values()];
  const winners = new Set(leases.filter(lease => lease.state === 'confirmed').map(lease => lease.holder)).size;
  const invoiced = leases.filter(lease => lease.state === 'reserved').length;
  const refunds = audit.ledgers.results.get('release ok') ?? 0;
  return [
    ['seed', String(seed)],
    ['hall', `${hall}, put on sale in ${createMs.toFixed(0)} ms`],
    ['buyers', `${grouped(buyers)}, acted for by ${clients} client processes`],
    ['duration', `${(sale.durationMs / 1000).toFixed(1)} s from the doors to the last buyer, crashes included`],
    ['winners', `${grouped(winners)} buyers own seats, ${grouped(invoiced)} hold some on invoice`],
    [
      'seats',
      `${grouped(sum.sold)} sold + ${grouped(sum.held)} held + ${grouped(sum.free)} free = ${grouped(sum.all)}`,
    ],
    [
      'holds',
      `${grouped(leases.length)} granted, ${grouped(refunds)} given back, ${grouped(history.expirations.length)} expired`,
    ],
    ['log', `${grouped(history.lastLsn)} records, ${sale.checkpointsFinished} checkpoints finished`],
    ['digest', digest],
  ];
}

function answerRows({sale, audit}: ReportInput): Row[] {
  const {ledgers} = audit;
  const {latencies, interrupted, seen} = ledgers;
  const count = latencies.length + interrupted.length;
  const perSecond = Math.round((1000 * count) / Math.max(1, sale.durationMs));
  const again = `${grouped(ledgers.askedAgain)} were answers to operations answered before, all the same`;
  return [
    ['in all', `${grouped(count)} to buyers, ${grouped(seen.length)} of them looks at a seat; ${again}`],
    ['per second', `${grouped(perSecond)} on average, ${grouped(ledgers.busiestSecond)} in the busiest second`],
    ['latency', `p50 ${ms(latencies, 0.5)}   p99 ${ms(latencies, 0.99)}   max ${ms(latencies, 1)}   (sent once)`],
    [
      'across a crash',
      interrupted.length === 0
        ? 'none'
        : `${grouped(interrupted.length)}, p50 ${ms(interrupted, 0.5)}   max ${ms(interrupted, 1)}   (sent again until answered)`,
    ],
  ];
}

function refusalRows({audit}: ReportInput): Row[] {
  const refusals = [...audit.ledgers.results].filter(([name]) => !name.endsWith(' ok'));
  if (refusals.length === 0) return [['nothing', '0']];
  return refusals.toSorted((a, b) => b[1] - a[1]).map(([name, count]) => [name, grouped(count)]);
}

function killRows({sale, audit}: ReportInput, index: number): Row[] {
  const kill = sale.kills[index];
  const recovery = sale.recoveries[index];
  const lost = audit.ledgers.lost[index];
  if (kill === undefined || lost === undefined) return [];
  const {requests, before, after, looks} = lost;
  const rows: Row[] = [
    ['moment', `${(kill.atMs / 1000).toFixed(2)} s after the doors, ${CONDITION_NAMES[kill.condition]}`],
    ['proof', kill.proof ?? 'not met; repeated'],
    [
      'unanswered',
      `${grouped(requests)}: ${grouped(before)} had been executed, ${grouped(after)} were when sent again, ${grouped(looks)} looks`,
    ],
    ['log', `ended at lsn ${grouped(kill.lastLsn)}`],
  ];
  if (recovery !== undefined) {
    const {startMs, recoveryMs, replayedRecords, startupKind, cutBytes} = recovery;
    const cut = cutBytes === 0 ? '' : `, ${grouped(cutBytes)} bytes of an unfinished write cut`;
    const replayed = `${startupKind}: ${grouped(replayedRecords)} records replayed${cut}`;
    rows.push(['recovery', `${startMs.toFixed(0)} ms to listening, ${recoveryMs} ms of it recovery (${replayed})`]);
  }
  return rows;
}

function auditRows({audit, auditMs}: ReportInput): Row[] {
  const {findings} = audit;
  const names = Object.keys(CHECKS) as CheckName[];
  const rows = names.map((name): Row => {
    const failed = findings.failed(name);
    const count = `${grouped(findings.looked(name)).padStart(9)} checked`;
    return [
      name,
      `${failed === 0 ? 'ok    ' : 'FAILED'} ${count}${failed === 0 ? '' : `, ${grouped(failed)} failed`}   ${CHECKS[name]}`,
    ];
  });
  return [...rows, ['took', `${auditMs.toFixed(0)} ms`]];
}

/** A quantile of microseconds, in milliseconds. */
function ms(us: readonly number[], quantile: number): string {
  if (us.length === 0) return '-';
  const sorted = Float64Array.from(us).sort();
  const at = Math.min(sorted.length - 1, Math.floor(quantile * sorted.length));
  return `${((sorted[at] ?? 0) / 1000).toFixed(1)} ms`;
}
