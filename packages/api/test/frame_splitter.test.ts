/**
 * Frames come out whole and in order however the stream is cut, without a copy when they lie in one chunk; lengths that
 * are not allowed are told before any room is made for them.
 */
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {FrameSplitter, SPLIT} from '../src/index.ts';

function streamOf(frames: readonly Uint8Array[]): Uint8Array {
  const parts = frames.map(frame => {
    const prefixed = new Uint8Array(4 + frame.length);
    new DataView(prefixed.buffer).setUint32(0, frame.length, true);
    prefixed.set(frame, 4);
    return prefixed;
  });
  return Buffer.concat(parts);
}

function collector(max = 1_000_000): {splitter: FrameSplitter; frames: Uint8Array[]} {
  const frames: Uint8Array[] = [];
  const splitter = new FrameSplitter(max, (view, bytes, offset, length) => {
    expect(view.getUint8(offset)).toBe(bytes[offset]);
    frames.push(Uint8Array.from(bytes.subarray(offset, offset + length)));
  });
  return {splitter, frames};
}

const anyFrames = fc.array(fc.uint8Array({minLength: 1, maxLength: 3_000}), {maxLength: 12});

test('any frames, cut anywhere, come out as they were', () => {
  fc.assert(
    fc.property(anyFrames, fc.array(fc.integer({min: 1, max: 700}), {minLength: 1}), (frames, sizes) => {
      const stream = streamOf(frames);
      const {splitter, frames: got} = collector();
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length] as number;
        expect(splitter.push(stream.subarray(at, at + size))).toBe(SPLIT.OK);
        at += size;
      }
      expect(got).toEqual(frames.map(frame => Uint8Array.from(frame)));
      expect(splitter.pendingBytes).toBe(0);
    }),
    {numRuns: 300},
  );
});

test('a chunk buffer that is reused for every read, as a socket does it', () => {
  const stream = streamOf([Uint8Array.of(1), Uint8Array.of(2, 2), new Uint8Array(50).fill(3), Uint8Array.of(4)]);
  const {splitter, frames} = collector();
  const buffer = new Uint8Array(16);
  for (let at = 0; at < stream.length; at += 16) {
    const part = stream.subarray(at, at + 16);
    buffer.set(part);
    splitter.push(buffer.subarray(0, part.length));
  }
  expect(frames.map(frame => frame.length)).toEqual([1, 2, 50, 1]);
});

test('who looks ahead is told of the frames of a chunk before they come, and of each stretch once', () => {
  fc.assert(
    fc.property(anyFrames, fc.integer({min: 1, max: 9_000}), fc.integer({min: 0, max: 4}), (frames, size, most) => {
      const stream = streamOf(frames);
      const seen: number[] = [];
      let announced = 0;
      const splitter = new FrameSplitter(
        1_000_000,
        (_view, _bytes, _offset, length) => {
          seen.push(length);
          if (announced > 0) announced--;
        },
        (view, offset, end) => {
          expect(announced).toBe(0);
          expect(view.getUint32(offset, true)).toBe(frames[seen.length]?.length);
          for (let at = offset; announced < most && end - at >= 4; announced++) {
            const length = view.getUint32(at, true);
            if (end - at - 4 < length) break;
            at += 4 + length;
          }
          return announced;
        },
      );
      for (let at = 0; at < stream.length; at += size) splitter.push(stream.subarray(at, at + size));
      expect(seen).toEqual(frames.map(frame => frame.length));
    }),
    {numRuns: 200},
  );
});

test('a frame within one chunk is not copied', () => {
  const stream = streamOf([Uint8Array.of(7, 7)]);
  let same = false;
  new FrameSplitter(10, (_view, bytes, offset) => {
    same = bytes === stream && offset === 4;
  }).push(stream);
  expect(same).toBe(true);
});

test.each([
  ['empty', 0, SPLIT.EMPTY_FRAME],
  ['one over the maximum', 101, SPLIT.FRAME_TOO_LARGE],
  ['the largest length', 0xffff_ffff, SPLIT.FRAME_TOO_LARGE],
])('%s is refused in one chunk or byte by byte, and nothing comes after it', (_name, length, status) => {
  const prefix = new Uint8Array(4);
  new DataView(prefix.buffer).setUint32(0, length, true);
  const stream = Buffer.concat([streamOf([Uint8Array.of(1)]), prefix, streamOf([Uint8Array.of(2)])]);

  const whole = collector(100);
  expect(whole.splitter.push(stream)).toBe(status);
  expect(whole.frames).toHaveLength(1);
  expect(whole.splitter.push(streamOf([Uint8Array.of(3)]))).toBe(status);

  const bytewise = collector(100);
  let last: number = SPLIT.OK;
  for (const byte of stream) last = bytewise.splitter.push(Uint8Array.of(byte));
  expect(last).toBe(status);
  expect(bytewise.frames).toHaveLength(1);
});

test('an announced length costs nothing before its bytes arrive', () => {
  const before = process.memoryUsage().arrayBuffers;
  const splitters = Array.from({length: 50}, () => collector(0xffff_ffff).splitter);
  const prefix = new Uint8Array(10);
  new DataView(prefix.buffer).setUint32(0, 0x4000_0000, true);
  for (const splitter of splitters) expect(splitter.push(prefix)).toBe(SPLIT.OK);
  expect(splitters.reduce((sum, splitter) => sum + splitter.pendingBytes, 0)).toBe(500);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});

test('the handler can stop it in the middle of a chunk, whole or assembled', () => {
  const stream = streamOf([Uint8Array.of(1), Uint8Array.of(2)]);
  for (const cut of [0, 2]) {
    let frames = 0;
    const splitter: FrameSplitter = new FrameSplitter(10, () => {
      frames++;
      splitter.stop();
    });
    splitter.push(stream.subarray(0, cut));
    expect(splitter.push(stream.subarray(cut))).toBe(SPLIT.STOPPED);
    expect(frames).toBe(1);
  }
});
