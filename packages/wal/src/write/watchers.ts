/**
 * Whoever wants to know that the durable lsn has moved, or that the log has ended.
 */

export class Watchers {
  readonly #callbacks: Set<() => void> = new Set();

  add(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  ring(): void {
    for (const callback of this.#callbacks) callback();
  }
}
