/**
 * Which slot a request is applied at. Slots never go backwards: the effective slot is at least the last applied one,
 * whatever a request says, so late is allowed and early is not.
 *
 * Whoever states slots owns time. An engine without a clock trusts its caller. With a clock it can bound how far ahead of
 * the clock a stated slot may run (`maxSlotAdvance`), or ignore stated slots altogether, as a server does for its clients.
 */
import {type AllocDb, hiOf, loOf, ltU64, U64_MAX} from '@allocdb/core';

/** The present slot of an engine's owner. Monotone; the implementation is injected. */
export interface SlotClock {
  /** The present slot, u64. */
  now(): bigint;
}

/** What becomes of the slot that a request states. */
export interface SlotPolicy {
  /** Null where the caller's slots are the only time there is. */
  readonly clock: SlotClock | null;
  /** Most slots by which a stated slot may be ahead of the clock; null for no bound. Needs a clock. */
  readonly maxSlotAdvance: bigint | null;
  /** True to take every slot from the clock. Needs a clock. */
  readonly ignoreRequestSlots: boolean;
}

/** Every stated slot is believed. */
export const TRUST_REQUEST_SLOTS: SlotPolicy = {clock: null, maxSlotAdvance: null, ignoreRequestSlots: false};

export class SlotSource {
  private readonly db: AllocDb;
  private readonly policy: SlotPolicy;
  /** The latest slot that the policy allows to be stated, as lanes; read once per turn. */
  private boundLo: number = -1;
  private boundHi: number = -1;

  constructor(db: AllocDb, policy: SlotPolicy) {
    if (policy.clock === null && (policy.ignoreRequestSlots || policy.maxSlotAdvance !== null)) {
      throw new TypeError('maxSlotAdvance and ignoreRequestSlots need a slot clock');
    }
    this.db = db;
    this.policy = policy;
    this.refresh();
  }

  /** Reads the clock; to be called at the beginning of each turn in which requests are taken. */
  refresh(): void {
    const {clock, maxSlotAdvance, ignoreRequestSlots} = this.policy;
    if (clock === null || (maxSlotAdvance === null && !ignoreRequestSlots)) return;
    const bound = ignoreRequestSlots ? clock.now() : clock.now() + (maxSlotAdvance ?? 0n);
    this.boundLo = loOf(bound < U64_MAX ? bound : U64_MAX);
    this.boundHi = hiOf(bound < U64_MAX ? bound : U64_MAX);
  }

  /** The slot that counts for a reader or a tick: the stated one, unless the policy takes or bounds it. */
  stated(slotLo: number, slotHi: number, out: Int32Array): void {
    const taken = this.policy.ignoreRequestSlots || ltU64(this.boundLo, this.boundHi, slotLo, slotHi);
    out[0] = taken ? this.boundLo : slotLo;
    out[1] = taken ? this.boundHi : slotHi;
  }

  /** The slot at which a command is applied: the stated one, at least the last applied one. */
  effective(slotLo: number, slotHi: number, out: Int32Array): void {
    this.stated(slotLo, slotHi, out);
    const {lastSlotLo, lastSlotHi} = this.db;
    if (!ltU64(out[0] ?? 0, out[1] ?? 0, lastSlotLo, lastSlotHi)) return;
    out[0] = lastSlotLo;
    out[1] = lastSlotHi;
  }
}
