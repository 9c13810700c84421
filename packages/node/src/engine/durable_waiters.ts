/**
 * Actions that wait for an lsn to be durable: a checkpoint that may then be published, a close that may then go on. They
 * run in the turn in which it happens, before the next frame is frozen; the driver says when.
 */

interface Waiter {
  readonly lsn: bigint;
  run(): void;
  reject(reason: Error): void;
}

export class DurableWaiters {
  private waiting: Waiter[] = [];

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** Resolves when the action has run; rejects with what it threw, or with what kept the lsn from becoming durable. */
  add(lsn: bigint, action: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          action();
          resolve();
        } catch (error) {
          reject(error);
        }
      };
      this.waiting.push({lsn, run, reject});
    });
  }

  /** Everything through `durable` is durable, or, with a failure, nothing more will be. */
  wake(durable: bigint, failure: Error | null): void {
    const {waiting} = this;
    this.waiting = [];
    for (const waiter of waiting) {
      if (failure !== null) waiter.reject(failure);
      else if (waiter.lsn <= durable) waiter.run();
      else this.waiting.push(waiter);
    }
  }
}
