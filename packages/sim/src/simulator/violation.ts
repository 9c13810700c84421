// What a run reports when a promise is broken: which promise, and what was seen.
//
// The kind is what shrinking holds on to: a smaller schedule counts only if it breaks the same promise. Everything that is
// thrown in a run and is not one of these is itself a violation (`threw`).

/**
 * - `answer`: other bytes than the model's
 * - `shown_early`: an answer left before what it says was durable
 * - `lost`: something acknowledged is gone after a crash, or the log ends inside a frame
 * - `state`, `digest`, `invariants`: the state after an opening is not the one that was there
 * - `double_owner`, `early_end`, `two_results`: judged from the answers that clients got, without the model
 * - `unresolved`: a retry did not settle what had become of a command
 * - `halt`: halted without a failed call, or going on after one
 * - `silent`: everything has come to rest and somebody still waits
 * - `open`: a directory that is sound was refused
 * - `verify`: the closed directory does not verify
 * - `closed`: closed, and it still has something under way
 * - `checkpoint`: one that failed without a failed call, tells another digest, or leaves more or less than it must
 * - `threw`: anything else
 */
export const VIOLATION_KINDS = [
  'answer',
  'shown_early',
  'lost',
  'state',
  'digest',
  'invariants',
  'double_owner',
  'early_end',
  'two_results',
  'unresolved',
  'halt',
  'silent',
  'open',
  'verify',
  'closed',
  'checkpoint',
  'threw',
] as const;
export type ViolationKind = (typeof VIOLATION_KINDS)[number];

export class Violation extends Error {
  override readonly name: string = 'Violation';
  readonly kind: ViolationKind;

  constructor(kind: ViolationKind, message: string, cause: unknown = undefined) {
    super(`${kind}: ${message}`, {cause});
    this.kind = kind;
  }
}

/** Any error as a violation. */
export function violationOf(error: unknown): Violation {
  if (error instanceof Violation) return error;
  return new Violation('threw', error instanceof Error ? (error.stack ?? error.message) : String(error), error);
}
