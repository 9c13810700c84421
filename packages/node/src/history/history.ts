/**
 * A history in memory: its entries, and its attempts by operation. Commands and client ids that repeat are kept once, so
 * that a million attempts take some hundred bytes each.
 *
 * What a check has found wrong about an operation is remembered here (`blamed`): later checks take it for one whose
 * outcome is unknown, so that one fault is one finding.
 */
import type {Command} from '@allocdb/core';
import {writeCommand} from './command_fields.ts';
import type {Attempt, AttemptAnswer, HistoryEntry, HistoryHeader, Read, Tick} from './entry.ts';

/** An answer that was committed. */
export type Committed = Extract<AttemptAnswer, {type: 'committed'}>;

/** Lists of one are made as such: an array that grows takes room for many. */
const NEVER: readonly bigint[] = [];

/** All attempts of one operation id. */
export class Operation {
  readonly id: bigint;
  readonly attempts: Attempt[];
  /** Lsns at which the log has it, as far as the log was read. */
  logged: readonly bigint[] = NEVER;
  blamed: boolean = false;

  constructor(first: Attempt) {
    this.id = first.operation;
    this.attempts = [first];
  }

  isLoggedAt(lsn: bigint): void {
    this.logged = this.logged.length === 0 ? [lsn] : [...this.logged, lsn];
  }

  get lines(): number[] {
    return this.attempts.map(({line}) => line);
  }

  /** The first committed answer that is the operation's own and ends it: not that it was not remembered. */
  get told(): Attempt | undefined {
    return this.attempts.find(isLasting);
  }

  /** True when every attempt was refused for good. */
  get isRefused(): boolean {
    return this.attempts.every(({answer}) => answer.type === 'definite');
  }

  get isAnswered(): boolean {
    return this.attempts.every(({answer}) => isCertain(answer));
  }

  /**
   * True when it may have been executed where no fact tells of it: anywhere that answers do not, or, with a log, at or
   * below `replayedBehind`, from where on the log tells of everything.
   */
  isOpen(replayedBehind: bigint | null): boolean {
    if (this.isRefused || replayedBehind === 0n) return false;
    if (replayedBehind === null) return this.blamed || (this.told === undefined && !this.isAnswered);
    if (this.blamed) return true;
    const own = this.attempts.filter(isOwnAnswer).map(({answer}) => answer);
    const told = new Set(own.map(({lsn}) => lsn));
    if (this.logged.some(lsn => lsn <= replayedBehind && !told.has(lsn))) return true;
    // What was not told as new was executed by an attempt without an answer; one more of those may have been, too.
    const known = new Set([...told, ...this.logged]);
    for (const {lsn, fromRetryCache} of own) if (!fromRetryCache) known.delete(lsn);
    return this.attempts.filter(({answer}) => !isCertain(answer)).length > known.size;
  }
}

export class History {
  readonly header: HistoryHeader;
  readonly operations: Map<bigint, Operation> = new Map();
  readonly reads: Read[] = [];
  readonly ticks: Tick[] = [];
  /** Ticks about which something was found, from then on left alone. */
  readonly wrongTicks: Set<Tick> = new Set();
  attempts: number = 0;
  readonly #clients: Map<bigint, bigint> = new Map();
  readonly #connections: Map<string, string> = new Map();

  constructor(header: HistoryHeader) {
    this.header = header;
  }

  add(entry: HistoryEntry): void {
    if (entry.type === 'read') this.reads.push(entry);
    else if (entry.type === 'tick') this.ticks.push(entry);
    else this.#addAttempt(entry);
  }

  #addAttempt(attempt: Attempt): void {
    this.attempts++;
    const known = this.operations.get(attempt.operation);
    const [first] = known?.attempts ?? [];
    const {connection, command} = attempt;
    const kept = {
      ...attempt,
      client: once(this.#clients, attempt.client),
      connection: connection === null ? null : once(this.#connections, connection),
      command: first !== undefined && sameCommand(first.command, command) ? first.command : command,
    };
    if (known === undefined) this.operations.set(attempt.operation, new Operation(kept));
    else known.attempts.push(kept);
  }
}

function once<Value>(known: Map<Value, Value>, value: Value): Value {
  const found = known.get(value);
  if (found !== undefined) return found;
  known.set(value, value);
  return value;
}

/** True for a committed answer that tells of the operation itself: its lsn is that of its execution, remembered or not. */
export function isOwnAnswer(attempt: Attempt): attempt is Attempt & {answer: Committed} {
  return attempt.answer.type === 'committed' && attempt.answer.result !== 'operation_conflict';
}

/** True for an own answer that is remembered: all but operation_table_full, after which the operation may be executed again. */
export function isLasting(attempt: Attempt): attempt is Attempt & {answer: Committed} {
  return isOwnAnswer(attempt) && attempt.answer.result !== 'operation_table_full';
}

/** True when the answer says what happened. */
export function isCertain({type}: AttemptAnswer): boolean {
  return type === 'committed' || type === 'definite';
}

/** The lsns that a tick's answer claims; null where it claims none. */
export function lsnsOfTick({answer}: Tick): {first: bigint; last: bigint} | null {
  if (answer.type !== 'applied' || answer.lastLsn === null || answer.count === 0) return null;
  return {first: answer.lastLsn - BigInt(answer.count) + 1n, last: answer.lastLsn};
}

/** The same kind with the same fields. */
export function sameCommand(a: Command, b: Command): boolean {
  return a === b || textOf(a) === textOf(b);
}

function textOf(command: Command): string {
  return JSON.stringify(writeCommand(command), (_key, each: unknown) =>
    typeof each === 'bigint' ? String(each) : each,
  );
}
