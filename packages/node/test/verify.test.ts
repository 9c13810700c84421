/**
 * Verifying a directory: a sound one is reported with its numbers, every kind of damage is named, and nothing is written.
 */
import {digestOf} from '@allocdb/core';
import {STATUS, Wal} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {type DirectoryReport, verifyDirectory} from '../src/index.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {
  afterPowerCut,
  batch,
  contentOf,
  create,
  DIR,
  openErrorOf,
  openOn,
  payload,
  reserve,
  SNAPSHOT_DIR,
  tick,
  WAL_DIR,
} from './support.ts';

/** Two snapshots, several segments, records behind the last snapshot; closed. */
async function sound(): Promise<{disk: SimDisk; digest: bigint; lsns: bigint[]}> {
  const disk = new SimDisk();
  const options = {segmentBytes: 16 * 1024, maxFrameBytes: 4096};
  const engine = openOn(disk, options);
  const lsns: bigint[] = [];
  for (let i = 0; i < 2; i++) {
    while (engine.directory.wal.metrics.rolls < 2 * (i + 1)) engine.handleApiRequest(batch(20, 1n));
    lsns.push((await engine.checkpoint()).lsn);
  }
  for (let i = 1n; i < 6n; i++) engine.handleApiRequest(reserve(i, 3n));
  engine.handleApiRequest(tick(3n));
  const digest = digestOf(engine.db);
  engine.closeNow();
  return {disk, digest, lsns};
}

/** Verifies, and sees to it that nothing was touched. */
function verified(disk: SimDisk): DirectoryReport {
  const before = contentOf(disk);
  const report = verifyDirectory(DIR, disk);
  expect(contentOf(disk)).toEqual(before);
  return report;
}

function segmentsOf(disk: SimDisk): string[] {
  return disk.list(WAL_DIR).filter(name => name.endsWith('.seg'));
}

function damage(disk: SimDisk, path: string, change: (bytes: Uint8Array) => Uint8Array): SimDisk {
  const copy = disk.fork(1);
  copy.replaceContent(path, change(copy.contentOf(path)));
  return copy;
}

function flipped(at: number): (bytes: Uint8Array) => Uint8Array {
  return bytes => bytes.with(at, (bytes[at] ?? 0) ^ 1);
}

describe('a sound directory', () => {
  test('is reported with its position, digest and counts', async () => {
    const {disk, digest, lsns} = await sound();
    const [first, second] = lsns;
    const last = (second ?? 0n) + 5n;
    expect(verified(disk)).toMatchObject({
      problems: [],
      lsn: last,
      slot: 3n,
      digest,
      resources: 20,
      reservations: 5,
      operations: Number(last),
      replayedRecords: Number(last - (first ?? 0n)),
      tornBytes: 0,
      snapshots: [
        {lsn: first, problem: null, matchesReplay: null},
        {lsn: second, problem: null, matchesReplay: true},
      ],
    });
    expect(verified(disk).logFirstLsn).toBeLessThanOrEqual((first ?? 0n) + 1n);
  });

  test('may be empty', () => {
    const disk = new SimDisk();
    openOn(disk).closeNow();
    expect(verified(disk)).toMatchObject({problems: [], lsn: null, slot: null, snapshots: [], logFirstLsn: 1n});
  });

  test('may have a torn tail, which is told', () => {
    const disk = new SimDisk();
    const engine = openOn(disk, {commitMode: 'inline'});
    engine.handleApiRequest(create(1n));
    const calls = disk.calls;
    disk.arm({call: 2, kind: 'power_cut'});
    engine.handleApiRequest(batch(12, 20n));
    expect(disk.calls).toBe(calls + 2);
    let torn = 0;
    for (let seed = 1; seed < 30; seed++) {
      const report = verified(afterPowerCut(disk, seed));
      expect(report.problems).toEqual([]);
      expect([1n, 13n]).toContain(report.lsn);
      if (report.tornBytes > 0) torn++;
    }
    expect(torn).toBeGreaterThan(0);
  });

  test('may have frames of any size', () => {
    const disk = new SimDisk();
    const engine = openOn(disk, {segmentBytes: 16 << 20, maxFrameBytes: 8 << 20});
    const payloads = Array.from({length: 65_000}, (_, i) => payload({kind: 'create_resource', resourceId: BigInt(i)}));
    engine.handleApiRequest({type: 'submit_batch', requestSlot: 1n, payloads});
    expect(engine.metrics(0n).frames).toBe(1);
    engine.closeNow();
    expect(verified(disk)).toMatchObject({problems: [], lsn: 65_000n});
  });
});

describe('damage', () => {
  test('of a snapshot', async () => {
    const {disk, lsns} = await sound();
    for (const lsn of lsns) {
      const report = verified(damage(disk, `${SNAPSHOT_DIR}/${snapshotName(lsn)}`, flipped(300)));
      expect(report.problems).toEqual([expect.stringContaining(snapshotName(lsn))]);
      expect(report.snapshots.find(snapshot => snapshot.lsn === lsn)?.problem).not.toBeNull();
    }
  });

  test('of the log, anywhere in it', async () => {
    const {disk} = await sound();
    for (const name of segmentsOf(disk)) {
      const path = `${WAL_DIR}/${name}`;
      for (const at of [0, 20, 4096, 4100, 4096 + 60]) {
        const report = verified(damage(disk, path, flipped(at)));
        expect([name, at, report.problems]).not.toEqual([name, at, []]);
      }
      const copy = disk.fork(1);
      copy.unlink(path);
      expect([name, verified(copy).problems]).not.toEqual([name, []]);
    }
  });

  test('nothing left of the log, or of a directory', async () => {
    const {disk} = await sound();
    const bare = disk.fork(1);
    for (const name of bare.list(WAL_DIR)) bare.unlink(`${WAL_DIR}/${name}`);
    expect(verified(bare).problems.join()).toMatch(/no log is in/);
    for (const lost of ['wal', 'snapshots']) {
      const copy = new SimDisk();
      for (const dir of [DIR, WAL_DIR, SNAPSHOT_DIR]) if (!dir.endsWith(lost)) copy.makeDir(dir);
      for (const [path, content] of contentOf(disk)) {
        if (!path.includes(`/${lost}/`)) copy.replaceContent(path, Buffer.from(content, 'base64'));
      }
      expect(verified(copy).problems.length).toBeGreaterThan(0);
    }
  });

  test('a record that is no command, a slot that falls, a marker with another digest', async () => {
    const spoil = async (change: (wal: Wal) => unknown): Promise<string> => {
      const {disk} = await sound();
      const wal = Wal.open({dir: WAL_DIR, io: disk, segmentBytes: 64 * 1024, lock: false});
      expect(change(wal)).toBe(STATUS.OK);
      wal.closeSync();
      return verified(disk).problems.join();
    };
    expect(await spoil(wal => wal.append(1, 1, 9, 0, new Uint8Array(8), 0, 8))).toMatch(
      /is no command of this database/,
    );
    expect(await spoil(wal => wal.append(9, 1, 9, 0, new Uint8Array(8), 0, 8))).toMatch(
      /is no command of this database/,
    );
    const bytes = payload({kind: 'create_resource', resourceId: 1n});
    expect(await spoil(wal => wal.append(1, 1, 1, 0, bytes, 0, bytes.length))).toMatch(/slot 1, behind slot 3/);
    const {lsns} = await sound();
    const lsn = Number(lsns[1]);
    expect(await spoil(wal => wal.writeSnapshotMarkerSync(lsn, 0, new Uint8Array(16)))).toMatch(/digest/);
  });

  test('a snapshot that is sound and says something else than the log', async () => {
    const {disk, lsns} = await sound();
    const other = new SimDisk();
    const engine = openOn(other);
    while ((engine.durableLsn ?? 0n) < (lsns[1] ?? 0n)) engine.handleApiRequest(create(5n));
    const {lsn} = await engine.checkpoint();
    expect(lsn).toBe(lsns[1]);
    const path = `${SNAPSHOT_DIR}/${snapshotName(lsn)}`;
    const report = verified(damage(disk, path, () => other.contentOf(path)));
    expect(report.snapshots[1]?.matchesReplay).toBe(false);
    expect(report.problems).toEqual([expect.stringContaining('another digest')]);
  });
});

describe('what cannot be looked at', () => {
  test('no directory, no database, a spoilt CONFIG, a directory in use', async () => {
    expect(openErrorOf(() => verifyDirectory(DIR, new SimDisk())).code).toBe('missing_config');
    const empty = new SimDisk();
    empty.makeDir(DIR);
    expect(openErrorOf(() => verifyDirectory(DIR, empty)).code).toBe('missing_config');
    const {disk} = await sound();
    const spoilt = damage(disk, `${DIR}/CONFIG`, flipped(80));
    expect(openErrorOf(() => verifyDirectory(DIR, spoilt)).code).toBe('corrupt_config');
    const engine = openOn(disk);
    expect(openErrorOf(() => verifyDirectory(DIR, disk)).code).toBe('locked');
    engine.closeNow();
    expect(verified(disk).problems).toEqual([]);
  });
});
