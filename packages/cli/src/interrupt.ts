/**
 * What ends a call before its answer: SIGINT and SIGTERM, or its time being up. Both are AbortSignals to the client, which
 * says what is known of the outcome; the reasons here say which of the two it was.
 *
 * Signals of the process are caught only once a command asks for it: a server has its own way to stop, and a command
 * that only reads files may simply end. The second one ends the process at once.
 */

/** The reason of a call that the user or a supervisor ended. */
export class Interrupted extends Error {
  constructor(signal: string) {
    super(`interrupted by ${signal}`);
  }
}

/** The reason of a call that took too long. */
export class TimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs >= 1000 ? `${timeoutMs / 1000} s` : `${timeoutMs} ms`}`);
  }
}

/** Where a command learns that it is to end. */
export interface Interrupt {
  /** Fires with {@link Interrupted}. */
  readonly signal: AbortSignal;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The signals of the process. */
export class ProcessInterrupt implements Interrupt {
  #controller: AbortController | null = null;

  get signal(): AbortSignal {
    if (this.#controller !== null) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
    return controller.signal;
  }

  /** Lets signals end the process again. */
  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.dispose();
    this.#controller?.abort(new Interrupted(signal));
  };
}

/** Runs a call with a signal that fires at the interrupt, or when the call takes too long. */
export async function withTimeout<Value>(
  interrupt: Interrupt,
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  const {signal} = interrupt;
  const onInterrupt = (): void => controller.abort(signal.reason);
  const timer = setTimeout(() => controller.abort(new TimedOut(timeoutMs)), timeoutMs);
  if (signal.aborted) onInterrupt();
  else signal.addEventListener('abort', onInterrupt);
  try {
    return await call(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onInterrupt);
  }
}
