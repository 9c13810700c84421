/**
 * When a delta is flushed, with which epochs, and what goes on meanwhile.
 */

import {getEventListeners} from 'node:events';
import {afterEach, expect, test, vi} from 'vitest';
import {bench, errorOf, put, stateOf, turn} from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('flush on command', async () => {
  const {coordinator, flusher, main} = bench();
  const ticket = put(main, 'a');
  const written = ticket.wait('written');
  expect(await stateOf(written)).toBe('pending');
  await main.flush();
  expect(await stateOf(written)).toBe('resolved');
  expect(flusher.flushed).toEqual([['a']]);
  expect(flusher.storageCalls).toBe(0);
  expect(coordinator.metrics.flushes.explicit).toBe(1);
});

test('flush by interval: none before, one after', async () => {
  vi.useFakeTimers();
  const {coordinator, flusher, main} = bench({flushIntervalMs: 100});
  const written = put(main, 'a').wait('written');
  await vi.advanceTimersByTimeAsync(99);
  expect(flusher.ranges).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(flusher.ranges).toEqual([[1, 2]]);
  expect(await written).toBe('a is number 1');
  await vi.advanceTimersByTimeAsync(1000);
  expect(flusher.ranges).toHaveLength(1);
  expect(coordinator.metrics.flushes).toMatchObject({interval: 1, explicit: 0});
  await coordinator.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test('the interval counts from the start and from the last real flush', async () => {
  vi.useFakeTimers();
  const {flusher, main} = bench({flushIntervalMs: 100});
  await vi.advanceTimersByTimeAsync(190);
  put(main, 'a');
  await vi.advanceTimersByTimeAsync(10);
  expect(flusher.ranges, 'two intervals after the start').toEqual([[1, 2]]);
  await vi.advanceTimersByTimeAsync(50);
  put(main, 'b');
  await main.flush();
  put(main, 'c');
  await vi.advanceTimersByTimeAsync(25);
  await main.flush();
  await main.flush();
  put(main, 'd');
  await vi.advanceTimersByTimeAsync(99);
  expect(flusher.ranges).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1);
  expect(flusher.ranges).toHaveLength(4);
});

test('flush by the durable interval, which alone flushes storage', async () => {
  vi.useFakeTimers();
  const {coordinator, flusher, main} = bench({flushIntervalMs: 100, storageFlushIntervalMs: 1000, flushBytes: 10});
  const durable = put(main, 'a').wait('durable');
  await vi.advanceTimersByTimeAsync(550);
  put(main, 'b', {bytes: 10});
  await main.flush();
  expect(flusher.ranges).toHaveLength(2);
  expect(flusher.storageCalls).toBe(0);
  await vi.advanceTimersByTimeAsync(440);
  put(main, 'c');
  await vi.advanceTimersByTimeAsync(10);
  expect(flusher.ranges).toHaveLength(3);
  expect(await durable).toBe('a is number 1');
  expect(flusher.durable).toEqual(['a', 'b', 'c']);
  await vi.advanceTimersByTimeAsync(3000);
  expect(flusher.storageCalls, 'all is durable already').toBe(1);
  expect(coordinator.metrics.flushes).toMatchObject({interval: 1, size: 1, durable: 1});
});

test('flush by size: one big write', async () => {
  const {coordinator, flusher, main} = bench({flushBytes: 100});
  await put(main, 'big', {bytes: 100}).wait('written');
  expect(flusher.flushed).toEqual([['big']]);
  expect(coordinator.metrics.flushes.size).toBe(1);
});

test('flush by size: several small under the threshold do not, one more does', async () => {
  const {flusher, main} = bench({flushBytes: 100});
  for (let index = 0; index < 9; index++) put(main, `${index}`, {bytes: 11});
  await turn();
  expect(flusher.ranges).toEqual([]);
  await put(main, 'last', {bytes: 1}).wait('written');
  expect(flusher.ranges).toEqual([[1, 11]]);
});

test('one flush holds all pending writes', async () => {
  const {flusher, main} = bench();
  const tickets = ['a', 'b', 'c'].map(id => put(main, id));
  await main.flush();
  await Promise.all(tickets.map(ticket => ticket.wait('written')));
  expect(flusher.flushed).toEqual([['a', 'b', 'c']]);
});

test('a second flush without writes does nothing', async () => {
  const {coordinator, flusher, main} = bench();
  await main.flush();
  put(main, 'a');
  await main.flush();
  await main.flush();
  expect(flusher.ranges).toEqual([[1, 2]]);
  await coordinator.stop();
  expect(flusher.ranges).toHaveLength(1);
});

test('a flush without writes waits for the one that is running', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  put(main, 'a');
  const first = main.flush();
  await turn();
  const second = main.flush();
  expect(await stateOf(second)).toBe('pending');
  flusher.release();
  await Promise.all([first, second]);
  expect(flusher.ranges).toHaveLength(1);
});

test('writes go on while a flush is blocked', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  put(main, 'a');
  const flush = main.flush();
  await turn();
  expect(await put(main, 'b').wait('applied')).toBe('b is number 2');
  expect(await stateOf(flush)).toBe('pending');
  flusher.release();
  await flush;
  expect(flusher.flushed).toEqual([['a']]);
});

test('writes go on while the flush queue is full, until the delta is full too', async () => {
  const {coordinator, flusher, main} = bench({flushBytes: 10});
  flusher.isHeld = true;
  for (const id of ['a', 'b']) put(main, id, {bytes: 10});
  const c = put(main, 'c', {bytes: 4});
  expect(await c.wait('applied')).toBe('c is number 3');
  const flush = main.flush({storage: true});
  expect(await put(main, 'd', {bytes: 6}).wait('applied')).toBe('d is number 4');
  const e = put(main, 'e');
  expect(await stateOf(e.epoch())).toBe('pending');
  expect(coordinator.metrics).toMatchObject({unwrittenDeltas: 2, deltaBytes: 10});
  await flusher.releaseOne();
  expect(await e.epoch()).toBe(5);
  flusher.release();
  await flush;
  expect(flusher.ranges).toEqual([
    [1, 2],
    [2, 3],
    [3, 5],
  ]);
  expect(flusher.durable).toEqual(['a', 'b', 'c', 'd']);
});

test('ranges [1,3) then [3,4)', async () => {
  const {flusher, main} = bench();
  put(main, 'a');
  put(main, 'b');
  await main.flush();
  put(main, 'c');
  await main.flush();
  expect(flusher.ranges).toEqual([
    [1, 3],
    [3, 4],
  ]);
});

test('context carries over freezes', async () => {
  const {main} = bench();
  put(main, 'a');
  await main.flush();
  put(main, 'b');
  await main.flush();
  expect(await put(main, 'c').wait('applied')).toBe('c is number 3');
});

test('storage flush without writes completes only after the storage flush ran', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  const flush = main.flush({storage: true});
  expect(await stateOf(flush)).toBe('pending');
  expect(flusher.storageCalls).toBe(1);
  flusher.release();
  await flush;
  expect(flusher.ranges).toEqual([]);
});

test('storage flushes that wait together share one call, behind the deltas before them', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  put(main, 'a');
  const flushes = [main.flush({storage: true}), main.flush({storage: true}), main.flush({storage: true})];
  await turn();
  flusher.release();
  await Promise.all(flushes);
  expect(flusher.storageCalls).toBe(1);
  expect(flusher.durable).toEqual(['a']);
});

test('storage flushes of one turn share one call', async () => {
  const {flusher, main} = bench();
  await Promise.all([main.flush({storage: true}), main.flush({storage: true})]);
  expect(flusher.storageCalls).toBe(1);
});

test('the timers keep the process alive only while a tick has something to do', async () => {
  const set = vi.spyOn(globalThis, 'setTimeout');
  const {coordinator, main} = bench({flushIntervalMs: 60_000, storageFlushIntervalMs: 60_000});
  const timers = set.mock.results.map(({value}) => value as NodeJS.Timeout);
  set.mockRestore();
  const held = () => timers.map(timer => timer.hasRef());
  expect(held()).toEqual([false, false]);
  await put(main, 'a').wait('applied');
  expect(held()).toEqual([true, true]);
  await main.flush();
  expect(held()).toEqual([false, true]);
  await main.flush({storage: true});
  expect(held()).toEqual([false, false]);
  await coordinator.stop();
});

test('a flush that is not waited for any more goes on', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  const abort = new AbortController();
  const ticket = put(main, 'a');
  const waits = [main.flush({signal: abort.signal}), ticket.wait('written', {signal: abort.signal})];
  await turn();
  abort.abort('enough');
  for (const wait of waits) expect(await errorOf(wait)).toMatchObject({code: 'aborted', cause: 'enough'});
  expect(await errorOf(ticket.wait('written', {signal: abort.signal}))).toMatchObject({code: 'aborted'});
  const {signal} = new AbortController();
  const patient = ticket.wait('written', {signal});
  flusher.release();
  expect(await patient).toBe('a is number 1');
  await turn();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
