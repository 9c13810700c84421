/**
 * What the auditor found wrong: a closed list of checks, how often each failed, and the first cases in words. A check
 * that never failed is listed too, with what it looked at, because "0 violations" of nothing proves nothing.
 */

/** Every check, with what it promises. */
export const CHECKS = {
  log_order: 'log: lsns follow each other, slots never go back, every record is a command',
  log_history: 'log: what was there after a crash is there at the end, byte for byte',
  operation_once: 'log: every operation is in it exactly once',
  expire_late: 'log: no hold expires before its deadline slot, and only holds expire',
  ledger_form: 'ledgers: every line can be read, and nothing was turned away',
  answer_logged: 'ledgers: every answer is in the log, at its lsn, for the command that was sent',
  answer_true:
    'ledgers: every answer is what the log’s history makes it (granted only free seats, refused only for cause)',
  answer_stable: 'ledgers: asked again, an operation answers as it did first',
  answer_survived: 'ledgers: what was acknowledged before a crash survived it',
  answer_cached: 'ledgers: “executed before” is said exactly of what was executed before',
  lost_resolved: 'ledgers: every request that a crash left unanswered came to exactly one result',
  record_answered: 'log: every client command in it was answered to its sender',
  order_real: 'clocks: what was answered before something else was sent comes before it in the log',
  hold_length: 'clocks: no hold ended early',
  look_true: 'ledgers: every seat was seen in a state that it had, and no older one than known then',
  api_seat: 'API: every seat is as the log’s history leaves it',
  api_lease: 'API: every live reservation has the holder, members and state that it should',
  one_owner: 'API: every sold seat has exactly one owner',
  sale_kept: 'API: every acknowledged sale that was not given back belongs to its buyer',
  sum: 'sold + held + free = all',
  server: 'the server’s own verification agrees',
} as const;

export type CheckName = keyof typeof CHECKS;

/** A failed check. */
export interface Violation {
  readonly check: CheckName;
  readonly what: string;
}

const KEPT_PER_CHECK = 20;

export class Findings {
  readonly #looked: Map<CheckName, number> = new Map();
  readonly #failed: Map<CheckName, number> = new Map();
  /** The first of each check. */
  readonly violations: Violation[] = [];

  /** Notes that a check looked at something; `what` is asked for only when it does not hold. Returns `holds`. */
  check(check: CheckName, holds: boolean, what: () => string): boolean {
    this.#looked.set(check, this.looked(check) + 1);
    if (holds) return true;
    const failed = this.failed(check) + 1;
    this.#failed.set(check, failed);
    if (failed <= KEPT_PER_CHECK) this.violations.push({check, what: what()});
    return false;
  }

  /** How much a check looked at. */
  looked(check: CheckName): number {
    return this.#looked.get(check) ?? 0;
  }

  /** How often it failed. */
  failed(check: CheckName): number {
    return this.#failed.get(check) ?? 0;
  }

  get violationCount(): number {
    let count = 0;
    for (const failed of this.#failed.values()) count += failed;
    return count;
  }
}
