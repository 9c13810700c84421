/**
 * Channels: bounds, waiting for room, turns, pausing.
 */

import {afterEach, expect, test, vi} from 'vitest';
import {bench, errorOf, put, stateOf, turn} from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('backpressure at capacity hands the write back', async () => {
  const {coordinator, main} = bench({channelEntriesMax: 3});
  for (const id of ['a', 'b', 'c']) put(main, id);
  const write = {id: 'd'};
  const outcome = main.tryWrite(write);
  expect(outcome).toEqual({accepted: false, reason: 'backpressure', write});
  expect(!outcome.accepted && outcome.write).toBe(write);
  expect(coordinator.metrics.channels['main']).toMatchObject({queueDepth: 3, backpressure: {entries: 1, bytes: 0}});
});

test('backpressure by bytes, though an empty channel takes any write', async () => {
  const {coordinator, main} = bench({channelBytesMax: 100, sizeOf: ({bytes = 0}) => bytes});
  put(main, 'huge', {bytes: 1000});
  expect(main.tryWrite({id: 'a', bytes: 1})).toMatchObject({accepted: false, reason: 'backpressure'});
  await turn();
  put(main, 'b', {bytes: 60});
  expect(main.tryWrite({id: 'c', bytes: 41})).toMatchObject({accepted: false, reason: 'backpressure'});
  put(main, 'd', {bytes: 40});
  const {queueBytes, backpressure} = coordinator.metrics.channels['main'] ?? {};
  expect({queueBytes, backpressure}).toEqual({queueBytes: 100, backpressure: {entries: 0, bytes: 2}});
});

test('accepted after drain', async () => {
  const {main} = bench({channelEntriesMax: 1});
  put(main, 'a');
  expect(main.tryWrite({id: 'b'}).accepted).toBe(false);
  await turn();
  expect(await put(main, 'b').epoch()).toBe(2);
});

test('a write waits for room, and none that comes later overtakes it', async () => {
  const {coordinator, main} = bench({channelEntriesMax: 2, channelBytesMax: 10, sizeOf: ({bytes = 1}) => bytes});
  await main.pause();
  for (const id of ['a', 'b']) put(main, id);
  const waiting = [main.write({id: 'c', bytes: 10}), main.write({id: 'd'}), main.write({id: 'e'})];
  expect(coordinator.metrics.channels['main']).toMatchObject({waiting: 3, queueDepth: 2, isPaused: true});
  expect(main.tryWrite({id: 'f'}).accepted).toBe(false);
  main.resume();
  const tickets = await Promise.all(waiting);
  expect(await Promise.all(tickets.map(ticket => ticket.epoch()))).toEqual([3, 4, 5]);
  expect(coordinator.metrics.channels['main']).toMatchObject({waiting: 0, accepted: 5});
});

test('a write that waits for bytes is let in only when they are free', async () => {
  const sizes = {channelBytesMax: 10, sizeOf: ({bytes = 1}) => bytes};
  const {coordinator, flusher, main} = bench({...sizes, flushBytes: 1, flushQueueMax: 1});
  flusher.isHeld = true;
  for (const id of ['x', 'y']) put(main, id);
  await turn();
  for (const id of ['a', 'b']) put(main, id, {bytes: 5});
  const waiting = main.write({id: 'c', bytes: 6});
  await flusher.releaseOne();
  expect(coordinator.metrics.channels['main']).toMatchObject({queueDepth: 1, queueBytes: 5, waiting: 1});
  flusher.release();
  expect(await (await waiting).epoch()).toBe(5);
});

test('a write with room does not wait', async () => {
  const {main} = bench();
  const ticket = await main.write({id: 'a'}, {timeoutMs: 5, signal: new AbortController().signal});
  expect(await ticket.epoch()).toBe(1);
});

test('timeout with the write handed back', async () => {
  vi.useFakeTimers();
  const {coordinator, flusher, main} = bench({channelEntriesMax: 1});
  await main.pause();
  put(main, 'a');
  const write = {id: 'b'};
  const late = main.write(write, {timeoutMs: 50});
  const patient = main.write({id: 'c'}, {timeoutMs: 51});
  await vi.advanceTimersByTimeAsync(50);
  const error = await errorOf(late);
  expect(error.code).toBe('timeout');
  expect(error.write).toBe(write);
  main.resume();
  expect(await (await patient).epoch()).toBe(2);
  expect(vi.getTimerCount()).toBe(0);
  await coordinator.stop();
  expect(flusher.durable).toEqual(['a', 'c']);
});

test('a timeout that is no time is a RangeError', async () => {
  const {main} = bench();
  for (const timeoutMs of [-1, 2 ** 31, Number.NaN]) {
    await expect(main.write({id: 'a'}, {timeoutMs})).rejects.toThrow(RangeError);
  }
});

test('abort with the write handed back, before and while it waits', async () => {
  const {main} = bench({channelEntriesMax: 1});
  await main.pause();
  put(main, 'a');
  const abort = new AbortController();
  const {signal} = abort;
  const [first, waiting, last] = [main.write({id: 'b'}), main.write({id: 'c'}, {signal}), main.write({id: 'd'})];
  expect(await stateOf(waiting)).toBe('pending');
  abort.abort('enough');
  for (const aborted of [waiting, main.write({id: 'c'}, {signal})]) {
    expect(await errorOf(aborted)).toMatchObject({code: 'aborted', write: {id: 'c'}, cause: 'enough'});
  }
  main.resume();
  expect(await (await first).epoch()).toBe(2);
  expect(await (await last).epoch()).toBe(3);
});

test('whoever gives up makes way for those behind, and nobody overtakes them', async () => {
  vi.useFakeTimers();
  const {coordinator, main} = bench({channelBytesMax: 100, sizeOf: ({bytes = 0}) => bytes});
  await main.pause();
  put(main, 'a', {bytes: 60});
  const abort = new AbortController();
  const aborted = main.write({id: 'b', bytes: 50}, {signal: abort.signal});
  const behind = main.write({id: 'c', bytes: 10});
  expect(main.tryWrite({id: 'small', bytes: 1}).accepted).toBe(false);
  abort.abort();
  expect(coordinator.metrics.channels['main']).toMatchObject({waiting: 0, queueDepth: 2, queueBytes: 70});
  const refused = {accepted: false, reason: 'backpressure'};
  expect(main.tryWrite({id: 'large', bytes: 1000})).toMatchObject(refused);
  expect((await errorOf(aborted)).code).toBe('aborted');
  const late = main.write({id: 'd', bytes: 31}, {timeoutMs: 50});
  const last = [main.write({id: 'e', bytes: 20}), main.write({id: 'f', bytes: 11}), main.write({id: 'g', bytes: 1})];
  expect(main.tryWrite({id: 'large', bytes: 1000})).toMatchObject(refused);
  await vi.advanceTimersByTimeAsync(50);
  expect((await errorOf(late)).code).toBe('timeout');
  expect(coordinator.metrics.channels['main']).toMatchObject({waiting: 2, queueDepth: 3, queueBytes: 90});
  main.resume();
  const epochs = await Promise.all([behind, ...last].map(async ticket => (await ticket).epoch()));
  expect(epochs).toEqual([2, 3, 4, 5]);
});

test('a thousand writers give up and leave nothing behind', async () => {
  const {coordinator, main} = bench({channelEntriesMax: 1});
  await main.pause();
  put(main, 'a');
  const aborts = Array.from({length: 1000}, () => new AbortController());
  const writes = aborts.map(({signal}, index) => main.write({id: `${index}`}, {signal}));
  for (const abort of aborts.toReversed()) abort.abort();
  for (const write of writes) expect((await errorOf(write)).code).toBe('aborted');
  expect(coordinator.metrics.channels['main']?.waiting).toBe(0);
});

test('send time is the time that a write waited for room', async () => {
  let now = 0;
  const {coordinator, main} = bench({channelEntriesMax: 1, clock: () => now});
  await main.pause();
  put(main, 'a');
  const waiting = main.write({id: 'b'});
  now = 70;
  main.resume();
  await waiting;
  expect(coordinator.metrics.channels['main']?.sendMs).toBe(70);
});

test('a sizeOf that is no size refuses the write', async () => {
  const {main} = bench({sizeOf: () => Number.NaN});
  expect(() => main.tryWrite({id: 'a'})).toThrow(RangeError);
  await expect(main.write({id: 'a'})).rejects.toThrow(RangeError);
});

test('a full channel does not starve another', async () => {
  const {coordinator} = bench({channels: ['busy', 'calm', 'idle']});
  const [busy, calm] = [coordinator.handle('busy'), coordinator.handle('calm')];
  for (let index = 0; index < 5000; index++) put(busy, `${index}`);
  const tickets = ['a', 'b', 'c'].map(id => put(calm, id));
  expect(await Promise.all(tickets.map(ticket => ticket.epoch()))).toEqual([2, 4, 6]);
});

test('two channels merge into one snapshot', async () => {
  const {coordinator, flusher} = bench({channels: ['left', 'right']});
  const [left, right] = [coordinator.handle('left'), coordinator.handle('right')];
  const tickets = [put(left, 'a'), put(left, 'b'), put(right, 'c'), put(right, 'd')];
  expect(await Promise.all(tickets.map(ticket => ticket.epoch()))).toEqual([1, 3, 2, 4]);
  await left.flush();
  expect(flusher.ranges).toEqual([[1, 5]]);
  expect(right.view().snapshot).toEqual({value: ['a', 'c', 'b', 'd'], epochs: {start: 1, end: 5}});
});

test('a paused channel stays untouched during 1000 writes on another', async () => {
  const {coordinator} = bench({channels: ['calm', 'busy']});
  const [calm, busy] = [coordinator.handle('calm'), coordinator.handle('busy')];
  await calm.pause();
  const ticket = put(calm, 'a');
  const flush = calm.flush();
  for (let index = 0; index < 1000; index++) await put(busy, `${index}`).wait('applied');
  expect(await stateOf(ticket.epoch())).toBe('pending');
  expect(await stateOf(flush)).toBe('pending');
  expect(coordinator.metrics.channels['calm']).toMatchObject({queueDepth: 1, isPaused: true});
  calm.resume();
  expect(await ticket.epoch()).toBe(1001);
  await flush;
});

test('pause holds from its call on, also for what is queued, and pause and resume can be repeated', async () => {
  const {coordinator, main} = bench();
  const ticket = put(main, 'a');
  await Promise.all([main.pause(), main.pause()]);
  expect(await stateOf(ticket.epoch())).toBe('pending');
  main.resume();
  main.resume();
  expect(await ticket.epoch()).toBe(1);
  expect(coordinator.metrics.channels['main']?.isPaused).toBe(false);
});
