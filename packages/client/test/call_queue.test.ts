/** The queues of calls and of responses against plain arrays, over random sequences of what is done to them. */
import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {Call} from '../src/call.ts';
import {CallQueue} from '../src/call_queue.ts';
import {ResponseQueue, type ResponseSink} from '../src/response_queue.ts';

test('a call queue keeps order, passes over what was settled, and keeps count', () => {
  const step = fc.oneof(
    {weight: 5, arbitrary: fc.constant('push' as const)},
    {weight: 3, arbitrary: fc.constant('shift' as const)},
    {weight: 3, arbitrary: fc.nat().map(at => ({forget: at}))},
    {weight: 1, arbitrary: fc.integer({min: 0, max: 4}).map(count => ({unshift: count}))},
  );
  fc.assert(
    fc.property(fc.array(step, {maxLength: 400, size: 'max'}), steps => {
      const queue = new CallQueue();
      let model: Call[] = [];
      const fresh = (): Call => ({waiting: false}) as unknown as Call;
      for (const each of steps) {
        if (each === 'push') {
          const call = fresh();
          queue.push(call);
          model.push(call);
        } else if (each === 'shift') {
          expect(queue.shift()).toBe(model.shift() ?? null);
        } else if ('forget' in each) {
          const call = model[each.forget % Math.max(1, model.length)];
          if (call !== undefined) queue.forget(call);
          model = model.filter(other => other !== call);
        } else {
          const calls = Array.from({length: each.unshift}, fresh);
          queue.unshift(calls);
          model = [...calls, ...model];
        }
        expect(queue.size).toBe(model.length);
      }
      while (model.length > 0) expect(queue.shift()).toBe(model.shift());
      expect(queue.shift()).toBeNull();
    }),
  );
});

test('a response queue answers in order, runs of one waiter included', () => {
  const sinks: ResponseSink[] = Array.from({length: 3}, () => ({onResponse: () => {}}));
  const step = fc.oneof(
    fc.record({sink: fc.constantFrom(...sinks), count: fc.integer({min: 0, max: 40})}),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(step, {maxLength: 400, size: 'max'}), steps => {
      const queue = new ResponseQueue();
      const model: ResponseSink[] = [];
      for (const each of steps) {
        if (each === null) {
          for (let i = 0; i < 12; i++) expect(queue.shift()).toBe(model.shift() ?? null);
        } else {
          queue.push(each.sink, each.count);
          for (let i = 0; i < each.count; i++) model.push(each.sink);
        }
        expect(queue.size).toBe(model.length);
      }
      const runs = model.filter((sink, i) => sink !== model[i - 1]);
      expect(queue.takeAll()).toEqual(runs);
      expect(queue.size).toBe(0);
    }),
    {numRuns: 40},
  );
});
