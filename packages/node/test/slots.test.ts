/**
 * Whose slots count, a clock that runs by elapsed time only, and the histogram of durations.
 */
import {AllocDb, hiOf, loOf} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {SlotSource} from '../src/engine/slot_source.ts';
import {LatencyHistogram, MonotonicSlotClock, type SlotPolicy} from '../src/index.ts';
import {CORE, create, metricsAt, openOn, reserve, said, tick} from './support.ts';

const U64_MAX = 2n ** 64n - 1n;

/** What a stated slot becomes: for a reader or tick, and for a command after a last applied slot. */
function slots(policy: SlotPolicy, stated: bigint, last: bigint = 0n): {stated: bigint; effective: bigint} {
  const db = new AllocDb(CORE, new Int32Array(8));
  db.restorePosition(1, 0, loOf(last), hiOf(last));
  const source = new SlotSource(db, policy);
  const read = (method: 'stated' | 'effective'): bigint => {
    const out = new Int32Array(2);
    source[method](loOf(stated), hiOf(stated), out);
    return BigInt.asUintN(32, BigInt(out[0] ?? 0)) | (BigInt.asUintN(32, BigInt(out[1] ?? 0)) << 32n);
  };
  return {stated: read('stated'), effective: read('effective')};
}

const u64 = fc.oneof(fc.bigInt({min: 0n, max: U64_MAX}), fc.bigInt({min: 0n, max: 50n}), fc.constant(U64_MAX));
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

describe('the slot that counts', () => {
  test('is the stated one, at least the last applied one, without a clock', () => {
    fc.assert(
      fc.property(u64, u64, (stated, last) => {
        const policy = {clock: null, maxSlotAdvance: null, ignoreRequestSlots: false};
        expect(slots(policy, stated, last)).toEqual({stated, effective: max(stated, last)});
      }),
    );
  });

  test('is at most so far ahead of the clock, and never moved below it', () => {
    fc.assert(
      fc.property(u64, u64, u64, u64, (stated, last, now, advance) => {
        const policy = {clock: {now: () => now}, maxSlotAdvance: advance, ignoreRequestSlots: false};
        const bounded = min(stated, min(now + advance, U64_MAX));
        expect(slots(policy, stated, last)).toEqual({stated: bounded, effective: max(bounded, last)});
        if (stated >= now) expect(bounded).toBeGreaterThanOrEqual(now);
      }),
    );
  });

  test('is the clock’s where stated ones are ignored', () => {
    fc.assert(
      fc.property(u64, u64, u64, (stated, last, now) => {
        const policy = {clock: {now: () => now}, maxSlotAdvance: null, ignoreRequestSlots: true};
        expect(slots(policy, stated, last)).toEqual({stated: now, effective: max(now, last)});
      }),
    );
  });

  test('is believed where there is a clock and no bound', () => {
    const policy = {clock: {now: () => 5n}, maxSlotAdvance: null, ignoreRequestSlots: false};
    expect(slots(policy, 99n, 3n)).toEqual({stated: 99n, effective: 99n});
  });

  test('needs a clock to be bounded or ignored', () => {
    const db = new AllocDb(CORE, new Int32Array(8));
    for (const policy of [
      {clock: null, maxSlotAdvance: 1n, ignoreRequestSlots: false},
      {clock: null, maxSlotAdvance: null, ignoreRequestSlots: true},
    ]) {
      expect(() => new SlotSource(db, policy)).toThrow(TypeError);
      const disk = new SimDisk();
      expect(() => openOn(disk, {slots: () => policy})).toThrow(TypeError);
      expect(openOn(disk).state).toBe('running');
    }
  });

  test('of an engine: a far slot is clamped, late ones are lifted, a tick is judged by the clamped one', () => {
    let now = 100n;
    const engine = openOn(new SimDisk(), {
      slots: () => ({clock: {now: () => now}, maxSlotAdvance: 10n, ignoreRequestSlots: false}),
    });
    engine.handleApiRequest(create(1n, 1n, U64_MAX));
    expect(engine.metrics(0n).lastRequestSlot).toBe(110n);
    expect(engine.handleApiRequest(reserve(1n, 3n))).toMatchObject({deadlineSlot: 115n});
    expect(said(engine.handleApiRequest(tick(U64_MAX)))).toBe('ticked 0');
    expect(engine.handleApiRequest(metricsAt(U64_MAX))).toMatchObject({logicalSlotLag: 0n, expirationBacklog: 0});
    now = 105n;
    expect(said(engine.handleApiRequest(tick(U64_MAX)))).toBe('ticked 1');
    expect(engine.metrics(0n).lastRequestSlot).toBe(115n);
  });
});

describe('the slot clock', () => {
  function clockOf(first: bigint): {clock: MonotonicSlotClock; set: (ms: number) => void} {
    let ms = 1_000_000;
    const clock = new MonotonicSlotClock(first, 100, () => ms);
    return {
      clock,
      set: value => {
        ms = 1_000_000 + value;
      },
    };
  }

  test('continues from its first slot by elapsed time', () => {
    const {clock, set} = clockOf(42n);
    const at = (ms: number): [bigint, number] => {
      set(ms);
      return [clock.now(), clock.msToNextSlot()];
    };
    expect(at(0)).toEqual([42n, 100]);
    expect(at(99)).toEqual([42n, 1]);
    expect(at(99.5)).toEqual([42n, 1]);
    expect(at(100)).toEqual([43n, 100]);
    expect(at(12_345)).toEqual([165n, 55]);
  });

  test('a source that jumps back stands still, and goes on where it was', () => {
    const {clock, set} = clockOf(10n);
    set(1000);
    expect(clock.now()).toBe(20n);
    for (const back of [999, 500, -5000]) {
      set(back);
      expect(clock.now()).toBe(20n);
      expect(clock.msToNextSlot()).toBe(100);
    }
    set(1100);
    expect(clock.now()).toBe(21n);
  });

  test('the time to the next slot is right without asking for the slot first', () => {
    const {clock, set} = clockOf(0n);
    set(250);
    expect(clock.msToNextSlot()).toBe(50);
  });

  test('starts at any slot', () => {
    expect(clockOf(U64_MAX - 5n).clock.now()).toBe(U64_MAX - 5n);
  });
});

describe('the histogram', () => {
  test('is empty at first', () => {
    const histogram = new LatencyHistogram();
    expect([histogram.quantile(0.5), histogram.quantile(1), histogram.buckets()]).toEqual([0, 0, []]);
  });

  test('a quantile is an upper bound, at most a fifth too high', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({min: 0.002, max: 100_000, noNaN: true}), {minLength: 1}),
        fc.double({min: 0.01, max: 1, noNaN: true}),
        (values, q) => {
          const histogram = new LatencyHistogram();
          for (const value of values) histogram.record(value);
          const exact = values.sort((a, b) => a - b)[Math.ceil(q * values.length) - 1] ?? 0;
          expect(histogram.quantile(q)).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect(histogram.quantile(q)).toBeLessThanOrEqual(exact * 1.2);
          expect(histogram.quantile(1)).toBe(Math.max(...values));
        },
      ),
    );
  });

  test('counts are cumulative, sums exact, and the ends are kept', () => {
    const histogram = new LatencyHistogram();
    for (const ms of [0, -1, 0.001, 1, 1, 2, 1e9]) histogram.record(ms);
    const buckets = histogram.buckets();
    expect(buckets.map(({count}) => count)).toEqual([3, 5, 6, 7]);
    expect(buckets[0]?.upToMs).toBe(0.001);
    expect(buckets.every(({upToMs}, i) => i === 0 || upToMs > (buckets[i - 1]?.upToMs ?? 0))).toBe(true);
    expect([histogram.count, histogram.maxMs, histogram.quantile(1)]).toEqual([7, 1e9, 1e9]);
    expect(histogram.sumMs).toBeCloseTo(1e9 + 3.001, 3);
  });
});
