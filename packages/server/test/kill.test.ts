/**
 * Kills of the real server, a few: five cycles of the campaign, whose history the real command confirms, and faults that
 * must be found, by asking again and by the history alone. `pnpm campaign kill --cycles 1000` runs more.
 */
import {cpSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ApiResponse} from '@allocdb/api';
import {openDirectoryLog} from '@allocdb/node/history';
import {afterEach, describe, expect, test} from 'vitest';
import {type KillCounts, type KillViolation, runSeries, type SeriesOptions} from './campaign/kill_series.ts';
import {cleanUp, runCommand, tempFile} from './command.ts';

afterEach(cleanUp);

/** Beside other suites on one core a start of the server takes seconds. */
const LONG_MS = 240_000;
const BLOCK = 512;
const FRAME_MAGIC = 0x464c_4157;
const DATA_FRAME = 1;

/** Frames of a segment that hold records, by the block at which each begins. */
function dataFrames(segment: Buffer): number[] {
  const frames: number[] = [];
  for (let at = 0; at + BLOCK <= segment.length; at += BLOCK) {
    if (segment.readUInt32LE(at) === FRAME_MAGIC && segment[at + 6] === DATA_FRAME) frames.push(at);
  }
  return frames;
}

/** Zeroes the last half of the frames of a log, as if they had never reached the disk. */
function cutFrames(dir: string): void {
  const names = readdirSync(join(dir, 'wal')).filter(name => name.endsWith('.seg'));
  for (const name of names.toReversed()) {
    const path = join(dir, 'wal', name);
    const segment = readFileSync(path);
    const frames = dataFrames(segment);
    const from = frames[frames.length >> 1];
    // The one behind the last that was written to is prepared, and empty.
    if (from === undefined) continue;
    writeFileSync(path, segment.fill(0, from));
    return;
  }
  expect.unreachable('the log has frames');
}

/** What a series says that must not end well. */
async function violation(seed: number, options: SeriesOptions): Promise<string> {
  const error = await runSeries(seed, {cutsLog: false, ...options}).then(
    () => expect.unreachable('the fault was not found'),
    (thrown: KillViolation) => thrown,
  );
  return error.message;
}

/** Until the server was struck in its recovery and while it wrote a checkpoint. */
const goesOn: SeriesOptions['goesOn'] = {
  cycles: 25,
  until: ({inRecovery, inCheckpoint}) => inRecovery > 0 && inCheckpoint > 0,
  ends: 'in_checkpoint',
};

test('five cycles: every answer is given again, every open operation is settled, and the history is sound', {
  timeout: LONG_MS,
}, async () => {
  const {counts, report, dir, history} = await runSeries(3, {cycles: 5, goesOn, cutsLog: false});
  expect(counts.findings).toBe(0);
  expect(counts.cycles).toBeGreaterThanOrEqual(5);
  expect(counts.kills).toBeGreaterThanOrEqual(counts.cycles + counts.inRecovery);
  expect(counts.inRecovery).toBeGreaterThan(0);
  expect(counts.inCheckpoint).toBeGreaterThan(0);
  expect(counts.askedAgain).toBeGreaterThan(1000);
  expect(counts.unanswered).toBeGreaterThan(100);
  expect(counts.happened + counts.notHappened).toBe(counts.unanswered);
  expect(report.checks.filter(({checked}) => checked === 0)).toEqual([]);

  const file = tempFile('history.jsonl', history);
  const {code, stdout} = await runCommand(['verify', dir, '--history', file, '--json']);
  const said = JSON.parse(stdout.toString());
  expect(said).toMatchObject({ok: true, history: {found: 0, attempts: counts.attempts, checks: report.checks}});
  expect(code).toBe(0);
  // What the answers alone can tell does not contradict them either.
  const alone = await runCommand(['verify', '--history', file]);
  expect(alone.stdout.toString()).toMatch(/\nok {2}history\n$/);
});

function isCut(_counts: KillCounts, dir: string): boolean {
  using log = openDirectoryLog(dir);
  return log.firstLsn > 1n;
}

test('a log that is cut behind snapshots: the history is sound before them and behind them', {
  timeout: LONG_MS,
}, async () => {
  const {counts, report, dir, history} = await runSeries(4, {
    cycles: 4,
    cutsLog: true,
    goesOn: {cycles: 25, until: isCut, ends: 'behind_checkpoint'},
  });
  expect(counts.findings).toBe(0);
  const {firstLsn = 0n, replayedFrom = 0n} = report.log ?? {};
  expect(firstLsn).toBeGreaterThan(1n);
  expect(replayedFrom).toBeGreaterThanOrEqual(firstLsn);
  expect(report.checks.filter(({checked}) => checked === 0)).toEqual([]);

  const file = tempFile('history.jsonl', history);
  const {code, stdout} = await runCommand(['verify', dir, '--history', file, '--json']);
  expect(JSON.parse(stdout.toString())).toMatchObject({ok: true, history: {found: 0, checks: report.checks}});
  expect(code).toBe(0);
});

describe('a fault is found', () => {
  const rollBack = (dir: string, cycle: number, before: string): void => {
    if (cycle < 2) return;
    rmSync(dir, {recursive: true});
    cpSync(before, dir, {recursive: true});
  };
  const cut = (dir: string, cycle: number): void => {
    if (cycle === 1) cutFrames(dir);
  };
  /** One granted reserve is told with another deadline. */
  const tamper = (): ((response: ApiResponse) => ApiResponse) => {
    let grants = 0;
    return response => {
      if (response.type !== 'submit_committed' || response.deadlineSlot === null || ++grants !== 20) return response;
      return {...response, deadlineSlot: response.deadlineSlot + 1n};
    };
  };

  test.each<[string, () => SeriesOptions, RegExp]>([
    [
      'a directory that was put back, by asking again',
      () => ({cycles: 2, afterKill: rollBack}),
      /asked again: operation \d+ was answered/,
    ],
    [
      'a directory that was put back, by the history',
      () => ({cycles: 2, afterKill: rollBack, asksAgain: false}),
      /findings: .*in_log: operation \d+ was acknowledged at lsn \d+/,
    ],
    // Where a snapshot or a marker proves that the frames were there, the server itself refuses.
    [
      'a log whose last frames were cut',
      () => ({cycles: 1, afterKill: cut}),
      /asked again: operation \d+ was answered|log .*damaged/,
    ],
    [
      'an answer that was altered, by asking again',
      () => ({cycles: 1, tamper: tamper()}),
      /asked again: .* until slot \d+, and then/,
    ],
    [
      'an answer that was altered, by the history',
      () => ({cycles: 1, tamper: tamper(), asksAgain: false}),
      /has 1 findings: (?:replay: operation \d+ at lsn \d+: answered ok|at_most_once: operation \d+ was answered in two ways)/,
    ],
  ])('%s', {timeout: LONG_MS}, async (_what, options, reason) => {
    expect(await violation(5, options())).toMatch(reason);
  });
});
