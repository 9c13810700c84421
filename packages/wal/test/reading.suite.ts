/**
 * Everything that reads a log, on any `FileIo`: filters, pages, followers, copies, dumps.
 */

import {describe, expect, test} from 'vitest';
import {
  copyWal,
  type DumpEntry,
  dumpWal,
  type FileIo,
  type LogRecord,
  READ,
  readWal,
  verifyWal,
  Wal,
  type WalOptions,
} from '../src/index.ts';
import {append, commitFrame, errorOf, payloadOf, readAll, SMALL} from './support.ts';

/** A log with records of types 1 to 3 and scopes of three tenants, in lsns 1 to `count`. */
function fillMixed(wal: Wal, count: number): void {
  for (let i = 1; i <= count; i++) {
    const scope = {tenant: BigInt(i % 3), database: BigInt(i % 2), vshard: i % 5};
    wal.appendRecord({type: (i % 3) + 1, payload: payloadOf(BigInt(i), 40), ...(i % 4 === 0 ? {} : {scope})});
    if (i % 6 === 0) wal.commitSync();
  }
  wal.commitSync();
}

async function collect(records: AsyncIterable<LogRecord>): Promise<bigint[]> {
  const lsns: bigint[] = [];
  for await (const {lsn} of records) lsns.push(lsn);
  return lsns;
}

export function runReadingSuite(name: string, make: () => {io: FileIo; dir: string}): void {
  function setup(): {io: FileIo; dir: string; open: (options?: Partial<WalOptions>) => Wal} {
    const {io, dir} = make();
    return {io, dir, open: (options = {}) => Wal.open({dir, io, ...SMALL, ...options})};
  }

  describe(`reading: ${name}`, () => {
    test('from, to, types and scope choose exactly what a naive filter chooses', () => {
      const {open} = setup();
      const wal = open();
      fillMixed(wal, 200);
      const all = [...wal.pages()].flatMap(page => page.records);
      expect(all.length).toBe(200);
      const chosen = (options: Parameters<Wal['read']>[0]): bigint[] => readAll(wal.read(options)).lsns;
      const expected = (keep: (record: LogRecord) => boolean): bigint[] => all.filter(keep).map(({lsn}) => lsn);
      expect(chosen({from: 20n, to: 60n})).toEqual(expected(({lsn}) => lsn >= 20n && lsn <= 60n));
      expect(chosen({types: [2]})).toEqual(expected(({type}) => type === 2));
      expect(chosen({types: []})).toEqual([]);
      expect(chosen({scope: {tenant: 1n}})).toEqual(expected(({scope}) => scope?.tenant === 1n));
      expect(chosen({scope: {}})).toEqual(expected(({scope}) => scope !== null));
      const both = {scope: {database: 1n, vshard: 3}, types: new Set([1, 2]), from: 7n};
      const agrees = ({lsn, type, scope}: LogRecord): boolean =>
        lsn >= 7n && type !== 3 && scope?.database === 1n && scope.vshard === 3;
      expect(chosen(both)).toEqual(expected(agrees));
      expect(chosen(both).length).toBeGreaterThan(3);
      wal.closeSync();
    });

    test('a cursor that reached `to` stays at its end, and a closed one says so', () => {
      const {open, io, dir} = setup();
      const wal = open();
      for (let frame = 0; frame < 3; frame++) commitFrame(wal, 4);
      const cursor = wal.read({from: 2n, to: 3n});
      const events = Array.from({length: 5}, () => cursor.next());
      expect(events).toEqual([READ.RECORD, READ.RECORD, READ.END, READ.END, READ.END]);
      expect(readAll(wal.read({to: 4n})).frameEnds).toEqual([4n]);
      cursor.close();
      expect(errorOf(() => cursor.next()).code).toBe('closed');
      wal.closeSync();
      expect(readAll(readWal({dir, io}, {from: 5n, to: 6n})).lsns).toEqual([5n, 6n]);
    });

    test('records carry scope, stamp, note and whether they are required', () => {
      const {open} = setup();
      const wal = open();
      const scope = {tenant: 2n ** 64n - 1n, database: 7n, vshard: 0xffff_ffff};
      const payload = payloadOf(1n, 10);
      wal.appendRecord({type: 9, payload, stamp: 5n, required: false, scope});
      wal.appendRecord({type: 9, payload});
      wal.appendRecord({type: 9, payload, note: 1, scope});
      wal.annotate(255);
      wal.commitSync();
      expect(() => wal.annotate(1)).toThrow(RangeError);
      const [page] = [...wal.pages()];
      expect(page?.records).toEqual([
        {lsn: 1n, type: 9, stamp: 5n, required: false, note: 0, scope, payload},
        {lsn: 2n, type: 9, stamp: 0n, required: true, note: 0, scope: null, payload},
        {lsn: 3n, type: 9, stamp: 0n, required: true, note: 255, scope, payload},
      ]);
      for (const note of [-1, 1.5, 256]) expect(() => wal.appendRecord({type: 1, payload, note})).toThrow(RangeError);
      for (const vshard of [-1, 1.5, 2 ** 32]) {
        expect(() => wal.appendRecord({type: 1, payload, scope: {...scope, vshard}})).toThrow(RangeError);
      }
      wal.closeSync();
    });

    test('pages are bounded by records and by bytes, and any of them can be read on from', () => {
      const {open} = setup();
      const wal = open();
      for (let frame = 0; frame < 15; frame++) commitFrame(wal, 7, 100);
      const sizes = (options: Parameters<Wal['pages']>[0]): number[] =>
        [...wal.pages(options)].map(({records}) => records.length);
      expect(sizes({maxRecords: 50})).toEqual([50, 50, 5]);
      expect(sizes({maxBytes: 250, from: 100n})).toEqual([3, 3]);
      expect(sizes({maxBytes: 1, from: 104n})).toEqual([1, 1]);
      expect(sizes({from: 106n})).toEqual([]);
      let from: bigint | undefined = 1n;
      const lsns: bigint[] = [];
      while (from !== undefined) {
        const [page]: {records: readonly LogRecord[]; next: bigint}[] = [...wal.pages({from, maxRecords: 20})];
        lsns.push(...(page?.records ?? []).map(({lsn}) => lsn));
        from = page?.next;
      }
      expect(lsns).toEqual(Array.from({length: 105}, (_, i) => BigInt(i + 1)));
      for (const _ of wal.pages({maxRecords: 1})) break;
      expect(wal.truncateBefore(100n)).toBeGreaterThan(0);
      wal.closeSync();
    });

    test('a follower sees every durable record once, in order, over segments, as it becomes durable', async () => {
      const {open} = setup();
      const wal = open();
      commitFrame(wal, 5, 300);
      const seen = collect(wal.follow({to: 200n}));
      for (let frame = 0; frame < 40; frame++) {
        for (let i = 0; i < 5; i++) append(wal, 300);
        await wal.commit();
      }
      expect(wal.metrics.segments).toBeGreaterThan(3);
      expect(await seen).toEqual(Array.from({length: 200}, (_, i) => BigInt(i + 1)));
      await wal.close();
    });

    test('a follower waits at the end, ends with the log, and throws the reason of its signal', async () => {
      const {open} = setup();
      const wal = open();
      commitFrame(wal, 2);
      append(wal);
      const controller = new AbortController();
      const iterator = wal.follow({signal: controller.signal});
      expect([(await iterator.next()).value?.lsn, (await iterator.next()).value?.lsn]).toEqual([1n, 2n]);
      const third = iterator.next();
      wal.commitSync();
      expect((await third).value?.lsn).toBe(3n);
      const fourth = iterator.next();
      const reason = new Error('enough');
      controller.abort(reason);
      await expect(fourth).rejects.toBe(reason);
      await expect(wal.follow({signal: controller.signal}).next()).rejects.toBe(reason);
      const other = collect(wal.follow({from: 2n}));
      await new Promise(resolve => setImmediate(resolve));
      await wal.close();
      expect(await other).toEqual([2n, 3n]);
      await expect(wal.follow().next()).rejects.toMatchObject({code: 'closed'});
    });

    test('a follower holds the log; one that yields is passed and told', async () => {
      const {open} = setup();
      const wal = open();
      for (let frame = 0; frame < 30; frame++) commitFrame(wal, 5, 200);
      const holding = wal.follow();
      await holding.next();
      expect(wal.truncateBefore(100n)).toBe(0);
      await holding.return();
      const yielding = wal.follow({yields: true});
      await yielding.next();
      expect(wal.truncateBefore(100n)).toBeGreaterThan(0);
      await expect(yielding.next()).rejects.toMatchObject({code: 'missing_segment', lsn: 2n});
      const late = wal.follow({from: 1n});
      await expect(late.next()).rejects.toMatchObject({code: 'missing_segment', lsn: 1n});
      wal.closeSync();
    });

    test('a follower at the end is passed only where it yields and has not read everything', async () => {
      for (const yields of [false, true]) {
        const {open} = setup();
        const wal = open();
        commitFrame(wal, 4, 500);
        const iterator = wal.follow({yields});
        for (let lsn = 1n; lsn <= 4n; lsn++) expect((await iterator.next()).value?.lsn).toBe(lsn);
        const tail = wal.follow({from: 5n, yields});
        const pending = [iterator.next(), tail.next()];
        await new Promise(resolve => setImmediate(resolve));
        const segmentBefore = wal.metrics.rolls;
        while (wal.metrics.rolls === segmentBefore) commitFrame(wal, 1, 2000);
        const first = wal.durableLsn;
        expect(wal.truncateBefore(first)).toBe(yields || first === 5n ? 1 : 0);
        const results = await Promise.allSettled(pending);
        // What was appended to the segment before it ended has been missed by those that yield, and only by them.
        if (yields && first > 5n) expect(results.map(({status}) => status)).toEqual(['rejected', 'rejected']);
        else for (const result of results) expect(result).toMatchObject({value: {value: {lsn: 5n}}});
        wal.closeSync();
      }
    });

    test('a follower that waits for a later lsn holds the segment it waits in', async () => {
      const {open} = setup();
      const wal = open();
      commitFrame(wal, 1);
      const iterator = wal.follow({from: 20n});
      const next = iterator.next();
      await new Promise(resolve => setImmediate(resolve));
      for (let lsn = 2; lsn < 18; lsn++) commitFrame(wal, 1, 2000);
      expect(wal.truncateBefore(17n)).toBe(0);
      for (let lsn = 18; lsn <= 20; lsn++) commitFrame(wal, 1, 2000);
      expect((await next).value?.lsn).toBe(20n);
      expect(wal.truncateBefore(17n)).toBeGreaterThan(0);
      wal.closeSync();
    });

    test('a follower at the end goes on in the next segment though its own was given up', async () => {
      for (const yields of [false, true]) {
        const {open} = setup();
        const wal = open();
        for (let frame = 0; frame < 3; frame++) commitFrame(wal, 1, 2048);
        for (let frame = 0; frame < 2; frame++) commitFrame(wal, 1, 1800);
        const last = wal.durableLsn;
        const iterator = wal.follow({from: last + 1n, yields});
        const next = iterator.next();
        await new Promise(resolve => setImmediate(resolve));
        const {rolls} = wal.metrics;
        commitFrame(wal, 1, 2048);
        expect(wal.metrics.rolls).toBe(rolls + 1);
        expect(wal.truncateBefore(last + 1n)).toBe(1);
        expect((await next).value?.lsn).toBe(last + 1n);
        wal.closeSync();
      }
    });

    test('a follower that catches up lets commits and timers have their turns', async () => {
      const {open} = setup();
      const wal = open({maxFrameBytes: 4096});
      for (let frame = 0; frame < 200; frame++) commitFrame(wal, 2, 20);
      let turns = 0;
      let isDone = false;
      const count = (): void => {
        turns++;
        if (!isDone) setImmediate(count);
      };
      setImmediate(count);
      expect(await collect(wal.follow({to: 400n, types: [9]}))).toEqual([]);
      isDone = true;
      expect(turns).toBeGreaterThan(20);
      wal.closeSync();
    });

    test('a follower ends with the log, and a cursor that is left says that it was closed', async () => {
      const {open} = setup();
      const wal = open();
      commitFrame(wal, 1);
      const iterator = wal.follow();
      await iterator.next();
      const next = iterator.next();
      await new Promise(resolve => setImmediate(resolve));
      const cursor = wal.read(1n);
      wal.closeSync();
      expect(await next).toEqual({value: undefined, done: true});
      expect(errorOf(() => cursor.next()).code).toBe('closed');
    });

    test('types and stamps out of their widths are refused before anything is appended', () => {
      const {open} = setup();
      const wal = open();
      const payload = new Uint8Array(1);
      for (const type of [-1, 65_536, 1.5]) expect(() => wal.appendRecord({type, payload})).toThrow(RangeError);
      for (const stamp of [-1n, 2n ** 64n])
        expect(() => wal.appendRecord({type: 1, payload, stamp})).toThrow(RangeError);
      expect(wal.nextLsn).toBe(1n);
      expect(wal.pages().return().done).toBe(true);
      expect(wal.metrics.pins).toBe(0);
      wal.closeSync();
    });

    test('a copy of an open log ends where the log was durable when it began, whatever comes meanwhile', async () => {
      const {open, io, dir} = setup();
      const wal = open();
      for (let frame = 0; frame < 20; frame++) commitFrame(wal, 5, 200);
      append(wal);
      const progress: number[] = [];
      const to = `${dir}-copy`;
      const copying = wal.copyTo({to, onProgress: (copied, total) => progress.push(copied / total)});
      for (let frame = 0; frame < 30; frame++) commitFrame(wal, 5, 200);
      expect(wal.truncateBefore(200n)).toBe(0);
      const report = await copying;
      expect(report).toMatchObject({ending: 'clean', firstLsn: 1n, lastLsn: 100n, records: 100, cutBytes: 0});
      expect([progress.at(0), progress.at(-1)]).toEqual([expect.any(Number), 1]);
      expect(wal.truncateBefore(200n)).toBeGreaterThan(0);
      const copy = Wal.open({dir: to, io, ...SMALL});
      expect(copy.recovery).toMatchObject({ending: 'clean', lastLsn: 100n});
      expect(readAll(copy.read(1n)).payloads[99]).toEqual(payloadOf(100n, 200));
      commitFrame(copy, 1);
      copy.closeSync();
      wal.closeSync();
      await expect(copyWal({dir, io}, {to})).rejects.toMatchObject({code: 'not_empty'});
    });

    test('a copy of a closed log, and one that was stopped', async () => {
      const {open, io, dir} = setup();
      const wal = open();
      for (let frame = 0; frame < 20; frame++) commitFrame(wal, 5, 200);
      wal.closeSync();
      expect(await copyWal({dir, io}, {to: `${dir}-b`})).toMatchObject({ending: 'clean', lastLsn: 100n, records: 100});
      const controller = new AbortController();
      const stopped = copyWal(
        {dir, io},
        {to: `${dir}-c`, signal: controller.signal, onProgress: () => controller.abort(new Error('stop'))},
      );
      await expect(stopped).rejects.toThrow('stop');
      expect(['corruption', 'missing_log']).toContain(errorOf(() => verifyWal({dir: `${dir}-c`, io})).code);
      const {io: emptyIo, dir: empty} = make();
      await expect(copyWal({dir: empty, io: emptyIo}, {to: `${empty}-d`})).rejects.toMatchObject({code: 'missing_log'});
    });

    test('a dump names everything in its order, and verification finds the same', () => {
      const {open, io, dir} = setup();
      const wal = open();
      for (let frame = 0; frame < 20; frame++) commitFrame(wal, 5, 200);
      wal.writeSnapshotMarkerSync(7, 0, payloadOf(1n, 16));
      commitFrame(wal, 1);
      wal.closeSync();
      const entries = [...dumpWal({dir, io, records: true})];
      const of = <K extends DumpEntry['kind']>(kind: K): Extract<DumpEntry, {kind: K}>[] =>
        entries.filter((entry): entry is Extract<DumpEntry, {kind: K}> => entry.kind === kind);
      const report = verifyWal({dir, io});
      expect(of('record').map(({record}) => record.lsn)).toEqual(Array.from({length: 101}, (_, i) => BigInt(i + 1)));
      expect(of('segment').length).toBe(report.segments);
      expect(of('segment').map(({ordinal}) => ordinal)).toEqual(of('segment').map((_, i) => BigInt(i + 1)));
      expect(of('frame').filter(({frame}) => frame === 'data').length).toBe(report.frames);
      expect(
        of('frame')
          .slice(-3)
          .map(({frame}) => frame),
      ).toEqual(['snapshot', 'data', 'seal']);
      expect(of('frame').at(-3)?.marker).toEqual({lsn: 7n, digest: payloadOf(1n, 16)});
      const synced = of('frame').map(({syncedLsn}) => syncedLsn);
      expect(synced).toEqual([...synced].sort((a, b) => Number(a - b)));
      expect(entries.at(-1)).toMatchObject({kind: 'end', dirtyBytes: 0});
      expect(entries.filter(({kind}) => kind === 'record').length).toBe(report.records);
    });
  });
}
