/**
 * A directory under a larger configuration: the same state, promises that were made kept as they were made, new ones by the
 * new windows; what was there before set aside whole; and what cannot be changed refused, every field named.
 */
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Command, type CoreConfig, digestOf} from '@allocdb/core';
import {inspectWal, nodeFileIo} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {afterAll, describe, expect, test} from 'vitest';
import {
  type DatabaseConfig,
  type DirectoryProgress,
  reconfigureDirectory,
  replayUntil,
  restoreDirectory,
  type SingleNodeEngine,
  verifyDirectory,
} from '../src/index.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {createDirectoryAt, dumpState} from '../src/testing/index.ts';
import {
  feed,
  fill,
  logIdOf,
  populate,
  RANDOM_CONFIG,
  RandomRequests,
  refusalOf,
  SMALL,
  TickingDisk,
  treeOf,
} from './directory_support.ts';
import {
  batch,
  CONFIG,
  configWith,
  create,
  DIR,
  openErrorOf,
  openOn,
  payload,
  reserve,
  said,
  tick,
  WAL_DIR,
} from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'allocdb-reconfigure-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

const LARGER: DatabaseConfig = configWith(
  {},
  {
    maxResources: 500,
    maxReservations: 300,
    maxOperations: 4000,
    maxBundleSize: 9,
    maxTtlSlots: 333n,
    maxClientRetryWindowSlots: 80n,
    reservationHistoryWindowSlots: 40n,
    maxExpirationBucketLen: 200,
    operationWindowSlots: 500n,
  },
);

function filled(): SimDisk {
  const disk = new SimDisk();
  const engine = openOn(disk);
  fill(engine);
  engine.closeNow();
  return disk;
}

describe('a larger configuration', () => {
  test('has the same state, a new log, and the old files set aside, which open by themselves', async () => {
    const dir = join(root, 'data');
    const engine = openOn(nodeFileIo, {dir});
    for (let i = 0; i < 2; i++) {
      fill(engine);
      await engine.checkpoint();
    }
    fill(engine);
    const [state, digest, lsn] = [dumpState(engine.db), digestOf(engine.db), engine.durableLsn ?? 0n];
    engine.closeNow();
    const id = logIdOf(nodeFileIo, join(dir, 'wal'));
    const told: DirectoryProgress[] = [];
    const info = await reconfigureDirectory(dir, LARGER, {onProgress: progress => told.push(progress)});
    expect(info).toMatchObject({isChanged: true, kept: `before-${lsn}`, lsn, digest});
    expect(readdirSync(dir).sort()).toEqual(['CONFIG', 'LOCK', `before-${lsn}`, 'snapshots', 'wal']);
    expect(readdirSync(join(dir, 'snapshots'))).toEqual([snapshotName(lsn)]);
    expect(new Set(told.map(({phase}) => phase))).toEqual(new Set(['verify', 'copy']));
    expect(verifyDirectory(dir)).toMatchObject({problems: [], lsn, digest, logFirstLsn: lsn + 1n});
    const marker = inspectWal({dir: join(dir, 'wal'), floor: lsn, firstLsn: lsn + 1n}).marker;
    expect([
      marker?.lsn,
      Buffer.from(marker?.digest ?? [])
        .reverse()
        .toString('hex'),
    ]).toEqual([lsn, digest.toString(16).padStart(32, '0')]);
    expect(logIdOf(nodeFileIo, join(dir, 'wal'))).not.toBe(id);
    expect(openErrorOf(() => openOn(nodeFileIo, {dir})).code).toBe('config_mismatch');
    const after = openOn(nodeFileIo, {dir, config: null});
    expect([after.config, dumpState(after.db), digestOf(after.db)]).toEqual([LARGER, state, digest]);
    expect(said(after.handleApiRequest(batch(100, 200n)))).toContain(`ok@${lsn + 100n}`);
    expect(after.metrics(0n).resources.used).toBe(107);
    await after.checkpoint();
    after.closeNow();
    expect(verifyDirectory(dir).problems).toEqual([]);
    const kept = join(dir, `before-${lsn}`);
    expect(verifyDirectory(kept)).toMatchObject({problems: [], lsn, digest});
    expect(await restoreDirectory(kept, join(root, 'old'))).toMatchObject({lsn, digest});
    const old = openOn(nodeFileIo, {dir: kept, config: null});
    expect(old.config).toEqual(CONFIG);
    old.closeNow();
  });

  test('whatever the history: the same records, invariants, and requests that go on', async () => {
    const grown: DatabaseConfig = configWith(
      {maxExpirationsPerTick: 1},
      {
        ...RANDOM_CONFIG.core,
        maxReservations: 40,
        maxTtlSlots: 30n,
        reservationHistoryWindowSlots: 9n,
        operationWindowSlots: 60n,
      },
    );
    const runs = fc.asyncProperty(fc.integer({min: 1, max: 1 << 30}), async seed => {
      const disk = new SimDisk({seed});
      const engine = openOn(disk, SMALL);
      await populate(engine, seed, 60);
      const state = dumpState(engine.db);
      engine.closeNow();
      const {digest} = await reconfigureDirectory(DIR, grown, {io: disk});
      const after = openOn(disk, {...SMALL, config: grown});
      expect([dumpState(after.db), digestOf(after.db)]).toEqual([state, digest]);
      // Slots of another stream begin behind the last one of this.
      const behind = BigInt(state.last_request_slot ?? 0);
      const requests = new RandomRequests(seed + 1).take(200).map(request => {
        if (request.type !== 'submit') return request;
        return {...request, requestSlot: request.requestSlot + behind};
      });
      feed(after, requests);
      await after.checkpoint();
      after.closeNow();
      expect(verifyDirectory(DIR, disk).problems).toEqual([]);
    });
    await fc.assert(runs, {numRuns: 20});
  });

  test('keeps what was promised under the old one, and promises by the new one from then on', async () => {
    const disk = new SimDisk();
    const small = configWith({}, {operationWindowSlots: 20n});
    const engine = openOn(disk, {config: small});
    for (let i = 1n; i < 4n; i++) engine.handleApiRequest(create(i, i, 1n));
    // Ended at slot 6: remembered through slot 16. Its operation of slot 1: through slot 21.
    engine.handleApiRequest(reserve(1n, 1n, 11n));
    engine.handleApiRequest(tick(6n));
    engine.handleApiRequest(reserve(2n, 6n, 12n));
    engine.closeNow();
    await reconfigureDirectory(DIR, LARGER, {io: disk});
    const after = openOn(disk, {config: LARGER});
    const retireOf = (id: bigint): string | undefined =>
      dumpState(after.db).operations.find(operation => operation.operation_id === String(id))?.retire_after_slot;
    const historyOf = (lsn: bigint): string | null | undefined =>
      dumpState(after.db).reservations.find(({created_lsn: created}) => created === String(lsn))?.retire_after_slot;
    expect([retireOf(11n), retireOf(12n), historyOf(4n)]).toEqual(['21', '26', '16']);
    // A hold as long as only the new one allows; the overdue one of before still falls due.
    const command: Command = {kind: 'reserve', resourceId: 3n, holderId: 9n, ttlSlots: 300n};
    const long = after.handleApiRequest({type: 'submit', requestSlot: 12n, payload: payload(command, 13n)});
    expect(said(long)).toMatch(/^ok@/);
    expect(said(after.handleApiRequest(tick(12n)))).toBe('ticked 1');
    expect([retireOf(13n), historyOf(6n)]).toEqual(['512', '52']);
    // A retry of before is answered until the day that it was promised for, and not beyond.
    expect(said(after.handleApiRequest(reserve(2n, 26n, 12n)))).toMatch(/ again$/);
    expect(said(after.handleApiRequest(reserve(2n, 27n, 12n)))).not.toMatch(/ again$/);
  });

  test('of limits of the engine alone changes CONFIG alone; an equal one nothing', async () => {
    const disk = filled();
    const before = treeOf(disk, DIR);
    expect(await reconfigureDirectory(DIR, CONFIG, {io: disk})).toMatchObject({
      isChanged: false,
      kept: null,
      lsn: null,
    });
    expect(treeOf(disk, DIR)).toEqual(before);
    const limits = configWith({maxCommandBytes: 128, maxSubmissionQueue: 3});
    expect(await reconfigureDirectory(DIR, limits, {io: disk})).toMatchObject({isChanged: true, kept: null, lsn: null});
    const after = treeOf(disk, DIR);
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect([...after].filter(([path, content]) => before.get(path) !== content).map(([path]) => path)).toEqual([
      `${DIR}/CONFIG`,
    ]);
    expect(openOn(disk, {config: null}).config).toEqual(limits);
  });

  test('of an empty directory, of one behind a position, twice at one lsn, of one that was not closed', async () => {
    const empty = new SimDisk();
    openOn(empty).closeNow();
    expect(await reconfigureDirectory(DIR, LARGER, {io: empty})).toMatchObject({lsn: 0n, kept: 'before-0'});
    expect(said(openOn(empty, {config: LARGER}).handleApiRequest(create(1n)))).toBe('ok@1');
    const behind = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: 700n, slot: 8n}, behind, 64 * 1024);
    expect(await reconfigureDirectory(DIR, LARGER, {io: behind})).toMatchObject({lsn: 700n, kept: 'before-700'});
    const disk = filled();
    const larger = configWith({}, {...LARGER.core, maxResources: 501});
    for (const [config, kept] of [
      [LARGER, 'before-17'],
      [larger, 'before-17-2'],
    ] as const) {
      expect(await reconfigureDirectory(DIR, config, {io: disk})).toMatchObject({lsn: 17n, kept});
      expect(verifyDirectory(DIR, disk).problems).toEqual([]);
    }
    expect(verifyDirectory(`${DIR}/before-17`, disk)).toMatchObject({problems: [], replayedRecords: 17});
    expect(verifyDirectory(`${DIR}/before-17-2`, disk)).toMatchObject({problems: [], replayedRecords: 0});
    const running = new SimDisk();
    const engine = openOn(running);
    fill(engine);
    running.arm({call: 2, kind: 'power_cut'});
    engine.handleApiRequest(batch(12, 20n));
    running.restart();
    const {lsn} = await reconfigureDirectory(DIR, LARGER, {io: running});
    expect([17n, 29n]).toContain(lsn);
    expect(openOn(running, {config: LARGER}).durableLsn).toBe(lsn);
  });

  test('is read by whatever reads directories', async () => {
    const disk = filled();
    const {lsn, digest} = await reconfigureDirectory(DIR, LARGER, {io: disk});
    expect(await replayUntil(DIR, {io: disk})).toMatchObject({lsn, digest});
    expect((await refusalOf(replayUntil(DIR, {io: disk, until: 3n}))).message).toContain('from lsn 17 to 17');
    expect(await replayUntil(`${DIR}/before-17`, {io: disk, until: 3n})).toMatchObject({lsn: 3n});
    expect(await restoreDirectory(DIR, '/restored', {io: disk})).toMatchObject({lsn, digest, records: 0n});
    const engine: SingleNodeEngine = openOn(disk, {config: LARGER});
    expect(await engine.backup('/backup')).toMatchObject({lsn, snapshotLsn: lsn});
    expect(disk.list('/backup')).toEqual(['CONFIG', 'snapshots', 'wal']);
    expect(disk.list(WAL_DIR).filter(name => name.endsWith('.seg'))).toEqual(['wal-00000000000000000018.seg']);
  });
});

describe('refused, and nothing changed', () => {
  const SMALLER: Partial<CoreConfig> = {
    maxResources: 63,
    maxReservations: 63,
    maxOperations: 511,
    maxBundleSize: 3,
    maxTtlSlots: 99n,
    maxClientRetryWindowSlots: 49n,
    reservationHistoryWindowSlots: 9n,
    maxExpirationBucketLen: 63,
    operationWindowSlots: 149n,
  };
  const NAMES: readonly string[] = [
    'max_resources',
    'max_reservations',
    'max_operations',
    'max_bundle_size',
    'max_ttl_slots',
    'max_client_retry_window_slots',
    'reservation_history_window_slots',
    'max_expiration_bucket_len',
    'operation_window_slots',
  ];

  async function refused(config: DatabaseConfig, disk: SimDisk = filled()): Promise<readonly string[]> {
    const before = treeOf(disk, DIR);
    const error = await refusalOf(reconfigureDirectory(DIR, config, {io: disk}));
    expect(error.code).toBe('invalid_config');
    expect(treeOf(disk, DIR)).toEqual(before);
    return error.issues;
  }

  test('every field that is smaller, in one error, and a shard that is another', async () => {
    const issues = await refused(configWith({}, {...SMALLER, shardId: 8n}));
    expect(issues).toHaveLength(10);
    for (const name of NAMES) expect(issues.join('\n')).toMatch(new RegExp(`core.${name}: .* it can only grow`));
    expect(issues.join('\n')).toContain('core.shard_id: created with 7, given 8: it stays for good');
    for (const [i, field] of Object.keys(SMALLER).entries()) {
      const one = {[field]: SMALLER[field as keyof CoreConfig]};
      // What is smaller may be impossible beside what stays: that is named too.
      expect((await refused(configWith({}, one))).join('\n')).toContain(`core.${NAMES[i]}: created with`);
    }
  });

  test('the window of operations is compared as what it comes to', async () => {
    const disk = filled();
    expect(await reconfigureDirectory(DIR, configWith({}, {operationWindowSlots: 150n}), {io: disk})).toMatchObject({
      isChanged: true,
    });
    expect((await refused(configWith({}, {operationWindowSlots: 149n}), disk)).join()).toContain(
      'operation_window_slots',
    );
    expect(await reconfigureDirectory(DIR, configWith({}, {maxTtlSlots: 101n}), {io: disk})).toMatchObject({
      isChanged: true,
    });
  });

  test('what cannot be opened, and a tick that would not fit a frame', async () => {
    expect((await refused(configWith({maxCommandBytes: 0}))).join()).toContain(
      'engine.max_command_bytes: zero_capacity',
    );
    expect((await refused(configWith({}, {maxBundleSize: 70}))).join()).toContain('must not exceed maxResources');
    const disk = new SimDisk();
    openOn(disk, {config: configWith({maxExpirationsPerTick: 1_000_000})}).closeNow();
    const grown = configWith({maxExpirationsPerTick: 1_000_000}, {maxReservations: 1_000_000});
    expect((await refused(grown, disk)).join()).toContain('engine.max_expirations_per_tick: too_large');
  });

  test('holds that would fall due together in more than a slot may hold', async () => {
    const disk = new SimDisk();
    const of = (maxTtlSlots: bigint, maxExpirationBucketLen: number): DatabaseConfig =>
      configWith(
        {},
        {maxTtlSlots, maxExpirationBucketLen, reservationHistoryWindowSlots: 5n, operationWindowSlots: null},
      );
    const engine = openOn(disk, {config: of(6n, 1)});
    const hold = (resourceId: bigint, slot: bigint, ttlSlots: bigint): string => {
      const command: Command = {kind: 'reserve', resourceId, holderId: 1n, ttlSlots};
      return said(engine.handleApiRequest({type: 'submit', requestSlot: slot, payload: payload(command)}));
    };
    for (let i = 1n; i < 3n; i++) engine.handleApiRequest(create(i, undefined, 0n));
    // Due at slots 3 and 13: apart in a wheel of 7, together in one of 10. The first is overdue and was not ticked.
    expect([hold(1n, 0n, 3n), hold(2n, 8n, 5n)]).toEqual(['ok@3', 'ok@4']);
    engine.closeNow();
    expect((await refused(of(9n, 1), disk)).join()).toContain('more reservations fall due in one slot');
    expect(await reconfigureDirectory(DIR, of(9n, 2), {io: disk})).toMatchObject({isChanged: true});
    expect(said(openOn(disk, {config: null}).handleApiRequest(tick(13n)))).toBe('ticked 2');
  });

  test('a directory in use, one that is none, one that is not sound, and one whose lsns are used up', async () => {
    const disk = filled();
    const engine = openOn(disk);
    expect((await refusalOf(reconfigureDirectory(DIR, LARGER, {io: disk}))).code).toBe('locked');
    engine.closeNow();
    expect((await refusalOf(reconfigureDirectory('/none', LARGER, {io: disk}))).code).toBe('missing_config');
    disk.makeDir('/empty');
    expect((await refusalOf(reconfigureDirectory('/empty', LARGER, {io: disk}))).code).toBe('missing_config');
    const damaged = disk.fork(1);
    damaged.flipBit(`${WAL_DIR}/wal-00000000000000000001.seg`, 4096 + 70, 1);
    const before = treeOf(damaged, DIR);
    const error = await refusalOf(reconfigureDirectory(DIR, LARGER, {io: damaged}));
    expect([error.code, error.issues.length]).toEqual(['not_verified', 1]);
    expect(treeOf(damaged, DIR)).toEqual(before);
    const last = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: 2n ** 64n - 2n, slot: 1n}, last, 64 * 1024);
    const full = openOn(last);
    expect(said(full.handleApiRequest(create(1n)))).toBe(`ok@${2n ** 64n - 1n}`);
    full.closeNow();
    const unchanged = treeOf(last, DIR);
    expect((await refusalOf(reconfigureDirectory(DIR, LARGER, {io: last}))).code).toBe('lsn_out_of_range');
    expect(treeOf(last, DIR)).toEqual(unchanged);
  });

  test('by its signal, before it is decided', async () => {
    const disk = new TickingDisk();
    const engine = openOn(disk);
    fill(engine);
    engine.closeNow();
    const before = treeOf(disk, DIR);
    for (const phase of ['verify', 'copy']) {
      const controller = new AbortController();
      const ended = reconfigureDirectory(DIR, LARGER, {
        io: disk,
        signal: controller.signal,
        onProgress: progress => progress.phase === phase && controller.abort(new Error('enough')),
      });
      await expect(ended).rejects.toThrow('enough');
      expect(treeOf(disk, DIR)).toEqual(before);
    }
    expect(await reconfigureDirectory(DIR, LARGER, {io: disk})).toMatchObject({isChanged: true});
  });
});
