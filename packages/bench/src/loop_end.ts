/**
 * How a closed loop ends, whatever it speaks: by the first thing that goes wrong on one of its connections, or because it was
 * told to stop and nothing is outstanding any more. The client says what is outstanding; after each answer it asks here
 * whether to send the next request.
 */
export class LoopEnd {
  readonly #isDrained: () => boolean;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #draining: boolean = false;
  #drained: () => void = () => undefined;

  /** `isDrained` says that no answer is waited for. */
  constructor(isDrained: () => boolean) {
    this.#isDrained = isDrained;
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
  }

  /** Told by connections; the first one counts. */
  fail(error: Error): void {
    this.#fail(error);
  }

  /** The promise's value, or the first thing that went wrong on a connection. */
  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  /** Resolves when nothing is outstanding; nothing more is to be sent. */
  async stop(): Promise<void> {
    await this.orFailure(
      new Promise<void>(resolve => {
        this.#drained = resolve;
        this.#draining = true;
        this.#settle();
      }),
    );
  }

  /** To be asked behind each answer: whether another request is to follow it. */
  goesOn(): boolean {
    if (this.#draining) this.#settle();
    return !this.#draining;
  }

  #settle(): void {
    if (this.#isDrained()) this.#drained();
  }
}
