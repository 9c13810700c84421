/**
 * What the checks are called, how much each has looked at, and what it found. Findings are kept up to a number for each
 * check and counted beyond it; a check that found nothing is reported with what it looked at, because no finding among
 * nothing proves nothing.
 */

/** Every check and what it holds a history to, in the order in which they are made. */
export const CHECKS = {
  at_most_once: 'an operation has one lsn and one answer, an lsn one operation',
  in_log:
    'what was acknowledged is in the log at its lsn, what was refused for good is not, what is unknown at most once',
  replay: 'every answer is what the state machine says at its place in the order',
  real_time_order: 'what was sent after an answer had come stands behind it in the log',
  pipelined_order: 'what one connection sent stands in the log in the order of sending',
  disjoint_ownership: 'no resource has two owners at an lsn',
  nothing_early: 'no hold ends before its deadline slot unless by a command',
  reads: 'what a read showed was so at some lsn between what was known before it and what came after it',
} as const;
/** Name of a check. */
export type CheckName = keyof typeof CHECKS;
export const CHECK_NAMES: readonly CheckName[] = Object.keys(CHECKS) as CheckName[];

/** One thing that is not as it must be. */
export interface Finding {
  readonly check: CheckName;
  readonly message: string;
  /** Lines of the history that it is about; empty where only the log knows of it. */
  readonly lines: readonly number[];
}

/** How often a check looked, and how often it found something. */
export interface CheckCount {
  readonly check: CheckName;
  readonly checked: number;
  readonly found: number;
}

export class Findings {
  readonly list: Finding[] = [];
  readonly #most: number;
  readonly #checked: Map<CheckName, number> = new Map();
  readonly #found: Map<CheckName, number> = new Map();

  /** Keeps at most so many findings of each check. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Counts one look; `why` is the finding, or null. Returns whether there is none. */
  look(check: CheckName, why: string | null, lines: readonly number[] = []): boolean {
    this.#checked.set(check, (this.#checked.get(check) ?? 0) + 1);
    if (why !== null) this.add(check, why, lines);
    return why === null;
  }

  /** Adds a finding without counting a look. */
  add(check: CheckName, message: string, lines: readonly number[]): void {
    const found = (this.#found.get(check) ?? 0) + 1;
    this.#found.set(check, found);
    if (found <= this.#most) this.list.push({check, message, lines: lines.filter(line => line > 0)});
  }

  get counts(): CheckCount[] {
    return CHECK_NAMES.map(check => ({
      check,
      checked: this.#checked.get(check) ?? 0,
      found: this.#found.get(check) ?? 0,
    }));
  }

  get total(): number {
    return [...this.#found.values()].reduce((sum, count) => sum + count, 0);
  }
}
