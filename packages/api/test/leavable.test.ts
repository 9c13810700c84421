/**
 * Leaving an async generator while a step of it waits for what never comes: `return`, `throw` and the end of an
 * `await using` end the wait, in that order in which they and the steps were asked for.
 */
import {describe, expect, test} from 'vitest';
import {leavable} from '../src/index.ts';

const OVER: IteratorResult<string> = {value: undefined, done: true};

/** One thing, and then nothing until it is stopped; keeps what happened to it. */
function waiting(): {feed: AsyncGenerator<string, void>; said: string[]} {
  const said: string[] = [];
  let stop = (): void => {};
  const stopped = new Promise<void>(resolve => {
    stop = resolve;
  });
  async function* inner(): AsyncGenerator<string, void> {
    said.push('begun');
    try {
      yield 'first';
      await stopped;
    } finally {
      said.push('let go');
    }
  }
  const onStop = (): void => {
    said.push('stopped');
    stop();
  };
  return {feed: leavable(inner(), onStop), said};
}

describe('an async generator that can be left', () => {
  test('is what the inner one is as long as nobody leaves', async () => {
    const {feed, said} = waiting();
    expect(await feed.next()).toEqual({value: 'first', done: false});
    expect(feed[Symbol.asyncIterator]()).toBe(feed);
    expect(said).toEqual(['begun']);
    await feed.return();
  });

  test('return ends the steps that wait, in order, and itself last', async () => {
    const {feed, said} = waiting();
    await feed.next();
    const order: string[] = [];
    const steps = [feed.next(), feed.next(), feed.return(), feed.next()];
    steps.forEach((step, i) => void step.then(() => order.push(`step ${i}`)));
    expect(await Promise.all(steps)).toEqual([OVER, OVER, OVER, OVER]);
    expect(said).toEqual(['begun', 'stopped', 'let go']);
    expect(order.slice(0, 2)).toEqual(['step 0', 'step 1']);
  });

  test('throw rejects with what was thrown in, and ends the step that waits', async () => {
    const {feed, said} = waiting();
    await feed.next();
    const [step, reason] = [feed.next(), new Error('enough')];
    await expect(feed.throw(reason)).rejects.toBe(reason);
    expect(await step).toEqual(OVER);
    expect(said).toEqual(['begun', 'stopped', 'let go']);
  });

  test('the end of a scope leaves it, also on a version of Node whose own generators know no such end', async () => {
    const {feed, said} = waiting();
    {
      await using scoped = feed;
      await scoped.next();
    }
    expect(said).toEqual(['begun', 'stopped', 'let go']);
    expect(await feed.next()).toEqual(OVER);
  });

  test('one that was never begun does not begin any more', async () => {
    const {feed, said} = waiting();
    const left = feed.return();
    expect(await feed.next()).toEqual(OVER);
    expect(await left).toEqual(OVER);
    expect(said).toEqual(['stopped']);
  });

  test('a stop that fails is told to whoever leaves', async () => {
    const reason = new Error('stuck');
    async function* inner(): AsyncGenerator<string, void> {}
    await expect(leavable(inner(), () => Promise.reject(reason)).return()).rejects.toBe(reason);
  });
});
