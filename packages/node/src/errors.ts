/**
 * Why a database cannot be opened, or not be configured so: one class with a closed set of codes, and the issues found.
 * It is about directories and settings; what a running engine answers to a request is never an exception.
 */

/** What kept a database from opening. */
export type OpenErrorCode =
  | 'invalid_config'
  | 'config_mismatch'
  | 'missing_config'
  | 'corrupt_config'
  | 'unsupported_version'
  | 'not_empty'
  | 'locked'
  | 'unfinished'
  | 'corrupt_snapshot'
  | 'missing_log'
  | 'corrupt_log'
  | 'rewound_slot'
  | 'undecodable_command'
  | 'outcome_mismatch'
  | 'digest_mismatch'
  | 'invariant_violation'
  | 'lsn_out_of_range'
  | 'not_verified'
  | 'storage_full'
  | 'io';

/** Match `code`, not the message. No file was changed, but for the lock. */
export class OpenError extends Error {
  override readonly name: string = 'OpenError';
  readonly code: OpenErrorCode;
  /** One line for each offending field or fact. */
  readonly issues: readonly string[];

  constructor(code: OpenErrorCode, message: string, issues: readonly string[] = [], cause: unknown = undefined) {
    super([message, ...issues.map(issue => `  ${issue}`)].join('\n'), {cause});
    this.code = code;
    this.issues = issues;
  }
}

/** True for an {@link OpenError}, also one of another copy of this package. */
export function isOpenError(error: unknown): error is OpenError {
  return error instanceof Error && error.name === 'OpenError';
}
