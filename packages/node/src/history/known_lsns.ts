/**
 * What the clock proves about lsns: which had been told before a moment, and which can only have been given after it.
 * Whatever was sent after an answer had come stands behind it in the log, whoever sent what; both directions are one
 * sorted list with a running maximum or minimum, so that a million attempts cost a sort.
 */
import {type Attempt, lsnOfReservation, type Read} from './entry.ts';
import {type History, isOwnAnswer, type Operation} from './history.ts';

/** A column of moments, and of the extreme lsn up to each. */
interface Extremes {
  readonly at: Float64Array;
  readonly lsn: BigUint64Array;
}

/** Calls back with moments and lsns, in any order. */
type EachTold = (take: (at: number, lsn: bigint) => void) => void;

export class KnownLsns {
  /** Answers by the time at which they came, with the highest lsn told by then. */
  readonly #told: Extremes;
  /** New operations by the time at which they were sent, with the lowest lsn from there on. */
  readonly #sent: Extremes;

  constructor(history: History) {
    this.#told = highestFirst(take => toldBy(history, take));
    this.#sent = lowestLast(take => newOperations(history, take));
  }

  /** The highest lsn that had been told before this time; 0 when none had. */
  before(time: number): bigint {
    const count = countBelow(this.#told.at, time);
    return count === 0 ? 0n : (this.#told.lsn[count - 1] ?? 0n);
  }

  /** The lowest lsn of an operation sent after this time; null when there is none. */
  after(time: number): bigint | null {
    const {at, lsn} = this.#sent;
    let index = countBelow(at, time);
    while (index < at.length && at[index] === time) index++;
    return index === at.length ? null : (lsn[index] ?? null);
  }
}

/** The lsn that this attempt, and no other, was given: told as new, or logged with no other attempt to have caused it. */
export function freshLsn(operation: Operation, attempt: Attempt): bigint | null {
  const {answer} = attempt;
  if (operation.blamed || answer.type === 'definite') return null;
  if (answer.type === 'committed') return answer.fromRetryCache ? null : answer.lsn;
  const others = operation.attempts.filter(other => other !== attempt && other.answer.type !== 'definite');
  return others.length === 0 && operation.logged.length === 1 ? (operation.logged[0] ?? null) : null;
}

/** When an operation that is known only as remembered or from the log was sent first: the earliest that can have caused it. */
export function firstSent(operation: Operation): number {
  let first = Number.POSITIVE_INFINITY;
  for (const {answer, sent} of operation.attempts) if (answer.type !== 'definite' && sent < first) first = sent;
  return first;
}

function toldBy(history: History, take: (at: number, lsn: bigint) => void): void {
  for (const operation of history.operations.values()) {
    if (operation.blamed) continue;
    for (const {answer, came} of operation.attempts) {
      if (answer.type === 'committed' && came !== null) take(came, answer.lsn);
    }
  }
  for (const tick of history.ticks) {
    const {answer, came} = tick;
    if (history.wrongTicks.has(tick) || answer.type !== 'applied') continue;
    if (answer.lastLsn !== null && came !== null) take(came, answer.lastLsn);
  }
  for (const read of history.reads) if (read.came !== null) take(read.came, shownLsn(read));
}

/** The highest lsn that a read's answer speaks of. */
export function shownLsn({answer}: Read): bigint {
  switch (answer.type) {
    case 'resource':
      return answer.reservationId === null ? 0n : lsnOfReservation(answer.reservationId);
    case 'reservation':
      return answer.releasedLsn ?? answer.createdLsn;
    case 'fence_not_applied':
      return answer.lastLsn ?? 0n;
    default:
      return 0n;
  }
}

function newOperations(history: History, take: (at: number, lsn: bigint) => void): void {
  for (const operation of history.operations.values()) {
    for (const attempt of operation.attempts) {
      if (!isOwnAnswer(attempt)) continue;
      const lsn = freshLsn(operation, attempt);
      if (lsn !== null) take(attempt.sent, lsn);
    }
  }
}

/** Sorted by time; gone through twice, so that columns are made once and at their size. */
function columns(each: EachTold): Extremes {
  let count = 0;
  each(() => {
    count++;
  });
  const [at, lsn, order] = [new Float64Array(count), new BigUint64Array(count), new Uint32Array(count)];
  let next = 0;
  each((time, told) => {
    at[next] = time;
    lsn[next] = told;
    order[next] = next++;
  });
  order.sort((a, b) => (at[a] ?? 0) - (at[b] ?? 0));
  return {at: Float64Array.from(order, i => at[i] ?? 0), lsn: BigUint64Array.from(order, i => lsn[i] ?? 0n)};
}

function highestFirst(each: EachTold): Extremes {
  const {at, lsn} = columns(each);
  for (let i = 1; i < lsn.length; i++) if ((lsn[i - 1] ?? 0n) > (lsn[i] ?? 0n)) lsn[i] = lsn[i - 1] ?? 0n;
  return {at, lsn};
}

function lowestLast(each: EachTold): Extremes {
  const {at, lsn} = columns(each);
  for (let i = lsn.length - 2; i >= 0; i--) if ((lsn[i + 1] ?? 0n) < (lsn[i] ?? 0n)) lsn[i] = lsn[i + 1] ?? 0n;
  return {at, lsn};
}

/** How many of the sorted values are below this one. */
export function countBelow<Value extends number | bigint>(at: ArrayLike<Value>, time: Value): number {
  let [low, high] = [0, at.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((at[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
