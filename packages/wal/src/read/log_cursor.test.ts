import {expect, test} from 'vitest';
import {FRAME_KIND, RECORD} from '../format/format.ts';
import {FrameHead} from '../format/frame_header.ts';
import {encodeSegmentHeader, type SegmentInfo, segmentName} from '../format/segment_header.ts';
import {SimDisk} from '../testing/index.ts';
import {FrameBuffer} from '../write/frame_buffer.ts';
import {READ} from './log_cursor.ts';
import {readWal} from './wal_reader.ts';

const INFO: SegmentInfo = {
  name: segmentName(1n),
  sizeBytes: 8192,
  blockBytes: 512,
  uuid: new Uint8Array(16),
  ordinal: 1n,
  firstLo: 1,
  firstHi: 0,
  salt: 77,
  isRecycled: false,
  link: 0,
  marker: null,
};

/** A segment with one frame of two records, changed before its checksums are made. */
function segmentWith(change: (frame: FrameBuffer) => void): SimDisk {
  const frame = new FrameBuffer(2048);
  for (let i = 0; i < 2; i++) frame.put(1, 1, 0, 0, new Uint8Array(50), 0, 50);
  change(frame);
  const head = new FrameHead();
  head.kind = FRAME_KIND.DATA;
  head.lsnLo = 1;
  const frameBytes = frame.finish(head, 8, INFO.salt, INFO.blockBytes);
  const content = new Uint8Array(INFO.sizeBytes);
  encodeSegmentHeader(content, INFO);
  content.set(frame.bytes.subarray(0, frameBytes), 4096);
  const disk = new SimDisk();
  disk.makeDir('/log');
  disk.replaceContent(`/log/${INFO.name}`, content);
  return disk;
}

function readToEnd(disk: SimDisk): number {
  const cursor = readWal({dir: '/log', io: disk});
  let records = 0;
  for (let event = cursor.next(); event !== READ.END; event = cursor.next()) if (event === READ.RECORD) records++;
  cursor.close();
  return records;
}

test('what comes behind a record in its frame can be seen ahead of it, and the cursor stays', () => {
  const disk = segmentWith(frame => {
    for (let i = 2; i < 5; i++) frame.put(i, 1, 7, 0, Uint8Array.of(i, i), 0, 2);
  });
  const cursor = readWal({dir: '/log', io: disk});
  const seen: number[][] = [];
  for (let most = 9; cursor.next() === READ.RECORD; most = 2) {
    const row: number[] = [];
    const shown = cursor.ahead(({type, length, view, offset}) => {
      if (row.length === most) return false;
      row.push(type);
      expect(length).toBe(type === 1 ? 50 : 2);
      if (type > 1) expect(view.getUint8(offset)).toBe(type);
      return true;
    });
    expect(shown).toBe(row.length);
    seen.push(row);
  }
  expect(seen).toEqual([[1, 2, 3, 4], [2, 3], [3, 4], [4], []]);
  cursor.close();
});

function setLength(frame: FrameBuffer, record: number, length: number): void {
  const at = 48 + record * 66 + RECORD.PAYLOAD_BYTES;
  new DataView(frame.bytes.buffer).setUint32(at, length, true);
}

test('a frame whose records do not fill it exactly is corruption, though all its checksums hold', () => {
  expect(readToEnd(segmentWith(() => {}))).toBe(2);
  const malformed: [string, (frame: FrameBuffer) => void][] = [
    ['one record fewer', frame => frame.records--],
    ['one record more', frame => frame.records++],
    ['last record shorter', frame => setLength(frame, 1, 49)],
    ['last record longer', frame => setLength(frame, 1, 51)],
    ['a length beyond the file', frame => setLength(frame, 0, 0xffff_ffff)],
    ['a scope that is not there', frame => frame.bytes.set([2], 48 + 66 + RECORD.FLAGS)],
  ];
  for (const [what, change] of malformed) {
    expect(() => readToEnd(segmentWith(change)), what).toThrow(/do not fill it/);
  }
});
