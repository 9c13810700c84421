/**
 * What a log promises while nothing goes wrong, on any `FileIo`.
 */

import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type FileIo, READ, readWal, STATUS, verifyWal, Wal, type WalOptions} from '../src/index.ts';
import {append, commitFrame, errorOf, payloadOf, readAll, SMALL} from './support.ts';

export function runLogSuite(name: string, make: () => {io: FileIo; dir: string}): void {
  function setup(options: Partial<WalOptions> = {}): {
    open: (more?: Partial<WalOptions>) => Wal;
    io: FileIo;
    dir: string;
  } {
    const {io, dir} = make();
    return {io, dir, open: (more = {}) => Wal.open({dir, io, ...SMALL, ...options, ...more})};
  }

  describe(`log: ${name}`, () => {
    test('records come back in order with all their fields', async () => {
      const {open} = setup();
      const wal = open();
      const payload = payloadOf(1n, 300);
      expect(wal.append(3, 1, -1, 5, payload, 10, 200)).toBe(STATUS.OK);
      const scope = new Int32Array([1, 2, 3, 4, 5]);
      expect(wal.appendScoped(4, 0, 0, 0, scope, payload, 0, 7)).toBe(STATUS.OK);
      expect(wal.appendRecord({type: 65_535, payload: new Uint8Array(0), stamp: 2n ** 64n - 1n})).toBe(3n);
      await wal.commit();
      const cursor = wal.read(1n);
      expect(cursor.next()).toBe(READ.RECORD);
      expect([cursor.type, cursor.flags, cursor.lsn, cursor.stamp]).toEqual([3, 1, 1n, 0x5_ffff_ffffn]);
      expect(cursor.payload()).toEqual(payload.subarray(10, 210));
      expect(cursor.scopeOffset).toBe(-1);
      expect(cursor.next()).toBe(READ.RECORD);
      expect([cursor.type, cursor.flags, cursor.lsn, cursor.length]).toEqual([4, 2, 2n, 7]);
      expect(cursor.payload()).toEqual(payload.subarray(0, 7));
      const words = [0, 4, 8, 12, 16].map(at => cursor.view.getInt32(cursor.scopeOffset + at, true));
      expect(words).toEqual([...scope]);
      expect(cursor.next()).toBe(READ.RECORD);
      expect([cursor.type, cursor.flags, cursor.stamp, cursor.length]).toEqual([65_535, 1, 2n ** 64n - 1n, 0]);
      expect([cursor.next(), cursor.lsn, cursor.next()]).toEqual([READ.FRAME_END, 3n, READ.END]);
      cursor.close();
      await wal.close();
    });

    test('frames of any shape survive close and reopening, over many segments', () => {
      const frames = fc.array(fc.array(fc.nat({max: 500}), {minLength: 1, maxLength: 8}), {
        minLength: 1,
        maxLength: 30,
      });
      fc.assert(
        fc.property(frames, fc.constantFrom(512, 1024, 4096), (sizes, blockBytes) => {
          const {open, io, dir} = setup({segmentBytes: 32_768, maxFrameBytes: 5000, blockBytes});
          const wal = open();
          const ends: bigint[] = [];
          for (const frame of sizes) {
            for (const bytes of frame) append(wal, bytes);
            wal.commitSync();
            ends.push(wal.durableLsn);
          }
          wal.closeSync();
          const found = readAll(readWal({dir, io}));
          const flat = sizes.flat();
          expect(found.lsns).toEqual(flat.map((_, index) => BigInt(index + 1)));
          expect(found.payloads).toEqual(flat.map((bytes, index) => payloadOf(BigInt(index + 1), bytes)));
          expect(found.frameEnds).toEqual(ends);
          const again = open();
          expect(again.recovery).toMatchObject({ending: 'clean', lastLsn: BigInt(flat.length), cutBytes: 0});
          again.closeSync();
        }),
        {numRuns: 15},
      );
    });

    test('reading from the middle begins at that record; below the first is refused, behind the last is empty', () => {
      const {open} = setup();
      const wal = open({firstLsn: 100n});
      for (let frame = 0; frame < 20; frame++) commitFrame(wal, 7, 150);
      expect(wal.metrics.segments).toBeGreaterThan(1);
      for (const from of [100n, 101n, 106n, 107n, 170n, 239n]) {
        const {lsns, frameEnds} = readAll(wal.read(from));
        expect(lsns[0]).toBe(from);
        expect(lsns.length).toBe(Number(240n - from));
        expect(frameEnds[0]).toBe(from + ((99n + 700n - from) % 7n));
      }
      expect(readAll(wal.read(240n)).lsns).toEqual([]);
      expect(errorOf(() => wal.read(99n))).toMatchObject({code: 'missing_segment', lsn: 99n});
      wal.closeSync();
    });

    test('a cursor shows what was durable when it was made, and no more', () => {
      const {open} = setup();
      const wal = open();
      commitFrame(wal, 2);
      append(wal);
      const cursor = wal.read(1n);
      wal.commitSync();
      expect(readAll(cursor).lsns).toEqual([1n, 2n]);
      expect(readAll(wal.read(1n)).lsns).toEqual([1n, 2n, 3n]);
      wal.closeSync();
    });

    test('truncation removes whole segments below the lsn, never the active one', () => {
      const {open, io, dir} = setup();
      const wal = open();
      for (let frame = 0; frame < 40; frame++) commitFrame(wal, 5, 200);
      const before = wal.metrics.segments;
      expect(before).toBeGreaterThan(4);
      expect(wal.truncateBefore(2n)).toBe(0);
      expect(wal.truncateBefore(200n, 1)).toBe(1);
      expect(wal.firstLsn).toBeGreaterThan(1n);
      expect(wal.truncateBefore(90n)).toBeGreaterThan(0);
      expect(wal.firstLsn).toBeLessThanOrEqual(90n);
      expect(readAll(wal.read(90n)).lsns[0]).toBe(90n);
      wal.truncateBefore(10_000n);
      expect(wal.metrics.segments).toBe(1);
      const first = wal.firstLsn;
      wal.closeSync();
      const again = open();
      expect(again.recovery).toMatchObject({firstLsn: first, lastLsn: 200n, segments: 1});
      again.closeSync();
      expect(verifyWal({io, dir})).toMatchObject({firstLsn: first, lastLsn: 200n});
    });

    test('snapshot markers are read where they stand, and the last one is known after opening', () => {
      const {open, io, dir} = setup();
      const wal = open();
      const digest = payloadOf(9n, 16);
      commitFrame(wal, 3);
      append(wal);
      expect(wal.writeSnapshotMarkerSync(2, 0, digest)).toBe(STATUS.OK);
      wal.commitSync();
      const cursor = wal.read(4n);
      expect([cursor.next(), cursor.lsn, cursor.length]).toEqual([READ.SNAPSHOT_MARKER, 2n, 16]);
      expect(cursor.payload()).toEqual(digest);
      expect([cursor.next(), cursor.lsn]).toEqual([READ.RECORD, 4n]);
      cursor.close();
      for (let frame = 0; frame < 20; frame++) commitFrame(wal, 5, 200);
      wal.closeSync();
      const again = open({verify: 'tail'});
      expect(again.recovery.marker).toEqual({lsn: 2n, digest});
      again.truncateBefore(100n);
      again.closeSync();
      expect(verifyWal({io, dir})).toMatchObject({snapshotMarkers: 0, marker: {lsn: 2n, digest}});
    });

    test('markers alone fill segments, and the log goes on', () => {
      const {open, io, dir} = setup();
      const wal = open();
      const digest = new Uint8Array(16);
      for (let i = 0; i < 60; i++) expect(wal.writeSnapshotMarkerSync(1, 0, digest)).toBe(STATUS.OK);
      commitFrame(wal, 1);
      append(wal, 2000);
      for (let i = 0; i < 60; i++) expect(wal.writeSnapshotMarkerSync(1, 0, digest)).toBe(STATUS.OK);
      wal.closeSync();
      expect(readAll(readWal({io, dir})).lsns).toEqual([1n, 2n]);
      const again = open();
      expect(again.recovery).toMatchObject({ending: 'clean', lastLsn: 2n});
      again.closeSync();
    });

    test('a second writer is refused until the first has closed', () => {
      const {open} = setup();
      const wal = open();
      expect(errorOf(() => open()).code).toBe('locked');
      wal.closeSync();
      open().closeSync();
    });

    test('after close every call says so', async () => {
      const {open} = setup();
      const wal = open();
      commitFrame(wal, 1);
      await wal.close();
      await wal.close();
      const payload = new Uint8Array(1);
      for (const call of [
        () => wal.append(1, 0, 0, 0, payload, 0, 1),
        () => wal.room(1, 1),
        () => wal.freeze(),
        () => wal.commitSync(),
        () => wal.writeFrozenSync(),
        () => wal.truncateBefore(1n),
        () => wal.markIdle(),
        () => wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16)),
        () => wal.read(1n),
      ]) {
        expect(errorOf(call).code).toBe('closed');
      }
      await expect(wal.commit()).rejects.toMatchObject({code: 'closed'});
      await expect(wal.writeFrozen()).rejects.toMatchObject({code: 'closed'});
    });
  });
}
