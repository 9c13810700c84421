import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
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
  expect(readOptions(['abuse'], {frames: '10000000'})).toMatchObject({minutes: null, count: 40, workers: 1});
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
    [['kill'], {frames: '10'}, /not counted in frames/],
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

const SCRIPT = fileURLToPath(new URL('../campaign.ts', import.meta.url));
const FLAGS = ['--import', 'tsx', '--conditions=@allocdb/source', SCRIPT];

function campaign(...args: string[]): {status: number | null; stdout: string; stderr: string} {
  return spawnSync(process.execPath, [...FLAGS, ...args], {encoding: 'utf8'});
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

test('an interrupt at the terminal reaches none of the servers: the cycles are brought to their end and counted', {
  timeout: 240_000,
}, async () => {
  // In a group of its own, as a shell starts it; the first seed runs the server from its sources.
  const args = [...FLAGS, 'kill', '--minutes', '60', '--workers', '1', '--seed', '4'];
  const child = spawn(process.execPath, args, {detached: true, stdio: ['ignore', 'pipe', 'pipe']});
  const lines: string[] = [];
  const reader = createInterface({input: child.stdout});
  reader.on('line', line => lines.push(line));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const end = once(child, 'close');
  try {
    // Until a cycle was counted, when the next one is under way.
    const isCounted = (): boolean => lines.some(line => /^\d+:\d\d {2}cycles/.test(line));
    while (!isCounted() && child.exitCode === null) await Promise.race([once(reader, 'line'), end]);
    expect(child.exitCode, stderr).toBeNull();
    process.kill(-Number(child.pid), 'SIGINT');
    await end;
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
  expect(stderr).toBe('');
  expect(lines).toContain('interrupted: ending with the counts so far');
  expect(lines.at(-1)).toMatch(/^no violation/);
  expect(lines.at(-2)).toMatch(/^cycles [1-9]/);
  expect(child.exitCode).toBe(0);
});
