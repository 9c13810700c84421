/**
 * How work that nobody's answers wait for gives way: to whatever the event loop has to do at the end of the turn, and to
 * the signal that ends it.
 */
import {EVENT_LOOP} from '../clock.ts';

/** To be waited for between two slices; rejects with the signal's reason. */
export function restOf(signal: AbortSignal | undefined): () => Promise<void> {
  return async () => {
    signal?.throwIfAborted();
    await new Promise<void>(resolve => EVENT_LOOP.endOfTurn(resolve));
    signal?.throwIfAborted();
  };
}
