/**
 * The clients' own view (`ledger.ts`): answers made by hand that no correct database gives, each of which must be held
 * against it, and the ones beside them that are in order.
 */
import {type Command, type Committed, encodeClientRequest} from '@allocdb/sim';
import {describe, expect, test} from 'vitest';
import {Ledger} from '../src/simulator/ledger.ts';

const WINDOW = 50n;

type Step = readonly [command: Command, lsn: bigint, slot: bigint];

const reserve = (resourceId: bigint, ttlSlots: bigint): Command => ({
  kind: 'reserve',
  resourceId,
  holderId: 9n,
  ttlSlots,
});
const confirm = (reservationId: bigint): Command => ({kind: 'confirm', reservationId, holderId: 9n});
const release = (reservationId: bigint): Command => ({kind: 'release', reservationId, holderId: 9n});
const reclaim = (reservationId: bigint): Command => ({kind: 'reclaim', reservationId});
const bundle = (resourceIds: bigint[], ttlSlots: bigint): Command => ({
  kind: 'reserve_bundle',
  holderId: 9n,
  ttlSlots,
  resourceIds,
});

function answerTo(command: Command, lsn: bigint, slot: bigint): Committed {
  const grants = 'ttlSlots' in command;
  const deadlineSlot = grants ? slot + command.ttlSlots : null;
  return {
    kind: 'committed',
    appliedLsn: lsn,
    result: 'ok',
    reservationId: grants ? lsn : null,
    deadlineSlot,
    fromRetryCache: false,
  };
}

/** What the ledger says of these answers, each to an operation of its own. */
function verdictOf(steps: readonly Step[], unanswered: readonly Command[] = []): string {
  const ledger = new Ledger(WINDOW);
  let operation = 1n;
  for (const command of unanswered) ledger.unanswered(encodeClientRequest(operation++, 1n, command));
  try {
    for (const [command, lsn, slot] of steps) {
      ledger.answered(encodeClientRequest(operation++, 1n, command), answerTo(command, lsn, slot), slot);
    }
    ledger.checkAll();
  } catch (error) {
    return String(error);
  }
  return 'in order';
}

const HELD: Step = [reserve(7n, 10n), 3n, 100n];

describe('two grants of one resource', () => {
  test.each<[name: string, steps: Step[], verdict: RegExp]>([
    ['before the deadline', [HELD, [reserve(7n, 5n), 4n, 109n]], /early_end/],
    ['at the deadline, by expiry', [HELD, [reserve(7n, 5n), 4n, 110n]], /in order/],
    ['in a bundle', [HELD, [bundle([5n, 7n], 5n), 4n, 104n]], /early_end/],
    ['of another resource', [HELD, [reserve(8n, 5n), 4n, 104n]], /in order/],
    ['with a release between', [HELD, [release(3n), 4n, 101n], [reserve(7n, 5n), 5n, 102n]], /in order/],
    ['with a release behind', [HELD, [reserve(7n, 5n), 4n, 102n], [release(3n), 5n, 103n]], /early_end/],
    [
      'with a release that was heard of later',
      [HELD, [reserve(7n, 5n), 5n, 102n], [release(3n), 4n, 101n]],
      /in order/,
    ],
    ['confirmed, past the deadline', [HELD, [confirm(3n), 4n, 101n], [reserve(7n, 5n), 5n, 300n]], /double_owner/],
    [
      'confirmed and reclaimed',
      [HELD, [confirm(3n), 4n, 101n], [reclaim(3n), 5n, 102n], [reserve(7n, 5n), 6n, 103n]],
      /in order/,
    ],
    ['heard of in the other order', [[reserve(7n, 5n), 4n, 104n], HELD], /early_end/],
  ])('%s', (_, steps, verdict) => {
    expect(verdictOf(steps)).toMatch(verdict);
  });

  test('a release that went unanswered excuses', () => {
    const steps: Step[] = [HELD, [reserve(7n, 5n), 5n, 102n]];
    expect(verdictOf(steps, [release(3n)])).toBe('in order');
    expect(verdictOf(steps, [confirm(3n)])).toMatch(/early_end/);
  });
});

describe('one operation', () => {
  const payload = encodeClientRequest(77n, 1n, reserve(7n, 10n));
  const other = encodeClientRequest(77n, 1n, reserve(8n, 10n));
  const at = (lsn: bigint, slot: bigint): Committed => answerTo(reserve(7n, 10n), lsn, slot);

  test.each<[name: string, second: Uint8Array, lsn: bigint, slot: bigint, verdict: RegExp]>([
    ['answered again', payload, 3n, 100n, /in order/],
    ['applied twice within its window', payload, 4n, 150n, /two_results/],
    ['applied again behind its window', payload, 4n, 151n, /in order/],
    ['applied with another command within its window', other, 4n, 150n, /two_results/],
  ])('%s', (_, second, lsn, slot, verdict) => {
    const ledger = new Ledger(WINDOW);
    const settle = (): string => {
      ledger.answered(payload, at(3n, 100n), 100n);
      ledger.answered(second, at(lsn, slot), slot);
      return 'in order';
    };
    let said: string;
    try {
      said = settle();
    } catch (error) {
      said = String(error);
    }
    expect(said).toMatch(verdict);
  });
});
