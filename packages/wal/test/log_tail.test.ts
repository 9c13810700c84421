/**
 * A tail of an open log, for any interleaving with the writer: every durable record from where it began, once and in
 * order, whole, none before it is durable, over rolls, markers and truncation; a tail that yields is told when it was
 * passed, one that does not is never passed. And what it says at the log's end, failed or closed.
 */

import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {isWalError, type LogTail, READ, STATUS, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {append, commitFrame, errorOf, openSmall, payloadOf} from './support.ts';

/** A tail and the next lsn that it has to show. */
class Reader {
  readonly tail: LogTail;
  readonly yields: boolean;
  expected: bigint;
  /** The last call of `onMore` has not been answered by a refresh. */
  isRung = false;
  isPassed = false;
  readonly #wal: Wal;

  constructor(wal: Wal, from: bigint, yields: boolean) {
    this.#wal = wal;
    this.yields = yields;
    this.expected = from;
    this.tail = wal.tail({from, yields, onMore: () => (this.isRung = true)});
  }

  /** Goes on for so many events, or to the end, where it refreshes once it was rung. */
  read(events: number): void {
    if (this.isPassed) return;
    try {
      for (let i = 0; i < events; i++) {
        const event = this.tail.cursor.next();
        if (event === READ.RECORD) this.#check();
        if (event !== READ.END) continue;
        if (!this.isRung) return;
        this.isRung = false;
        this.tail.refresh();
      }
    } catch (error) {
      if (!isWalError(error) || error.code !== 'missing_segment') throw error;
      expect(this.yields).toBe(true);
      expect(this.#wal.firstLsn).toBeGreaterThanOrEqual(this.expected);
      this.isPassed = true;
    }
  }

  /** Everything durable has been shown, or the tail was passed by what is gone. */
  drain(): void {
    this.read(Number.POSITIVE_INFINITY);
    if (!this.isPassed) expect(this.expected).toBe(this.#wal.durableLsn + 1n);
  }

  /** Compared here and not by the matchers, which take their time over bytes. */
  #check(): void {
    const {cursor} = this.tail;
    const {lsn, note} = cursor;
    const isWhole = Buffer.compare(cursor.payload(), payloadOf(lsn, sizeOf(lsn))) === 0;
    const isDurable = lsn <= this.#wal.durableLsn;
    if (lsn !== this.expected || !isDurable || !isWhole || note !== noteOf(lsn))
      throw new Error(`lsn ${lsn} for ${this.expected}, durable ${isDurable}, whole ${isWhole}, note ${note}`);
    this.expected++;
  }
}

const sizeOf = (lsn: bigint): number => Number((lsn * 7919n) % 900n) + 4;
const noteOf = (lsn: bigint): number => Number((lsn * 31n) % 256n);

function appendSome(wal: Wal, count: number): void {
  for (let i = 0; i < count; i++) {
    const lsn = wal.nextLsn as bigint;
    const status = wal.append(1, 1, 0, 0, payloadOf(lsn, sizeOf(lsn)), 0, sizeOf(lsn));
    if (status !== STATUS.OK) return;
    wal.annotate(noteOf(lsn));
  }
}

type Op =
  | {readonly kind: 'append' | 'read' | 'truncate' | 'subscribe'; readonly amount: number; readonly yields: boolean}
  | {readonly kind: 'commit' | 'begin' | 'finish' | 'idle' | 'marker'};

const AMOUNT = fc.record({amount: fc.nat({max: 1000}), yields: fc.boolean()});
const OP: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom('append', 'read'), AMOUNT).map(([kind, more]) => ({kind, ...more}) as Op),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('truncate', 'subscribe'), AMOUNT)
      .map(([kind, more]) => ({kind, ...more}) as Op),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom('commit', 'begin', 'finish', 'idle', 'marker').map(kind => ({kind}) as Op),
  },
);

/** A log with its readers, while things happen to it. */
class Run {
  readonly wal: Wal = openSmall(new SimDisk());
  readonly readers: Reader[] = [new Reader(this.wal, 1n, true), new Reader(this.wal, 1n, false)];
  #flight: Promise<void> | null = null;

  async apply(op: Op): Promise<void> {
    const {wal} = this;
    switch (op.kind) {
      case 'append':
        appendSome(wal, (op.amount % 12) + 1);
        break;
      case 'read':
        this.readers[op.amount % this.readers.length]?.read(op.amount % 40);
        break;
      case 'truncate': {
        const removed = wal.truncateBefore((wal.durableLsn * BigInt(op.amount)) / 1000n, 2);
        const held = this.readers.filter(({yields}) => !yields).map(({expected}) => expected);
        if (removed > 0) for (const expected of held) expect(wal.firstLsn).toBeLessThanOrEqual(expected);
        break;
      }
      case 'subscribe': {
        const span = wal.durableLsn + 2n - wal.firstLsn;
        this.readers.push(new Reader(wal, wal.firstLsn + (span * BigInt(op.amount)) / 1001n, op.yields));
        break;
      }
      case 'commit':
        await this.finish();
        wal.commitSync();
        break;
      case 'begin':
        if (this.#flight === null && wal.freeze()) this.#flight = wal.writeFrozen();
        // Somewhere between the write, the sync and the name of a new segment.
        for (let i = 0; i < wal.openRecords % 5; i++) await Promise.resolve();
        break;
      case 'finish':
        await this.finish();
        break;
      default:
        if (this.#flight === null && op.kind === 'idle') wal.markIdle();
        if (this.#flight === null && op.kind === 'marker' && wal.durableLsn > 0n)
          wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16));
    }
  }

  async finish(): Promise<void> {
    await this.#flight;
    this.#flight = null;
  }
}

test('any interleaving: every durable record once, in order and whole, or the reader was passed and is told', async () => {
  const seen = {passed: 0, rolls: 0, records: 0};
  await fc.assert(
    fc.asyncProperty(fc.array(OP, {minLength: 40, maxLength: 120, size: 'max'}), async ops => {
      const run = new Run();
      for (const op of ops) await run.apply(op);
      await run.finish();
      run.wal.commitSync();
      for (const reader of run.readers) {
        reader.drain();
        if (reader.isPassed) seen.passed++;
        reader.tail.close();
        reader.tail.close();
      }
      seen.rolls += run.wal.metrics.rolls;
      seen.records += Number(run.wal.durableLsn);
      expect(run.wal.metrics.pins).toBe(0);
      run.wal.closeSync();
    }),
    {numRuns: 150},
  );
  // The property has met what it is about.
  expect(seen.passed).toBeGreaterThan(5);
  expect(seen.rolls).toBeGreaterThan(100);
});

describe('the way to where a tail begins', () => {
  test('is told frame by frame, with lsns below it, and no record of it is shown', () => {
    const wal = openSmall(new SimDisk());
    for (let frame = 0; frame < 6; frame++) commitFrame(wal, 3);
    const {cursor} = wal.tail({from: 11n, onMore: () => {}});
    const events: [number, bigint][] = [];
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) events.push([event, cursor.lsn]);
    expect(events).toEqual([
      [READ.FRAME_END, 3n],
      [READ.FRAME_END, 6n],
      [READ.FRAME_END, 9n],
      [READ.RECORD, 11n],
      [READ.RECORD, 12n],
      [READ.FRAME_END, 12n],
      ...[13n, 14n, 15n].map(lsn => [READ.RECORD, lsn]),
      [READ.FRAME_END, 15n],
      ...[16n, 17n, 18n].map(lsn => [READ.RECORD, lsn]),
      [READ.FRAME_END, 18n],
    ]);
    wal.closeSync();
  });

  test('that is gone is refused, and leaves no pin', () => {
    const wal = openSmall(new SimDisk());
    for (let frame = 0; frame < 20; frame++) commitFrame(wal, 2, 2000);
    wal.truncateBefore(30n);
    const before = wal.firstLsn - 1n;
    for (const from of [0n, 1n, before]) {
      const error = errorOf(() => wal.tail({from, yields: true, onMore: () => {}}));
      expect(error).toMatchObject({code: 'missing_segment', lsn: from});
    }
    expect(wal.metrics.pins).toBe(0);
    const tail = wal.tail({from: before + 1n, onMore: () => {}});
    expect(tail.cursor.next()).toBe(READ.RECORD);
    expect(tail.cursor.lsn).toBe(before + 1n);
    wal.closeSync();
  });
});

describe('the end of the log', () => {
  function setUp(): {disk: SimDisk; wal: Wal; tail: LogTail; rings: () => number} {
    const disk = new SimDisk();
    const wal = openSmall(disk);
    commitFrame(wal, 2);
    let rings = 0;
    const tail = wal.tail({from: 2n, yields: true, onMore: () => rings++});
    expect([tail.cursor.next(), tail.cursor.next(), tail.cursor.next()]).toEqual([
      READ.RECORD,
      READ.FRAME_END,
      READ.END,
    ]);
    return {disk, wal, tail, rings: () => rings};
  }

  test('rings after each sync, and not before, until the tail is closed', async () => {
    const {wal, tail, rings} = setUp();
    append(wal);
    expect(rings()).toBe(0);
    const committed = wal.commit();
    expect(rings()).toBe(0);
    await committed;
    expect(rings()).toBe(1);
    commitFrame(wal, 1);
    expect(rings()).toBe(2);
    tail.close();
    commitFrame(wal, 1);
    expect(rings()).toBe(2);
    expect(errorOf(() => tail.cursor.next()).code).toBe('closed');
    wal.closeSync();
  });

  test('of a log that failed: what became durable before is shown, then that it failed', () => {
    const {disk, wal, tail, rings} = setUp();
    commitFrame(wal, 3);
    append(wal);
    disk.arm({call: 1, kind: 'EIO'});
    expect(errorOf(() => wal.commitSync()).code).toBe('failed');
    expect(rings()).toBe(2);
    tail.refresh();
    const lsns: bigint[] = [];
    for (let event = tail.cursor.next(); event !== READ.END; event = tail.cursor.next())
      if (event === READ.RECORD) lsns.push(tail.cursor.lsn);
    expect(lsns).toEqual([3n, 4n, 5n]);
    expect(errorOf(() => tail.isOpen)).toBe(wal.failure);
    expect(errorOf(() => wal.tail({from: 1n, onMore: () => {}}))).toBe(wal.failure);
    wal.abandon();
    expect(errorOf(() => tail.refresh()).code).toBe('closed');
    expect(errorOf(() => tail.cursor.next()).code).toBe('closed');
  });

  test('of a log that was closed', () => {
    const {wal, tail, rings} = setUp();
    expect(tail.isOpen).toBe(true);
    append(wal);
    wal.closeSync();
    expect(rings()).toBe(2);
    expect(tail.isOpen).toBe(false);
    expect(errorOf(() => tail.refresh()).code).toBe('closed');
    expect(errorOf(() => tail.cursor.next()).code).toBe('closed');
    tail.close();
  });
});
