/**
 * Every sync that the log owes: nothing that it has reported can be lost in a power cut, and nothing that a crash left
 * in memory only is taken for what the disk holds.
 */

import fs, {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test, vi} from 'vitest';
import {copyWal, nodeFileIo, verifyWal, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {append, commitFrame, DIR, openSmall, segmentNames} from './support.ts';

/** A disk whose process can die at a sync, and that notes when it is read while a power cut could lose something. */
class WaryDisk extends SimDisk {
  earlyReads = 0;
  syncs = 0;
  diesAtSync = 0;

  override read(handle: number, into: Uint8Array, offset: number, length: number, position: number): number {
    if (this.hasUnsynced) this.earlyReads++;
    return super.read(handle, into, offset, length, position);
  }

  override datasync(handle: number): void {
    this.#count();
    super.datasync(handle);
  }

  override syncDir(path: string): void {
    this.#count();
    super.syncDir(path);
  }

  #count(): void {
    if (++this.syncs === this.diesAtSync) throw new Error('the process died');
  }
}

test('nothing is left to sync when opening, a commit, a marker, a truncation or a close has returned', async () => {
  for (const commitMode of ['inline', 'async'] as const) {
    const disk = new SimDisk();
    const wal = openSmall(disk, {commitMode, recycleMax: 1});
    expect(disk.hasUnsynced, 'opening').toBe(false);
    for (let frame = 0; frame < 40; frame++) {
      append(wal, 700);
      await wal.commit();
      expect(disk.hasUnsynced, `${commitMode} commit ${frame}`).toBe(false);
      if (frame % 10 !== 9) continue;
      wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16));
      expect(disk.hasUnsynced, 'marker').toBe(false);
    }
    expect(wal.metrics.rolls).toBeGreaterThan(2);
    expect(wal.truncateBefore(15n)).toBeGreaterThan(0);
    expect(disk.hasUnsynced, 'truncation').toBe(false);
    append(wal);
    await wal.close();
    // The spare that truncation left is unlinked at the end, which nobody has to remember.
    disk.syncDir(DIR);
    expect(disk.hasUnsynced, 'close').toBe(false);
  }
});

test('a marker that begins a segment is durable, name and all', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (let i = 0; i < 60; i++) {
    wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16).fill(i));
    expect(disk.hasUnsynced, `marker ${i}`).toBe(false);
  }
  expect(wal.metrics.rolls).toBeGreaterThan(1);
});

test('the clean file and the segments that it speaks of are durable when closing has returned', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  commitFrame(wal, 3);
  wal.closeSync();
  expect(disk.hasUnsynced).toBe(false);
  expect(disk.list(DIR)).toContain('clean');
});

/** Several segments, until the process dies; the spares of a dead process stay where they are. */
function liveUntilDeath(disk: WaryDisk): void {
  let wal: Wal | null = null;
  try {
    wal = openSmall(disk);
    for (let i = 0; i < 24; i++) commitFrame(wal, 1, 900);
  } catch (error) {
    if (disk.syncs < disk.diesAtSync) throw error;
  }
  disk.endProcess();
}

test('what opening reads, the disk holds, at whatever sync the process before it died', () => {
  const model = new WaryDisk();
  liveUntilDeath(model);
  const counts = {unsyncedBytes: 0, unsyncedNames: 0};
  for (let sync = 1; sync <= model.syncs; sync++) {
    const disk = new WaryDisk();
    disk.diesAtSync = sync;
    liveUntilDeath(disk);
    if (!disk.hasUnsynced) continue;
    const segments = disk.makeDir(DIR) ? [] : segmentNames(disk);
    // Files without a name that counts are not read, and may be lost.
    for (const name of disk.list(DIR)) if (name.endsWith('.tmp')) disk.unlink(`${DIR}/${name}`);
    if (segments.length === 0) continue;
    const probe = disk.fork(sync);
    probe.syncDir(DIR);
    if (probe.hasUnsynced) counts.unsyncedBytes++;
    else counts.unsyncedNames++;
    disk.earlyReads = 0;
    openSmall(disk).abandon();
    expect(disk.earlyReads, `died at sync ${sync}`).toBe(0);
  }
  expect(counts.unsyncedBytes).toBeGreaterThan(5);
  expect(counts.unsyncedNames).toBeGreaterThan(1);
});

test('an opening that repaired the log leaves nothing to sync', () => {
  for (const tornBytes of [0, 1000]) {
    const disk = new SimDisk();
    const wal = openSmall(disk);
    for (let i = 0; i < 3; i++) commitFrame(wal, 1);
    wal.abandon();
    disk.endProcess();
    const path = `${DIR}/${segmentNames(disk)[0]}`;
    const content = disk.contentOf(path);
    disk.replaceContent(path, content.fill(7, 4096 + 3 * 512, 4096 + 3 * 512 + tornBytes));
    const again = openSmall(disk);
    expect(again.recovery.ending).toBe(tornBytes === 0 ? 'unclean' : 'torn');
    expect(disk.hasUnsynced).toBe(false);
  }
});

/** A disk whose asynchronous directory syncs wait until they are let go. */
class SlowNames extends SimDisk {
  waiting: (() => void)[] = [];

  override async syncDirAsync(path: string): Promise<void> {
    await new Promise<void>(resolve => this.waiting.push(resolve));
    this.syncDir(path);
  }
}

test('a frame whose segment gets its name when the log has failed meanwhile stays in doubt', async () => {
  const disk = new SlowNames();
  const wal = openSmall(disk, {commitMode: 'async'});
  while (wal.metrics.segments < 2) commitFrame(wal, 1, 900);
  const name = segmentNames(disk).at(-1);
  while (disk.waiting.length === 0) {
    append(wal, 900);
    void wal.commit().catch(() => {});
    await new Promise(resolve => setImmediate(resolve));
  }
  const durable = wal.durableLsn;
  const commit = wal.commit();
  disk.arm({call: 1, kind: 'EIO'});
  expect(() => wal.truncateBefore(durable)).toThrow('open it again');
  for (const go of disk.waiting) go();
  await expect(commit).rejects.toBe(wal.failure);
  expect(wal.durableLsn).toBe(durable);
  expect(segmentNames(disk).at(-1)).not.toBe(name);
});

test('a spare is synced before it is ready, by hand and in the background', async () => {
  const byHand = new WaryDisk();
  const first = openSmall(byHand);
  const before = byHand.syncs;
  expect(first.prepareStep(1 << 20)).toBe('ready');
  expect(byHand.syncs).toBe(before + 1);

  const behind = new WaryDisk();
  const second = openSmall(behind, {background: true});
  while (second.metrics.sparesReady === 0) {
    commitFrame(second, 1, 900);
    const syncsOfCommits = behind.syncs;
    await behind.settled();
    if (second.metrics.sparesReady > 0) expect(behind.syncs).toBe(syncsOfCommits + 1);
  }
  await second.close();
});

test('a copy is durable when it resolves', async () => {
  const source = new SimDisk();
  const wal = openSmall(source);
  for (let i = 0; i < 20; i++) commitFrame(wal, 1, 900);
  wal.closeSync();
  for (let seed = 1; seed <= 20; seed++) {
    const target = new SimDisk({seed});
    await copyWal({dir: DIR, io: source}, {to: '/copy', toIo: target});
    expect(target.hasUnsynced).toBe(false);
    target.restart();
    expect(verifyWal({dir: '/copy', io: target})).toMatchObject({ending: 'clean', records: 20});
  }
});

test('a copy cut short at any call does not open as a shorter log', async () => {
  const source = new SimDisk();
  const wal = openSmall(source);
  for (let i = 0; i < 20; i++) commitFrame(wal, 1, 900);
  wal.closeSync();
  const model = new SimDisk();
  await copyWal({dir: DIR, io: source}, {to: '/copy', toIo: model});
  const outcomes = {none: 0, refused: 0, whole: 0};
  for (let call = 1; call <= model.calls; call++) {
    for (let seed = 1; seed <= 4; seed++) {
      const target = new SimDisk({seed: seed * 1000 + call});
      target.arm({call, kind: 'power_cut'});
      await expect(copyWal({dir: DIR, io: source}, {to: '/copy', toIo: target})).rejects.toThrow();
      target.restart();
      if (target.makeDir('/copy') || target.list('/copy').every(name => !name.endsWith('.seg'))) {
        outcomes.none++;
        continue;
      }
      try {
        expect(verifyWal({dir: '/copy', io: target})).toMatchObject({records: 20});
        outcomes.whole++;
      } catch (error) {
        expect(error).toMatchObject({name: 'WalError'});
        outcomes.refused++;
      }
    }
  }
  expect(outcomes.refused).toBeGreaterThan(5);
  expect(outcomes.none).toBeGreaterThan(5);
});

test('every sync of the file system reaches the operating system', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wal-syncs-'));
  const handle = nodeFileIo.open(join(dir, 'a'), 'create');
  const directory = await fs.promises.open(dir, 'r');
  const spies = {
    datasync: vi.spyOn(fs, 'fdatasyncSync'),
    datasyncAsync: vi.spyOn(fs, 'fdatasync'),
    syncDir: vi.spyOn(fs, 'fsyncSync'),
    syncDirAsync: vi.spyOn(Object.getPrototypeOf(directory), 'sync'),
  };
  try {
    nodeFileIo.datasync(handle);
    expect(spies.datasync).toHaveBeenCalledExactlyOnceWith(handle);
    await nodeFileIo.datasyncAsync(handle);
    expect(spies.datasyncAsync).toHaveBeenCalledExactlyOnceWith(handle, expect.any(Function));
    nodeFileIo.syncDir(dir);
    expect(spies.syncDir).toHaveBeenCalledOnce();
    await nodeFileIo.syncDirAsync(dir);
    expect(spies.syncDirAsync).toHaveBeenCalledOnce();
  } finally {
    for (const spy of Object.values(spies)) spy.mockRestore();
    nodeFileIo.close(handle);
    await directory.close();
    rmSync(dir, {recursive: true, force: true});
  }
});
