/**
 * One listener for each signal, however many calls share it: a request handler's signal often guards dozens of calls,
 * and Node warns of a leak at the eleventh listener. A signal is let go of with the last call that uses it.
 */
import type {AbortSignalLike} from './answers.ts';

interface Group {
  listener: () => void;
  members: Set<() => void>;
}

export class SignalFanout {
  readonly #groups: Map<AbortSignalLike, Group> = new Map();

  /** Calls `onAbort` once when the signal fires, unless it was removed before. */
  add(signal: AbortSignalLike, onAbort: () => void): void {
    const known = this.#groups.get(signal);
    if (known !== undefined) {
      known.members.add(onAbort);
      return;
    }
    const members = new Set([onAbort]);
    const listener = (): void => {
      this.#groups.delete(signal);
      signal.removeEventListener('abort', listener);
      for (const member of members) member();
    };
    signal.addEventListener('abort', listener);
    this.#groups.set(signal, {listener, members});
  }

  remove(signal: AbortSignalLike, onAbort: () => void): void {
    const group = this.#groups.get(signal);
    if (group === undefined) return;
    group.members.delete(onAbort);
    if (group.members.size > 0) return;
    this.#groups.delete(signal);
    signal.removeEventListener('abort', group.listener);
  }
}
