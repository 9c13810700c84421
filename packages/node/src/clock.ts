/**
 * Time, for everything in this package that is not deterministic. A slot clock continues from a slot by monotonic elapsed
 * time: downtime does not count, and a jump of the wall clock has no effect, so holds may end late, never early.
 */
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import type {SlotClock} from './engine/slot_source.ts';

/** Milliseconds of the process's monotonic clock. */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * When the engine's own actions run. The event loop's, unless a simulator decides the order: then nothing in the engine
 * happens but by its choice and by the calls that its files answer.
 */
export interface Scheduler {
  /** Runs the action when the turn of the event loop ends, after every socket that was readable in it. */
  endOfTurn(action: () => void): void;
  /** Runs the action after so many milliseconds; the wait alone keeps no process alive. Returns what calls it off. */
  later(ms: number, action: () => void): () => void;
  /** Resolves after so many milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** The event loop of this process. */
export const EVENT_LOOP: Scheduler = {
  endOfTurn: action => void setImmediate(action),
  later: (ms, action) => {
    const timer = setTimeout(action, ms).unref();
    return () => clearTimeout(timer);
  },
  sleep: ms => delay(ms),
};

/** Slots are u64: a clock that began near the last one stands still there. */
const SLOT_MAX = 0xffff_ffff_ffff_ffffn;

/** Counts slots of a fixed duration from a first one on, by a monotonic clock in milliseconds. */
export class MonotonicSlotClock implements SlotClock {
  readonly slotDurationMs: number;
  private readonly firstSlot: bigint;
  private readonly startedMs: number;
  private readonly source: () => number;
  private elapsedSlots: number = 0;

  constructor(firstSlot: bigint, slotDurationMs: number, source: () => number = monotonicMs) {
    this.firstSlot = firstSlot;
    this.slotDurationMs = slotDurationMs;
    this.source = source;
    this.startedMs = source();
  }

  now(): bigint {
    this.elapse();
    const slot = this.firstSlot + BigInt(this.elapsedSlots);
    return slot < SLOT_MAX ? slot : SLOT_MAX;
  }

  /** Milliseconds until the next slot begins, at least 1; a slot's length at most, also while the source is behind. */
  msToNextSlot(): number {
    const elapsed = this.elapse();
    const left = (this.elapsedSlots + 1) * this.slotDurationMs - elapsed;
    return Math.max(1, Math.min(left, this.slotDurationMs));
  }

  /** Reads the source; one that falls back is taken as standing still. */
  private elapse(): number {
    const elapsedMs = this.source() - this.startedMs;
    this.elapsedSlots = Math.max(this.elapsedSlots, Math.floor(elapsedMs / this.slotDurationMs));
    return elapsedMs;
  }
}
