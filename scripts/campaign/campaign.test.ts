import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {CAMPAIGNS} from './campaigns.ts';
import {Tally} from './tally.ts';
import {readOptions, UsageError} from './usage.ts';

const WAL = CAMPAIGNS['wal'] as (typeof CAMPAIGNS)[string];

test('a command line becomes options, with defaults', () => {
  expect(readOptions(['wal'], {minutes: '0.5', workers: '3'})).toEqual({
    name: 'wal',
    minutes: 0.5,
    seed: 1,
    workers: 3,
    only: null,
    count: null,
  });
  expect(readOptions(['wal'], {count: '1', seed: '7', only: 'bits,damages'})).toMatchObject({
    minutes: null,
    count: 1,
    seed: 7,
    only: ['bits', 'damages'],
  });
  expect(readOptions(['kill'], {cycles: '1000'})).toMatchObject({minutes: null, count: 100});
  expect(readOptions(['kill'], {cycles: '11'}).count).toBe(2);
});

test('a wrong command line is refused with its reason', () => {
  const wrong: [string[], Record<string, string>, RegExp][] = [
    [[], {minutes: '1'}, /which campaign/],
    [['toString'], {minutes: '1'}, /no campaign toString/],
    [['wal', 'sim'], {minutes: '1'}, /one campaign/],
    [['wal'], {}, /minutes/],
    [['wal'], {minutes: '0'}, /above 0/],
    [['wal'], {minutes: 'ten'}, /above 0/],
    [['wal'], {minutes: '1', workers: '1.5'}, /whole/],
    [['wal'], {minutes: '1', only: 'bits,naps'}, /no workload naps/],
    [['wal'], {cycles: '10'}, /not counted in cycles/],
    [['kill'], {cycles: '0'}, /above 0/],
  ];
  for (const [names, values, reason] of wrong) {
    expect(() => readOptions(names, values)).toThrow(UsageError);
    expect(() => readOptions(names, values)).toThrow(reason);
  }
});

test('a summary says what was run, and of how much', () => {
  const tally = new Tally(WAL, 0);
  tally.expect({bits: 6000});
  tally.add('bits', {bits: 1000, refused: 900});
  tally.add('bits', {bits: 234, refused: 100, harmless: 234});
  tally.add('power_cuts', {cuts: 2500});
  expect(tally.progress(61_000)).toBe('1:01  power cuts 2,500 (41/s) · bits 1,234 of 6,000 (20/s)');
  const text = tally.summary(61_000).join('\n');
  expect(text).toContain('bits 1,234 of 6,000 · refused 1,000 · harmless 234');
  expect(text).toContain('no violation in 1:01');
  tally.violations.push({workload: 'bits', seed: 3, message: 'other data'});
  expect(tally.summary(61_000).at(-1)).toBe('1 violations in 1:01');
});

function campaign(...args: string[]): {status: number | null; stdout: string; stderr: string} {
  const script = fileURLToPath(new URL('../campaign.ts', import.meta.url));
  return spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@allocdb/source', script, ...args], {
    encoding: 'utf8',
  });
}

test('a few seeds of each workload are run, counted and without violation', () => {
  const only = 'power_cuts,damages';
  const {status, stdout} = campaign('wal', '--count', '4', '--workers', '2', '--seed', '5', '--only', only);
  expect(stdout).toMatch(/^power cuts [1-9]\d* · .*recoveries [1-9]/m);
  expect(stdout).toMatch(/^damages 240 · refused 240$/m);
  expect(stdout).toContain('no violation');
  expect(status).toBe(0);
});

test('usage goes to standard error with 64', () => {
  const {status, stderr} = campaign('wal', '--minuets', '1');
  expect(status).toBe(64);
  expect(stderr).toMatch(/minuets[\s\S]*usage: pnpm campaign/);
});
