/**
 * The end of the event loop's turn, when whatever is ready has been served.
 *
 * `setImmediate` is taken when the module loads: a test that replaces the timers of its process must not stop the log.
 */

const schedule: (callback: () => void) => void = setImmediate;

export function endOfTurn(): Promise<void> {
  return new Promise(resolve => schedule(resolve));
}
