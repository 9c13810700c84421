/**
 * The buffer in which answers wait: what is taken is what was written and released, in order, however it grows, whatever
 * still waits behind it, and although buffers that were given back are used again.
 */
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {BufferPool} from '../src/engine/buffer_pool.ts';
import {AnswerBuffer} from '../src/index.ts';

interface Move {
  kind: 'write' | 'release' | 'take';
  bytes: number;
}

const moves = fc.array(
  fc.record({
    kind: fc.constantFrom<Move['kind']>('write', 'write', 'write', 'release', 'take'),
    bytes: fc.oneof({weight: 5, arbitrary: fc.nat(200)}, {weight: 1, arbitrary: fc.nat(90_000)}),
  }),
  {maxLength: 80},
);

/** Two at a time, so that what one gives back the other gets. */
test('bytes come out as they went in, of two connections that share recycled buffers', () => {
  fc.assert(
    fc.property(moves, list => {
      const sides = [0, 1].map(side => ({
        side,
        buffer: new AnswerBuffer(),
        written: 0,
        taken: 0,
        released: 0,
      }));
      const byteAt = (side: number, place: number): number => (place * 7 + side * 101 + (place >> 8)) & 0xff;
      list.forEach(({kind, bytes}, i) => {
        const now = sides[i % 2] as (typeof sides)[number];
        const {buffer, side} = now;
        if (kind === 'write') {
          buffer.ensure(buffer.end, bytes);
          for (let at = 0; at < bytes; at++) buffer.view.setUint8(buffer.end + at, byteAt(side, now.written + at));
          now.written += bytes;
          buffer.end += bytes;
        } else if (kind === 'release') {
          buffer.releasedEnd = Math.floor((buffer.releasedEnd + buffer.end + 1) / 2);
          now.released = now.taken + buffer.releasedEnd;
        } else {
          const taken = buffer.take();
          expect(taken?.length ?? 0).toBe(now.released - now.taken);
          taken?.forEach((byte, at) => {
            if (byte !== byteAt(side, now.taken + at)) throw new Error(`byte ${now.taken + at} of side ${side}`);
          });
          now.taken = now.released;
          if (taken !== null) AnswerBuffer.recycle(taken);
        }
        expect(buffer.pendingBytes).toBe(now.written - now.taken);
      });
    }),
    {numRuns: 150},
  );
});

test('nothing is kept by a buffer that has been emptied', () => {
  const buffer = new AnswerBuffer();
  buffer.ensure(0, 300_000);
  buffer.end = 300_000;
  buffer.releasedEnd = 300_000;
  expect(buffer.take()?.length).toBe(300_000);
  expect(buffer.bytes.length).toBe(0);
});

test('what is taken holds little more memory than its own bytes, also after a burst', () => {
  const buffer = new AnswerBuffer();
  for (const bytes of [27, 100_000, 27, 27, 2000, 27, 300, 5000]) {
    buffer.ensure(buffer.end, bytes);
    buffer.end += bytes;
    buffer.releasedEnd = buffer.end;
    const taken = buffer.take() as Uint8Array;
    expect(taken.length).toBe(bytes);
    expect(taken.buffer.byteLength).toBeLessThanOrEqual(4 * bytes);
    expect(buffer.bytes.length).toBeLessThanOrEqual(4096);
  }
});

test('the pool gives back what it was given, of the size that is asked for, and keeps a bounded part of it', () => {
  const pool = new BufferPool();
  const first = pool.take(5000);
  expect(first.length).toBe(8192);
  pool.give(first.subarray(0, 17));
  expect(pool.take(4097).buffer).toBe(first.buffer);
  expect(pool.take(4097).buffer).not.toBe(first.buffer);
  const many = Array.from({length: 5}, () => pool.take(1 << 20));
  for (const buffer of many) pool.give(buffer);
  const again = Array.from({length: 5}, () => pool.take(1 << 20).buffer);
  expect(again.filter(buffer => many.some(given => given.buffer === buffer)).length).toBe(2);
});

test('the pool leaves alone what it has not given out, what it has back already, and what is large', () => {
  const pool = new BufferPool();
  const first = pool.take(5000);
  pool.give(first);
  pool.give(first);
  expect(pool.take(5000).buffer).toBe(first.buffer);
  expect(pool.take(5000).buffer).not.toBe(first.buffer);
  const foreign = new Uint8Array(8192);
  pool.give(foreign);
  expect(pool.take(5000).buffer).not.toBe(foreign.buffer);
  const odd = new Uint8Array(5000);
  const huge = new Uint8Array(4 << 20);
  pool.give(odd);
  pool.give(huge);
  expect(pool.take(5000).buffer).not.toBe(odd.buffer);
  expect(pool.take(4 << 20).buffer).not.toBe(huge.buffer);
  pool.give(new Uint8Array(0));
  expect(pool.take(0).length).toBe(4096);
});
