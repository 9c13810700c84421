/**
 * Exit codes of the command line, and the way a command ends with a message. The codes are part of the interface: scripts
 * tell "no" from "don't know" by them. How a failure is printed is in report.ts.
 */

/** 0 yes, 1 failure, 2 refused by the database, 3 outcome unknown, 64 wrong usage. */
export const EXIT = {OK: 0, FAILURE: 1, REFUSED: 2, UNKNOWN: 3, USAGE: 64} as const;

/**
 * Ends a command: `message` goes to stderr, `exitCode` to the caller, `code` before the message, where it can be looked up,
 * and into its JSON form.
 */
export class CommandFailure extends Error {
  readonly exitCode: number;
  readonly code: string;

  constructor(exitCode: number, message: string, code: string | null = null) {
    super(message);
    this.exitCode = exitCode;
    this.code = code ?? (exitCode === EXIT.USAGE ? 'usage' : 'failure');
  }
}

/** Throws a {@link CommandFailure}. */
export function fail(exitCode: number, message: string, code: string | null = null): never {
  throw new CommandFailure(exitCode, message, code);
}
