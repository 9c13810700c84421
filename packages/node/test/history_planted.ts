/**
 * Violations as they are planted into a sound history: each takes one thing that a client was told, or when, and makes it
 * something that cannot be. Where a history offers no place for one, it answers null.
 *
 * What is looked for here is looked for plainly, in the entries alone, so that it shares no fault with the checker.
 */
import type {Command} from '@allocdb/core';
import type {Attempt, AttemptAnswer, HistoryEntry, Read, Tick} from '../src/history/index.ts';

export type Committed = Extract<AttemptAnswer, {type: 'committed'}>;
export type Told = Attempt & {readonly answer: Committed};
export type Alteration = (entries: readonly HistoryEntry[]) => HistoryEntry[] | null;

export function toldIn(entries: readonly HistoryEntry[]): Told[] {
  return entries.filter((entry): entry is Told => entry.type === 'attempt' && entry.answer.type === 'committed');
}

export function attemptsOf(entries: readonly HistoryEntry[], operation: bigint): Attempt[] {
  return entries.filter((entry): entry is Attempt => entry.type === 'attempt' && entry.operation === operation);
}

export function replaced(entries: readonly HistoryEntry[], changed: HistoryEntry): HistoryEntry[] {
  return entries.map(entry => (entry.line === changed.line ? changed : entry));
}

export function without(entries: readonly HistoryEntry[], lines: readonly number[]): HistoryEntry[] {
  return entries.filter(({line}) => !lines.includes(line));
}

/** The answer, changed. */
export function answering(told: Told, change: Partial<Committed>): Told {
  return {...told, answer: {...told.answer, ...change}};
}

/** Executed now, and its operation has no other attempt. */
export function isSingle(entries: readonly HistoryEntry[], {operation, answer}: Told): boolean {
  return !answer.fromRetryCache && attemptsOf(entries, operation).length === 1;
}

/** The first committed answer of which this holds and which is its operation's only attempt, altered. */
export function single(
  fits: (told: Told, entries: readonly HistoryEntry[]) => boolean,
  alter: (told: Told, entries: readonly HistoryEntry[]) => Attempt | null,
): Alteration {
  return entries => {
    for (const told of toldIn(entries)) {
      if (!isSingle(entries, told) || !fits(told, entries)) continue;
      const altered = alter(told, entries);
      if (altered !== null) return replaced(entries, altered);
    }
    return null;
  };
}

/** The first remembered answer of which this holds, with the answer as new that it repeats; altered. */
export function repeat(
  alter: (again: Told, first: Told, entries: readonly HistoryEntry[]) => HistoryEntry[] | null,
): Alteration {
  return entries => {
    for (const again of toldIn(entries)) {
      if (!again.answer.fromRetryCache || again.answer.result === 'operation_conflict') continue;
      const others = attemptsOf(entries, again.operation).filter(({line}) => line !== again.line);
      const [first] = toldIn(others);
      const isPair = others.length === 1 && first !== undefined && !first.answer.fromRetryCache;
      if (isPair && first.answer.result !== 'operation_conflict') return alter(again, first, entries);
    }
    return null;
  };
}

export function ended(entries: readonly HistoryEntry[]): {time: number; lsn: bigint} {
  let [time, lsn] = [0, 0n];
  for (const {sent, came} of entries) time = Math.max(time, sent, came ?? 0);
  for (const {answer} of toldIn(entries)) if (answer.lsn > lsn) lsn = answer.lsn;
  return {time, lsn};
}

/** Whether an answer or a tick tells of this lsn. */
export function isTold(entries: readonly HistoryEntry[], lsn: bigint): boolean {
  if (toldIn(entries).some(({answer}) => answer.lsn === lsn)) return true;
  return ticksIn(entries).some(({answer}) => {
    if (answer.type !== 'applied' || answer.lastLsn === null) return false;
    return lsn <= answer.lastLsn && lsn > answer.lastLsn - BigInt(answer.count);
  });
}

/** The slot of an lsn where the grants around it agree on one; null where they do not. */
export function slotAt(entries: readonly HistoryEntry[], lsn: bigint): bigint | null {
  let [below, above]: [Told | null, Told | null] = [null, null];
  for (const told of grantsIn(entries)) {
    const at = told.answer.lsn;
    if (at <= lsn && (below === null || at > below.answer.lsn)) below = told;
    if (at >= lsn && (above === null || at < above.answer.lsn)) above = told;
  }
  const [from, to] = [below, above].map(told => (told === null ? null : slotOf(told)));
  return from === to ? (from ?? null) : null;
}

export function grantsIn(entries: readonly HistoryEntry[]): Told[] {
  return toldIn(entries).filter(({answer}) => answer.reservationId !== null);
}

export function slotOf({answer, command}: Told): bigint {
  return (answer.deadlineSlot ?? 0n) - ('ttlSlots' in command ? command.ttlSlots : 0n);
}

export function resourcesOf(command: Command): readonly bigint[] {
  if (command.kind === 'reserve_bundle') return command.resourceIds;
  return command.kind === 'reserve' || command.kind === 'create_resource' ? [command.resourceId] : [];
}

export function isOn(command: Command, reservationId: bigint | null): boolean {
  return 'reservationId' in command && command.reservationId === reservationId;
}

/** The grant that held a resource before an lsn, and what was done to it with success before that lsn, in order. */
export function holderAt(
  entries: readonly HistoryEntry[],
  resourceId: bigint,
  lsn: bigint,
): {grant: Told; done: string[]; isOpen: boolean} | null {
  let grant: Told | null = null;
  for (const told of grantsIn(entries)) {
    const isEarlier = told.answer.lsn < lsn && resourcesOf(told.command).includes(resourceId);
    if (isEarlier && (grant === null || told.answer.lsn > grant.answer.lsn)) grant = told;
  }
  if (grant === null) return null;
  const id = grant.answer.reservationId;
  const acts = toldIn(entries).filter(
    ({command, answer}) => isOn(command, id) && answer.lsn < lsn && answer.result === 'ok',
  );
  acts.sort((a, b) => (a.answer.lsn < b.answer.lsn ? -1 : 1));
  const isOpen = entries.some(
    entry => entry.type === 'attempt' && isUnanswered(entry) && mayChange(entry, id, resourceId),
  );
  return {grant, done: [...new Set(acts.map(({command}) => command.kind.replace('_fenced', '')))], isOpen};
}

function isUnanswered({answer}: Attempt): boolean {
  return answer.type === 'nothing' || answer.type === 'indefinite';
}

function mayChange({command}: Attempt, reservationId: bigint | null, resourceId: bigint): boolean {
  return isOn(command, reservationId) || resourcesOf(command).includes(resourceId);
}

/** True when no line but the grant's own names the reservation. */
export function isUnnamed(entries: readonly HistoryEntry[], {answer, operation}: Told): boolean {
  return entries.every(entry => {
    if (entry.type === 'read') return entry.id !== answer.reservationId && shownOwner(entry) !== answer.reservationId;
    if (entry.type === 'tick') return true;
    return entry.operation === operation || !isOn(entry.command, answer.reservationId);
  });
}

export function shownOwner({answer}: Read): bigint | null {
  return answer.type === 'resource' ? answer.reservationId : null;
}

export function ticksIn(entries: readonly HistoryEntry[]): Tick[] {
  return entries.filter((entry): entry is Tick => entry.type === 'tick');
}

export function readsIn(entries: readonly HistoryEntry[]): Read[] {
  return entries.filter((entry): entry is Read => entry.type === 'read');
}
