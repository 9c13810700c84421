/**
 * Stopping: what is applied, flushed and handed back, and what answers afterwards.
 */

import {expect, test} from 'vitest';
import {type Delta, type FrozenDelta, WriteCoordinator} from '../../src/index.ts';
import {bench, errorOf, type Ids, ListDelta, ListFlusher, type Put, put, stateOf, type Total, turn} from './support.ts';

test('stop flushes pending with the right range', async () => {
  const {coordinator, flusher, main} = bench();
  put(main, 'a');
  await main.flush();
  const tickets = ['b', 'c'].map(id => put(main, id));
  await coordinator.stop();
  expect(flusher.ranges).toEqual([
    [1, 2],
    [2, 4],
  ]);
  expect(await Promise.all(tickets.map(ticket => ticket.wait('durable')))).toEqual(['b is number 2', 'c is number 3']);
  expect(flusher.durable).toEqual(['a', 'b', 'c']);
});

test('writes after stop: shutdown', async () => {
  const {coordinator, main} = bench();
  const stopped = coordinator.stop();
  const write = {id: 'a'};
  expect(main.tryWrite(write)).toEqual({accepted: false, reason: 'shutdown', write});
  await stopped;
  expect(await errorOf(main.write(write))).toMatchObject({code: 'shutdown', write});
  expect((await errorOf(main.flush())).code).toBe('shutdown');
  expect(main.view().current.value).toEqual([]);
});

test('stop drains what is queued, in paused channels too, through a full flush queue', async () => {
  const {coordinator, flusher} = bench({channels: ['a', 'b'], flushBytes: 1, flushQueueMax: 1});
  const [a, b] = [coordinator.handle('a'), coordinator.handle('b')];
  await b.pause();
  flusher.isHeld = true;
  for (let index = 0; index < 4; index++) for (const handle of [a, b]) put(handle, `${handle.channelName}${index}`);
  const flush = b.flush({storage: true});
  await turn();
  const stopped = coordinator.stop();
  void b.pause();
  await turn();
  flusher.release();
  await Promise.all([stopped, flush]);
  expect(flusher.durable.toSorted()).toEqual(['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'b2', 'b3']);
});

test('writes that wait for room at stop go back with shutdown', async () => {
  const {coordinator, flusher, main} = bench({channelEntriesMax: 1});
  put(main, 'a');
  const waiting = main.write({id: 'b'});
  await coordinator.stop();
  expect(await errorOf(waiting)).toMatchObject({code: 'shutdown', write: {id: 'b'}});
  expect(flusher.durable).toEqual(['a']);
});

test('without drain, queued writes and flushes go back and what was applied is durable', async () => {
  const {coordinator, flusher, main} = bench();
  const applied = put(main, 'a');
  await applied.epoch();
  const queued = put(main, 'b');
  const flush = main.flush();
  await coordinator.stop({drain: false});
  expect(await errorOf(queued.epoch())).toMatchObject({code: 'shutdown', write: {id: 'b'}});
  expect((await errorOf(flush)).code).toBe('shutdown');
  expect(await applied.wait('durable')).toBe('a is number 1');
  expect(flusher.durable).toEqual(['a']);
});

test('stop to a lower level leaves the rest undone and says so to those who wait', async () => {
  const written = bench();
  const ticket = put(written.main, 'a');
  const durable = ticket.wait('durable');
  await written.coordinator.stop({durability: 'written'});
  expect((await errorOf(durable)).code).toBe('shutdown');
  expect((await errorOf(ticket.wait('durable'))).code).toBe('shutdown');
  expect(await ticket.wait('written')).toBe('a is number 1');
  expect(written.flusher).toMatchObject({written: ['a'], storageCalls: 0});

  const applied = bench();
  const only = put(applied.main, 'a');
  await applied.coordinator.stop({durability: 'applied'});
  expect(await only.wait('applied')).toBe('a is number 1');
  expect((await errorOf(only.wait('written'))).code).toBe('shutdown');
  expect(applied.flusher.ranges).toEqual([]);
});

test('stop to applied waits for the running call and begins no other', async () => {
  const {coordinator, flusher, main} = bench({flushQueueMax: 2});
  flusher.isHeld = true;
  const tickets = [];
  for (const id of ['a', 'b', 'c']) {
    tickets.push(put(main, id).wait('written'));
    void main.flush();
    await turn();
  }
  const storage = main.flush({storage: true});
  await turn();
  const stopped = coordinator.stop({durability: 'applied'});
  expect(await stateOf(stopped)).toBe('pending');
  flusher.release();
  await stopped;
  expect(flusher.ranges).toEqual([[1, 2]]);
  expect(await Promise.all(tickets.map(stateOf))).toEqual(['resolved', 'rejected', 'rejected']);
  expect((await errorOf(storage)).code).toBe('shutdown');
});

test('a storage flush that runs when stop gives up is still answered by its outcome', async () => {
  for (const failStorage of [null, new Error('full')]) {
    const {coordinator, flusher, main} = bench();
    flusher.isHeld = true;
    flusher.failStorage = failStorage;
    const flush = main.flush({storage: true});
    await turn();
    const stopped = coordinator.stop({durability: 'applied'});
    await turn();
    flusher.release();
    expect(await stateOf(flush)).toBe(failStorage === null ? 'resolved' : 'rejected');
    expect(await stateOf(stopped)).toBe(failStorage === null ? 'resolved' : 'rejected');
  }
});

test('stop is idempotent, and dispose is a stop', async () => {
  const {coordinator, flusher, main} = bench();
  {
    await using disposed = coordinator;
    put(main, 'a');
    expect(disposed.failure).toBeNull();
  }
  expect(flusher.durable).toEqual(['a']);
  expect(coordinator.stop()).toBe(coordinator.stop({drain: false}));
  await coordinator.stop();
  expect(flusher.storageCalls).toBe(1);
});

test('a delta may call its coordinator: stop, write, flush and view from within apply', async () => {
  const views: Ids[] = [];
  class Reentrant implements Delta<Total, Put, Ids, Ids, string, Ids> {
    readonly #inner = new ListDelta({applied: 0});
    apply(write: Put): string {
      views.push(main.view().current.value);
      const result = this.#inner.apply(write);
      if (write.id === 'a') put(main, 'b');
      if (write.id === 'b') void main.flush();
      if (write.id === 'c') void coordinator.stop();
      return result;
    }
    estimateSize(): number {
      return this.#inner.estimateSize();
    }
    freeze(): FrozenDelta<Total, Ids, Ids> {
      return this.#inner.freeze();
    }
    reader(): Ids {
      return this.#inner.reader();
    }
  }
  const flusher = new ListFlusher();
  const delta = {init: () => new Reentrant()};
  const coordinator = WriteCoordinator.start({delta, flusher, context: {applied: 0}, snapshot: []});
  const main = coordinator.handle();
  await put(main, 'first').wait('applied');
  expect(main.view().current.value, 'not what was seen within apply').toEqual(['first']);
  put(main, 'a');
  await turn();
  expect(flusher.flushed).toEqual([['first', 'a', 'b']]);
  const last = put(main, 'c');
  put(main, 'd');
  await last.wait('durable');
  await coordinator.stop();
  expect(flusher.durable).toEqual(['first', 'a', 'b', 'c', 'd']);
  expect(views).toEqual([[], ['first'], ['first', 'a'], [], ['c']]);
  expect(main.view().current.value).toEqual([]);
});
