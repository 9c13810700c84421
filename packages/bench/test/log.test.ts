/**
 * The scenario of the log from end to end with the smallest budgets, and its parts with exact counts. Nothing is asserted
 * about durations.
 */
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {FRAME_HEADER_BYTES, readWal, STATUS, verifyWal, Wal} from '@allocdb/wal';
import {expect, test} from 'vitest';
import {helpText, parseCommandLine} from '../src/cli.ts';
import {BareLog, frameBytesOf} from '../src/log_bare.ts';
import {LaneLoop} from '../src/log_lanes.ts';
import {buildLog, REPLAY_FRAME_RECORDS, replayTable} from '../src/log_replay.ts';
import {RECORD_BYTES, recordPayload, WalSubject} from '../src/log_subject.ts';
import {type Cell, isSpread, type Table} from '../src/report.ts';
import {Expectations} from '../src/scenario.ts';
import {LOG} from '../src/scenarios/log.ts';
import {tinyOptions} from './options.ts';

/** What a table says beside its figures: its columns, and the words and targets of each row. */
function shapeOf({title, columns, rows}: Table): {title: string; columns: string[]; labels: Cell[][]} {
  const labels = columns.flatMap(({name, kind}, at) => (kind === 'text' || name === 'waiters' ? [at] : []));
  return {title, columns: columns.map(({name}) => name), labels: rows.map(row => labels.map(at => row[at] ?? null))};
}

test('the scenario reports every table, with all counts as they should be, and leaves nothing behind', async () => {
  const options = tinyOptions();
  const report = await LOG.run(options);
  expect(report.failures).toEqual([]);
  expect(readdirSync(options.dir)).toEqual([]);
  const [pairs, commits, rolls, replay, heap] = report.tables.map(shapeOf);
  expect(pairs?.labels).toEqual([
    [1, 'inline'],
    [1, 'async'],
    [16, 'inline'],
    [16, 'async'],
  ]);
  const contenders = [
    ['inline', 'log'],
    ['inline', 'bare, zero-filled'],
    ['inline', 'bare, growing'],
    ['async', 'log'],
    ['async', 'bare, zero-filled'],
    ['async', 'bare, growing'],
    ['adaptive', 'log'],
  ];
  expect(commits?.labels).toEqual([1, 16].flatMap(waiters => contenders.map(names => [waiters, ...names])));
  expect(rolls?.labels).toEqual(
    ['inline', 'async'].flatMap(mode => ['one', '4 MiB'].map(segments => [mode, segments])),
  );
  expect(replay?.labels.flat()).toEqual([
    'bare read and checksum',
    'readWal, cursor',
    'verifyWal',
    'Wal.open, verify all',
  ]);
  expect(heap?.labels).toHaveLength(2);
  for (const cell of report.tables.flatMap(({rows}) => rows.flat())) {
    if (cell !== null && isSpread(cell)) expect(Number.isFinite(cell.median)).toBe(true);
  }
});

test.each(['inline', 'async'] as const)('lanes over the log, %s: what they count is what the log holds', async mode => {
  const dir = join(tinyOptions().dir, 'log');
  const subject = new WalSubject({dir, commitMode: mode, segmentBytes: 1 << 20});
  const loop = new LaneLoop(subject, 5);
  const bounded = await loop.run({millis: 60_000, records: 50});
  expect(bounded.records).toBe(50);
  const timed = await loop.run({millis: 1, records: Number.POSITIVE_INFINITY});
  await subject.close();
  expect(timed.records % 5).toBe(0);
  expect(subject.durableRecords).toBe(50 + timed.records);
  expect(timed.maxMicros).toBeGreaterThanOrEqual(timed.p50Micros);
  const {records, frames} = verifyWal({dir});
  expect([records, frames]).toEqual([50 + timed.records, 10 + timed.records / 5]);
});

test.each(['inline', 'async'] as const)('the bare loop, %s, writes what a frame of the log takes', async mode => {
  const path = join(tinyOptions().dir, 'bare');
  const fileBytes = 4 * frameBytesOf(3);
  const bare = new BareLog({path, mode, fileBytes});
  const {records} = await new LaneLoop(bare, 3).run({millis: 60_000, records: 15});
  await bare.close();
  expect([records, bare.durableRecords]).toEqual([15, 15]);
  // The fifth frame went to the beginning again.
  expect(statSync(path).size).toBe(fileBytes);
  const payload = readFileSync(path).subarray(FRAME_HEADER_BYTES + 16, FRAME_HEADER_BYTES + 16 + RECORD_BYTES);
  expect([...payload]).toEqual([...recordPayload()]);
});

test('a growing file is as long as its frames, which are as long as those of the log', async () => {
  const {dir} = tinyOptions();
  const bare = new BareLog({path: join(dir, 'bare'), mode: 'inline', fileBytes: null});
  await new LaneLoop(bare, 7).run({millis: 60_000, records: 21});
  await bare.close();
  expect(statSync(join(dir, 'bare')).size).toBe(3 * frameBytesOf(7));

  const wal = Wal.open({dir: join(dir, 'log'), segmentBytes: 1 << 20, background: false});
  for (let i = 0; i < 7; i++) expect(wal.append(1, 1, 0, 0, recordPayload(), 0, RECORD_BYTES)).toBe(STATUS.OK);
  const before = wal.metrics.bytesWritten;
  wal.commitSync();
  expect(wal.metrics.bytesWritten - before).toBe(frameBytesOf(7));
  wal.closeSync();
});

test('the log that is replayed has whole frames and says how much of each file is used', () => {
  const dir = join(tinyOptions().dir, 'log');
  const frameBytes = frameBytesOf(REPLAY_FRAME_RECORDS);
  const log = buildLog(dir, 3 * frameBytes);
  expect(log.records).toBe(3 * REPLAY_FRAME_RECORDS);
  expect(log.files).toEqual([
    {path: join(dir, readdirSync(dir).find(name => name.endsWith('.seg')) ?? ''), bytes: log.bytes},
  ]);
  expect(log.bytes).toBe(4096 + 3 * frameBytes);
  const cursor = readWal({dir}, BigInt(log.records));
  cursor.next();
  expect(Number(cursor.lsn)).toBe(log.records);
  cursor.close();
});

test('every way to read a log sees all of it', () => {
  const options = tinyOptions();
  const expectations = new Expectations();
  const table = replayTable(options, options.dir, expectations);
  expect(expectations.failures).toEqual([]);
  const records = Math.ceil((1 << 20) / frameBytesOf(REPLAY_FRAME_RECORDS)) * REPLAY_FRAME_RECORDS;
  expect(table.title).toContain(`Replay of ${records} records`);
});

test('waiters and the size to replay are options', () => {
  expect(helpText()).toContain('  log ');
  const line = parseCommandLine(['--scenario', 'log', '--waiters', '1,64', '--replay-mib', '16']);
  expect(line).toMatchObject({waiters: [1, 64], replayMib: 16});
  expect(() => parseCommandLine(['--waiters', '0'])).toThrow(/--waiters must be a number from 1/);
  expect(() => parseCommandLine(['--replay-mib', '1.5'])).toThrow(/--replay-mib must be a whole number/);
});
