/**
 * What the options of a command line say, read strictly: a mistake is named in one line with its option, and is never
 * guessed around. Used by the bench and by the comparison with other databases; which options there are is theirs.
 */

/** A mistake on the command line. */
export class UsageError extends Error {}

/** The number that an option was given. Throws UsageError where it is none, or below `least`. */
export function numberOf(option: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least) {
    throw new UsageError(`--${option} must be a number from ${least} on, got ${JSON.stringify(text)}`);
  }
  return value;
}

/** The same for a whole number. */
export function wholeOf(option: string, text: string, least: number): number {
  const value = numberOf(option, text, least);
  if (!Number.isInteger(value)) throw new UsageError(`--${option} must be a whole number, got ${JSON.stringify(text)}`);
  return value;
}
