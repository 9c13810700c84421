/**
 * What reading a change feed costs everybody else, by a clock that only the disk and the pauses move: feeds give back
 * four times what they took while commands are being written, however many there are; one that catches up lets the
 * event loop go on after every chunk; and one that is not asked does nothing at all.
 */
import {setImmediate as turn} from 'node:timers/promises';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {Scheduler} from '../src/clock.ts';
import {FeedPace} from '../src/engine/feed_pace.ts';
import type {SingleNodeEngine} from '../src/index.ts';
import {ChangeReader} from './change_reader.ts';
import {batch, Caller, configWith, create, HeldDisk, openOn, payload, turns, until} from './support.ts';

/** A disk whose reads take time, and the pauses that an engine on it makes. */
class TimedDisk extends HeldDisk {
  readMs: number = 0;
  reads: number = 0;
  sleptMs: number = 0;
  readonly scheduler: Scheduler = {
    endOfTurn: action => void setImmediate(action),
    later: (_ms, action) => {
      const immediate = setImmediate(action);
      return () => clearImmediate(immediate);
    },
    sleep: async ms => {
      this.sleptMs += ms;
      this.advance(ms);
      await turn();
    },
  };

  get usedMs(): number {
    return this.reads * this.readMs;
  }

  override read(...args: Parameters<HeldDisk['read']>): number {
    this.reads++;
    this.advance(this.readMs);
    return super.read(...args);
  }
}

/** An engine with a log of many segments, and from now on reads take time. */
function setUp(readMs: number): {disk: TimedDisk; engine: SingleNodeEngine} {
  const disk = new TimedDisk();
  disk.hold = false;
  const engine = openOn(disk, {commitMode: 'async', scheduler: disk.scheduler});
  for (let i = 0; i < 300; i++) engine.handleApiRequest(batch(40, 1n));
  expect(engine.directory.wal.metrics.segments).toBeGreaterThan(12);
  Object.assign(disk, {readMs, reads: 0, sleptMs: 0});
  return {disk, engine};
}

/** A frame that is being written, for as long as the disk is held. */
async function makeBusy(disk: HeldDisk, engine: SingleNodeEngine): Promise<void> {
  disk.hold = true;
  new Caller(engine).send(create(9n));
  await until(() => disk.heldCount > 0);
}

describe('while commands are being written', () => {
  test.each([1, 5])('%i feeds give back four times what they took', async count => {
    const {disk, engine} = setUp(0.3);
    await makeBusy(disk, engine);
    const last = engine.durableLsn ?? 0n;
    const readers = Array.from({length: count}, () => new ChangeReader(engine.changes(1n)));
    await until(() => readers.every(reader => reader.last === last));
    expect(disk.usedMs).toBeGreaterThan(4 * count);
    // What is owed for the last reading may be carried on.
    expect(disk.sleptMs).toBeGreaterThanOrEqual(4 * (disk.usedMs - 2 * disk.readMs) - 1);
    disk.releaseAll();
    await engine.close();
  });

  test('feeds take their turns, so that none gets far ahead of another', async () => {
    const {disk, engine} = setUp(0.3);
    await makeBusy(disk, engine);
    const readers = Array.from({length: 4}, () => new ChangeReader(engine.changes(1n)));
    const last = engine.durableLsn ?? 0n;
    let spread = 0;
    await until(() => {
      const chunks = readers.map(({chunkBytes}) => chunkBytes.length);
      spread = Math.max(spread, Math.max(...chunks) - Math.min(...chunks));
      return readers.every(reader => reader.last === last);
    });
    expect(readers[0]?.chunkBytes.length).toBeGreaterThan(10);
    expect(spread).toBeLessThanOrEqual(2);
    disk.releaseAll();
    await engine.close();
  });

  test('also where frames are written at once, so that none is under way when a feed reads', async () => {
    const {disk, engine} = setUp(0.3);
    const last = engine.durableLsn ?? 0n;
    const reader = new ChangeReader(engine.changes(1n), async () => {
      engine.handleApiRequest(create(1n));
    });
    await until(() => reader.last >= last);
    expect(disk.sleptMs).toBeGreaterThanOrEqual(4 * (disk.usedMs - 2 * disk.readMs) - 1);
    reader.feed.close();
    await engine.close();
  });

  test('a feed that is closed, and one whose engine is, while it is not its turn', async () => {
    const {disk, engine} = setUp(50);
    await makeBusy(disk, engine);
    const [first, second, third] = [engine.changes(1n), engine.changes(1n), engine.changes(1n)];
    await first.next();
    const waiting = [second.next(), third.next()];
    second.close();
    disk.releaseAll();
    await engine.close();
    expect(await Promise.all(waiting)).toEqual([null, null]);
    expect(await first.next()).toBeNull();
  });
});

/** How many turns of the event loop others get while something is done. */
async function turnsDuring(action: () => Promise<unknown>): Promise<number> {
  let count = 0;
  let isOver = false;
  const next = (): void => {
    count++;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  await action();
  isOver = true;
  return count;
}

test('nothing is owed to an engine that has nothing to do, but every chunk ends a turn', async () => {
  const {disk, engine} = setUp(0.01);
  const feed = engine.changes(1n);
  let chunks = 0;
  // Nobody here waits for anything but the feed.
  const turnsSeen = await turnsDuring(async () => {
    for (let chunk = await feed.next(); chunk !== null && chunk.length > 60_000; chunk = await feed.next()) chunks++;
  });
  expect(chunks).toBeGreaterThan(10);
  expect(turnsSeen).toBeGreaterThanOrEqual(chunks - 1);
  expect(disk.sleptMs).toBe(0);
  feed.close();
  await engine.close();
});

test('through 50 MB the event loop goes on, and on the way to a late beginning too', async () => {
  const disk = new TimedDisk();
  disk.hold = false;
  const config = configWith({maxCommandBytes: 1 << 18});
  const options = {config, commitMode: 'async', scheduler: disk.scheduler} as const;
  const engine = openOn(disk, {...options, segmentBytes: 4 << 20, maxFrameBytes: 1 << 19});
  const resourceIds = Array.from({length: 16_000}, (_, i) => BigInt(i));
  const command = {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 5n, resourceIds} as const;
  for (let i = 0; i < 200; i++) engine.handleApiRequest({type: 'submit', requestSlot: 1n, payload: payload(command)});
  const {wal} = engine.directory;
  expect(wal.bytesWritten).toBeGreaterThan(50e6);
  const reading = engine.changes(1n);
  const turnsSeen = await turnsDuring(async () => {
    for (let seen = 0; seen < 200; seen++) await reading.next();
  });
  expect(turnsSeen).toBeGreaterThanOrEqual(199);
  // Before the last change of a segment all others of it are passed over, a megabyte with each read.
  disk.readMs = 1;
  const late = engine.changes((wal.segments[1]?.firstLsn ?? 0n) - 1n);
  expect(await turnsDuring(() => late.next())).toBeGreaterThan(2);
  for (const feed of [reading, late]) feed.close();
  await engine.close();
}, 120_000);

test('a feed that nobody asks reads nothing, whatever is written', async () => {
  const {disk, engine} = setUp(0);
  const feeds = [engine.changes(1n), engine.changes((engine.durableLsn ?? 0n) + 1n)];
  const [asked] = feeds;
  await asked?.next();
  const before = disk.reads;
  for (let i = 0; i < 200; i++) engine.handleApiRequest(batch(40, 1n));
  await turns(50);
  expect(disk.reads).toBe(before);
  for (const feed of feeds) feed.close();
  await engine.close();
});

test('whatever readings take: no writer waits for more than one, and each is paid for four times', async () => {
  const reading = fc.record({ms: fc.constantFrom(0, 0.05, 0.2, 0.5, 3, 40), isMore: fc.boolean()});
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(reading, {maxLength: 20}), {minLength: 1, maxLength: 5}), async feeds => {
      let nowMs = 0;
      let freeMs = 0;
      let longestMs = 0;
      let sinceTurnMs = 0;
      const pass = (ms: number): void => {
        nowMs += ms;
        freeMs += ms;
        sinceTurnMs = 0;
      };
      const scheduler: Scheduler = {
        endOfTurn: action =>
          void setImmediate(() => {
            pass(0);
            action();
          }),
        later: () => () => undefined,
        // Timers are late, and now and then early by less than they can tell.
        sleep: async ms => {
          await turn();
          pass(Math.max(0, ms - 0.4));
        },
      };
      const pace = new FeedPace({frames: () => 0, isBusy: () => true}, scheduler, () => nowMs);
      let usedMs = 0;
      const runs = feeds.map(async readings => {
        for (const {ms, isMore} of readings) {
          await pace.run(() => {
            // All that was read before has been paid, but for what timers cannot tell.
            expect(freeMs).toBeGreaterThan(4 * usedMs - 1 - 0.4);
            nowMs += ms;
            usedMs += ms;
            sinceTurnMs += ms;
            longestMs = Math.max(longestMs, sinceTurnMs - ms);
            return isMore;
          });
        }
      });
      await Promise.all(runs);
      // Short readings share a turn; nothing is read in it once that is used up.
      expect(longestMs).toBeLessThanOrEqual(0.25);
    }),
    {numRuns: 200},
  );
});
