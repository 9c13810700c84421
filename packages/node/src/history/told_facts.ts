/**
 * What answers tell of executions, in order of lsn, with what is known of slots: a grant states its slot, as its deadline
 * less its length, and slots never fall, so everything before it was applied at that slot or an earlier one.
 *
 * Grants whose slots contradict each other cannot all be right. The fewest that must be wrong are found and left out, so
 * that one wrong deadline is one finding and no other check is misled by it.
 */
import type {Fact} from './fact.ts';
import type {Findings} from './findings.ts';
import {type History, isOwnAnswer, type Operation} from './history.ts';

interface ToldFact extends Fact {
  slotAtMost: bigint | null;
  readonly operation: Operation;
}

/** The slot that a grant states; null for others. */
function slotOf({deadlineSlot, command}: Fact): bigint | null {
  return deadlineSlot !== null && 'ttlSlots' in command ? deadlineSlot - command.ttlSlots : null;
}

/** Facts up to an lsn, or all of them. */
export function toldFacts(history: History, findings: Findings, upTo: bigint | null): Fact[] {
  const told = collect(history, upTo);
  const wrong = outOfOrder(told);
  let after: bigint | null = null;
  for (let i = told.length - 1; i >= 0; i--) {
    const each = told[i];
    if (each === undefined) continue;
    const slot = slotOf(each);
    if (wrong.has(each)) {
      const why = `lsn ${each.lsn} (${each.command.kind}): its deadline makes it slot ${slot}, which is not between those around it`;
      findings.add('replay', why, [each.line]);
      each.operation.blamed = true;
    } else if (slot !== null) after = slot;
    each.slotAtMost = after;
  }
  return wrong.size === 0 ? told : told.filter(each => !wrong.has(each));
}

function collect(history: History, upTo: bigint | null): ToldFact[] {
  const told: ToldFact[] = [];
  for (const operation of history.operations.values()) {
    if (operation.blamed) continue;
    const lsns = new Set<bigint>();
    for (const attempt of operation.attempts) {
      if (!isOwnAnswer(attempt) || lsns.has(attempt.answer.lsn)) continue;
      const {lsn, result, reservationId, deadlineSlot} = attempt.answer;
      const {command, line} = attempt;
      if (upTo !== null && lsn > upTo) continue;
      lsns.add(lsn);
      told.push({lsn, slotAtMost: null, command, result, reservationId, deadlineSlot, line, operation});
    }
  }
  return told.sort((a, b) => (a.lsn < b.lsn ? -1 : 1));
}

/** Those outside a longest run of grants whose slots do not fall. */
function outOfOrder(told: readonly ToldFact[]): Set<ToldFact> {
  const grants = told.filter(each => slotOf(each) !== null);
  const slots = grants.map(each => slotOf(each) ?? 0n);
  // ends[n]: the grant with the lowest slot that a run of n + 1 can end with; before[i]: the one before i in its run.
  const ends: number[] = [];
  const before = new Int32Array(grants.length).fill(-1);
  for (const [i, slot] of slots.entries()) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((slots[ends[middle] ?? 0] ?? 0n) <= slot) low = middle + 1;
      else high = middle;
    }
    if (low > 0) before[i] = ends[low - 1] ?? -1;
    ends[low] = i;
  }
  const wrong = new Set(grants);
  for (let i = ends.at(-1) ?? -1; i >= 0; i = before[i] ?? -1) {
    const grant = grants[i];
    if (grant !== undefined) wrong.delete(grant);
  }
  return wrong;
}
