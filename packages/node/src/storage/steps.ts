/**
 * Long work in pieces. A function that reads or checks much is written as a generator that yields between pieces of well
 * under a millisecond: run at once where nobody waits, in turns where an event loop must go on.
 *
 * What the work is at is told to a `Progress` as it goes. Not here: who is told, and how often (directory/progress.ts).
 */

/** Work in pieces, with a result. */
export type Steps<T> = Generator<void, T>;

/** What is being done: reading and applying the log, writing files, or checking what was written. */
export type Phase = 'replay' | 'copy' | 'verify';

/** Told by the steps how far they are. */
export interface Progress {
  /** A phase begins, with so much to do; 0 where that is not known. */
  begin(phase: Phase, unit: 'bytes' | 'records', total: number): void;
  /** So much more is done. */
  add(count: number): void;
}

export const NO_PROGRESS: Progress = {begin: () => undefined, add: () => undefined};

/** After so much work, others get their turn. */
const SLICE_MS = 1;

/** Runs all of it now. */
export function runSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Runs it in slices of about a millisecond; between two of them `rest` is waited for, which is told how long the slice
 * took. Where `rest` rejects, the work ends with that, and has let go of its files.
 */
export async function inTurns<T>(
  steps: Steps<T>,
  now: () => number,
  rest: (busyMs: number) => Promise<void>,
): Promise<T> {
  try {
    for (let begun = now(); ; ) {
      const step = steps.next();
      if (step.done === true) return step.value;
      const busyMs = now() - begun;
      if (busyMs < SLICE_MS) continue;
      await rest(busyMs);
      begun = now();
    }
  } finally {
    steps.return(undefined as never);
  }
}
