/**
 * Backups while requests go on: what is in one, that truncation cannot tear it, that the writers keep their part of loop
 * and disk, and what is refused.
 */
import {mkdirSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {digestOf} from '@allocdb/core';
import {nodeFileIo, type OpenMode} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {afterAll, describe, expect, test} from 'vitest';
import type {Scheduler} from '../src/clock.ts';
import {type DirectoryProgress, replayUntil, restoreDirectory, verifyDirectory} from '../src/index.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {
  digestAt,
  digestsAt,
  feed,
  fill,
  logIdOf,
  populate,
  RANDOM_CONFIG,
  RandomRequests,
  recordsOf,
  refusalOf,
  SMALL,
  treeOf,
} from './directory_support.ts';
import {Caller, configWith, create, DIR, openErrorOf, openOn, said, turns, until, WAL_DIR} from './support.ts';

const TO = '/backup';

const root = mkdtempSync(join(tmpdir(), 'allocdb-backup-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

/** Its calls on the thread pool take a turn of the event loop, as real ones do; those for a backup take many. */
class TurningDisk extends SimDisk {
  readonly #slow: Set<number> = new Set();

  override open(path: string, mode: OpenMode): number {
    const handle = super.open(path, mode);
    if (path.startsWith(TO)) this.#slow.add(handle);
    return handle;
  }

  override async writeAsync(h: number, from: Uint8Array, offset: number, length: number, at: number): Promise<number> {
    await turns(this.#slow.has(h) ? 15 : 1);
    return super.writeAsync(h, from, offset, length, at);
  }

  override async datasyncAsync(handle: number): Promise<void> {
    await turns(1);
    return super.datasyncAsync(handle);
  }
}

describe('what is in a backup', () => {
  test('configuration, published snapshots, the log through what was durable; it opens, and goes on', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, SMALL);
    const requests = await populate(engine);
    const told: DirectoryProgress[] = [];
    const info = await engine.backup(TO, {onProgress: progress => told.push(progress)});
    const {snapshots} = verifyDirectory(TO, disk);
    expect(info).toMatchObject({lsn: engine.durableLsn, snapshotLsn: snapshots.at(-1)?.lsn});
    expect(disk.list(TO)).toEqual(['CONFIG', 'snapshots', 'wal']);
    expect(disk.list(`${TO}/snapshots`)).toEqual(disk.list(`${DIR}/snapshots`));
    for (const name of ['CONFIG', ...disk.list(`${TO}/snapshots`).map(name => `snapshots/${name}`)]) {
      expect(disk.contentOf(`${TO}/${name}`)).toEqual(disk.contentOf(`${DIR}/${name}`));
    }
    expect(recordsOf(disk, `${TO}/wal`)).toEqual(recordsOf(disk, WAL_DIR));
    expect(logIdOf(disk, `${TO}/wal`)).toBe(logIdOf(disk, WAL_DIR));
    expect(disk.list(`${TO}/wal`).filter(name => !name.endsWith('.seg'))).toEqual(['clean']);
    const bytes = [...treeOf(disk, TO).values()].reduce(
      (sum, content) => sum + Buffer.from(content, 'base64').length,
      0,
    );
    expect(info.bytes).toBe(bytes);
    for (const phase of ['copy', 'verify']) {
      const all = told.filter(one => one.phase === phase);
      expect([all[0]?.done, all.at(-1)?.done]).toEqual([0, all.at(-1)?.total]);
      expect(all.map(({done}) => done)).toEqual(all.map(({done}) => done).sort((a, b) => a - b));
    }
    expect(told.find(({phase}) => phase === 'copy')?.total).toBeGreaterThan(bytes - 2000);
    feed(engine, new RandomRequests(9).take(50));
    const copy = openOn(disk, {...SMALL, dir: TO, config: null});
    expect(digestOf(copy.db)).toBe(digestAt(requests, info.lsn ?? 0n));
    expect(said(copy.handleApiRequest(create(77n, 1n << 90n, 1n << 20n)))).toBe(`ok@${(info.lsn ?? 0n) + 1n}`);
    copy.closeNow();
    expect(verifyDirectory(TO, disk).problems).toEqual([]);
  });

  test('nothing yet; no snapshot; a snapshot and an empty log', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    expect(await engine.backup('/b0')).toMatchObject({lsn: null, snapshotLsn: null});
    fill(engine);
    expect(await engine.backup('/b1')).toMatchObject({lsn: 17n, snapshotLsn: null});
    await engine.checkpoint();
    expect(await engine.backup('/b2')).toMatchObject({lsn: 17n, snapshotLsn: 17n});
    for (const dir of ['/b0', '/b1', '/b2']) {
      expect(verifyDirectory(dir, disk).problems).toEqual([]);
      const restored = await restoreDirectory(dir, `${dir}r`, {io: disk});
      expect(restored.lsn).toBe(dir === '/b0' ? 0n : 17n);
    }
  });

  test('what it was created with, also where the engine runs with other limits', async () => {
    const disk = new SimDisk();
    openOn(disk).closeNow();
    const engine = openOn(disk, {config: configWith({maxCommandBytes: 300})});
    await engine.backup(TO);
    expect(disk.contentOf(`${TO}/CONFIG`)).toEqual(disk.contentOf(`${DIR}/CONFIG`));
  });

  test('a snapshot that has rotted under the engine is left out', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, SMALL);
    await populate(engine);
    const [older, newest] = disk.list(`${DIR}/snapshots`) as [string, string];
    disk.flipBit(`${DIR}/snapshots/${newest}`, 300, 2);
    const {snapshotLsn, lsn} = await engine.backup(TO);
    expect([snapshotName(snapshotLsn ?? 0n), disk.list(`${TO}/snapshots`)]).toEqual([older, [older]]);
    expect(verifyDirectory(TO, disk)).toMatchObject({problems: [], lsn, digest: digestOf(engine.db)});
    disk.flipBit(`${DIR}/snapshots/${older}`, 300, 2);
    const error = await refusalOf(engine.backup('/second'));
    expect(error.code).toBe('not_verified');
    expect(error.issues.join()).toMatch(/snapshot-.*snapshot-.*the log begins at lsn/s);
    expect(disk.list('/')).toEqual(['backup', 'data']);
    expect(engine.state).toBe('running');
  });
});

/** Sends without an end until told otherwise, some requests at a time. */
function load(engine: ReturnType<typeof openOn>, requests: RandomRequests): {stop(): void; acknowledged(): bigint} {
  let isOver = false;
  const caller: Caller = new Caller(engine, () => {
    if (!isOver) caller.send(...requests.take(5));
  });
  caller.send(...requests.take(5));
  return {
    stop: () => {
      isOver = true;
    },
    acknowledged: () => engine.durableLsn ?? 0n,
  };
}

describe('under load', () => {
  test.each(['inline', 'async'] as const)('a backup is what was durable at one moment (%s)', async commitMode => {
    const disk = new TurningDisk();
    const engine = openOn(disk, {...SMALL, commitMode, checkpoint: {everyLogBytes: 8_000, bytesPerSecond: 1e12}});
    const running = load(engine, new RandomRequests(3));
    await until(() => engine.checkpoints.count >= 3);
    for (let i = 0; i < 4; i++) {
      const [before, checkpoints] = [running.acknowledged(), engine.checkpoints.count];
      const {lsn} = await engine.backup(`${TO}${i}`);
      expect(lsn).toBeGreaterThanOrEqual(before);
      expect(lsn).toBeLessThan(running.acknowledged());
      expect(engine.checkpoints.count).toBeGreaterThan(checkpoints);
    }
    const segments = engine.directory.wal.segments.length;
    const {count} = engine.checkpoints;
    await until(() => engine.checkpoints.count >= count + 3);
    // What was held for the backups was let go of.
    expect(engine.directory.wal.segments.length).toBeLessThanOrEqual(segments + 2);
    expect(engine.directory.wal.metrics.pins).toBe(0);
    running.stop();
    await engine.close();
    const dirs = [0, 1, 2, 3].map(i => `${TO}${i}`);
    const reports = dirs.map(dir => verifyDirectory(dir, disk));
    expect(reports.flatMap(({problems}) => problems)).toEqual([]);
    const digests = digestsAt(
      new RandomRequests(3),
      reports.map(({lsn}) => lsn ?? 0n),
    );
    expect(reports.map(({digest}) => digest)).toEqual(digests);
    expect(dirs.map(dir => digestOf(openOn(disk, {...SMALL, dir}).db))).toEqual(digests);
  });

  test('the same on real files, with frames in flight', async () => {
    const dir = join(root, 'load');
    const to = join(root, 'load-backup');
    const engine = openOn(nodeFileIo, {...SMALL, dir, commitMode: 'async', checkpoint: {everyLogBytes: 100_000}});
    const running = load(engine, new RandomRequests(5));
    await expect.poll(() => engine.checkpoints.count, {timeout: 50_000}).toBeGreaterThanOrEqual(2);
    const before = running.acknowledged();
    const {lsn, bytes} = await engine.backup(to);
    const after = running.acknowledged();
    running.stop();
    await engine.close();
    expect(lsn).toBeGreaterThanOrEqual(before);
    expect(lsn).toBeLessThanOrEqual(after);
    expect(readdirSync(to).sort()).toEqual(['CONFIG', 'LOCK', 'snapshots', 'wal']);
    expect(bytes).toBeGreaterThan(0);
    const report = verifyDirectory(to);
    expect(report.problems).toEqual([]);
    expect(report.lsn).toBe(lsn);
    const same = await replayUntil(to, {until: lsn ?? 0n});
    expect(same.digest).toBe(report.digest);
    expect(report.digest).toBe(digestAt(new RandomRequests(5), lsn ?? 0n));
    const reopened = openOn(nodeFileIo, {...SMALL, dir: to});
    expect(reopened.durableLsn).toBe(lsn);
    reopened.closeNow();
  });
});

test('copying and verifying rest as long as the rate and the share of the loop want', async () => {
  const BYTES_PER_SECOND = 1 << 20;
  for (const busyMs of [0, 3]) {
    let sleptMs = 0;
    const disk = new (class extends SimDisk {
      override now(): number {
        this.nowMs += busyMs;
        return this.nowMs;
      }
    })();
    const scheduler: Scheduler = {
      endOfTurn: action => void setImmediate(action),
      later: () => () => undefined,
      sleep: async ms => {
        sleptMs += ms;
        disk.advance(ms);
        await turns(1);
      },
    };
    const checkpoint = {bytesPerSecond: busyMs === 0 ? BYTES_PER_SECOND : 1e12};
    const engine = openOn(disk, {config: RANDOM_CONFIG, segmentBytes: 2 << 20, scheduler, checkpoint});
    feed(engine, new RandomRequests(1).take(3000));
    const {bytes, durationMs} = await engine.backup(TO);
    expect(bytes).toBeGreaterThan(2 << 20);
    if (busyMs === 0) expect(sleptMs).toBeGreaterThan((1000 * bytes) / BYTES_PER_SECOND - 50);
    // Nine parts of ten are for others; every slice ends with a look at the clock.
    else expect(sleptMs / durationMs).toBeGreaterThan(0.7);
    await engine.close();
  }
});

describe('refused', () => {
  test.each([
    ['a directory with a file in it', '/full', 'not_empty', 'file'],
    ['its own directory', DIR, 'not_empty', 'CONFIG'],
    ['a place inside it', `${DIR}/backup`, 'not_empty', 'inside the data directory /data'],
    ['a place inside its log', `${DIR}/wal/backup`, 'not_empty', 'inside the data directory /data'],
    ['a place that has no parent', '/none/backup', 'io', '/none is not there; make it'],
  ])('%s', async (_, to, code, text) => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    fill(engine);
    disk.makeDir('/full');
    disk.replaceContent('/full/file', new Uint8Array(3));
    const before = treeOf(disk, '/');
    const error = await refusalOf(engine.backup(to));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
    expect(treeOf(disk, '/')).toEqual(before);
    expect(said(engine.handleApiRequest(create(60n)))).toBe('ok@18');
  });

  test('a place inside a directory that is named otherwise, and a target in use', async () => {
    const dir = join(root, 'named');
    const engine = openOn(nodeFileIo, {...SMALL, dir});
    const cwd = process.cwd();
    mkdirSync(join(dir, 'elsewhere'));
    try {
      process.chdir(join(dir, 'elsewhere'));
      expect((await refusalOf(engine.backup('inner'))).message).toContain('inside the data directory');
      expect((await refusalOf(engine.backup('../inner'))).message).toContain('inside the data directory');
    } finally {
      process.chdir(cwd);
    }
    const to = join(root, 'in-use');
    mkdirSync(to);
    const lock = nodeFileIo.lock(to);
    expect((await refusalOf(engine.backup(to))).code).toBe('locked');
    lock.release();
    expect(await engine.backup(to)).toMatchObject({lsn: null});
    await engine.close();
  });

  test('when the engine is closed', async () => {
    const engine = openOn(new SimDisk());
    await engine.close();
    await expect(engine.backup(TO)).rejects.toThrow('closed');
  });
});

describe('given up', () => {
  test.each(['copy', 'verify'])('by its signal while it is at "%s"', async phase => {
    const disk = new TurningDisk();
    const engine = openOn(disk, SMALL);
    await populate(engine);
    const controller = new AbortController();
    const onProgress = (progress: DirectoryProgress): void => {
      if (progress.phase === phase && progress.done > 0) controller.abort(new Error('enough'));
    };
    await expect(engine.backup(TO, {signal: controller.signal, onProgress})).rejects.toThrow('enough');
    expect(disk.list('/')).toEqual(['data']);
    expect(engine.directory.wal.metrics.pins).toBe(0);
    expect(await engine.backup(TO)).toMatchObject({lsn: engine.durableLsn});
    const late = new AbortController();
    late.abort(new Error('before it began'));
    await expect(engine.backup('/late', {signal: late.signal})).rejects.toThrow('before it began');
  });

  test('when the engine closes: it waits until nothing is left', async () => {
    const disk = new TurningDisk();
    const engine = openOn(disk, SMALL);
    await populate(engine);
    const refused = expect(engine.backup(TO)).rejects.toThrow(/closing/);
    await turns(2);
    expect(openErrorOf(() => verifyDirectory(TO, disk)).code).toBe('unfinished');
    await engine.close();
    expect(disk.list('/')).toEqual(['data']);
    await refused;
    expect(verifyDirectory(DIR, disk).problems).toEqual([]);
  });
});
