/**
 * AllocDB as a contestant, for a moment: over TCP and in process, every answer as expected, and what it holds in the end
 * as its answers said, like every peer. Nothing is asserted about speed.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {EngineSubject, engineHoldings} from '@allocdb/bench';
import {expect, onTestFinished, test} from 'vitest';
import {EmbeddedLoop} from '../src/allocdb/embedded_loop.ts';
import {ALLOCDB, compareHoldings, EMBEDDED} from '../src/contestants.ts';
import {measureLoop} from '../src/measure.ts';
import {testDirectory} from './directory.ts';

const TIMES = {seconds: 0.3, warmUpSeconds: 0.05};

test.each([ALLOCDB, EMBEDDED])('$name: runs, holds what it said, and leaves nothing', async contestant => {
  const directory = testDirectory();
  onTestFinished(() => directory.remove());
  const dir = join(directory.path, 'run');
  const run = await contestant.run(dir, 24, TIMES);
  expect(run.answersPerSecond).toBeGreaterThan(0);
  expect(run.shape).toEqual({connections: 1, outstanding: 24});
  expect(existsSync(dir)).toBe(false);
});

test('what is held is counted by the database itself, and any other count is an error', async () => {
  const directory = testDirectory();
  onTestFinished(() => directory.remove());
  const subject = await EngineSubject.open(join(directory.path, 'data'));
  onTestFinished(() => subject.close());
  const before = await engineHoldings(subject.engine);
  expect(before).toMatchObject({reservations: 100, held: 100});
  const loop = new EmbeddedLoop(subject, 7);
  await measureLoop(loop, {seconds: 0.05, warmUpSeconds: 0});
  const [after, expected] = [await engineHoldings(subject.engine), loop.expectedHoldings(before)];
  expect(after).toEqual(expected);
  expect(after.held).toBeGreaterThanOrEqual(100);
  for (const what of ['operations', 'reservations', 'held'] as const) {
    expect(() => compareHoldings(after, {...expected, [what]: expected[what] + 1})).toThrow(what);
  }
});
