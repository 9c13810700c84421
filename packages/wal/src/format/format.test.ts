import {createHash} from 'node:crypto';
import {expect, test} from 'vitest';
import {FORMAT_VERSION, LAYOUT} from './format.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  firstLsnOfName,
  type SegmentInfo,
  segmentName,
} from './segment_header.ts';

/** One line for each version ever released; a line is added, never changed. */
const LAYOUT_HASHES: Record<number, string> = {
  1: '98207a904bd4c326',
};

test('the layout belongs to its format version', () => {
  const hash = createHash('sha256').update(JSON.stringify(LAYOUT)).digest('hex').slice(0, 16);
  expect(hash, 'the bytes on disk changed: raise FORMAT_VERSION and add a line here').toBe(
    LAYOUT_HASHES[FORMAT_VERSION],
  );
});

test('segment names carry 20 digits and sort as their lsns', () => {
  expect(segmentName(1n)).toBe('wal-00000000000000000001.seg');
  expect(segmentName(2n ** 64n - 1n)).toBe('wal-18446744073709551615.seg');
  expect(firstLsnOfName(segmentName(77n))).toBe(77n);
  for (const name of [
    'wal-1.seg',
    'wal-00000000000000000000.seg',
    'wal-18446744073709551616.seg',
    'wal-0000000000000000001x.seg',
  ]) {
    expect(firstLsnOfName(name), name).toBeNull();
  }
});

const INFO: SegmentInfo = {
  name: segmentName(9n),
  sizeBytes: 16_384,
  blockBytes: 1024,
  uuid: new Uint8Array(16).map((_, index) => index * 3),
  ordinal: 5n,
  firstLo: 9,
  firstHi: 0,
  salt: -123_456,
  isRecycled: false,
  link: 0x7abcdef0,
  marker: {lsn: 8n, digest: new Uint8Array(16).fill(200)},
};

test('a segment header says what was written, and no byte of its block may change', () => {
  const block = new Uint8Array(4096);
  encodeSegmentHeader(block, INFO);
  expect(decodeSegmentHeader(block, INFO.name, INFO.sizeBytes)).toEqual(INFO);
  for (let at = 0; at < block.length; at++) {
    const damaged = block.slice();
    damaged[at] = (damaged[at] as number) ^ 0x10;
    expect(decodeSegmentHeader(damaged, INFO.name, INFO.sizeBytes), `byte ${at}`).toBeNull();
  }
});
