/**
 * Surrogates: what is durable before an id leaves, when watermarks are written, and that no crash gives an id out twice.
 */

import {describe, expect, test, vi} from 'vitest';
import {createNodedbRegistry, SURROGATE_MAX, SurrogateAllocator, type WalManager} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {openManager, SCOPE, text} from './support.ts';
import {runSurrogateLives} from './surrogate_lives.ts';

const SEEDS = 300;

/** Alloc records as `hi`, bind records as `surrogate:collection`, as far as they are durable. */
function surrogatesOf({wal}: WalManager): (number | string)[] {
  const found: (number | string)[] = [];
  for (const {type, value} of createNodedbRegistry().read(wal.read())) {
    if (type === 'SurrogateAlloc') found.push(value.hi);
    else if (type === 'SurrogateBind') found.push(`${value.surrogate}:${value.collection}`);
  }
  return found;
}

describe('policy reserve', () => {
  test('ids are given out from 1, each below a durable watermark, and the next batch comes in time', async () => {
    const manager = openManager(new SimDisk());
    const allocator = SurrogateAllocator.restore(manager, {batch: 4});
    expect(allocator.watermarkLsn).toBeNull();
    const first = allocator.allocate();
    expect([manager.wal.openRecords, allocator.watermarkLsn]).toEqual([1, null]);
    expect([await first, allocator.watermarkLsn]).toEqual([1, 1n]);
    expect(surrogatesOf(manager)).toEqual([4]);
    expect(await allocator.allocate()).toBe(2);
    expect(surrogatesOf(manager)).toEqual([4]);
    expect(await allocator.allocate()).toBe(3);
    await manager.commit();
    expect(surrogatesOf(manager)).toEqual([4, 8]);
    expect(await Promise.all(Array.from({length: 9}, () => allocator.allocate()))).toEqual([
      4, 5, 6, 7, 8, 9, 10, 11, 12,
    ]);
    expect(allocator.highest).toBe(12);
  });

  test('an id is not given out before its watermark is durable', async () => {
    const disk = new SimDisk();
    const manager = openManager(disk);
    const allocator = SurrogateAllocator.restore(manager, {batch: 4});
    disk.arm({call: 1, kind: 'EIO', forever: true});
    await expect(allocator.allocate()).rejects.toMatchObject({code: 'failed'});
    expect(allocator.highest).toBe(0);
  });

  test('a full disk refuses new ids, gives out what is covered, and works again with space', async () => {
    const disk = new SimDisk();
    const manager = openManager(disk);
    const allocator = SurrogateAllocator.restore(manager, {batch: 10});
    await allocator.allocate();
    disk.spaceBytes = 0;
    const fill = (): bigint => manager.appendPut(SCOPE, new Uint8Array(1900));
    for (let refused = false; !refused; ) {
      refused = await manager.whenRoom(fill).then(
        () => false,
        () => true,
      );
    }
    await manager.commit();
    const small = (): bigint => manager.appendPut(SCOPE, new Uint8Array(1));
    for (let refused = false; !refused; manager.wal.commitSync()) {
      try {
        small();
      } catch {
        refused = true;
      }
    }
    for (let id = 2; id <= 10; id++) expect(await allocator.allocate()).toBe(id);
    await expect(allocator.allocate()).rejects.toMatchObject({code: 'storage_full'});
    disk.spaceBytes = Number.POSITIVE_INFINITY;
    expect(await allocator.allocate()).toBe(11);
  });

  test('restoring goes on behind the watermark; a bind is durable and the id is the next', async () => {
    const disk = new SimDisk();
    const allocator = SurrogateAllocator.restore(openManager(disk), {batch: 100});
    expect(await allocator.assign('docs', text('k'))).toBe(1);
    disk.restart();
    const manager = openManager(disk);
    expect(surrogatesOf(manager)).toEqual([100, '1:docs']);
    const again = SurrogateAllocator.restore(manager, {batch: 100});
    expect([await again.allocate(), again.highest]).toEqual([101, 101]);
  });
});

describe('policy flush', () => {
  test('ids come from assign alone, with their bind durable; a rejected one leaves no trace', async () => {
    const disk = new SimDisk();
    const manager = openManager(disk);
    const allocator = SurrogateAllocator.restore(manager, {policy: 'flush'});
    await expect(allocator.allocate()).rejects.toThrow(TypeError);
    expect(await allocator.assign('a', text('k'))).toBe(1);
    expect(surrogatesOf(manager)).toEqual(['1:a']);
    await expect(allocator.assign('x'.repeat(256), text('k'))).rejects.toThrow(RangeError);
    disk.restart();
    const again = SurrogateAllocator.restore(openManager(disk), {policy: 'flush'});
    expect([again.highest, again.watermarkLsn]).toEqual([1, null]);
    again.stop();
    allocator.stop();
  });

  test('a watermark follows after so many ids', async () => {
    const manager = openManager(new SimDisk());
    const setTimer = vi.fn(() => () => undefined);
    const allocator = SurrogateAllocator.restore(manager, {policy: 'flush', flushEvery: 3, setTimer});
    for (let id = 1; id <= 7; id++) expect(await allocator.assign('c', text('k'))).toBe(id);
    expect(surrogatesOf(manager)).toEqual(['1:c', '2:c', 3, '3:c', '4:c', '5:c', 6, '6:c', '7:c']);
    expect(allocator.watermarkLsn).toBe(7n);
  });

  test('or 200 ms after the first id without one, and only then', async () => {
    vi.useFakeTimers();
    try {
      const manager = openManager(new SimDisk());
      const allocator = SurrogateAllocator.restore(manager, {policy: 'flush'});
      await allocator.assign('c', text('1'));
      await vi.advanceTimersByTimeAsync(150);
      await allocator.assign('c', text('2'));
      await vi.advanceTimersByTimeAsync(49);
      expect(surrogatesOf(manager)).toEqual(['1:c', '2:c']);
      await vi.advanceTimersByTimeAsync(1);
      await manager.commit();
      expect(surrogatesOf(manager)).toEqual(['1:c', '2:c', 2]);
      await vi.advanceTimersByTimeAsync(1000);
      expect(surrogatesOf(manager)).toEqual(['1:c', '2:c', 2]);
      await allocator.assign('c', text('3'));
      allocator.stop();
      await vi.advanceTimersByTimeAsync(1000);
      expect(surrogatesOf(manager)).toEqual(['1:c', '2:c', 2, '3:c']);
    } finally {
      vi.useRealTimers();
    }
  });
});

test('restoring takes the maximum over watermarks and binds, and what is known from elsewhere', async () => {
  const manager = openManager(new SimDisk());
  manager.appendSurrogateAlloc(7);
  manager.appendSurrogateBind(9, 'c', text('k'));
  manager.appendSurrogateAlloc(8);
  manager.appendSurrogateBind(3, 'c', text('l'));
  await manager.commit();
  const allocator = SurrogateAllocator.restore(manager);
  // The second watermark does not cover the bind before it: only the first may be relied on.
  expect([allocator.highest, allocator.watermarkLsn]).toEqual([9, 1n]);
  expect(await allocator.allocate()).toBe(10);
  expect(SurrogateAllocator.restore(manager, {floor: 5000}).highest).toBe(5000);
});

test('ids end with 2^32 - 1, under both policies', async () => {
  for (const policy of ['reserve', 'flush'] as const) {
    const manager = openManager(new SimDisk());
    const allocator = SurrogateAllocator.restore(manager, {policy, floor: SURROGATE_MAX - 2});
    expect(await allocator.assign('c', text('1'))).toBe(SURROGATE_MAX - 1);
    const last = [allocator.assign('c', text('2')), allocator.assign('c', text('3'))];
    expect(await Promise.allSettled(last)).toMatchObject([
      {value: SURROGATE_MAX},
      {reason: {name: 'RecordError', code: 'ids_exhausted'}},
    ]);
    await allocator.flush();
    expect(surrogatesOf(manager).filter(each => typeof each === 'number').length).toBeLessThanOrEqual(2);
    const again = SurrogateAllocator.restore(manager, {policy});
    await expect(again.assign('c', text('4'))).rejects.toMatchObject({code: 'ids_exhausted'});
  }
});

test('a watermark written beside a larger one that is under way does not lower it', async () => {
  const disk = new SimDisk();
  const manager = openManager(disk);
  const allocator = SurrogateAllocator.restore(manager, {batch: 50});
  const first = allocator.allocate();
  const flushed = allocator.flush();
  expect(await Promise.all([first, flushed])).toEqual([1, undefined]);
  expect(surrogatesOf(manager)).toEqual([50, 50]);
  expect(allocator.watermarkLsn).toBe(2n);
});

test('bad options are refused', () => {
  const manager = openManager(new SimDisk());
  for (const options of [{batch: 0}, {batch: 1.5}, {flushEvery: 0}, {floor: -1}, {floor: 2 ** 32}]) {
    expect(() => SurrogateAllocator.restore(manager, options)).toThrow(RangeError);
  }
});

test(`${SEEDS} seeds of crashes at any call, under both policies: no id twice, no returned bind lost`, async () => {
  const total = {crashes: 0, assigned: 0, truncated: 0};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const {crashes, assigned, truncated} = await runSurrogateLives(seed);
    total.crashes += crashes;
    total.assigned += assigned;
    total.truncated += truncated;
  }
  // The workload must really reach what it is meant to reach.
  expect(total.crashes).toBeGreaterThan(SEEDS * 6);
  expect(total.assigned).toBeGreaterThan(SEEDS * 100);
  expect(total.truncated).toBeGreaterThan(SEEDS);
});
