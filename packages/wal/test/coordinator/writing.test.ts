/**
 * Writes and their tickets: epochs, results, levels, and what a refused apply does.
 */

import {expect, test} from 'vitest';
import {type Ticket, WriteCoordinator} from '../../src/index.ts';
import {bench, errorOf, LIST, ListFlusher, put, stateOf, turn} from './support.ts';

test('epoch assigned once and stable', async () => {
  const {main} = bench();
  const ticket = put(main, 'a');
  const early = ticket.epoch();
  expect(await early).toBe(1);
  await put(main, 'b').epoch();
  await main.flush({storage: true});
  expect(await ticket.epoch()).toBe(1);
});

test('wait returns the apply result', async () => {
  const {main} = bench();
  const [a, b] = [put(main, 'a'), put(main, 'b')];
  expect(await b.wait('applied')).toBe('b is number 2');
  const flush = main.flush({storage: true});
  expect(await Promise.all([a.wait('written'), a.wait('durable'), a.wait('applied')])).toEqual(
    Array(3).fill('a is number 1'),
  );
  await flush;
});

test('wait returns at once when the watermark is past', async () => {
  const {coordinator, main} = bench();
  const ticket = put(main, 'a');
  await main.flush({storage: true});
  let isDone = false;
  const waiting = ticket.wait('durable').then(() => {
    isDone = true;
  });
  for (let microtask = 0; microtask < 8; microtask++) await Promise.resolve();
  expect(isDone).toBe(true);
  await waiting;
  expect(coordinator.metrics.epochs).toEqual({applied: 1, written: 1, durable: 1});
});

test('wait goes through intermediate values of the watermark', async () => {
  const {coordinator, flusher, main} = bench();
  flusher.isHeld = true;
  const tickets: Ticket<string>[] = [];
  const waits: Promise<string>[] = [];
  for (const id of ['a', 'b', 'c']) {
    tickets.push(put(main, id));
    waits.push((tickets.at(-1) as Ticket<string>).wait('written'));
    void main.flush();
    await turn();
  }
  const states = () => Promise.all(waits.map(stateOf));
  expect(await states()).toEqual(['pending', 'pending', 'pending']);
  await flusher.releaseOne();
  expect(await states()).toEqual(['resolved', 'pending', 'pending']);
  expect(coordinator.metrics.epochs).toEqual({applied: 3, written: 1, durable: 0});
  await flusher.releaseOne();
  expect(await states()).toEqual(['resolved', 'resolved', 'pending']);
  await flusher.releaseOne();
  expect(await states()).toEqual(['resolved', 'resolved', 'resolved']);
});

test('wait returns at the right level only', async () => {
  const {main} = bench();
  const ticket = put(main, 'a');
  const waits = [ticket.wait('applied'), ticket.wait('written'), ticket.wait('durable')];
  const states = () => Promise.all(waits.map(stateOf));
  expect(await states()).toEqual(['resolved', 'pending', 'pending']);
  await main.flush();
  expect(await states()).toEqual(['resolved', 'resolved', 'pending']);
  await main.flush({storage: true});
  expect(await states()).toEqual(['resolved', 'resolved', 'resolved']);
});

test('waits in any order of epochs settle together', async () => {
  const {main} = bench();
  const tickets = Array.from({length: 50}, (_, index) => put(main, `${index}`));
  await tickets[49]?.wait('applied');
  const waits = tickets.toReversed().map(ticket => ticket.wait('durable'));
  await main.flush({storage: true});
  expect((await Promise.all(waits)).at(-1)).toBe('0 is number 1');
});

test('a level that does not exist is a RangeError', async () => {
  const {coordinator, main} = bench();
  const level = 'soon' as 'durable';
  await expect(put(main, 'a').wait(level)).rejects.toThrow(RangeError);
  await expect(coordinator.stop({durability: level})).rejects.toThrow(RangeError);
  await coordinator.stop();
});

test('dropped result: shutdown error, with the write handed back', async () => {
  const {coordinator, main} = bench();
  const ticket = put(main, 'a');
  const waits = [ticket.epoch(), ticket.wait('applied'), ticket.wait('durable')];
  await coordinator.stop({drain: false});
  for (const wait of [...waits, ticket.wait('written')]) {
    expect(await errorOf(wait)).toMatchObject({code: 'shutdown', write: {id: 'a'}, epoch: null});
  }
});

test('apply error carries epoch and message, and later writes go on', async () => {
  const {coordinator, flusher, main} = bench();
  const tickets = [put(main, 'a'), put(main, 'b', {refuse: 'not today'}), put(main, 'c')] as const;
  const error = await errorOf(tickets[1].wait('durable'));
  expect(error).toMatchObject({code: 'apply_failed', epoch: 2, message: 'apply failed at epoch 2: not today'});
  expect(error.cause).toMatchObject({message: 'not today'});
  expect(await tickets[1].epoch()).toBe(2);
  expect(await tickets[2].wait('applied')).toBe('c is number 2');
  expect(await tickets[2].epoch()).toBe(3);
  await main.flush();
  expect(flusher.ranges).toEqual([[1, 4]]);
  expect(flusher.written).toEqual(['a', 'c']);
  expect(coordinator.metrics.applyFailures).toBe(1);
});

test('epochs of refused writes alone are flushed too, so that ranges stay contiguous', async () => {
  const {flusher, main} = bench();
  put(main, 'a', {refuse: 'no'});
  await main.flush();
  put(main, 'b');
  await main.flush();
  expect(flusher.ranges).toEqual([
    [1, 2],
    [2, 3],
  ]);
});

test('epochs strictly rise and apply order is submit order', async () => {
  const {coordinator, flusher, main} = bench();
  const tickets: Ticket<string>[] = [];
  for (let index = 0; index < 5000; index++) {
    if (index % 700 === 0) await turn();
    tickets.push(put(main, `${index}`));
  }
  const epochs = await Promise.all(tickets.map(ticket => ticket.epoch()));
  expect(epochs).toEqual(epochs.map((_, index) => index + 1));
  await coordinator.stop();
  expect(flusher.durable).toEqual(epochs.map((_, index) => `${index}`));
});

test('a long queue is applied over several turns, without anybody waking it', async () => {
  const {coordinator, main} = bench();
  for (let index = 0; index < 5000; index++) put(main, `${index}`);
  const applied: number[] = [];
  while (applied.at(-1) !== 5000 && applied.length < 20) {
    await turn();
    applied.push(coordinator.metrics.epochs.applied);
  }
  expect(applied.at(-1)).toBe(5000);
  expect(applied.length).toBeGreaterThanOrEqual(4);
});

test('a queue that is never empty leaves turns to others', async () => {
  const {main} = bench();
  let isOver = false;
  let writes = 0;
  const writer = (async () => {
    while (!isOver) await put(main, `${writes++}`).wait('applied');
  })();
  await turn();
  isOver = true;
  await writer;
  expect(writes).toBeGreaterThan(1000);
  expect(writes).toBeLessThan(3000);
});

test('the first epoch can be chosen, and the last one ends the coordinator', async () => {
  const last = Number.MAX_SAFE_INTEGER - 1;
  const {coordinator, main} = bench({firstEpoch: last});
  expect(coordinator.metrics.epochs.durable).toBe(last - 1);
  const [good, over, queued] = [put(main, 'a'), put(main, 'b'), put(main, 'c')];
  expect(await good.epoch()).toBe(last);
  expect(await errorOf(over.epoch())).toMatchObject({code: 'epochs_exhausted', write: {id: 'b'}});
  expect(await errorOf(queued.wait('applied'))).toMatchObject({code: 'epochs_exhausted', write: {id: 'c'}});
  expect(await errorOf(good.wait('written'))).toBe(coordinator.failure);
  await expect(coordinator.stop()).rejects.toBe(coordinator.failure);
});

test('bad options are RangeErrors', () => {
  for (const channels of [[], ['a', 'a']]) expect(() => bench({channels})).toThrow(RangeError);
  for (const flushBytes of [0, 1.5, Number.NaN]) expect(() => bench({flushBytes})).toThrow(RangeError);
  for (const flushIntervalMs of [0, 2 ** 31, Number.NaN]) expect(() => bench({flushIntervalMs})).toThrow(RangeError);
  expect(() => bench({firstEpoch: 0})).toThrow(RangeError);
  expect(() => bench().coordinator.handle('other')).toThrow(RangeError);
});

test('metrics count times with a clock, and none without', async () => {
  let now = 0;
  const clock = () => now++;
  const flusher = new ListFlusher();
  const options = {delta: LIST, flusher, context: {applied: 0}, snapshot: []};
  const timed = WriteCoordinator.start({...options, clock});
  put(timed.handle(), 'a', {bytes: 7});
  await turn();
  expect(timed.metrics).toMatchObject({applyMs: 1, deltaBytes: 7, freezeMs: 0, subscribers: 0});
  await timed.stop();
  expect(timed.metrics).toMatchObject({
    ...{freezeMs: 1, flushMs: 1, storageFlushMs: 1, storageFlushes: 1, deltaBytes: 0, unwrittenDeltas: 0},
    flushes: {size: 0, interval: 0, explicit: 0, durable: 0, shutdown: 1},
    channels: {main: {queueDepth: 0, queueBytes: 0, waiting: 0, accepted: 1, sendMs: 0, isPaused: false}},
  });
  const {coordinator, main} = bench();
  put(main, 'a');
  await coordinator.stop();
  expect(coordinator.metrics).toMatchObject({applyMs: 0, freezeMs: 0, flushMs: 0, storageFlushMs: 0});
});
