/**
 * Truncation by consent: everyone who would need the log after a crash says how far they no longer do.
 *
 * Invariants: no lsn is safe while a participant has not reported, or while there is none; what is safe never moves back;
 * truncation removes only what lies below the lowest report.
 */

import type {Wal} from '../wal.ts';

export class CheckpointGate {
  readonly #reports: Map<string, bigint | null> = new Map();

  /** Adds one who must be asked from now on. Throws `RangeError` where the name is taken. */
  register(name: string): void {
    if (this.#reports.has(name)) throw new RangeError(`${name} is registered already`);
    this.#reports.set(name, null);
  }

  /** Removes one who no longer needs the log. */
  unregister(name: string): void {
    this.#reports.delete(name);
  }

  /**
   * The participant holds durably, outside the log, whatever it needs of the records below this lsn. A lower lsn than the
   * last one changes nothing. Throws `RangeError` for a name that is not registered.
   */
  report(name: string, lsn: bigint): void {
    const known = this.#reports.get(name);
    if (known === undefined) throw new RangeError(`${name} is not registered`);
    if (known === null || lsn > known) this.#reports.set(name, lsn);
  }

  /** Nobody needs a record below this lsn. Null while somebody has not reported, or nobody is registered. */
  get safeLsn(): bigint | null {
    let safe: bigint | null = null;
    for (const lsn of this.#reports.values()) {
      if (lsn === null) return null;
      if (safe === null || lsn < safe) safe = lsn;
    }
    return safe;
  }

  /** Who has not reported yet, for the message to whoever wonders why the log grows. */
  get missing(): string[] {
    return [...this.#reports].filter(([, lsn]) => lsn === null).map(([name]) => name);
  }

  /** Removes the whole segments below `safeLsn` and says how many; none while there is none. Throws as `truncateBefore`. */
  truncate(wal: Pick<Wal, 'truncateBefore'>): number {
    const {safeLsn} = this;
    return safeLsn === null ? 0 : wal.truncateBefore(safeLsn);
  }
}
