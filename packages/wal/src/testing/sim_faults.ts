/**
 * Counts the calls of the simulated disk and says which of them fail, and how.
 *
 * Nothing fails that was not armed. What a failing call has done before it failed is decided by the disk, by chance.
 */

/** What happens to one call, counted from now on; `call` 1 is the next one. */
export interface DiskFault {
  readonly call: number;
  /**
   * - `EIO`, `ENOSPC`: the call fails; a write may have been made in part, a sync may have persisted some sectors
   * - `short`: a write takes only half
   * - `power_cut`: this call fails, and all later ones until `restart`
   * - `lost`: a write reads as made, and no sync will ever bring it to the platter
   * - `misdirected`: as `lost`, and the platter gets the bytes in another place of the file
   */
  readonly kind: 'EIO' | 'ENOSPC' | 'short' | 'power_cut' | 'lost' | 'misdirected';
  /** The calls after it fail likewise. Default false. */
  readonly forever?: boolean;
}

export class SimFaults {
  calls = 0;
  isDown = false;
  #armed: DiskFault | null = null;
  #at: number = Number.POSITIVE_INFINITY;

  arm(fault: DiskFault | null): void {
    this.#armed = fault;
    this.#at = fault === null ? Number.POSITIVE_INFINITY : this.calls + fault.call;
  }

  restart(): void {
    this.isDown = false;
    this.arm(null);
  }

  /** Counts one call and says what happens to it; `off` where the power went before. Null where it goes well. */
  next(): DiskFault['kind'] | 'off' | null {
    if (this.isDown) return 'off';
    this.calls++;
    const fault = this.#armed;
    if (this.calls < this.#at || fault === null) return null;
    if (this.calls > this.#at && fault.forever !== true) return null;
    if (fault.kind === 'power_cut') this.isDown = true;
    return fault.kind;
  }
}

/** Throws what the system says of a call that failed this way; returns where the call is made all the same. */
export function throwFault(kind: DiskFault['kind'] | 'off' | null): void {
  if (kind === 'EIO' || kind === 'ENOSPC') throw systemError(kind, 'an armed fault');
  if (kind === 'power_cut' || kind === 'off') throw systemError('EPOWER', 'the power is off');
}

export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), {code});
}
