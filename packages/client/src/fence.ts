/**
 * Fences on the side of what they guard. A lease's fence is its reservation id, which only grows within a shard: a guard
 * that remembers the highest one it has seen, and refuses smaller ones, cannot be used by a holder whose lease ended and
 * was given to somebody else, however late his request arrives and whatever he believes.
 *
 * The idea is that of fencing tokens (Kleppmann, How to do distributed locking, 2016). Not here: where the guard keeps what
 * it remembers. It must live as long as the thing it guards: `packages/examples` has a row of PostgreSQL and an HTTP service.
 */
import {type ReservationId, reservationId} from '@allocdb/api';

/** Negative, 0 or positive, as `a` was granted before `b`, is the same grant, or was granted after it. */
export function compareFences(a: ReservationId, b: ReservationId): number {
  // Ids of 32 hex digits are ordered as the numbers that they are.
  const [left, right] = [reservationId(a), reservationId(b)];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Guards one thing against holders whose time is over. */
export class FenceGuard {
  #highest: ReservationId | null;

  /** Begins with the highest fence that was ever admitted, null if there was none. */
  constructor(highest: ReservationId | null = null) {
    this.#highest = highest === null ? null : reservationId(highest);
  }

  /** The highest fence admitted so far. */
  get highest(): ReservationId | null {
    return this.#highest;
  }

  /** True, and remembered, unless a higher one was admitted before. Throws TypeError for what is no reservation id. */
  admit(fence: ReservationId): boolean {
    const id = reservationId(fence);
    if (this.#highest !== null && compareFences(id, this.#highest) < 0) return false;
    this.#highest = id;
    return true;
  }
}
