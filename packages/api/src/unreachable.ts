/**
 * The end of a switch over a closed set. The compiler proves that it is not reached from TypeScript; from JavaScript it
 * is how an unknown `type` or `command` is told: as misuse, never as a silent undefined.
 */

/** Throws TypeError naming the value of `what` that is in no closed set. */
export function unreachable(value: never, what: string): never {
  throw new TypeError(`unknown ${what}: ${JSON.stringify(value)}`);
}
