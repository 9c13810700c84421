/**
 * Commits: grouping, one frame in flight, steps by hand, modes, idle markers, background preparation.
 */

import {expect, test, vi} from 'vitest';
import {READ, readWal, verifyWal, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {append, commitFrame, DIR, errorOf, openSmall, readAll, segmentNames} from './support.ts';

/** A disk whose asynchronous syncs wait until they are let go. */
class SlowDisk extends SimDisk {
  #waiting: (() => void)[] = [];
  maxInFlight = 0;

  override async datasyncAsync(handle: number): Promise<void> {
    await new Promise<void>(resolve => {
      this.#waiting.push(resolve);
      this.maxInFlight = Math.max(this.maxInFlight, this.#waiting.length);
    });
    this.datasync(handle);
  }

  async letGo(): Promise<void> {
    await settle();
    for (const resolve of this.#waiting.splice(0)) resolve();
    await settle();
  }
}

/** Some turns of the event loop, with real timers. */
const realImmediate = setImmediate;
async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>(resolve => realImmediate(resolve));
}

test('appends of one turn share a frame, and so do those made while one is in flight', async () => {
  const disk = new SlowDisk();
  const wal = openSmall(disk, {commitMode: 'async'});
  const settled: string[] = [];
  const commit = (name: string): void => {
    append(wal);
    void wal.commit().then(() => settled.push(name));
  };
  commit('a1');
  commit('a2');
  await settle();
  expect([wal.frozenRecords, wal.openRecords]).toEqual([2, 0]);
  commit('b1');
  commit('b2');
  append(wal);
  await settle();
  expect(settled).toEqual([]);
  await disk.letGo();
  expect(settled).toEqual(['a1', 'a2']);
  expect(wal.durableLsn).toBe(2n);
  await disk.letGo();
  expect(settled).toEqual(['a1', 'a2', 'b1', 'b2']);
  expect(readAll(wal.read(1n)).frameEnds).toEqual([2n, 5n]);
  expect(disk.maxInFlight).toBe(1);
  await wal.commit();
  wal.closeSync();
});

test('a commit without new records waits for the frame in flight', async () => {
  const disk = new SlowDisk();
  const wal = openSmall(disk, {commitMode: 'async'});
  append(wal);
  void wal.commit();
  await settle();
  let done = false;
  void wal.commit().then(() => {
    done = true;
  });
  await settle();
  expect(done).toBe(false);
  await disk.letGo();
  expect(done).toBe(true);
});

test('while a frame is in flight synchronous writing is refused, appends and close wait', async () => {
  const disk = new SlowDisk();
  const wal = openSmall(disk, {commitMode: 'async'});
  append(wal);
  const commit = wal.commit();
  await settle();
  append(wal);
  const marker = (): unknown => wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16));
  for (const call of [() => wal.commitSync(), () => wal.writeFrozenSync(), () => wal.closeSync(), marker]) {
    expect(errorOf(call).code).toBe('busy');
  }
  expect(wal.failure).toBeNull();
  expect(wal.markIdle()).toBe(false);
  const closed = wal.close();
  await disk.letGo();
  await commit;
  await closed;
  expect(verifyWal({dir: DIR, io: disk})).toMatchObject({ending: 'clean', lastLsn: 2n});
});

test('a frame in flight when the log fails is in doubt, even if its sync succeeds', async () => {
  const disk = new SlowDisk();
  const wal = openSmall(disk, {commitMode: 'async'});
  for (let i = 0; i < 30; i++) {
    commitFrame(wal, 2, 400);
  }
  append(wal);
  const commit = wal.commit();
  await settle();
  disk.arm({call: 1, kind: 'EIO'});
  const failure = errorOf(() => wal.truncateBefore(50n));
  expect(failure.code).toBe('failed');
  const outcome = expect(commit).rejects.toBe(failure);
  await disk.letGo();
  await outcome;
  expect(wal.failure).toBe(failure);
  expect(wal.durableLsn).toBe(60n);
  await wal.close();
});

test('by hand: freeze, fill the next, write, and only then freeze again', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  expect(wal.freeze()).toBe(false);
  append(wal);
  expect(wal.freeze()).toBe(true);
  append(wal);
  append(wal);
  expect([wal.freeze(), wal.frozenRecords, wal.openRecords, wal.durableLsn]).toEqual([false, 1, 2, 0n]);
  expect(errorOf(() => wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16))).code).toBe('busy');
  wal.writeFrozenSync();
  wal.writeFrozenSync();
  expect([wal.durableLsn, wal.frozenRecords]).toEqual([1n, 0]);
  expect(wal.freeze()).toBe(true);
  wal.commitSync();
  expect([wal.durableLsn, wal.metrics.frames, wal.metrics.records]).toEqual([3n, 2, 3]);
});

test('a frame frozen by hand goes before what a commit adds', async () => {
  for (const commitMode of ['inline', 'async'] as const) {
    const wal = openSmall(new SimDisk(), {commitMode});
    append(wal);
    wal.freeze();
    append(wal);
    await wal.commit();
    expect(readAll(wal.read(1n)).frameEnds).toEqual([1n, 2n]);
    append(wal);
    wal.freeze();
    await wal.commit();
    expect(wal.durableLsn).toBe(3n);
  }
});

/** What the log prefers over `commits` commits with syncs of so many milliseconds. */
async function preferences(wal: Wal, disk: SimDisk, syncMs: number, commits: number): Promise<boolean[]> {
  const preferred: boolean[] = [];
  disk.syncMs = syncMs;
  for (let i = 0; i < commits; i++) {
    append(wal);
    await wal.commit();
    preferred.push(wal.prefersInline);
  }
  return preferred;
}

test('adaptive mode follows the time that syncs take', async () => {
  const disk = new SimDisk();
  disk.syncMs = 0.2;
  const wal = openSmall(disk, {commitMode: 'adaptive'});
  commitFrame(wal, 1);
  expect(wal.prefersInline).toBe(true);
  expect(await preferences(wal, disk, 0.9, 200)).not.toContain(false);
  // Nine or so slow syncs are enough; from then on one in sixteen is a trial.
  const slower = await preferences(wal, disk, 5, 64);
  expect(slower.slice(0, 10)).toContain(false);
  expect(slower.slice(-32).filter(inline => inline)).toHaveLength(2);
  expect(wal.metrics.lastSyncMs).toBeCloseTo(5, 1);
  const faster = await preferences(wal, disk, 0.05, 100);
  expect(faster.slice(-40)).not.toContain(false);
});

test('adaptive mode asks for the disk, not for what is in its way: slow syncs among fast ones change nothing', async () => {
  const disk = new SimDisk();
  disk.syncMs = 0.2;
  const wal = openSmall(disk, {commitMode: 'adaptive'});
  for (let i = 0; i < 200; i++) {
    disk.syncMs = i % 4 === 3 ? 1.5 : 0.2;
    commitFrame(wal, 1);
    expect(wal.prefersInline).toBe(true);
  }
  expect(wal.metrics.unhinderedSyncMs).toBeLessThan(0.5);
});

test('the other modes do not ask', () => {
  const disk = new SimDisk();
  expect([openSmall(new SimDisk(), {commitMode: 'async'}).prefersInline]).toEqual([false]);
  disk.syncMs = 5;
  const inline = openSmall(new SimDisk(), {commitMode: 'inline'});
  commitFrame(inline, 1);
  expect(inline.prefersInline).toBe(true);
});

/** Kinds of the frames in the only segment of a log whose frames take one block each. */
function frameKinds(disk: SimDisk): number[] {
  const content = disk.contentOf(`${DIR}/${segmentNames(disk)[0]}`);
  const kinds: number[] = [];
  for (let at = 4096; content[at + 6] !== 0; at += 512) kinds.push(content[at + 6] as number);
  return kinds;
}

test('an idle marker follows the last commit once, when nothing has happened for a while', async () => {
  vi.useFakeTimers();
  try {
    const disk = new SimDisk();
    const wal = openSmall(disk, {idleMarkerMs: 5});
    append(wal);
    await wal.commit();
    vi.advanceTimersByTime(3);
    append(wal);
    await wal.commit();
    vi.advanceTimersByTime(4);
    expect(frameKinds(disk)).toEqual([1, 1]);
    vi.advanceTimersByTime(1);
    expect(frameKinds(disk)).toEqual([1, 1, 2]);
    vi.advanceTimersByTime(100);
    expect(wal.markIdle()).toBe(false);
    wal.closeSync();
    expect(frameKinds(disk)).toEqual([1, 1, 2, 3]);
  } finally {
    vi.useRealTimers();
  }
});

test('closing an unchanged log adds nothing', () => {
  const disk = new SimDisk();
  openSmall(disk).closeSync();
  const kinds = frameKinds(disk);
  for (let i = 0; i < 3; i++) openSmall(disk).closeSync();
  expect(frameKinds(disk)).toEqual(kinds);
});

async function fillInBackground(wal: Wal): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
  expect(wal.failure).toBeNull();
}

test('the next segment is ready before it is needed, and rolling then writes no zeros', async () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {background: true});
  expect(wal.metrics.sparesReady).toBe(0);
  for (let i = 0; i < 10; i++) commitFrame(wal, 1, 400);
  await fillInBackground(wal);
  expect(wal.metrics.sparesReady).toBe(1);
  const calls = disk.calls;
  while (wal.metrics.segments === 1) commitFrame(wal, 1, 400);
  expect(wal.metrics.sparesReady).toBe(0);
  expect(disk.calls - calls).toBeLessThan(60);
  await wal.close();
  expect(disk.list(DIR).filter(name => name.endsWith('.tmp'))).toEqual([]);
});

test('a full disk keeps what was filled ahead: asking again writes no zeros twice', async () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {background: true});
  disk.spaceBytes = 16_384 + 8192;
  for (let i = 0; i < 12; i++) {
    commitFrame(wal, 1, 400);
    await fillInBackground(wal);
  }
  expect(wal.metrics.sparesReady).toBe(0);
  const spares = disk.list(DIR).filter(name => name.endsWith('.tmp'));
  expect(spares).toHaveLength(1);
  expect(spares[0]).toMatch(/-1\.tmp$/);
  disk.spaceBytes = Number.POSITIVE_INFINITY;
  commitFrame(wal, 1, 400);
  await fillInBackground(wal);
  expect(wal.metrics.sparesReady).toBe(1);
  await wal.close();
});

test('a segment needed in the middle of background preparation is not the one being prepared', async () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {background: true});
  let frames = 0;
  for (; wal.metrics.segments < 6; frames++) {
    commitFrame(wal, 1, 400);
    if (frames % 5 === 0) await Promise.resolve();
  }
  await fillInBackground(wal);
  await wal.close();
  const cursor = readWal({dir: DIR, io: disk});
  let records = 0;
  for (let event = cursor.next(); event !== READ.END; event = cursor.next()) if (event === READ.RECORD) records++;
  cursor.close();
  expect(records).toBe(frames);
});

test('prepareStep makes a spare in bounded steps', () => {
  const wal = openSmall(new SimDisk());
  const answers = [4096, 8192, 4096, 1].map(bytes => wal.prepareStep(bytes));
  expect(answers).toEqual(['more', 'more', 'ready', 'ready']);
  expect(wal.metrics.sparesReady).toBe(1);
});

test('on the thread pool nothing blocks: a segment begins without one synchronous sync or rename', async () => {
  const blocking: string[] = [];
  class WatchedDisk extends SimDisk {
    #inPool = false;

    override datasync(handle: number): void {
      if (!this.#inPool) blocking.push('datasync');
      super.datasync(handle);
    }
    override rename(from: string, to: string): void {
      if (!this.#inPool) blocking.push('rename');
      super.rename(from, to);
    }
    override syncDir(path: string): void {
      if (!this.#inPool) blocking.push('syncDir');
      super.syncDir(path);
    }
    async #pooled(run: () => void): Promise<void> {
      await Promise.resolve();
      this.#inPool = true;
      run();
      this.#inPool = false;
    }
    override datasyncAsync(handle: number): Promise<void> {
      return this.#pooled(() => this.datasync(handle));
    }
    override renameAsync(from: string, to: string): Promise<void> {
      return this.#pooled(() => this.rename(from, to));
    }
    override syncDirAsync(path: string): Promise<void> {
      return this.#pooled(() => this.syncDir(path));
    }
  }
  const disk = new WatchedDisk();
  const wal = openSmall(disk, {commitMode: 'async', background: true});
  blocking.length = 0;
  for (let frame = 0; frame < 60; frame++) {
    append(wal, 500);
    append(wal, 500);
    await wal.commit();
    await settle();
  }
  expect(wal.metrics.rolls).toBeGreaterThan(4);
  expect(blocking).toEqual([]);
  expect(verifyWal({dir: DIR, io: disk}).lastLsn).toBe(120n);
  await wal.close();
});

test('a failure while a segment gets its name rejects the waiters, and the log opens with what was acknowledged', async () => {
  let failures = 0;
  for (let call = 1; call <= 40; call++) {
    const disk = new SimDisk({seed: call});
    const wal = openSmall(disk, {commitMode: 'async'});
    let acknowledged = 0n;
    disk.arm({call, kind: 'EIO'});
    try {
      for (let frame = 0; frame < 12; frame++) {
        for (let i = 0; i < 4; i++) append(wal, 400);
        await wal.commit();
        acknowledged = wal.durableLsn;
      }
    } catch (error) {
      failures++;
      expect(error).toMatchObject({code: 'failed'});
    }
    wal.abandon();
    disk.restart();
    expect(openSmall(disk, {floor: acknowledged}).durableLsn).toBeGreaterThanOrEqual(acknowledged);
  }
  expect(failures).toBeGreaterThan(25);
});

test('a commit and a close wait for a frame that is being written by hand', async () => {
  const disk = new SlowDisk();
  const wal = openSmall(disk, {commitMode: 'async'});
  append(wal);
  wal.freeze();
  const byHand = wal.writeFrozen();
  append(wal);
  const commit = wal.commit();
  await disk.letGo();
  await byHand;
  await disk.letGo();
  await commit;
  expect(wal.durableLsn).toBe(2n);
  append(wal);
  wal.freeze();
  const again = wal.writeFrozen();
  const closed = wal.close();
  await disk.letGo();
  await Promise.all([again, closed]);
  expect(openSmall(disk).durableLsn).toBe(3n);
});

test('a follower of a log that fails says so, though the log is closed in the same turn', async () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  commitFrame(wal, 1);
  const iterator = wal.follow();
  await iterator.next();
  const next = iterator.next();
  await settle();
  append(wal);
  disk.arm({call: 2, kind: 'EIO'});
  expect(errorOf(() => wal.closeSync()).code).toBe('failed');
  await expect(next).rejects.toMatchObject({code: 'failed'});
});
