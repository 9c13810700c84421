/**
 * Exit codes of the command line, and the way a command ends with a message. The codes are part of the interface: scripts
 * tell "no" from "don't know" by them.
 */

/** 0 yes, 1 failure, 2 refused by the database, 3 outcome unknown, 64 wrong usage. */
export const EXIT = {OK: 0, FAILURE: 1, REFUSED: 2, UNKNOWN: 3, USAGE: 64} as const;

/** Ends a command: `message` goes to stderr, `exitCode` to the caller. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Throws a {@link CommandFailure}. */
export function fail(exitCode: number, message: string): never {
  throw new CommandFailure(exitCode, message);
}
