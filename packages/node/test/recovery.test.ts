/**
 * How a directory comes up: startup kinds and their metrics, rotten snapshots, lost or foreign files, and logs that are
 * intact as logs and yet no log of this database. What is refused has changed no file.
 */
import {COMMAND, digestOf, RESULT} from '@allocdb/core';
import {STATUS, Wal} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {RECORD_TYPE, type SingleNodeEngine, verifyDirectory} from '../src/index.ts';
import {snapshotName} from '../src/storage/snapshot_format.ts';
import {createDirectoryAt} from '../src/testing/index.ts';
import {
  afterPowerCut,
  batch,
  CONFIG,
  configWith,
  contentOf,
  create,
  DIR,
  metricsAt,
  openErrorOf,
  openOn,
  payload,
  reserve,
  resource,
  SNAPSHOT_DIR,
  said,
  tick,
  WAL_DIR,
} from './support.ts';

const U64_MAX = 2n ** 64n - 1n;

function startup(engine: SingleNodeEngine): Record<string, unknown> {
  const metrics = engine.handleApiRequest(metricsAt(0n));
  if (metrics.type !== 'metrics') throw new Error('metrics are answered');
  const {startupKind, loadedSnapshotLsn, replayedWalFrameCount, replayedWalLastLsn, activeSnapshotLsn} = metrics;
  return {
    kind: startupKind,
    loaded: loadedSnapshotLsn,
    replayed: replayedWalFrameCount,
    last: replayedWalLastLsn,
    active: activeSnapshotLsn,
  };
}

/** Snapshots at 3 and 6, two records behind them; closed. */
async function twoSnapshots(): Promise<{disk: SimDisk; digest: bigint}> {
  const disk = new SimDisk();
  const engine = openOn(disk);
  for (let i = 0n; i < 2n; i++) {
    for (let k = 1n; k <= 3n; k++) engine.handleApiRequest(create(3n * i + k));
    await engine.checkpoint();
  }
  engine.handleApiRequest(reserve(1n, 4n));
  engine.handleApiRequest(reserve(2n, 4n));
  const digest = digestOf(engine.db);
  engine.closeNow();
  return {disk, digest};
}

function flip(disk: SimDisk, path: string, at: number): void {
  const content = disk.contentOf(path);
  content[at] = (content[at] ?? 0) ^ 0x40;
  disk.replaceContent(path, content);
}

function remove(disk: SimDisk, path: string): void {
  disk.unlink(path);
  disk.syncDir(path.slice(0, path.lastIndexOf('/')));
}

/** Opening is refused with a code, and no file is another than before. */
function expectRefused(disk: SimDisk, code: string, config: Parameters<typeof openOn>[1] = {}): string {
  const before = contentOf(disk);
  const error = openErrorOf(() => openOn(disk, config));
  expect(error.code).toBe(code);
  expect(contentOf(disk)).toEqual(before);
  // The lock was given back: a second opening fails for the same reason.
  expect(openErrorOf(() => openOn(disk, config)).code).toBe(code);
  return error.message;
}

describe('startup', () => {
  test('fresh, then from the log', () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    expect(startup(engine)).toEqual({kind: 'fresh_start', loaded: null, replayed: 0, last: null, active: null});
    engine.closeNow();
    const empty = openOn(disk);
    expect(startup(empty)).toMatchObject({kind: 'fresh_start'});
    empty.handleApiRequest(batch(3, 1n));
    empty.handleApiRequest(reserve(1n, 2n));
    empty.handleApiRequest(tick(30n));
    empty.closeNow();
    expect(startup(openOn(disk))).toEqual({kind: 'wal_only', loaded: null, replayed: 5, last: 5n, active: null});
  });

  test('from a snapshot, with and without log behind it', async () => {
    const {disk} = await twoSnapshots();
    const engine = openOn(disk);
    expect(startup(engine)).toEqual({kind: 'snapshot_and_wal', loaded: 6n, replayed: 2, last: 8n, active: 6n});
    await engine.checkpoint();
    engine.closeNow();
    expect(startup(openOn(disk))).toEqual({kind: 'snapshot_only', loaded: 8n, replayed: 0, last: null, active: 8n});
  });

  test('from a snapshot of an empty state', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    await engine.checkpoint();
    engine.closeNow();
    const reopened = openOn(disk);
    expect(startup(reopened)).toEqual({kind: 'snapshot_only', loaded: null, replayed: 0, last: null, active: null});
    expect(reopened.durableLsn).toBeNull();
    reopened.handleApiRequest(create(1n));
    reopened.closeNow();
    expect(startup(openOn(disk))).toMatchObject({kind: 'snapshot_and_wal', loaded: null, replayed: 1, last: 1n});
  });

  test('a torn tail is cut, and how much is told', () => {
    const disk = new SimDisk();
    const engine = openOn(disk, {commitMode: 'inline'});
    engine.handleApiRequest(create(1n));
    disk.arm({call: 1, kind: 'EIO'});
    let cut = 0;
    engine.handleApiRequest(batch(12, 20n));
    for (let seed = 1; seed < 40; seed++) cut = Math.max(cut, openOn(afterPowerCut(disk, seed)).directory.cutBytes);
    expect(cut).toBeGreaterThan(0);
    expect(cut % 512).toBe(0);
  });
});

describe('rotten snapshots', () => {
  test('the newest one costs a longer replay, and is set aside', async () => {
    const {disk, digest} = await twoSnapshots();
    flip(disk, `${SNAPSHOT_DIR}/${snapshotName(6n)}`, 200);
    const engine = openOn(disk);
    expect(digestOf(engine.db)).toBe(digest);
    expect(startup(engine)).toEqual({kind: 'snapshot_and_wal', loaded: 3n, replayed: 5, last: 8n, active: 3n});
    expect(disk.list(SNAPSHOT_DIR)).toEqual([snapshotName(3n), `${snapshotName(6n)}.rotten`]);
    await engine.checkpoint();
    expect(disk.list(SNAPSHOT_DIR)).toEqual([snapshotName(3n), `${snapshotName(6n)}.rotten`, snapshotName(8n)]);
    engine.closeNow();
    expect(verifyDirectory(DIR, disk).problems).toEqual([]);
  });

  test('on the way past the lsn of the rotten one its digest is compared', async () => {
    const {disk} = await twoSnapshots();
    flip(disk, `${SNAPSHOT_DIR}/${snapshotName(6n)}`, 200);
    rewriteMarker(disk);
    expectRefused(disk, 'digest_mismatch');
  });

  test('so it is when the newest one has been taken away', async () => {
    const {disk, digest} = await twoSnapshots();
    remove(disk, `${SNAPSHOT_DIR}/${snapshotName(6n)}`);
    expect(digestOf(openOn(disk.fork(1)).db)).toBe(digest);
    rewriteMarker(disk);
    expectRefused(disk, 'digest_mismatch');
  });

  test('a log that ends before the lsn of a rotten snapshot is damaged, not torn', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    engine.handleApiRequest(create(1n));
    await engine.checkpoint();
    engine.handleApiRequest(create(2n));
    const short = disk.fork(3);
    engine.handleApiRequest(create(3n));
    await engine.checkpoint();
    short.restart();
    short.replaceContent(`${SNAPSHOT_DIR}/${snapshotName(3n)}`, new Uint8Array(300));
    expectRefused(short, 'corrupt_log');
  });

  test('when none is sound, that is an error', async () => {
    const {disk} = await twoSnapshots();
    for (const lsn of [3n, 6n]) flip(disk, `${SNAPSHOT_DIR}/${snapshotName(lsn)}`, 300);
    const message = expectRefused(disk, 'corrupt_snapshot');
    expect(message).toContain(snapshotName(3n));
    expect(message).toContain(snapshotName(6n));
  });

  test('one of another configuration is none of ours', async () => {
    const {disk} = await twoSnapshots();
    const other = new SimDisk();
    const engine = openOn(other, {config: configWith({}, {maxResources: 63})});
    engine.handleApiRequest(create(1n));
    await engine.checkpoint();
    const foreign = other.contentOf(`${SNAPSHOT_DIR}/${snapshotName(1n)}`);
    for (const lsn of [3n, 6n]) disk.replaceContent(`${SNAPSHOT_DIR}/${snapshotName(lsn)}`, foreign);
    expect(expectRefused(disk, 'corrupt_snapshot')).toContain('another configuration');
  });
});

/** Puts a marker with a wrong digest for lsn 6 at the end of the log. */
function rewriteMarker(disk: SimDisk): void {
  const wal = Wal.open({dir: WAL_DIR, io: disk, segmentBytes: 64 * 1024, lock: false});
  expect(wal.writeSnapshotMarkerSync(6, 0, new Uint8Array(16).fill(1))).toBe(STATUS.OK);
  wal.closeSync();
}

describe('what is missing or does not belong', () => {
  test('the directory of the log, or that of the snapshots', async () => {
    for (const lost of ['wal', 'snapshots']) {
      const {disk} = await twoSnapshots();
      const copy = new SimDisk();
      copy.makeDir(DIR);
      for (const dir of [WAL_DIR, SNAPSHOT_DIR]) if (!dir.endsWith(lost)) copy.makeDir(dir);
      for (const [path, content] of contentOf(disk)) {
        if (!path.includes(`/${lost}/`)) copy.replaceContent(path, Buffer.from(content, 'base64'));
      }
      expectRefused(copy, 'missing_log');
    }
  });

  test('all segments, some of them, or the one that the snapshot ends in', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, {segmentBytes: 16 * 1024, maxFrameBytes: 4096, checkpoint: {retainLogBytes: 1e9}});
    for (let i = 0; i < 2; i++) {
      while (engine.directory.wal.metrics.rolls < 3 * (i + 1)) engine.handleApiRequest(batch(20, 1n));
      await engine.checkpoint();
    }
    engine.handleApiRequest(create(60n));
    engine.closeNow();
    const segments = disk.list(WAL_DIR).filter(name => name.endsWith('.seg'));
    const without = (lost: readonly string[]): SimDisk => {
      const copy = disk.fork(1);
      for (const name of lost) remove(copy, `${WAL_DIR}/${name}`);
      return copy;
    };
    const options = {segmentBytes: 16 * 1024, maxFrameBytes: 4096};
    expectRefused(without(segments), 'missing_log', options);
    expectRefused(without([...segments, 'clean']), 'missing_log', options);
    expectRefused(without(segments.slice(2, 3)), 'missing_log', options);
    for (const lost of [segments.slice(-1), [...segments.slice(-1), 'clean']]) {
      const copy = without(lost);
      expect(['missing_log', 'corrupt_log']).toContain(openErrorOf(() => openOn(copy, options)).code);
    }
    // What lies before the snapshot is history: nobody needs it to come up.
    expect(openOn(without(segments.slice(0, 1)), options).durableLsn).toBe(engine.durableLsn);
  });

  test('CONFIG of a directory that holds a log or a snapshot', async () => {
    const {disk} = await twoSnapshots();
    remove(disk, `${DIR}/CONFIG`);
    expectRefused(disk, 'missing_config');
    expectRefused(disk, 'missing_config', {config: null});
    const fresh = new SimDisk();
    openOn(fresh).handleApiRequest(create(1n));
    fresh.endProcess();
    remove(fresh, `${DIR}/CONFIG`);
    expectRefused(fresh, 'missing_config');
  });

  test('a configuration, where there is no database yet', () => {
    expect(openErrorOf(() => openOn(new SimDisk(), {config: null})).code).toBe('missing_config');
  });

  test('CONFIG with any byte changed, cut, or of another version', () => {
    const disk = new SimDisk();
    openOn(disk).closeNow();
    const content = disk.contentOf(`${DIR}/CONFIG`);
    for (let at = 0; at < content.length; at += 3) {
      const copy = disk.fork(1);
      flip(copy, `${DIR}/CONFIG`, at);
      expect(['corrupt_config', 'unsupported_version']).toContain(openErrorOf(() => openOn(copy)).code);
    }
    for (let length = 0; length < content.length; length += 7) {
      const copy = disk.fork(1);
      copy.replaceContent(`${DIR}/CONFIG`, content.slice(0, length));
      expect(openErrorOf(() => openOn(copy)).code).toBe('corrupt_config');
    }
    const later = new TextDecoder().decode(content).replace('config 1 ', 'config 2 ');
    disk.replaceContent(`${DIR}/CONFIG`, new TextEncoder().encode(later));
    expect(expectRefused(disk, 'unsupported_version')).toContain('version 2');
  });

  test('another core configuration: every field that differs is named', () => {
    const disk = new SimDisk();
    openOn(disk).closeNow();
    const other = configWith(
      {},
      {
        shardId: 8n,
        maxResources: 65,
        maxReservations: 65,
        maxOperations: 513,
        maxBundleSize: 3,
        maxTtlSlots: 101n,
        maxClientRetryWindowSlots: 51n,
        reservationHistoryWindowSlots: 11n,
        maxExpirationBucketLen: 63,
        operationWindowSlots: 150n,
      },
    );
    const error = openErrorOf(() => openOn(disk, {config: other}));
    expect([error.code, error.issues.length]).toEqual(['config_mismatch', 10]);
    expect(error.issues[0]).toBe('core.shard_id: created with 7, given 8');
    const one = openErrorOf(() => openOn(disk, {config: configWith({}, {maxResources: 65})}));
    expect(one.issues).toEqual(['core.max_resources: created with 64, given 65']);
    expect(openOn(disk, {config: configWith({maxSubmissionQueue: 3})}).config.engine.maxSubmissionQueue).toBe(3);
  });

  test('files of somebody else', () => {
    const disk = new SimDisk();
    disk.makeDir(DIR);
    disk.replaceContent(`${DIR}/photo.jpg`, new Uint8Array(3));
    expect(expectRefused(disk, 'not_empty')).toContain('photo.jpg');
    const root = new SimDisk();
    root.makeDir(DIR);
    root.makeDir(`${DIR}/lost+found`);
    expect(openOn(root).state).toBe('running');
  });
});

describe('an intact log that is not of this database', () => {
  const expire = new Uint8Array(25);
  expire[0] = COMMAND.EXPIRE;

  function refusedWith(type: number, slot: number, bytes: Uint8Array, note = 0): string {
    const disk = new SimDisk();
    const engine = openOn(disk);
    engine.handleApiRequest(create(1n, 1n, 9n));
    engine.closeNow();
    const wal = Wal.open({dir: WAL_DIR, io: disk, segmentBytes: 64 * 1024, lock: false});
    expect(wal.append(type, 1, slot, slot < 0 ? -1 : 0, bytes, 0, bytes.length)).toBe(STATUS.OK);
    wal.annotate(note);
    wal.closeSync();
    const error = openErrorOf(() => openOn(disk.fork(1)));
    expect(expectRefused(disk, error.code)).toContain('lsn 2');
    return error.code;
  }

  const valid = payload({kind: 'create_resource', resourceId: 2n});
  const cases: [string, string, number, number, Uint8Array][] = [
    ['a slot behind the last one', 'rewound_slot', RECORD_TYPE.CLIENT_COMMAND, 8, valid],
    ['a payload that is cut', 'undecodable_command', RECORD_TYPE.CLIENT_COMMAND, 9, valid.subarray(0, 40)],
    [
      'a payload with more behind it',
      'undecodable_command',
      RECORD_TYPE.CLIENT_COMMAND,
      9,
      new Uint8Array([...valid, 0]),
    ],
    ['an internal command of a client', 'undecodable_command', RECORD_TYPE.CLIENT_COMMAND, 9, expire],
    ['a client’s command as an internal one', 'undecodable_command', RECORD_TYPE.INTERNAL_COMMAND, 9, valid],
    ['an unknown type', 'undecodable_command', 77, 9, valid],
    ['an empty record', 'undecodable_command', RECORD_TYPE.CLIENT_COMMAND, 9, new Uint8Array(0)],
    ['a slot at which its window would overflow', 'undecodable_command', RECORD_TYPE.CLIENT_COMMAND, -1, valid],
    ['an expire whose history would overflow', 'undecodable_command', RECORD_TYPE.INTERNAL_COMMAND, -1, expire],
  ];
  test.each(cases)('%s: %s', (_, code, type, slot, bytes) => {
    expect(refusedWith(type, slot, bytes)).toBe(code);
  });

  test('an answer that replay does not give', () => {
    const {CLIENT_COMMAND} = RECORD_TYPE;
    expect(refusedWith(CLIENT_COMMAND, 9, valid, RESULT.RESOURCE_BUSY)).toBe('outcome_mismatch');
  });
});

describe('a directory that begins elsewhere', () => {
  test('at a position, once', async () => {
    const disk = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: 41n, slot: 7n}, disk, 64 * 1024);
    await expect(createDirectoryAt(DIR, CONFIG, {lsn: 1n, slot: 7n}, disk)).rejects.toMatchObject({code: 'not_empty'});
    expect(verifyDirectory(DIR, disk)).toMatchObject({problems: [], lsn: 41n, slot: 7n, logFirstLsn: 42n});
    const engine = openOn(disk);
    expect(startup(engine)).toEqual({kind: 'snapshot_only', loaded: 41n, replayed: 0, last: null, active: 41n});
    expect(engine.durableLsn).toBe(41n);
    expect(said(engine.handleApiRequest(create(1n)))).toBe('ok@42');
    expect(engine.metrics(9n)).toMatchObject({lastRequestSlot: 7n, logicalSlotLag: 2n});
    engine.closeNow();
    remove(disk, `${SNAPSHOT_DIR}/${snapshotName(41n)}`);
    expectRefused(disk, 'missing_log');
  });

  test('at the last lsn it can only be read, also after reopening', async () => {
    const disk = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: U64_MAX - 2n, slot: 7n}, disk, 64 * 1024);
    let engine = openOn(disk);
    engine.handleApiRequest(create(1n, 1n, 7n));
    engine.handleApiRequest(create(2n, 2n, 7n));
    for (let life = 0; life < 3; life++) {
      expect(said(engine.handleApiRequest(create(3n)))).toBe('lsn_exhausted');
      expect(said(engine.handleApiRequest(tick(999n)))).toBe('lsn_exhausted');
      expect(said(engine.handleApiRequest(create(2n, 2n)))).toBe(`ok@${U64_MAX} again`);
      expect(said(engine.handleApiRequest(resource(2n, U64_MAX)))).toBe('resource_found');
      expect(engine.metrics(7n)).toMatchObject({acceptingWrites: false, lastAppliedLsn: U64_MAX, durableLsn: U64_MAX});
      expect(engine.handleApiRequest(metricsAt(0n))).toMatchObject({acceptingWrites: false});
      if (life === 1) expect(await engine.checkpoint()).toMatchObject({lsn: U64_MAX});
      engine.closeNow();
      expect(verifyDirectory(DIR, disk).problems).toEqual([]);
      engine = openOn(disk);
    }
    expect(startup(engine)).toMatchObject({kind: 'snapshot_only', loaded: U64_MAX});
  });
});
