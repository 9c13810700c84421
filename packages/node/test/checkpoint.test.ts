/**
 * Checkpoints while commands go on: what is in the file, what is kept and what is cut, and that no failure or loss of
 * power at any point of one changes the state.
 */
import {AllocDb, digestOf} from '@allocdb/core';
import {readWal} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import type {Scheduler} from '../src/clock.ts';
import {type DatabaseConfig, type EngineOptions, type SingleNodeEngine, verifyDirectory} from '../src/index.ts';
import {Replayer} from '../src/storage/replay.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {loadSnapshot} from '../src/storage/snapshot_loading.ts';
import {
  afterPowerCut,
  batch,
  Caller,
  configWith,
  create,
  DIR,
  metricsAt,
  openOn,
  reserve,
  resource,
  SNAPSHOT_DIR,
  said,
  tick,
  turns,
  until,
  WAL_DIR,
} from './support.ts';

/** Its writes on the thread pool take a turn of the event loop, as real ones do. */
class TurningDisk extends SimDisk {
  override async writeAsync(h: number, from: Uint8Array, offset: number, length: number, at: number): Promise<number> {
    await turns(1);
    return super.writeAsync(h, from, offset, length, at);
  }

  override async datasyncAsync(handle: number): Promise<void> {
    await turns(1);
    return super.datasyncAsync(handle);
  }
}

/** Enough for several blocks in a snapshot. */
const LARGE: DatabaseConfig = configWith(
  {maxSubmissionQueue: 20_000},
  {maxResources: 9000, maxReservations: 4000, maxOperations: 30_000, maxExpirationBucketLen: 4000},
);

/** Every look at its clock takes a while, and whoever sleeps moves it: what copying takes is counted in looks. */
class SlowClock extends SimDisk {
  clockMs: number = 0;

  override now(): number {
    this.clockMs += 0.5;
    return this.clockMs;
  }

  /** The event loop's, with sleeping by this clock; told how long. */
  scheduler(onSleep: (ms: number) => void = () => undefined): Scheduler {
    const sleep = async (ms: number): Promise<void> => {
      this.clockMs += ms;
      onSleep(ms);
      await turns(1);
    };
    return {endOfTurn: action => void setImmediate(action), later: () => () => undefined, sleep};
  }
}

function digestInFile(disk: SimDisk, lsn: bigint, core: DatabaseConfig['core']): bigint {
  const db = new AllocDb(core, new Int32Array(8).fill(3));
  expect(loadSnapshot(disk, `${SNAPSHOT_DIR}/${snapshotName(lsn)}`, db)).toBeNull();
  return digestOf(db);
}

function digestByReplay(disk: SimDisk, lsn: bigint, core: DatabaseConfig['core']): bigint {
  let digest = -1n;
  const replayer = new Replayer(new AllocDb(core, new Int32Array(8).fill(5)));
  replayer.watch(lsn, actual => {
    digest = actual;
  });
  replayer.replay(readWal({dir: WAL_DIR, io: disk, maxReadFrameBytes: 1 << 20}));
  return digest;
}

function filesOf(disk: SimDisk): {snapshots: string[]; segments: string[]} {
  return {
    snapshots: disk.list(SNAPSHOT_DIR),
    segments: disk.list(WAL_DIR).filter(name => name.endsWith('.seg')),
  };
}

/** Writes until the log has begun that many more segments. */
function fillSegments(engine: SingleNodeEngine, count: number): void {
  const {wal} = engine.directory;
  const target = wal.metrics.rolls + count;
  while (wal.metrics.rolls < target) engine.handleApiRequest(batch(20, 1n));
}

describe('a snapshot', () => {
  test.each(['inline', 'async'] as const)(
    'is of the moment it began, whatever comes meanwhile (%s)',
    async commitMode => {
      const disk = new TurningDisk();
      const engine = openOn(disk, {config: LARGE, commitMode, segmentBytes: 8 << 20, maxFrameBytes: 1 << 20});
      for (let i = 0n; i < 4n; i++) engine.handleApiRequest(batch(1000, 1n + 1000n * i));
      for (let i = 1n; i < 1000n; i++) engine.handleApiRequest(reserve(4n * i, 1n + (i >> 8n)));
      const before = digestOf(engine.db);
      const lsn = engine.durableLsn;
      const finished = engine.checkpoint();
      const caller = new Caller(engine);
      let running = true;
      const done = finished.finally(() => {
        running = false;
      });
      let turn = 0n;
      while (running) {
        turn++;
        for (let i = 0n; i < 40n; i++)
          caller.send(reserve(((turn * 40n + i) * 7n) % 4000n, 9n + turn, (1n << 64n) | (turn * 40n + i)));
        caller.send(tick(9n + turn), create(4000n + turn));
        await turns(1);
      }
      const info = await done;
      expect(turn).toBeGreaterThan(3n);
      expect([info.lsn, info.digest]).toEqual([lsn, before]);
      expect(digestInFile(disk, info.lsn, LARGE.core)).toBe(before);
      expect(digestByReplay(disk, info.lsn, LARGE.core)).toBe(before);
      await until(() => caller.answers.pendingBytes === 0);
      const after = digestOf(engine.db);
      expect(after).not.toBe(before);
      expect(
        digestOf(openOn(afterPowerCut(disk), {config: null, segmentBytes: 8 << 20, maxFrameBytes: 1 << 20}).db),
      ).toBe(after);
    },
  );

  test('is finished although frames never cease', async () => {
    const disk = new TurningDisk();
    const engine = openOn(disk, {commitMode: 'async', segmentBytes: 4 << 20});
    let sent = 0n;
    let ceases = false;
    const caller: Caller = new Caller(engine, () => {
      if (!ceases) caller.send(create((sent++ % 60n) + 1n));
    });
    caller.send(create(1n));
    await turns(1);
    caller.send(create(2n));
    const info = await engine.checkpoint();
    expect(info.lsn).toBeGreaterThan(0n);
    expect(caller.responses.length).toBeGreaterThan(0);
    ceases = true;
    await engine.close();
  });

  test('two who ask at once get the same one', async () => {
    const engine = openOn(new SimDisk());
    engine.handleApiRequest(create(1n));
    const [first, second] = await Promise.all([engine.checkpoint(), engine.checkpoint()]);
    expect(second).toBe(first);
    expect(engine.metrics(0n)).toMatchObject({checkpoints: 1, lastCheckpointLsn: 1n, logBytesSinceCheckpoint: 512});
  });

  test('begins by itself when the log has grown, and tells its owner', async () => {
    const engine = openOn(new SimDisk(), {checkpoint: {everyLogBytes: 20_000}});
    const told: string[] = [];
    engine.checkpoints.onStart = lsn => told.push(`start ${lsn}`);
    engine.checkpoints.onFinish = info => told.push(info instanceof Error ? info.message : `finish ${info.lsn}`);
    const caller = new Caller(engine);
    let i = 0n;
    while (engine.checkpoints.count < 2) {
      caller.send(create(++i));
      await turns(1);
    }
    expect(told.slice(0, 2)).toEqual([expect.stringMatching(/^start \d+$/), expect.stringMatching(/^finish \d+$/)]);
    expect(told[0]?.slice(6)).toBe(told[1]?.slice(7));
    await engine.close();
  });

  test('under way when the engine closes is given up, and leaves nothing', async () => {
    const disk = new TurningDisk();
    const engine = openOn(disk);
    engine.handleApiRequest(create(1n));
    const refused = expect(engine.checkpoint()).rejects.toThrow(/closing/);
    await turns(1);
    await engine.close();
    await refused;
    expect(filesOf(disk).snapshots).toEqual([]);
  });

  test('is what the metrics name as active', async () => {
    const engine = openOn(new SimDisk());
    const active = (): unknown => engine.handleApiRequest(metricsAt(0n));
    await engine.checkpoint();
    expect(active()).toMatchObject({activeSnapshotLsn: null, loadedSnapshotLsn: null, startupKind: 'fresh_start'});
    engine.handleApiRequest(create(1n));
    await engine.checkpoint();
    expect(active()).toMatchObject({activeSnapshotLsn: 1n, loadedSnapshotLsn: null, startupKind: 'fresh_start'});
  });
});

describe('what is kept', () => {
  const options: Partial<EngineOptions> = {segmentBytes: 16 * 1024, maxFrameBytes: 4096};

  test('the newest two snapshots, and the log from the older of them', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, options);
    const lsns: bigint[] = [];
    for (let i = 0; i < 4; i++) {
      fillSegments(engine, 2);
      lsns.push((await engine.checkpoint()).lsn);
      const kept = lsns.slice(-2);
      expect(filesOf(disk).snapshots).toEqual(kept.map(snapshotName));
      const needed = (kept.length === 2 ? (kept[0] ?? 0n) : 0n) + 1n;
      const segments = engine.directory.wal.segments.map(({firstLsn}) => firstLsn);
      expect(segments[0]).toBeLessThanOrEqual(needed);
      if (kept.length === 2) expect(segments[1]).toBeGreaterThan(needed);
      expect(verifyDirectoryOf(disk)).toEqual([]);
    }
    expect(engine.directory.wal.firstLsn).toBeGreaterThan(1n);
  });

  test('as many bytes of log as are to be retained', async () => {
    const disk = new SimDisk();
    const retainLogBytes = 5 * 16 * 1024;
    const engine = openOn(disk, {...options, checkpoint: {retainLogBytes}});
    for (let i = 0; i < 5; i++) {
      fillSegments(engine, 2);
      await engine.checkpoint();
    }
    expect(filesOf(disk).segments).toHaveLength(5);
    const all = openOn(new SimDisk(), {...options, checkpoint: {retainLogBytes: Number.POSITIVE_INFINITY}});
    for (let i = 0; i < 4; i++) {
      fillSegments(all, 2);
      await all.checkpoint();
    }
    expect(all.directory.wal.firstLsn).toBe(1n);
  });
});

function verifyDirectoryOf(disk: SimDisk): readonly string[] {
  const copy = disk.fork(1);
  return verifyDirectory(DIR, copy).problems;
}

describe('nothing that happens during a checkpoint changes the state', () => {
  const options: Partial<EngineOptions> = {segmentBytes: 16 * 1024, maxFrameBytes: 4096};

  let original: SimDisk | null = null;

  /** Two checkpoints behind it, some log, and a third one about to begin. */
  async function prepared(seed: number): Promise<{disk: SimDisk; engine: SingleNodeEngine; digest: bigint}> {
    if (original === null) {
      original = new SimDisk();
      const engine = openOn(original, options);
      for (let i = 0; i < 2; i++) {
        fillSegments(engine, 2);
        await engine.checkpoint();
      }
      fillSegments(engine, 1);
      for (let i = 1n; i < 20n; i++) engine.handleApiRequest(reserve(i, 2n));
      engine.handleApiRequest(tick(30n));
    }
    const disk = original.fork(seed);
    const engine = openOn(disk, options);
    return {disk, engine, digest: digestOf(engine.db)};
  }

  async function callsOfCheckpoint(): Promise<number> {
    const {disk, engine} = await prepared(1);
    const before = disk.calls;
    await engine.checkpoint();
    return disk.calls - before;
  }

  function expectSame(disk: SimDisk, digest: bigint): void {
    const reopened = openOn(disk, {...options, config: null});
    expect(digestOf(reopened.db)).toBe(digest);
    expect(disk.list(SNAPSHOT_DIR).filter(name => !name.endsWith('.snap'))).toEqual([]);
    reopened.closeNow();
    expect(verifyDirectory(DIR, disk).problems).toEqual([]);
  }

  test('power is lost at any call', async () => {
    const calls = await callsOfCheckpoint();
    expect(calls).toBeGreaterThan(15);
    for (let call = 1; call <= calls; call++) {
      const {disk, engine, digest} = await prepared(call);
      disk.arm({call, kind: 'power_cut'});
      await expect(engine.checkpoint()).rejects.toThrow();
      for (const seed of [call, call + 1000, call + 2000]) expectSame(afterPowerCut(disk, seed), digest);
    }
  });

  test.each(['EIO', 'ENOSPC', 'short'] as const)('any call fails with %s', async kind => {
    const calls = await callsOfCheckpoint();
    for (let call = 1; call <= calls; call++) {
      for (const forever of kind === 'EIO' ? [false, true] : [false]) {
        const {disk, engine, digest} = await prepared(call);
        disk.arm({call, kind, forever});
        const failed = await engine.checkpoint().then(
          () => false,
          () => true,
        );
        disk.arm(null);
        expect(engine.metrics(0n).checkpointFailures).toBe(failed ? 1 : 0);
        expect(said(engine.handleApiRequest(resource(1n)))).toBe(
          engine.state === 'halted' ? 'resource_engine_halted' : 'resource_found',
        );
        expectSame(afterPowerCut(disk, call), digest);
        if (engine.state === 'halted') {
          expect(said(engine.handleApiRequest(create(1n)))).toBe('engine_halted');
          continue;
        }
        const {lsn} = await engine.checkpoint();
        expect(lsn).toBe(engine.durableLsn);
        expect(disk.list(SNAPSHOT_DIR).at(-1)).toBe(snapshotName(lsn));
        engine.closeNow();
        expectSame(disk, digest);
      }
    }
  });
});

test.each([
  {limit: 'a tenth of the event loop', bytesPerSecond: 1e12, leastMs: (blocks: number) => blocks * 0.5 * 10},
  {limit: 'the rate of bytes', bytesPerSecond: 10_000, leastMs: (_: number, bytes: number) => (bytes - 1000) / 10},
])('writing a snapshot takes no more than $limit', async ({bytesPerSecond, leastMs}) => {
  const disk = new SlowClock();
  const engine = openOn(disk, {config: LARGE, scheduler: disk.scheduler(), checkpoint: {bytesPerSecond}});
  engine.handleApiRequest(batch(6000, 1n));
  const blocksMin = 6;
  const {bytes, durationMs} = await engine.checkpoint();
  expect(bytes).toBeGreaterThan(blocksMin * 64 * 1024);
  expect(durationMs).toBeGreaterThan(leastMs(blocksMin, bytes));
  await engine.close();
});

test('copying that a slow disk held up is not made up for without rests', async () => {
  const disk = new SlowClock();
  const stallMs = 60_000;
  let [writes, rested] = [0, 0];
  const writeAsync = disk.writeAsync.bind(disk);
  disk.writeAsync = async (...args) => {
    if (writes++ === 1) disk.clockMs += stallMs;
    return writeAsync(...args);
  };
  const scheduler = disk.scheduler(ms => {
    if (writes > 1) rested += ms;
  });
  const engine = openOn(disk, {config: LARGE, scheduler, checkpoint: {bytesPerSecond: 1 << 20}});
  engine.handleApiRequest(batch(6000, 1n));
  const {bytes} = await engine.checkpoint();
  // Of the blocks behind the stall each rests as long as its bytes take, but for the first few milliseconds' worth.
  const behind = bytes - 3 * 65_536;
  expect(rested).toBeGreaterThan((1000 * behind) / (1 << 20) - 100);
  expect((1000 * bytes) / (1 << 20)).toBeLessThan(stallMs);
  await engine.close();
});
