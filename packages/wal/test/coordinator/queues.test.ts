/**
 * The two queues against arrays, and the timer that keeps a process alive only while it has something to do.
 */

import fc from 'fast-check';
import {expect, test, vi} from 'vitest';
import {IntervalTimer} from '../../src/coordinator/interval_timer.ts';
import {Fifo, Linked, LinkedQueue} from '../../src/coordinator/queues.ts';

test('Fifo behaves as an array does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({min: -3000, max: 3000}), {maxLength: 30}), steps => {
      const queue = new Fifo<number>();
      const model: number[] = [];
      for (const step of steps) {
        const numbers = Array.from({length: Math.abs(step)}, (_, index) => index);
        if (step < 0) expect(numbers.map(() => queue.shift())).toEqual(numbers.map(() => model.shift()));
        else {
          for (const number of numbers) queue.push(number);
          model.push(...numbers);
        }
        expect([queue.size, queue.first, queue.last]).toEqual([model.length, model[0], model.at(-1)]);
      }
    }),
    {numRuns: 50},
  );
});

class Named extends Linked {
  readonly name: number;

  constructor(name: number) {
    super();
    this.name = name;
  }
}

test('LinkedQueue behaves as an array does, with members leaving from anywhere', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({min: -1, max: 20}), {maxLength: 60}), steps => {
      const queue = new LinkedQueue<Named>();
      const model: Named[] = [];
      steps.forEach((step, index) => {
        if (step < 0 || model.length === 0) {
          const member = new Named(index);
          queue.push(member);
          model.push(member);
        } else {
          const [member] = model.splice(step % model.length, 1);
          queue.remove(member as Named);
        }
        expect([queue.size, queue.first]).toEqual([model.length, model[0] ?? null]);
      });
      for (const member of model) {
        expect(queue.first).toBe(member);
        queue.remove(member);
      }
      expect(queue.first).toBeNull();
    }),
  );
});

test('an interval timer keeps the process alive only while it is held', () => {
  const set = vi.spyOn(globalThis, 'setTimeout');
  try {
    const timer = new IntervalTimer(60_000, () => {});
    const handle = set.mock.results[0]?.value as NodeJS.Timeout;
    expect(handle.hasRef()).toBe(false);
    timer.hold();
    timer.hold();
    expect(handle.hasRef()).toBe(true);
    timer.restart();
    timer.release();
    expect(handle.hasRef()).toBe(false);
    timer.stop();
    timer.hold();
    timer.restart();
    expect(set).toHaveBeenCalledTimes(1);
    new IntervalTimer(null, () => {}).hold();
    expect(set).toHaveBeenCalledTimes(1);
  } finally {
    set.mockRestore();
  }
});
