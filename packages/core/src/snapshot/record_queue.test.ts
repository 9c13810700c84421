/** The queue against an array, over many pages, filled and emptied in bursts of any length. */
import fc from 'fast-check';
import {test} from 'vitest';
import {RecordQueue} from './record_queue.ts';

const WORDS = 3;

test('records come out as they went in, in that order', () => {
  const bursts = fc.array(fc.tuple(fc.boolean(), fc.integer({min: 1, max: 900})), {minLength: 1, maxLength: 12});
  fc.assert(
    fc.property(bursts, steps => {
      const queue = new RecordQueue(WORDS);
      let [pushed, shifted] = [0, 0];
      for (const [isPush, count] of steps) {
        for (let i = 0; i < count && (isPush || shifted < pushed); i++) {
          if (isPush) {
            const page = queue.push();
            page.fill(pushed++, queue.at, queue.at + WORDS);
          } else {
            const page = queue.shift();
            const record = [...page.subarray(queue.at, queue.at + WORDS)];
            if (record.some(word => word !== shifted)) return false;
            shifted++;
          }
        }
        if (queue.length !== pushed - shifted) return false;
      }
      return true;
    }),
    {numRuns: 60},
  );
});
