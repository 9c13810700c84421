/**
 * What every client of a series was told, as a history: entries in the order in which their answers came, or their
 * connections were lost. All times are of this process's monotonic clock, taken before a request leaves and after its
 * answer has been read, so that what they say of order is never more than what was.
 *
 * It also knows what is to be asked again: answers that were not asked for a second time yet, and operations whose last
 * attempt was not answered.
 */
import {type ApiResponse, isIndefinite} from '@allocdb/api';
import type {DatabaseConfig} from '@allocdb/node';
import {
  type Attempt,
  answerOf,
  type HistoryEntry,
  historyHeaderLine,
  historyLine,
  type Read,
  readAnswerOf,
} from '@allocdb/node/history';

export type Committed = Extract<Attempt['answer'], {type: 'committed'}>;
export type Told = Attempt & {readonly answer: Committed};

/** An entry whose answer is still to come. */
type Open<Entry> = {-readonly [Field in keyof Omit<Entry, 'line'>]: Entry[Field & keyof Entry]};
export type Sent = Open<Attempt> | Open<Read>;

export class KillRecorder {
  readonly entries: HistoryEntry[] = [];
  /** First answers that have not been asked for again. */
  readonly unchecked: Map<bigint, Told> = new Map();
  /** Operations of which nobody knows whether they happened, by id. */
  readonly unanswered: Map<bigint, Attempt> = new Map();
  /** Operations whose answers on two connections are not the same. */
  readonly differing: string[] = [];
  answers: number = 0;
  reads: number = 0;
  /** The highest lsn that anybody was told. */
  lastLsn: bigint = 0n;
  /** Changes what clients are told: a fault to be found. */
  readonly #tamper: ((response: ApiResponse) => ApiResponse) | null;

  constructor(tamper: ((response: ApiResponse) => ApiResponse) | null) {
    this.#tamper = tamper;
  }

  now(): number {
    return performance.now();
  }

  /** An answer came. Returns it as an attempt where it is one that was committed. */
  answered(sent: Sent, original: ApiResponse): Told | null {
    const response = this.#tamper === null ? original : this.#tamper(original);
    sent.came = this.now();
    if (sent.type === 'read') {
      sent.answer = readAnswerOf(response);
      this.reads++;
      this.#record(sent);
      return null;
    }
    const answer = answerOf(response);
    if (answer === null) throw new Error(`${response.type} is no answer to a command`);
    sent.answer = answer;
    this.answers++;
    const attempt = this.#record(sent) as Attempt;
    if (response.type === 'submit_rejected' && isIndefinite(response.failure)) this.#isLost(attempt);
    if (answer.type !== 'committed') return null;
    if (answer.lsn > this.lastLsn) this.lastLsn = answer.lsn;
    return attempt as Told;
  }

  /** Keeps an answer, to be asked for again; another one to the same operation is held against it. */
  keep(told: Told): void {
    this.unanswered.delete(told.operation);
    const first = this.unchecked.get(told.operation);
    if (first === undefined) this.unchecked.set(told.operation, told);
    const why = first === undefined ? null : differenceOf(first, told, false);
    if (why !== null) this.differing.push(why);
  }

  /** No answer will come. */
  lost(sent: Sent): void {
    const entry = this.#record(sent);
    if (entry.type === 'attempt') this.#isLost(entry);
  }

  /** The history as a file. */
  text(config: DatabaseConfig): string {
    const header = historyHeaderLine({begins: 'empty', core: config.core});
    return `${[header, ...this.entries.map(historyLine)].join('\n')}\n`;
  }

  #isLost(attempt: Attempt): void {
    if (!this.unchecked.has(attempt.operation)) this.unanswered.set(attempt.operation, attempt);
  }

  #record(sent: Sent): HistoryEntry {
    // A halted engine answers a read with nothing.
    if (sent.answer.type === 'nothing') sent.came = null;
    const entry = {...sent, line: this.entries.length + 2} as HistoryEntry;
    this.entries.push(entry);
    return entry;
  }
}

/** How an answer that was asked for again, and must then be remembered, is another one; null where it is the same. */
export function differenceOf(first: Told, again: Told, mustBeRemembered: boolean): string | null {
  if (isSame(first.answer, again.answer) && (again.answer.fromRetryCache || !mustBeRemembered)) return null;
  return `operation ${first.operation} was answered ${textOf(first.answer)}, and then ${textOf(again.answer)}`;
}

function isSame(a: Committed, b: Committed): boolean {
  return (
    a.lsn === b.lsn && a.result === b.result && a.reservationId === b.reservationId && a.deadlineSlot === b.deadlineSlot
  );
}

function textOf({lsn, result, deadlineSlot, fromRetryCache}: Committed): string {
  const until = deadlineSlot === null ? '' : ` until slot ${deadlineSlot}`;
  return `${result} at lsn ${lsn}${until}${fromRetryCache ? ' as remembered' : ''}`;
}
