// What a halt makes of an answer that was decided and waits, by what the log held when it failed.
//
// What is durable stays as it was decided; what was in the frame that failed is a storage failure, of which nobody knows;
// what no frame was begun for is the halted engine's refusal, and so is every read that saw a state which is thrown away.
// Refusals stay. Judged by the watch over the files, not by what the engine believes.
// Not here: answers that are decided when the engine has halted already (`oracle.ts`).
import type {Decision, Part} from './decision.ts';
import type {Oracle} from './oracle.ts';
import {engineHalted, type Refused, sameBytes, startsWith, storageFailure} from './refusals.ts';

/** How far the log had come. */
export interface HaltPoint {
  /** Durable, and the engine had heard of it. */
  readonly knownLsn: bigint;
  /** Last lsn of the frame whose writing began last. */
  readonly begunLsn: bigint;
  /** The next frame was about to begin a segment; which records it was to have is not known. */
  readonly isBeginning: boolean;
}

interface Told {
  readonly decided: Uint8Array;
  readonly decision: Decision;
  readonly answer: Uint8Array;
}

/** Indices of the parts that have stayed as they were decided; null where the answer is not what it must be. */
export function afterHalt(oracle: Oracle, at: HaltPoint, {decided, decision, answer}: Told): readonly number[] | null {
  const {needs, parts, metrics} = decision;
  if (needs === null && parts.length === 0) return null;
  const isOne = (expected: readonly Uint8Array[]): number[] | null =>
    expected.some(bytes => sameBytes(answer, bytes)) ? [] : null;
  if (decided[0] !== BATCH && needs !== null && needs <= at.knownLsn) return null;
  switch (decided[0]) {
    case 1:
      return isOne(failures('submit', needs, at));
    case 13:
      return isOne(failures('tick', needs, at));
    case 3:
    case 4:
    case 5:
    case 18:
      return isOne([engineHalted('resource')]);
    case 6:
    case 7:
    case 8:
    case 9:
    case 17:
    case 19:
      return isOne([engineHalted('reservation')]);
    case 10:
      return metrics === null ? null : isOne([oracle.haltedMetrics(metrics, at.knownLsn, answer)]);
    case BATCH:
      return keptMembers(at, decided, parts, answer);
    default:
      return null;
  }
}

const BATCH = 16;

function failures(of: Refused, lsn: bigint | null, {begunLsn, isBeginning}: HaltPoint): readonly Uint8Array[] {
  if (lsn !== null && lsn <= begunLsn) return [storageFailure(of)];
  return isBeginning ? [storageFailure(of), engineHalted(of)] : [engineHalted(of)];
}

function keptMembers(
  at: HaltPoint,
  decided: Uint8Array,
  parts: readonly Part[],
  answer: Uint8Array,
): readonly number[] | null {
  const kept: number[] = [];
  let to = 3;
  let from = 3;
  for (const [index, {lsn, fate, length}] of parts.entries()) {
    const before = decided.subarray(from, from + length);
    from += length;
    const stays = fate !== 'committed' || lsn <= at.knownLsn;
    const expected = stays ? [before] : failures('submit', lsn, at);
    const found = expected.find(bytes => startsWith(answer, to, bytes));
    if (found === undefined) return null;
    if (stays) kept.push(index);
    to += found.length;
  }
  return to === answer.length && startsWith(answer, 0, decided.subarray(0, 3)) ? kept : null;
}
