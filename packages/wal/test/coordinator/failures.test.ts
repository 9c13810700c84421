/**
 * When delta or flusher fail: what was pending rejects with the cause, what was reported stays, nothing hangs.
 */

import {expect, test} from 'vitest';
import {type Delta, type FrozenDelta, isCoordinatorError, WriteCoordinator} from '../../src/index.ts';
import {bench, errorOf, type Ids, ListDelta, ListFlusher, type Put, put, stateOf, type Total, turn} from './support.ts';

const CAUSE = new Error('the disk is gone');

test('flushDelta failing rejects every waiter of an unflushed epoch with the cause', async () => {
  const {coordinator, flusher, main} = bench({channels: ['main', 'paused']});
  const paused = coordinator.handle('paused');
  await paused.pause();
  const early = put(main, 'a');
  await main.flush();
  flusher.isHeld = true;
  flusher.failDelta = CAUSE;
  const frozen = put(main, 'b');
  const flush = main.flush();
  await turn();
  const open = put(main, 'c');
  const queued = put(paused, 'd');
  const doomed = [early.wait('durable'), frozen.wait('written'), open.wait('written'), open.wait('durable'), flush];
  doomed.push(main.flush({storage: true}), paused.flush());
  await turn();
  flusher.release();
  for (const wait of doomed) expect(await errorOf(wait)).toMatchObject({code: 'flush_failed', cause: CAUSE});
  expect(await errorOf(queued.wait('applied'))).toMatchObject({code: 'flush_failed', cause: CAUSE, write: {id: 'd'}});
  expect(await early.wait('written')).toBe('a is number 1');
  expect(await open.wait('applied')).toBe('c is number 3');
  expect(coordinator.failure).toMatchObject({code: 'flush_failed', cause: CAUSE});
  expect(coordinator.metrics.unwrittenDeltas).toBe(0);
});

test('after a failure writes are refused, also those that waited for room, and stop says why', async () => {
  const {coordinator, flusher, main} = bench({channelEntriesMax: 1, flushBytes: 1, flushQueueMax: 1});
  flusher.isHeld = true;
  flusher.failDelta = CAUSE;
  for (const id of ['a', 'b', 'c']) {
    put(main, id);
    await turn();
  }
  const waiting = main.write({id: 'd'});
  expect(await stateOf(waiting)).toBe('pending');
  flusher.release();
  expect(await errorOf(waiting)).toMatchObject({code: 'flush_failed', cause: CAUSE, write: {id: 'd'}});
  expect(main.tryWrite({id: 'e'})).toEqual({accepted: false, reason: 'flush_failed', write: {id: 'e'}});
  expect(await errorOf(main.write({id: 'f'}))).toMatchObject({code: 'flush_failed', write: {id: 'f'}});
  expect((await errorOf(main.flush())).code).toBe('flush_failed');
  await expect(coordinator.stop()).rejects.toBe(coordinator.failure);
  await expect(coordinator.stop()).rejects.toBe(coordinator.failure);
  expect(flusher.ranges, 'nothing is retried').toEqual([[1, 2]]);
});

test('subscribers get what is unread, then the cause', async () => {
  const {coordinator, flusher, main} = bench();
  const [reading, waiting] = [main.subscribe(), main.subscribe()];
  await waiting.next();
  const next = [waiting.next(), waiting.next()] as const;
  flusher.failDelta = CAUSE;
  put(main, 'a');
  await errorOf(main.flush());
  expect((await next[0]).value?.frozen).toHaveLength(1);
  expect(await errorOf(next[1])).toBe(coordinator.failure);
  await reading.next();
  expect((await reading.next()).value?.frozen).toHaveLength(1);
  expect(await errorOf(reading.next())).toBe(coordinator.failure);
  expect(await reading.next()).toEqual({done: true, value: undefined});
  const late = main.subscribe();
  expect(late.first.frozen).toHaveLength(1);
  await late.next();
  expect(await errorOf(late.next())).toBe(coordinator.failure);
});

test('flushStorage failing rejects durable waiters; written ones hold; the coordinator is failed', async () => {
  const {coordinator, flusher, main} = bench();
  flusher.failStorage = CAUSE;
  const ticket = put(main, 'a');
  const waits = [ticket.wait('written'), ticket.wait('durable'), main.flush({storage: true})] as const;
  expect(await errorOf(waits[2])).toMatchObject({code: 'storage_flush_failed', cause: CAUSE});
  expect(await errorOf(waits[1])).toBe(coordinator.failure);
  expect(await waits[0]).toBe('a is number 1');
  expect(await ticket.wait('written')).toBe('a is number 1');
  expect(main.tryWrite({id: 'b'})).toMatchObject({accepted: false, reason: 'storage_flush_failed'});
  expect(coordinator.metrics.epochs).toEqual({applied: 1, written: 1, durable: 0});
  await expect(coordinator.stop()).rejects.toBe(coordinator.failure);
});

test('a failure during stop is what stop rejects with', async () => {
  for (const fault of ['failDelta', 'failStorage'] as const) {
    const {coordinator, flusher, main} = bench({flushBytes: 1, flushQueueMax: 1});
    flusher[fault] = CAUSE;
    const tickets = ['a', 'b', 'c'].map(id => put(main, id));
    expect(await errorOf(coordinator.stop())).toMatchObject({cause: CAUSE});
    const states = await Promise.all(tickets.map(ticket => stateOf(ticket.wait('durable'))));
    expect(states).toEqual(['rejected', 'rejected', 'rejected']);
  }
});

test('a flusher that throws at once, or something that is no Error', async () => {
  const flusher = {
    flushDelta: (): Promise<Ids> => {
      throw 'no';
    },
    flushStorage: () => Promise.resolve(),
  };
  const {coordinator, main} = bench({flusher});
  const ticket = put(main, 'a');
  await main.flush().catch(() => {});
  expect(await errorOf(ticket.wait('written'))).toMatchObject({code: 'flush_failed', cause: 'no'});
  expect(coordinator.failure?.message).toBe('the coordinator failed (flush_failed): no');
});

class Brittle implements Delta<Total, Put, Ids, Ids, string, Ids> {
  readonly #inner = new ListDelta({applied: 0});
  readonly #breaks: string;

  constructor(breaks: string) {
    this.#breaks = breaks;
  }

  apply(write: Put): string {
    return this.#inner.apply(write);
  }

  estimateSize(): number {
    if (this.#breaks === 'size') throw CAUSE;
    return this.#breaks === 'NaN' ? Number.NaN : this.#inner.estimateSize();
  }

  freeze(): FrozenDelta<Total, Ids, Ids> {
    if (this.#breaks === 'freeze') throw CAUSE;
    return this.#inner.freeze();
  }

  reader(): Ids {
    if (this.#breaks === 'reader') throw CAUSE;
    return this.#inner.reader();
  }
}

test.each(['size', 'NaN', 'freeze', 'reader', 'init'])(
  'a delta that fails in %s fails the coordinator',
  async breaks => {
    let deltas = 0;
    const init = (): Brittle => {
      if (breaks === 'init' && deltas > 0) throw CAUSE;
      return new Brittle(deltas++ === 0 && breaks === 'reader' ? '' : breaks);
    };
    const flusher = new ListFlusher();
    const coordinator = WriteCoordinator.start({delta: {init}, flusher, context: {applied: 0}, snapshot: []});
    const main = coordinator.handle();
    const subscription = main.subscribe();
    const ticket = put(main, 'a');
    const waits = [ticket.wait('written'), main.flush({storage: true}), ticket.wait('durable')];
    for (const wait of waits) expect((await errorOf(wait)).code).toBe('delta_failed');
    await subscription.next();
    expect(await errorOf(subscription.next())).toBe(coordinator.failure);
    await expect(coordinator.stop()).rejects.toBe(coordinator.failure);
    expect(flusher.running).toBe(0);
  },
);

test('a delta that fails while a flush runs: the flush ends, and what it wrote is not denied', async () => {
  let deltas = 0;
  const flusher = new ListFlusher();
  const delta = {init: () => new Brittle(deltas++ === 0 ? '' : 'size')};
  const coordinator = WriteCoordinator.start({delta, flusher, context: {applied: 0}, snapshot: []});
  const main = coordinator.handle();
  flusher.isHeld = true;
  const first = put(main, 'a');
  void main.flush();
  await turn();
  put(main, 'b');
  await turn();
  expect(coordinator.failure?.code).toBe('delta_failed');
  const stopped = coordinator.stop();
  expect(await stateOf(stopped)).toBe('pending');
  flusher.release();
  await expect(stopped).rejects.toBe(coordinator.failure);
  expect(await first.wait('written')).toBe('a is number 1');
});

test('promises that nobody waits for are no unhandled rejections', async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    const {coordinator, flusher, main} = bench({channelEntriesMax: 2});
    const {signal} = new AbortController();
    flusher.failDelta = CAUSE;
    const [a, b] = [put(main, 'a', {refuse: 'no'}), put(main, 'b')];
    for (const level of ['applied', 'written', 'durable'] as const)
      for (const ticket of [a, b]) void ticket.wait(level);
    void main.write({id: 'c'});
    void main.write({id: 'd'}, {signal});
    void main.flush();
    void main.flush({storage: true, signal});
    void main.subscribe().next();
    const subscription = main.subscribe();
    void subscription.next();
    void subscription.next();
    await turn();
    void b.wait('written');
    void b.epoch();
    void main.write({id: 'e'});
    void main.flush();
    void coordinator.stop();
    await turn();
    await turn();
    expect(coordinator.failure).not.toBeNull();
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
});

test('errors are recognised by name', () => {
  expect(isCoordinatorError(Object.assign(new Error('x'), {name: 'CoordinatorError'}))).toBe(true);
  expect(isCoordinatorError(new Error('x'))).toBe(false);
});
