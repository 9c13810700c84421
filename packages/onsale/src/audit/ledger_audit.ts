/**
 * Ledgers against the log: each answer stands in the log at its lsn for the very command that was sent, says what the
 * history makes of it, and said the same every time; each request that a crash left unanswered has one result.
 *
 * What it collects on the way (who sent what when, which sales were acknowledged) is what clocks and API are judged by.
 */
import type {AnswerEntry, LedgerLine, LookEntry} from '../ledger.ts';
import type {Findings} from './findings.ts';
import type {Executed, History} from './history.ts';
import {sameCommand} from './log_command.ts';

/** A crash as the log on disk showed it, before the server was started again. */
export interface Crash {
  /** The last lsn in the log. */
  readonly lastLsn: number;
  /** Hash of the log up to there. */
  readonly logDigest: string;
}

/** What became of the requests that a crash left unanswered. */
export interface LostCount {
  requests: number;
  /** Executed before the crash, although nobody was told. */
  before: number;
  /** Executed when they were sent again. */
  after: number;
  /** Looks, which change nothing and were repeated. */
  looks: number;
}

/** An answer, as far as clocks are concerned. */
export interface Told {
  readonly lsn: number;
  readonly receivedUs: number;
}

/** A look at a seat, to be judged once all clocks are known. */
export interface Seen {
  readonly place: string;
  readonly look: LookEntry;
}

export class LedgerAudit {
  readonly told: Told[] = [];
  readonly seen: Seen[] = [];
  readonly lost: LostCount[];
  /** Answers by command and result. */
  readonly results: Map<string, number> = new Map();
  /** Reservations whose sale was acknowledged, with the buyer. */
  readonly sales: Map<string, string> = new Map();
  /** Microseconds from sending to answer, of what was sent once, and of what a crash came between. */
  readonly latencies: number[] = [];
  readonly interrupted: number[] = [];
  answers: number = 0;
  askedAgain: number = 0;
  #perSecond: Map<number, number> = new Map();
  readonly #history: History;
  readonly #crashes: readonly Crash[];
  readonly #findings: Findings;

  constructor(history: History, crashes: readonly Crash[], findings: Findings) {
    this.#history = history;
    this.#crashes = crashes;
    this.#findings = findings;
    this.lost = crashes.map(() => ({requests: 0, before: 0, after: 0, looks: 0}));
  }

  /** Reads one ledger; `timed` when its answers count for speed. */
  read(lines: Iterable<LedgerLine>, timed: boolean): void {
    for (const {place, entry} of lines) {
      if (!this.#findings.check('ledger_form', entry !== null, () => `${place}: cannot be read`)) continue;
      if (entry === null) continue;
      if (entry.entry === 'answer') this.#answer(place, entry);
      else if (entry.entry === 'look') this.seen.push({place, look: entry});
      else if (entry.entry === 'lost') this.#lost(place, entry.life, entry.operation);
      else {
        const {operation, failure} = entry;
        this.#findings.check('ledger_form', false, () => `${place}: ${operation ?? 'a look'} met ${failure}`);
      }
      if (timed && (entry.entry === 'answer' || entry.entry === 'look')) this.#time(entry);
    }
  }

  /** What can be said only when every ledger was read. */
  finish(): void {
    for (const executed of this.#history.operations.values()) {
      const {operation, lsn, answers, command} = executed;
      this.#findings.check(
        'record_answered',
        answers > 0,
        () => `lsn ${lsn} (${command.kind}, operation ${operation}) was answered to nobody`,
      );
    }
  }

  /** Most answers in one second. */
  get busiestSecond(): number {
    return Math.max(0, ...this.#perSecond.values());
  }

  #time(entry: AnswerEntry | LookEntry): void {
    const second = Math.floor(entry.receivedUs / 1e6);
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + 1);
    (entry.sends === 1 ? this.latencies : this.interrupted).push(entry.receivedUs - entry.sentUs);
  }

  #answer(place: string, entry: AnswerEntry): void {
    this.answers++;
    const executed = this.#history.operations.get(entry.operation);
    const misplaced = whyMisplaced(entry, executed);
    this.#findings.check('answer_logged', misplaced === null, () => `${place}: ${misplaced}`);
    if (executed === undefined) return;
    const check = executed.answers === 0 ? 'answer_true' : 'answer_stable';
    const untrue = whyUntrue(entry, executed);
    this.#findings.check(check, untrue === null, () => `${place}: ${untrue}`);
    this.#checkCrashes(place, entry, executed);
    this.#tally(entry, executed);
    executed.answers++;
    executed.firstSentUs = Math.min(executed.firstSentUs, entry.sentUs);
    this.told.push({lsn: entry.lsn, receivedUs: entry.receivedUs});
  }

  #checkCrashes(place: string, entry: AnswerEntry, executed: Executed): void {
    const {life, lsn, cached} = entry;
    const next = this.#crashes[life];
    if (next !== undefined) {
      this.#findings.check(
        'answer_survived',
        lsn <= next.lastLsn,
        () => `${place}: lsn ${lsn} was acknowledged, and after crash ${life + 1} the log ended at ${next.lastLsn}`,
      );
    }
    const previous = this.#crashes[life - 1];
    const beforeLife = previous !== undefined && executed.lsn <= previous.lastLsn;
    const wanted = beforeLife || executed.answers > 0;
    this.#findings.check(
      'answer_cached',
      cached === wanted,
      () =>
        `${place}: operation ${entry.operation} was ${wanted ? '' : 'not '}executed before, the answer says otherwise`,
    );
  }

  #tally(entry: AnswerEntry, executed: Executed): void {
    if (executed.answers > 0) {
      this.askedAgain++;
      return;
    }
    const {command, result} = entry;
    const name = `${command.kind.replace(/_(?:bundle|fenced|resource)$/, '')} ${result}`;
    this.results.set(name, (this.results.get(name) ?? 0) + 1);
    if (result !== 'ok' || command.lease === null) return;
    if (command.kind.startsWith('confirm')) this.sales.set(command.lease, command.holder ?? '');
    else this.sales.delete(command.lease);
  }

  #lost(place: string, life: number, operation: string | null): void {
    const count = this.lost[life];
    const crash = this.#crashes[life];
    const known = this.#findings.check(
      'lost_resolved',
      crash !== undefined,
      () => `${place}: a request was lost in life ${life}, which did not end in a crash`,
    );
    if (!known || count === undefined || crash === undefined) return;
    count.requests++;
    if (operation === null) {
      count.looks++;
      return;
    }
    const executed = this.#history.operations.get(operation);
    const why = `${place}: operation ${operation} was left unanswered by crash ${life + 1} and is not in the log`;
    if (!this.#findings.check('lost_resolved', executed !== undefined, () => why)) return;
    if ((executed?.lsn ?? 0) <= crash.lastLsn) count.before++;
    else count.after++;
  }
}

function whyMisplaced(entry: AnswerEntry, executed: Executed | undefined): string | null {
  const {operation, lsn, command} = entry;
  if (executed === undefined) return `operation ${operation} was answered with lsn ${lsn} and is not in the log`;
  if (executed.lsn !== lsn)
    return `operation ${operation} was answered with lsn ${lsn}, the log has it at ${executed.lsn}`;
  if (!sameCommand(executed.command, command)) return `lsn ${lsn} is another command than the one that was sent`;
  return null;
}

function whyUntrue(entry: AnswerEntry, executed: Executed): string | null {
  const {command, lsn, result, granted, deadline} = entry;
  const said = (outcome: string, lease: string | null, slot: number | null): string =>
    lease === null ? outcome : `${outcome} (reservation ${lease}, deadline ${slot})`;
  if (result === executed.result && granted === executed.granted && deadline === executed.deadline) return null;
  const answered = said(result, granted, deadline);
  return `${command.kind} at lsn ${lsn} was answered ${answered}, the log makes it ${said(executed.result, executed.granted, executed.deadline)}`;
}
