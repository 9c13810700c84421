/**
 * The only place in core that throws. An assertion states what cannot happen: a broken invariant, a caller that
 * ignored its duty, bytes that an earlier check had accepted. Whatever can happen in operation is a result code.
 *
 * Messages are literals, so that an assertion costs one comparison until it fails.
 */

/** Throws when `condition` is false. `message` is the positive statement that should have held. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Marks the end of a switch over a closed set; reaching it is an assertion failure. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unreachable value ${String(value)}`);
}
