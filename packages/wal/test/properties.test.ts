/**
 * What the log promises, for any sequence of operations and any crash, each promise a test with its name.
 *
 * - replay after any crash point is a prefix that holds everything acknowledged; no power cut is refused: here, and
 *   `power_cuts.test.ts`
 * - recovery twice, and recovery interrupted anywhere and repeated, give the same bytes: here, and `recovery.test.ts`
 * - lsns are dense and rise over segments and restarts; durable <= written <= appended; at most one unproven frame; the
 *   synced lsn is true and moves; an atomic group is whole or absent: here
 * - any single byte change in a frame is detected; no damage to proven data opens: here, and `damage.test.ts`
 * - arbitrary input throws nothing but the typed error, in bounded memory: here, and `damage.test.ts`
 * - decode(encode(x)) = x: here for records; for the typed ones beside their codecs
 */

import fc from 'fast-check';
import {expect, test} from 'vitest';
import {isWalError, readWal, STATUS, verifyWal, type Wal, type WalOptions} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {ANY_FILE, ANY_LSN, segmentOf} from './arbitrary_files.ts';
import {History, NOISE, payloadStart} from './campaign/history.ts';
import {DATA_FRAME, framesIn, holdSameBytes} from './campaign/log_bytes.ts';
import {RecordingDisk} from './recording_disk.ts';
import {DIR, errorOf, openSmall, readAll, segmentNames} from './support.ts';

type Op =
  | {readonly kind: 'append' | 'group'; readonly sizes: readonly number[]}
  | {readonly kind: 'commit' | 'commitAsync' | 'freeze' | 'write' | 'idle' | 'marker' | 'close' | 'kill' | 'truncate'};

const SIZES = fc.array(fc.nat({max: 700}), {minLength: 1, maxLength: 5});
const OP: fc.Arbitrary<Op> = fc.oneof(
  {weight: 5, arbitrary: SIZES.map((sizes): Op => ({kind: 'append', sizes}))},
  {weight: 2, arbitrary: SIZES.map((sizes): Op => ({kind: 'group', sizes}))},
  {
    weight: 9,
    arbitrary: fc
      .constantFrom(
        ...(['commit', 'commitAsync', 'freeze', 'write', 'idle', 'marker', 'close', 'kill', 'truncate'] as const),
      )
      .map((kind): Op => ({kind})),
  },
);
const OPS = fc.array(OP, {minLength: 8, maxLength: 30, size: 'max'});

/** A log, whoever has it open at the moment, and what it should hold. */
class Run {
  readonly history: History = new History();
  readonly disk: SimDisk;
  readonly #options: Partial<WalOptions>;
  wal: Wal;
  life = 1;

  constructor(disk: SimDisk, options: Partial<WalOptions> = {}) {
    this.disk = disk;
    this.#options = options;
    this.wal = openSmall(disk, options);
  }

  async apply(op: Op): Promise<void> {
    const {wal} = this;
    if (op.kind === 'append') for (const bytes of op.sizes) this.#append(bytes);
    else if (op.kind === 'group') this.#group(op.sizes);
    else if (op.kind === 'commit') wal.commitSync();
    else if (op.kind === 'commitAsync') await wal.commit();
    else if (op.kind === 'freeze') wal.freeze();
    else if (op.kind === 'write') wal.writeFrozenSync();
    else if (op.kind === 'idle') wal.markIdle();
    else if (op.kind === 'marker') this.#marker();
    else if (op.kind === 'truncate') this.#truncate();
    else this.#reopen(op.kind === 'close');
    this.history.acknowledge(this.wal);
  }

  #append(bytes: number): boolean {
    const lsn = this.wal.nextLsnLo;
    const status = this.wal.append(1, 1, 0, 0, NOISE, payloadStart(lsn, this.life), bytes);
    if (status === STATUS.FRAME_FULL) return false;
    expect(status).toBe(STATUS.OK);
    this.history.appended(lsn, bytes, this.life);
    return true;
  }

  #group(sizes: readonly number[]): void {
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (this.wal.room(sizes.length, bytes) !== STATUS.OK) return;
    const first = this.wal.nextLsnLo;
    for (const size of sizes) expect(this.#append(size)).toBe(true);
    this.history.grouped(first, first + sizes.length - 1);
  }

  #marker(): void {
    if (this.wal.frozenRecords === 0) this.wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16).fill(3));
  }

  #truncate(): void {
    this.history.truncatedBefore = Math.max(this.history.truncatedBefore, this.history.acknowledged);
    this.wal.truncateBefore(BigInt(this.history.acknowledged));
  }

  #reopen(clean: boolean): void {
    if (clean) this.wal.closeSync();
    else this.wal.abandon();
    this.history.acknowledge(this.wal);
    this.life++;
    this.wal = openSmall(this.disk, this.#options);
    this.history.check(this.wal);
  }
}

async function runAll(disk: SimDisk, ops: readonly Op[], options: Partial<WalOptions> = {}): Promise<Run> {
  const run = new Run(disk, options);
  for (const op of ops) await run.apply(op);
  return run;
}

/** The same operations on the same disk, with the power gone at this call; null where it went in the first opening. */
async function runUntilCut(ops: readonly Op[], seed: number, call: number): Promise<{disk: SimDisk; run: Run | null}> {
  const disk = new SimDisk({seed});
  disk.arm({call, kind: 'power_cut'});
  let run: Run | null = null;
  try {
    run = new Run(disk);
    for (const op of ops) await run.apply(op);
  } catch (error) {
    if (!isWalError(error) || !disk.isDown) throw error;
  }
  run?.history.acknowledge(run.wal);
  disk.restart();
  return {disk, run};
}

async function callsOf(ops: readonly Op[], seed: number): Promise<number> {
  const disk = new SimDisk({seed});
  await runAll(disk, ops);
  return disk.calls;
}

test('replay after a power cut at any call is a prefix that holds everything acknowledged, groups whole or absent', async () => {
  let cuts = 0;
  let groups = 0;
  await fc.assert(
    fc.asyncProperty(OPS, fc.nat({max: 1000}), async (ops, seed) => {
      const calls = await callsOf(ops, seed);
      for (let call = 1; call <= calls; call++) {
        const {disk, run} = await runUntilCut(ops, seed, call);
        const history = run?.history ?? new History();
        history.check(openSmall(disk, {floor: BigInt(history.acknowledged)}));
        groups += history.wholeGroups + history.lostGroups;
        cuts++;
      }
    }),
    {numRuns: 30},
  );
  expect(cuts).toBeGreaterThan(1000);
  expect(groups).toBeGreaterThan(100);
});

test('recovery twice gives the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(OPS, fc.nat({max: 1000}), fc.nat(), async (ops, seed, at) => {
      const {disk} = await runUntilCut(ops, seed, 1 + (at % (await callsOf(ops, seed))));
      openSmall(disk).abandon();
      const once = disk.fork();
      openSmall(disk).abandon();
      expect(holdSameBytes(once, disk, DIR)).toBe(true);
    }),
    {numRuns: 200},
  );
});

test('recovery interrupted at every call, by power or by an error, and repeated gives the same bytes', async () => {
  let interruptions = 0;
  await fc.assert(
    fc.asyncProperty(OPS, fc.nat({max: 1000}), fc.nat(), async (ops, seed, at) => {
      const {disk} = await runUntilCut(ops, seed, 1 + (at % (await callsOf(ops, seed))));
      const whole = disk.fork();
      const wal = openSmall(whole);
      const {calls} = whole;
      wal.abandon();
      // A new log has a uuid of its own.
      if (wal.recovery.ending === 'fresh') return;
      for (let call = 1; call <= calls; call++) {
        for (const kind of ['power_cut', 'EIO'] as const) {
          const cut = disk.fork(call);
          cut.arm({call, kind, forever: true});
          expect(errorOf(() => openSmall(cut)).code).toBe('io');
          cut.arm(null);
          cut.restart();
          openSmall(cut).abandon();
          expect(holdSameBytes(whole, cut, DIR)).toBe(true);
          interruptions++;
        }
      }
    }),
    {numRuns: 60},
  );
  expect(interruptions).toBeGreaterThan(500);
});

test('lsns are dense and rise over segments and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(OPS, fc.array(OPS, {minLength: 2, maxLength: 6}), async (first, more) => {
      const {wal} = await runAll(new SimDisk(), [...first, ...more.flat()]);
      wal.commitSync();
      const firstLsn = wal.firstLsn;
      const {lsns, frameEnds} = readAll(wal.read());
      expect(lsns).toEqual(lsns.map((_, index) => firstLsn + BigInt(index)));
      expect(lsns.at(-1) ?? firstLsn - 1n).toBe(wal.durableLsn);
      expect(frameEnds.every((end, index) => index === 0 || end > (frameEnds[index - 1] as bigint))).toBe(true);
      const begins = wal.segments.map(segment => segment.firstLsn);
      expect(begins[0]).toBe(firstLsn);
      expect(begins.every((begin, index) => index === 0 || begin > (begins[index - 1] as bigint))).toBe(true);
    }),
    {numRuns: 60},
  );
});

test('durable <= written <= appended after every step, and each only grows', async () => {
  await fc.assert(
    fc.asyncProperty(OPS, async ops => {
      const run = new Run(new SimDisk());
      let [durableBefore, writtenBefore] = [0n, 0n];
      for (const op of ops) {
        await run.apply(op);
        const {durableLsn, frozenRecords, openRecords, nextLsn} = run.wal;
        const written = verifyWal({dir: DIR, io: run.disk.fork()}).lastLsn ?? run.wal.firstLsn - 1n;
        const appended = (nextLsn as bigint) - 1n;
        expect(durableLsn).toBeGreaterThanOrEqual(durableBefore);
        expect(written).toBeGreaterThanOrEqual(writtenBefore);
        expect(durableLsn).toBeLessThanOrEqual(written);
        expect(written).toBeLessThanOrEqual(appended);
        expect(durableLsn + BigInt(frozenRecords + openRecords)).toBe(appended);
        [durableBefore, writtenBefore] = [durableLsn, written];
      }
    }),
    {numRuns: 60},
  );
});

test('at most one frame on disk is unproven, and the synced lsn in each frame is true and moves', async () => {
  for (const commitMode of ['inline', 'async'] as const) {
    let frames = 0;
    await fc.assert(
      fc.asyncProperty(OPS, async ops => {
        const disk = new RecordingDisk();
        const run = await runAll(
          disk,
          ops.filter(({kind}) => kind !== 'kill' && kind !== 'close'),
          {commitMode},
        );
        run.wal.commitSync();
        for (let i = 0; i < 3; i++) {
          run.wal.appendRecord({type: 1, payload: new Uint8Array(9)});
          await run.wal.commit();
        }
        expect(disk.violations).toEqual([]);
        const {syncedLsns, dataFrames} = disk;
        expect(syncedLsns.every((lsn, index) => index === 0 || lsn >= (syncedLsns[index - 1] as bigint))).toBe(true);
        expect(syncedLsns.at(-1)).toBe(run.wal.durableLsn - 1n);
        frames += dataFrames;
      }),
      {numRuns: 60},
    );
    expect(frames).toBeGreaterThan(200);
  }
});

test('any single byte change in a frame that a later one proves is detected', () => {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (const bytes of [100, 900, 100]) {
    wal.appendRecord({type: 1, payload: NOISE.subarray(0, bytes)});
    wal.commitSync();
  }
  wal.abandon();
  const path = `${DIR}/${segmentNames(disk)[0]}`;
  const original = disk.contentOf(path);
  const [, {start, end, kind}] = framesIn(original) as [unknown, {start: number; end: number; kind: number}];
  expect([kind, end - start]).toEqual([DATA_FRAME, 1024]);
  fc.assert(
    fc.property(fc.integer({min: 1, max: 255}), mask => {
      for (let at = start; at < end; at++) {
        const content = original.slice();
        content[at] = (content[at] as number) ^ mask;
        disk.replaceContent(path, content);
        expect(errorOf(() => verifyWal({dir: DIR, io: disk})).code, `byte ${at - start} ^ ${mask}`).toBe('corruption');
      }
    }),
    {numRuns: 8},
  );
});

test('arbitrary files, with right checksums around arbitrary fields too, throw nothing but the typed error', () => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(fc.array(ANY_FILE, {minLength: 1, maxLength: 4}), ANY_LSN, (files, floor) => {
      const disk = new RecordingDisk();
      disk.makeDir(DIR);
      for (const {name, bytes} of files) disk.replaceContent(`${DIR}/${name}`, bytes);
      const attempts = [
        () => verifyWal({dir: DIR, io: disk, floor}),
        () => readAll(readWal({dir: DIR, io: disk}, {from: floor})),
        () => openSmall(disk, {floor, maxReadFrameBytes: 8192}).abandon(),
      ];
      for (const attempt of attempts) {
        try {
          attempt();
          outcomes.add('opened');
        } catch (error) {
          if (!isWalError(error)) throw error;
          outcomes.add(error.code);
        }
      }
      expect(disk.largestBuffer).toBeLessThanOrEqual(16_384);
    }),
    {numRuns: 3000},
  );
  for (const code of ['opened', 'corruption', 'gap', 'missing_segment', 'missing_log', 'unsupported_version']) {
    expect(outcomes, code).toContain(code);
  }
});

test('a frame that claims more than the bound is refused before its bytes are read', () => {
  const disk = new RecordingDisk();
  disk.makeDir(DIR);
  const header = {version: 1, blockBytes: 512, ordinal: 1n, firstLsn: 1n, flags: 0, marker: 0n};
  const frame = {kind: 1, lsn: 1n, records: 1, bodyBytes: 1 << 20, synced: 0n, link: 0, body: new Uint8Array(9)};
  const segment = new Uint8Array(4 << 20);
  segment.set(segmentOf(header, [frame], new Uint8Array(0)));
  disk.replaceContent(`${DIR}/wal-00000000000000000001.seg`, segment);
  const error = errorOf(() => openSmall(disk, {maxReadFrameBytes: 65_536}));
  expect(error).toMatchObject({code: 'too_large', offset: 4096, lsn: 1n});
  expect(disk.largestBuffer).toBeLessThanOrEqual(1 << 20);
});

test('any record comes back as it was appended', () => {
  const u64 = fc.bigInt({min: 0n, max: 2n ** 64n - 1n});
  const record = fc.record(
    {
      type: fc.nat({max: 65_535}),
      payload: fc.uint8Array({maxLength: 600}),
      stamp: u64,
      required: fc.boolean(),
      note: fc.nat({max: 255}),
      scope: fc.record({tenant: u64, database: u64, vshard: fc.nat({max: 2 ** 32 - 1})}),
    },
    {requiredKeys: ['type', 'payload']},
  );
  fc.assert(
    fc.property(fc.array(record, {minLength: 1, maxLength: 5}), records => {
      const wal = openSmall(new SimDisk());
      for (const one of records) wal.appendRecord(one);
      wal.commitSync();
      const cursor = wal.read();
      for (const one of records) {
        cursor.next();
        const expected = {stamp: 0n, required: true, note: 0, scope: null, lsn: cursor.lsn, ...one};
        expect(cursor.toRecord()).toEqual(expected);
      }
      cursor.close();
    }),
  );
});

/** A disk after whose asynchronous syncs something happens, so many turns of the microtask queue later. */
class Interrupting extends SimDisk {
  turns = 0;
  interrupt: () => void = () => {};

  override async datasyncAsync(handle: number): Promise<void> {
    this.datasync(handle);
    void this.#wait();
  }

  async #wait(): Promise<void> {
    for (let turn = 0; turn < this.turns; turn++) await Promise.resolve();
    this.interrupt();
  }
}

// A commit writes up to two frames. Where somebody freezes the open one by hand between them, or a blocking commit fails
// there, a refused freeze does not mean that nothing is left.
test('a commit is durable when it resolves, whenever the open frame was frozen by hand meanwhile', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const disk = new Interrupting();
    const wal = openSmall(disk, {commitMode: 'async'});
    wal.appendRecord({type: 1, payload: new Uint8Array(9)});
    wal.freeze();
    wal.appendRecord({type: 1, payload: new Uint8Array(9)});
    disk.turns = turns;
    disk.interrupt = () => void wal.freeze();
    await wal.commit();
    expect(wal.durableLsn, `after ${turns} turns`).toBe(2n);
  }
});
