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

/** Resolves after so many milliseconds. */
export async function sleep(ms: number): Promise<void> {
  await delay(ms);
}

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
    // A source that falls back is taken as standing still.
    const elapsed = Math.floor((this.source() - this.startedMs) / this.slotDurationMs);
    if (elapsed > this.elapsedSlots) this.elapsedSlots = elapsed;
    return this.firstSlot + BigInt(this.elapsedSlots);
  }

  /** Milliseconds until the next slot begins, at least 1. */
  msToNextSlot(): number {
    const elapsed = this.source() - this.startedMs;
    return Math.max(1, this.slotDurationMs - (elapsed % this.slotDurationMs));
  }
}
