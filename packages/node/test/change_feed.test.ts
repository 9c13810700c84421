/**
 * One change feed and its engine: what may be asked for, that nothing is shown before it is durable, and how a feed ends:
 * closed, passed by truncation, on a halted engine, where the log is damaged. What the changes say over random histories
 * is in change_feed_history.test.ts, and what reading costs the writers in change_feed_pace.test.ts.
 */
import {decodeChange, definiteFailure} from '@allocdb/api';
import type {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {ChangeFeed} from '../src/engine/change_feed.ts';
import {FeedPace} from '../src/engine/feed_pace.ts';
import {EngineTransport, type SingleNodeEngine} from '../src/index.ts';
import {createDirectoryAt} from '../src/testing/index.ts';
import {ChangeReader, changesIn, failureOf} from './change_reader.ts';
import {
  afterPowerCut,
  batch,
  Caller,
  CONFIG,
  configWith,
  create,
  DIR,
  HeldDisk,
  openOn,
  payload,
  reserve,
  tick,
  turns,
  until,
  WAL_DIR,
} from './support.ts';

const U64_MAX = 2n ** 64n - 1n;

/** An engine whose syncs are held back, or are not, and so many commands in it. */
function setUp(commands = 0, isHeld = false): {disk: HeldDisk; engine: SingleNodeEngine} {
  const disk = new HeldDisk();
  disk.hold = isHeld;
  const engine = openOn(disk, {commitMode: 'async'});
  for (let i = 1n; i <= commands; i++) engine.handleApiRequest(create(i));
  return {disk, engine};
}

/** Writes and makes checkpoints until the log begins behind its first lsn. */
async function cutLog(engine: SingleNodeEngine): Promise<void> {
  for (let round = 0; engine.directory.wal.firstLsn === 1n; round++) {
    if (round > 20) throw new Error('the log is never cut');
    for (let i = 0; i < 8; i++) engine.handleApiRequest(batch(20, 1n));
    await engine.checkpoint();
  }
}

/** A feed for which time flies: each reading of it ends behind one frame, and so one of them where a segment ends. */
function frameByFrame(engine: SingleNodeEngine, from: bigint): ChangeFeed {
  let nowMs = 0;
  const scheduler = {endOfTurn: (action: () => void) => void setImmediate(action), sleep: () => turns(1)};
  const host = {frames: () => 0, isBusy: () => false};
  const pace = new FeedPace(host, {...scheduler, later: () => () => undefined}, () => ++nowMs);
  return ChangeFeed.open({wal: engine.directory.wal, shard: engine.db.shard, pace}, from);
}

const lsns = (from: bigint, to: bigint): bigint[] =>
  Array.from({length: Number(to - from + 1n)}, (_, i) => from + BigInt(i));

describe('where a feed may begin', () => {
  test('at the first, in the middle, at the last', async () => {
    const {engine} = setUp(10);
    for (const from of [1n, 2n, 7n, 10n]) {
      const chunk = await engine.changes(from).next();
      expect(changesIn(chunk ?? new Uint8Array(0)).map(({lsn}) => lsn)).toEqual(lsns(from, 10n));
    }
    await engine.close();
  });

  test('at the next lsn, where it waits; further it is of another database', async () => {
    const {engine} = setUp(3);
    const reader = new ChangeReader(engine.changes(4n));
    await turns(20);
    expect(reader.changes).toEqual([]);
    engine.handleApiRequest(create(4n));
    await reader.reach(4n);
    expect(reader.lsns).toEqual([4n]);
    for (const from of [6n, 1000n, U64_MAX]) {
      expect(await failureOf(() => engine.changes(from))).toEqual({
        code: 'lsn_ahead',
        certainty: 'definite',
        oldestLsn: 1n,
      });
    }
    await engine.close();
  });

  test('of an empty log: at 1, and nowhere else', async () => {
    const {engine} = setUp();
    const reader = new ChangeReader(engine.changes(1n));
    expect((await failureOf(() => engine.changes(2n))).code).toBe('lsn_ahead');
    engine.handleApiRequest(create(1n));
    await reader.reach(1n);
    expect(reader.lsns).toEqual([1n]);
    await engine.close();
  });

  test('not below the first that is kept, which the failure names and which is one', async () => {
    const {engine} = setUp();
    await cutLog(engine);
    const oldestLsn = engine.directory.wal.firstLsn;
    for (const from of [0n, 1n, oldestLsn - 1n]) {
      expect(await failureOf(() => engine.changes(from))).toEqual({
        code: 'lsn_not_retained',
        certainty: 'definite',
        oldestLsn,
      });
    }
    const reader = new ChangeReader(engine.changes(oldestLsn));
    await reader.reach(engine.durableLsn ?? 0n);
    expect(reader.lsns).toEqual(lsns(oldestLsn, engine.durableLsn ?? 0n));
    expect(engine.directory.wal.metrics.pins).toBe(1);
    await engine.close();
  });

  test('at the last lsn there is', async () => {
    const disk = new HeldDisk();
    disk.hold = false;
    await createDirectoryAt(DIR, CONFIG, {lsn: U64_MAX - 2n, slot: 1n}, disk, 64 * 1024);
    const engine = openOn(disk);
    const before = new ChangeReader(engine.changes(U64_MAX - 1n));
    engine.handleApiRequest(create(1n));
    engine.handleApiRequest(create(2n));
    await before.reach(U64_MAX);
    const late = new ChangeReader(engine.changes(U64_MAX));
    await late.reach(U64_MAX);
    expect([before.lsns, late.lsns]).toEqual([[U64_MAX - 1n, U64_MAX], [U64_MAX]]);
    const transport = new EngineTransport(engine, {now: () => 1n});
    expect(await transport.feed(null, null).next()).toEqual({value: undefined, done: true});
    await engine.close();
    await Promise.all([before.done, late.done]);
    expect([before.error, late.error]).toEqual([null, null]);
  });

  test('not in an engine that is closed', async () => {
    const {engine} = setUp(1);
    await engine.close();
    expect(() => engine.changes(1n)).toThrow('closed');
  });
});

describe('nothing is shown before it is durable', () => {
  test('neither the open frame nor the one that is being written', async () => {
    const {disk, engine} = setUp(0, true);
    const reader = new ChangeReader(engine.changes(1n));
    const caller = new Caller(engine);
    caller.send(create(1n), create(2n));
    await until(() => disk.heldCount === 1);
    caller.send(create(3n));
    await turns(20);
    expect(reader.changes).toEqual([]);
    await disk.release();
    await until(() => disk.heldCount === 1);
    await turns(20);
    expect(reader.lsns).toEqual([1n, 2n]);
    disk.releaseAll();
    await reader.reach(3n);
    expect(reader.lsns).toEqual([1n, 2n, 3n]);
    await engine.close();
  });

  test('what was shown is there after a power cut', async () => {
    const {disk, engine} = setUp(0, true);
    const reader = new ChangeReader(engine.changes(1n));
    const caller = new Caller(engine);
    for (let round = 0n; round < 12n; round++) {
      // So many bytes that segments of 64 KiB begin and are named in between.
      caller.send(batch(90, round * 3n + 1n));
      await until(() => disk.heldCount > 0);
      for (const seed of [1, 2, 3]) {
        const recovered = openOn(afterPowerCut(disk, seed));
        expect(reader.last).toBeLessThanOrEqual(recovered.durableLsn ?? 0n);
        recovered.closeNow();
      }
      // Spares of the log are synced too, and held back likewise.
      await until(() => {
        if (disk.heldCount > 0) void disk.release();
        return reader.last === 90n * (round + 1n);
      });
    }
    expect(engine.directory.wal.metrics.rolls).toBeGreaterThan(1);
    disk.releaseAll();
    await engine.close();
  });
});

describe('a feed that is passed by truncation', () => {
  test('says so and from where the log begins; what it gave before stands, and there it can go on', async () => {
    const {engine} = setUp(5);
    const slow = engine.changes(1n);
    const first = changesIn((await slow.next()) ?? new Uint8Array(0));
    expect(first.map(({lsn}) => lsn)).toEqual(lsns(1n, 5n));
    await cutLog(engine);
    const oldestLsn = engine.directory.wal.firstLsn;
    expect(await failureOf(() => slow.next())).toEqual({code: 'lsn_not_retained', certainty: 'definite', oldestLsn});
    expect(await slow.next()).toBeNull();
    expect(engine.directory.wal.metrics.pins).toBe(0);
    const reader = new ChangeReader(engine.changes(oldestLsn));
    await reader.reach(engine.durableLsn ?? 0n);
    expect(reader.lsns).toEqual(lsns(oldestLsn, engine.durableLsn ?? 0n));
    await engine.close();
  });

  test('at the very end of what went: it has missed nothing and goes on', async () => {
    const {engine} = setUp(5);
    const {wal} = engine.directory;
    while (wal.segments.length < 2) engine.handleApiRequest(batch(20, 1n));
    const border = wal.segments[1]?.firstLsn ?? 0n;
    const feed = frameByFrame(engine, 1n);
    const seen: bigint[] = [];
    const read = async (): Promise<void> =>
      void seen.push(...changesIn((await feed.next()) ?? new Uint8Array(0)).map(({lsn}) => lsn));
    while (feed.nextLsn < border) await read();
    expect(feed.nextLsn).toBe(border);
    expect(wal.truncateBefore(border)).toBe(1);
    while (feed.nextLsn <= (engine.durableLsn ?? 0n)) await read();
    expect(seen).toEqual(lsns(1n, engine.durableLsn ?? 0n));
    expect(wal.metrics.pins).toBe(1);
    feed.close();
    expect(wal.metrics.pins).toBe(0);
    await engine.close();
  });

  test('while it waits at the end: it has read everything and goes on', async () => {
    const {engine} = setUp(5);
    const reader = new ChangeReader(engine.changes(1n));
    await reader.reach(5n);
    for (let cut = 1n; cut < 3n; cut++) {
      await cutLog(engine);
      await reader.reach(engine.durableLsn ?? 0n);
    }
    expect(reader.error).toBeNull();
    expect(reader.lsns).toEqual(lsns(1n, engine.durableLsn ?? 0n));
    await engine.close();
  });
});

describe('the end', () => {
  test('of the engine ends a feed that waits and one that has more to give', async () => {
    const {engine} = setUp(3);
    const waiting = new ChangeReader(engine.changes(4n));
    const reading = engine.changes(1n);
    await turns(5);
    await engine.close();
    await waiting.done;
    expect([waiting.changes, waiting.error]).toEqual([[], null]);
    expect(await reading.next()).toBeNull();
    expect(await reading.next()).toBeNull();
  });

  test('of a feed that waits, by its own close', async () => {
    const {engine} = setUp(3);
    const reader = new ChangeReader(engine.changes(4n));
    await turns(5);
    expect(engine.directory.wal.metrics.pins).toBe(1);
    reader.feed.close();
    reader.feed.close();
    await reader.done;
    expect([reader.changes, reader.error]).toEqual([[], null]);
    expect(engine.directory.wal.metrics.pins).toBe(0);
    engine.handleApiRequest(create(9n));
    expect(await reader.feed.next()).toBeNull();
    await engine.close();
  });

  test('of a halted engine: first all that was durable, also what became so while nobody read, then why', async () => {
    const {disk, engine} = setUp(0, true);
    const caller = new Caller(engine);
    const reader = new ChangeReader(engine.changes(1n));
    const idle = engine.changes(1n);
    caller.send(create(1n));
    await disk.release();
    await reader.reach(1n);
    // It has read to the end, and asks again only when all is over.
    expect(changesIn((await idle.next()) ?? new Uint8Array(0)).map(({lsn}) => lsn)).toEqual([1n]);
    caller.send(create(2n));
    await disk.release();
    caller.send(create(3n));
    await until(() => disk.heldCount === 1);
    disk.arm({call: 1, kind: 'EIO'});
    await disk.release();
    expect(engine.state).toBe('halted');
    await reader.done;
    expect(reader.lsns).toEqual([1n, 2n]);
    expect(reader.error?.failure).toEqual(definiteFailure('engine_halted'));
    expect(changesIn((await idle.next()) ?? new Uint8Array(0)).map(({lsn}) => lsn)).toEqual([2n]);
    expect((await failureOf(() => idle.next())).code).toBe('engine_halted');
    expect((await failureOf(() => engine.changes(1n))).code).toBe('engine_halted');
    await engine.close();
  });

  test('of an engine that halts and is closed at once', async () => {
    const {disk, engine} = setUp(2);
    const reader = engine.changes(3n);
    disk.arm({call: 1, kind: 'EIO', forever: true});
    engine.handleApiRequest(create(3n));
    disk.arm(null);
    await engine.close();
    expect(await reader.next().catch((error: {code: string}) => error.code)).toSatisfy(
      end => end === null || end === 'engine_halted',
    );
  });
});

describe('as the facade asks for it', () => {
  const reason = new Error('enough');

  test('pieces are frames without their lengths; a signal that fires ends the wait, whenever it does', async () => {
    const {engine} = setUp(3);
    const transport = new EngineTransport(engine, {now: () => 1n});
    const controller = new AbortController();
    const feed = transport.feed(2n, controller.signal);
    const first = await feed.next();
    expect(first.value?.map(frame => decodeChange(frame).lsn)).toEqual([2n, 3n]);
    const waiting = feed.next();
    await turns(5);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(engine.directory.wal.metrics.pins).toBe(0);
    await expect(transport.feed(2n, controller.signal).next()).rejects.toBe(reason);
    await expect(transport.feed(4n, controller.signal).next()).rejects.toBe(reason);
    expect(engine.directory.wal.metrics.pins).toBe(0);
    await engine.close();
  });

  test('from now on is behind what is durable; closing the engine ends it, and then there is no feed', async () => {
    const {engine} = setUp(3);
    const transport = new EngineTransport(engine, {now: () => 1n});
    const feed = transport.feed(null, null);
    const next = feed.next();
    engine.handleApiRequest(create(4n));
    expect((await next).value?.map(frame => decodeChange(frame).lsn)).toEqual([4n]);
    const last = feed.next();
    await engine.close();
    expect(await last).toEqual({value: undefined, done: true});
    expect((await failureOf(() => transport.feed(1n, null).next())).code).toBe('closed');
  });

  test('who leaves gives up the feed', async () => {
    const {engine} = setUp(3);
    const transport = new EngineTransport(engine, {now: () => 1n});
    for await (const frames of transport.feed(1n, null)) {
      expect(frames).toHaveLength(3);
      break;
    }
    expect(engine.directory.wal.metrics.pins).toBe(0);
    await engine.close();
  });
});

test('a damaged log: everything before the damage, then that it is damaged', async () => {
  const {disk, engine} = setUp();
  for (let i = 0; i < 30; i++) engine.handleApiRequest(batch(20, 1n));
  const names = disk.list(WAL_DIR).filter(name => name.endsWith('.seg'));
  const path = `${WAL_DIR}/${names[0]}`;
  const begin = firstOf(disk, path, 4000);
  disk.flipBit(path, begin, 3);
  const reader = new ChangeReader(engine.changes(1n));
  await reader.done;
  expect(reader.error?.failure).toEqual(definiteFailure('log_damaged'));
  expect(reader.lsns).toEqual(lsns(1n, reader.last));
  expect(reader.last).toBeGreaterThan(0n);
  expect(reader.last % 20n).toBe(0n);
  expect(engine.state).toBe('running');
  await engine.close();
});

/** Where the first byte that is not zero stands behind half of what a segment holds. */
function firstOf(disk: SimDisk, path: string, behind: number): number {
  return disk.contentOf(path).findIndex((byte, at) => at > 30_000 + behind && byte !== 0);
}

test('a change that is larger than a chunk is a chunk of its own, and those around it are whole', async () => {
  const disk = new HeldDisk();
  disk.hold = false;
  const engine = openOn(disk, {
    config: configWith({maxCommandBytes: 1 << 20}, {maxBundleSize: 4}),
    segmentBytes: 4 << 20,
    commitMode: 'async',
  });
  const resourceIds = Array.from({length: 9000}, (_, i) => BigInt(i));
  const command = {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 5n, resourceIds} as const;
  for (const id of [1n, 2n]) engine.handleApiRequest(create(id));
  for (let i = 0; i < 3; i++) engine.handleApiRequest({type: 'submit', requestSlot: 1n, payload: payload(command)});
  engine.handleApiRequest(reserve(1n));
  const reader = new ChangeReader(engine.changes(1n));
  await reader.reach(6n);
  expect(reader.lsns).toEqual(lsns(1n, 6n));
  for (const change of reader.changes.slice(2, 5)) {
    expect(change).toMatchObject({kind: 'reserve_bundle', result: 'bundle_too_large', lease: null});
    if (change.kind === 'reserve_bundle') expect(change.resources).toHaveLength(9000);
  }
  expect(Math.max(...reader.chunkBytes)).toBeLessThan(64 * 1024 + 9000 * 16 + 1000);
  await engine.close();
});

test('a chunk is its reader’s to keep: what follows is written elsewhere', async () => {
  const {engine} = setUp(0);
  for (let i = 0; i < 100; i++) engine.handleApiRequest(batch(20, 1n));
  const feed = engine.changes(1n);
  const chunks = [await feed.next(), await feed.next()];
  const kept = chunks.map(chunk => chunk?.slice());
  chunks.push(await feed.next());
  expect(chunks.slice(0, 2)).toEqual(kept);
  expect(chunks.flatMap(chunk => changesIn(chunk ?? new Uint8Array(0))).map(({lsn}) => lsn)).toEqual(lsns(1n, 2000n));
  feed.close();
  await engine.close();
});

test('of a log in which answers were not noted, results are unknown', async () => {
  const {engine} = setUp(1);
  const {wal} = engine.directory;
  const command = {kind: 'reserve', resourceId: 1n, holderId: 9n, ttlSlots: 5n} as const;
  wal.appendRecord({type: 1, payload: payload(command), stamp: 3n});
  wal.commitSync();
  const reader = new ChangeReader(engine.changes(1n));
  await reader.reach(2n);
  expect(reader.changes[0]).toMatchObject({kind: 'create_resource', result: 'ok'});
  expect(reader.changes[1]).toMatchObject({kind: 'reserve', slot: 3n, result: null, lease: null, ttlSlots: 5n});
  reader.feed.close();
  engine.closeNow();
});

test('ticks that expire nothing are no changes; those that do are one each, in one frame', async () => {
  const {engine} = setUp(3);
  for (const id of [1n, 2n, 3n]) engine.handleApiRequest(reserve(id, 2n));
  expect(engine.handleApiRequest(tick(6n))).toMatchObject({processedCount: 0});
  expect(engine.handleApiRequest(tick(7n))).toMatchObject({processedCount: 3, lastAppliedLsn: 9n});
  const reader = new ChangeReader(engine.changes(7n));
  await reader.reach(9n);
  expect(reader.changes).toMatchObject(
    [7n, 8n, 9n].map(lsn => ({lsn, slot: 7n, kind: 'expire', result: 'ok', deadlineSlot: 7n})),
  );
  await engine.close();
});
