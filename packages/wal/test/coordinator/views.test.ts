/**
 * Views and who subscribes to them: complete, unchanging, in order, and lost only with a word.
 */

import {getEventListeners} from 'node:events';
import {expect, test} from 'vitest';
import {bench, errorOf, type Handle, idsIn, put, stateOf, turn, type View} from './support.ts';

async function flushes(main: Handle, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    put(main, `${index}`);
    await main.flush();
  }
}

test('an applied write is visible in the current view', async () => {
  const {main} = bench();
  expect(main.view().current).toEqual({value: [], epochs: {start: 1, end: 1}});
  await put(main, 'a').wait('applied');
  const view = main.view();
  expect(view.current).toEqual({value: ['a'], epochs: {start: 1, end: 2}});
  expect(main.view()).toBe(view);
  await put(main, 'b').wait('applied');
  expect(view.current.value).toEqual(['a']);
  expect(idsIn(main.view())).toEqual(['a', 'b']);
});

test('view on freeze has frozen length 1, after the flush 0 and the new snapshot', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  put(main, 'a');
  const flush = main.flush();
  await turn();
  const during = main.view();
  expect(during.frozen).toEqual([{value: ['a'], epochs: {start: 1, end: 2}}]);
  expect(during.current).toEqual({value: [], epochs: {start: 2, end: 2}});
  expect(during.snapshot).toEqual({value: [], epochs: {start: 1, end: 1}});
  flusher.release();
  await flush;
  const after = main.view();
  expect(after.frozen).toEqual([]);
  expect(after.snapshot).toEqual({value: ['a'], epochs: {start: 1, end: 2}});
  expect(during.frozen, 'a view that was taken stays as it was').toHaveLength(1);
});

test('frozen deltas stand newest first', async () => {
  const {flusher, main} = bench();
  flusher.isHeld = true;
  for (const id of ['a', 'b']) {
    put(main, id);
    void main.flush();
    await turn();
  }
  put(main, 'c');
  await turn();
  expect(main.view().frozen.map(({value}) => value)).toEqual([['b'], ['a']]);
  expect(idsIn(main.view())).toEqual(['a', 'b', 'c']);
});

test('last written delta has exactly its range', async () => {
  const {main} = bench();
  expect(main.view().lastWritten).toBeNull();
  await flushes(main, 2);
  put(main, 'x');
  put(main, 'y');
  await main.flush();
  put(main, 'z');
  await turn();
  expect(main.view().lastWritten).toEqual({value: ['x', 'y'], epochs: {start: 3, end: 5}});
});

test('whoever waits for written finds the write in the snapshot of the view', async () => {
  const {main} = bench();
  const seen: boolean[] = [];
  for (let index = 0; index < 20; index++) {
    const written = put(main, `${index}`).wait('written');
    void main.flush();
    await written;
    seen.push(main.view().snapshot.value.includes(`${index}`));
  }
  expect(seen).toEqual(Array(20).fill(true));
});

test('a view cannot be changed by its readers', async () => {
  const {main} = bench();
  await flushes(main, 1);
  const view = main.view();
  const parts: object[] = [view, view.current, view.frozen, view.snapshot, view.snapshot.epochs];
  if (view.lastWritten !== null) parts.push(view.lastWritten, view.lastWritten.epochs);
  expect(parts.every(part => Object.isFrozen(part))).toBe(true);
});

test('a subscriber gets the first view with the subscription, then one at each freeze and flush, until stop', async () => {
  const {coordinator, main} = bench();
  put(main, 'a');
  await turn();
  const subscription = main.subscribe();
  put(main, 'b');
  await main.flush();
  expect(idsIn(subscription.first)).toEqual(['a']);
  const stopped = coordinator.stop();
  const seen: View[] = [];
  for await (const view of subscription) seen.push(view);
  await stopped;
  expect(seen[0]).toBe(subscription.first);
  expect(seen.map(view => [view.frozen.length, view.snapshot.value])).toEqual([
    [0, []],
    [1, []],
    [0, ['a', 'b']],
  ]);
  expect(await subscription.next()).toEqual({done: true, value: undefined});
});

test('a subscriber that waits gets a view as soon as it is published; several reads may wait', async () => {
  const {coordinator, main} = bench();
  const subscription = main.subscribe();
  await subscription.next();
  const reads = [subscription.next(), subscription.next(), subscription.next()];
  expect(await stateOf(Promise.race(reads))).toBe('pending');
  await flushes(main, 1);
  expect((await Promise.all(reads.slice(0, 2))).map(({value}) => value?.frozen.length)).toEqual([1, 0]);
  await coordinator.stop();
  expect(await reads[2]).toEqual({done: true, value: undefined});
});

test('20 flushes unread: message_lost, then a consistent resubscription', async () => {
  const {coordinator, main} = bench();
  const slow = main.subscribe();
  const quick = main.subscribe();
  let views = 0;
  const reading = (async () => {
    for await (const view of quick) views += idsIn(view).length >= 0 ? 1 : 0;
  })();
  await slow.next();
  await flushes(main, 20);
  expect(await errorOf(slow.next())).toMatchObject({code: 'message_lost'});
  expect(await slow.next()).toEqual({done: true, value: undefined});
  expect(coordinator.metrics).toMatchObject({messagesLost: 1, subscribers: 1});

  const again = main.subscribe();
  let shown = idsIn(again.first);
  expect(shown).toHaveLength(20);
  await again.next();
  for (let index = 0; index < 5; index++) {
    put(main, `later ${index}`);
    await main.flush();
    for (let count = 0; count < 2; count++) {
      const {value} = await again.next();
      shown = idsIn(value as View);
      expect(shown).toHaveLength(21 + index);
    }
  }
  expect(shown).toEqual(idsIn(main.view()));
  await coordinator.stop();
  await reading;
  expect(views).toBe(1 + 2 * 25);
});

test('exactly the depth may be unread', async () => {
  const {flusher, main} = bench({subscriberDepthMax: 4});
  const [exact, over] = [main.subscribe(), main.subscribe()];
  await flushes(main, 2);
  await over.next();
  await exact.next();
  for (let index = 0; index < 4; index++) expect((await exact.next()).done).toBe(false);
  flusher.isHeld = true;
  put(main, 'one view more');
  void main.flush();
  await turn();
  expect((await errorOf(over.next())).code).toBe('message_lost');
});

test('a subscription ends by return, by a break, by dispose and by its signal', async () => {
  const {coordinator, main} = bench();
  const abort = new AbortController();
  const aborted = main.subscribe({signal: abort.signal});
  await aborted.next();
  const waiting = aborted.next();
  abort.abort('enough');
  expect(await errorOf(waiting)).toMatchObject({code: 'aborted', cause: 'enough'});
  expect((await errorOf(main.subscribe({signal: abort.signal}).next())).code).toBe('aborted');

  const {signal} = new AbortController();
  const closed = main.subscribe({signal});
  await flushes(main, 1);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  expect(await closed.return()).toEqual({done: true, value: undefined});
  expect(await closed.next()).toEqual({done: true, value: undefined});
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  {
    await using disposed = main.subscribe();
    expect(coordinator.metrics.subscribers).toBe(1);
    for await (const view of disposed) {
      expect(view).toBe(disposed.first);
      break;
    }
  }
  const lagging = main.subscribe();
  await flushes(main, 10);
  expect(await lagging.return(), 'what was lost is of no interest any more').toMatchObject({done: true});
  expect(coordinator.metrics.subscribers).toBe(0);
});

test('subscribing after the end gives the last view, and the end', async () => {
  const {coordinator, main} = bench();
  await flushes(main, 1);
  await coordinator.stop();
  const subscription = main.subscribe();
  expect(idsIn(subscription.first)).toEqual(['0']);
  const views: View[] = [];
  for await (const view of subscription) views.push(view);
  expect(views).toEqual([subscription.first]);
});
