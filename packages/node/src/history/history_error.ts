/**
 * The one error of this directory: a line of a history that is not what the format says. It names the line and the
 * field, so that a recorder can be corrected; nothing that a history *says* is ever an error, that is a finding.
 * Not here: errors of the file itself, which are the system's.
 */

/** Thrown for a line that is no entry of a history. */
export class HistoryError extends Error {
  override readonly name: string = 'HistoryError';
  /** From 1; 0 where the whole file is meant. */
  readonly line: number;

  constructor(line: number, what: string) {
    super(line === 0 ? what : `line ${line}: ${what}`);
    this.line = line;
  }
}

/** True for a {@link HistoryError}, also one of another copy of this module. */
export function isHistoryError(error: unknown): error is HistoryError {
  return error instanceof Error && error.name === 'HistoryError' && 'line' in error;
}
