/**
 * Refusals of normal work: full frames, large records, a full disk, the end of the lsns. Each is definite and leaves
 * the log working.
 */

import {expect, test} from 'vitest';
import {STATUS, verifyWal, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {append, commitFrame, DIR, errorOf, openSmall, readAll, SMALL, segmentNames} from './support.ts';

const PAYLOAD = new Uint8Array(4096);

function put(wal: Wal, bytes: number): number {
  return wal.append(1, 1, 0, 0, PAYLOAD, 0, bytes);
}

test('a full frame refuses, takes no lsn, and after a commit there is room again', () => {
  const wal = openSmall(new SimDisk());
  expect(put(wal, 2000)).toBe(STATUS.OK);
  expect(put(wal, 2000)).toBe(STATUS.OK);
  expect(put(wal, 17)).toBe(STATUS.FRAME_FULL);
  expect(wal.nextLsn).toBe(3n);
  expect(put(wal, 0)).toBe(STATUS.OK);
  expect(errorOf(() => wal.appendRecord({type: 1, payload: PAYLOAD.subarray(0, 100)})).code).toBe('frame_full');
  wal.commitSync();
  expect(put(wal, 2000)).toBe(STATUS.OK);
});

test('a record or group that no frame can take is too large, however empty the frame', () => {
  const wal = openSmall(new SimDisk());
  expect(put(wal, 2048)).toBe(STATUS.OK);
  expect(put(wal, 2049)).toBe(STATUS.RECORD_TOO_LARGE);
  expect(wal.room(2, 4096)).toBe(STATUS.RECORD_TOO_LARGE);
  expect(wal.room(1, 3000)).toBe(STATUS.FRAME_FULL);
  expect(() => wal.append(1, 1, 0, 0, PAYLOAD, 4000, 97)).toThrow(RangeError);
  expect(() => wal.append(1, 2, 0, 0, PAYLOAD, 0, 1)).toThrow(RangeError);
  expect(wal.nextLsn).toBe(2n);
});

test('room answered with OK holds for exactly the group asked for, at every fill of frame and segment', () => {
  for (let fill = 0; fill < 60; fill++) {
    const wal = openSmall(new SimDisk());
    for (let i = 0; i < fill; i++) commitFrame(wal, 1, 180);
    if (fill % 3 > 0) {
      put(wal, fill * 10);
      if (fill % 3 === 2) wal.freeze();
    }
    const status = wal.room(10, 3000);
    if (status === STATUS.FRAME_FULL) continue;
    expect(status).toBe(STATUS.OK);
    for (let i = 0; i < 10; i++) expect(put(wal, 300)).toBe(STATUS.OK);
    wal.freeze();
    wal.writeFrozenSync();
    wal.commitSync();
    expect(wal.durableLsn).toBe((wal.nextLsn as bigint) - 1n);
  }
});

test('frozen and open frame may both need a new segment', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {segmentBytes: 12_288});
  for (let round = 0; round < 10; round++) {
    put(wal, 2000);
    put(wal, 1900);
    expect(wal.freeze()).toBe(true);
    put(wal, 2000);
    put(wal, 1900);
    expect(wal.freeze()).toBe(false);
    wal.writeFrozenSync();
    expect(wal.durableLsn).toBe(BigInt(round * 4 + 2));
    wal.commitSync();
  }
  expect(wal.metrics.segments).toBeGreaterThan(15);
  wal.closeSync();
  expect(verifyWal({dir: DIR, io: disk}).lastLsn).toBe(40n);
});

test('a marker does not take the room that the open frame was promised', () => {
  const disk = new SimDisk();
  for (let fill = 0; fill < 26; fill++) {
    const wal = openSmall(disk.fork());
    for (let i = 0; i < fill; i++) commitFrame(wal, 1, 400);
    put(wal, 2000);
    for (let i = 0; i < 6; i++) expect(wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16))).toBe(STATUS.OK);
    const {bytesWritten, segments} = wal.metrics;
    wal.commitSync();
    expect(wal.metrics.bytesWritten).toBe(bytesWritten + 2560);
    // Whichever segment it is in, the frame ends before the last block, and the first marker was not moved.
    const usable = 16_384 - 4096 - 512;
    expect(bytesWritten + 2560).toBeLessThanOrEqual(usable * wal.metrics.segments);
    expect(wal.metrics.segments - segments).toBeLessThanOrEqual(1);
    wal.closeSync();
  }
});

test('a full disk refuses before anything is written; the log goes on when space returns', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  disk.spaceBytes = 16_384 + 6000;
  let taken = 0n;
  while (put(wal, 1000) === STATUS.OK) {
    wal.commitSync();
    taken++;
  }
  expect(taken).toBeGreaterThan(5n);
  for (let i = 0; i < 5; i++) expect(put(wal, 1000)).toBe(STATUS.STORAGE_FULL);
  expect(wal.room(1, 1000)).toBe(STATUS.STORAGE_FULL);
  expect([wal.failure, wal.nextLsn, wal.durableLsn]).toEqual([null, taken + 1n, taken]);
  expect(wal.prepareStep(4096)).toBe('full');
  disk.spaceBytes = 2 * 16_384;
  expect(put(wal, 1000)).toBe(STATUS.OK);
  wal.commitSync();
  wal.closeSync();
  expect(verifyWal({dir: DIR, io: disk}).lastLsn).toBe(taken + 1n);
});

test('what append has taken can be written on a full disk', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (let round = 0; round < 40; round++) {
    disk.spaceBytes = Number.POSITIVE_INFINITY;
    put(wal, 700);
    put(wal, 700);
    disk.spaceBytes = 0;
    wal.freeze();
    wal.writeFrozenSync();
    disk.spaceBytes = Number.POSITIVE_INFINITY;
    if (round % 9 === 8) wal.truncateBefore(wal.durableLsn);
  }
  disk.spaceBytes = 0;
  wal.closeSync();
  expect(disk.list(DIR)).not.toContain('clean');
  disk.spaceBytes = Number.POSITIVE_INFINITY;
  expect(openSmall(disk).recovery).toMatchObject({ending: 'unclean', lastLsn: 80n});
});

test('no space for the first segment is storage_full, and leaves a directory that can be opened later', () => {
  const disk = new SimDisk();
  disk.spaceBytes = 5000;
  expect(errorOf(() => openSmall(disk)).code).toBe('storage_full');
  expect(segmentNames(disk)).toEqual([]);
  disk.spaceBytes = 100_000;
  openSmall(disk).closeSync();
});

test('lsns end after 2^64 - 1: refused, still readable, reopened any number of times', () => {
  const max = 2n ** 64n - 1n;
  const disk = new SimDisk();
  const wal = openSmall(disk, {firstLsn: max - 2n});
  expect(wal.room(4, 4)).toBe(STATUS.LSN_EXHAUSTED);
  expect(wal.room(3, 3)).toBe(STATUS.OK);
  expect([append(wal), append(wal)]).toEqual([max - 2n, max - 1n]);
  wal.commitSync();
  expect(append(wal)).toBe(max);
  expect([wal.nextLsn, wal.nextLsnLo, wal.nextLsnHi]).toEqual([null, 0, 0]);
  expect(put(wal, 1)).toBe(STATUS.LSN_EXHAUSTED);
  wal.commitSync();
  expect(wal.durableLsn).toBe(max);
  expect(errorOf(() => wal.appendRecord({type: 1, payload: PAYLOAD})).code).toBe('too_large');
  expect(errorOf(() => wal.appendRecord({type: 1, payload: PAYLOAD.subarray(1, 5)})).code).toBe('lsn_exhausted');
  wal.markIdle();
  wal.abandon();
  for (let round = 0; round < 60; round++) {
    const again = openSmall(disk, {floor: max});
    expect(again.recovery).toMatchObject({lastLsn: max, segments: 1});
    expect(readAll(again.read(max)).lsns).toEqual([max]);
    expect(put(again, 1)).toBe(STATUS.LSN_EXHAUSTED);
    expect(again.truncateBefore(max)).toBe(0);
    const status = again.writeSnapshotMarkerSync(-1, -1, new Uint8Array(16));
    expect([STATUS.OK, STATUS.LSN_EXHAUSTED]).toContain(status);
    if (round === 59) expect(status, 'the segment is full and no other begins').toBe(STATUS.LSN_EXHAUSTED);
    again.closeSync();
  }
  expect(segmentNames(disk)).toEqual([`wal-${max - 2n}.seg`]);
});

test('options out of bounds are a RangeError', () => {
  const io = new SimDisk();
  const bad = [
    {blockBytes: 256},
    {blockBytes: 8192},
    {blockBytes: 1000},
    {segmentBytes: 10_000},
    {segmentBytes: 2 ** 31},
    {segmentBytes: 8192},
    {maxFrameBytes: 16_384},
    {maxFrameBytes: 10},
    {maxRecordBytes: SMALL.maxFrameBytes},
    {maxRecordBytes: -1},
    {firstLsn: 0n},
    {firstLsn: 2n ** 64n},
    {floor: -1n},
  ];
  for (const options of bad)
    expect(() => openSmall(io, options), JSON.stringify(Object.keys(options))).toThrow(RangeError);
});

test('appended bytes that are not durable are bounded by maxPendingBytes, and there is room again after the sync', () => {
  const wal = openSmall(new SimDisk(), {maxPendingBytes: 5000});
  while (wal.append(1, 1, 0, 0, new Uint8Array(500), 0, 500) === STATUS.OK);
  expect(wal.openRecords).toBe(7);
  wal.freeze();
  append(wal, 500);
  append(wal, 500);
  const next = wal.nextLsn;
  expect(wal.append(1, 1, 0, 0, new Uint8Array(500), 0, 500)).toBe(STATUS.PENDING_FULL);
  expect(wal.room(1, 400)).toBe(STATUS.PENDING_FULL);
  expect(errorOf(() => wal.appendRecord({type: 1, payload: new Uint8Array(500)})).code).toBe('pending_full');
  expect(wal.nextLsn).toBe(next);
  wal.writeFrozenSync();
  append(wal, 500);
  wal.commitSync();
  expect(readAll(wal.read(1n)).lsns.length).toBe(10);
  expect(() => openSmall(new SimDisk(), {maxPendingBytes: 4095})).toThrow(RangeError);
});

test('a log takes no more than maxSegments, says so, and goes on after a truncation', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {maxSegments: 3});
  const fill = (): void => {
    for (;;) {
      if (wal.append(1, 1, 0, 0, new Uint8Array(1000), 0, 1000) === STATUS.TOO_MANY_SEGMENTS) break;
      wal.commitSync();
    }
    wal.commitSync();
  };
  fill();
  expect(wal.metrics.segments).toBe(3);
  const last = wal.durableLsn;
  expect(errorOf(() => wal.appendRecord({type: 1, payload: new Uint8Array(1000)})).code).toBe('too_many_segments');
  const digest = new Uint8Array(16);
  let markers = 0;
  while (wal.writeSnapshotMarkerSync(1, 0, digest) === STATUS.OK) markers++;
  expect(wal.writeSnapshotMarkerSync(1, 0, digest)).toBe(STATUS.TOO_MANY_SEGMENTS);
  expect(markers).toBeLessThan(16);
  expect(wal.truncateBefore(last)).toBeGreaterThan(0);
  fill();
  expect(wal.durableLsn).toBeGreaterThan(last);
  wal.closeSync();
  expect(openSmall(disk).recovery.ending).toBe('clean');
});
