/**
 * AllocDB as a contestant, for a moment: over TCP and in process, every answer as expected, and what it holds in the end
 * as its answers said, like every peer. Nothing is asserted about speed.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {EngineSubject, engineHoldings, serverHoldings, startDatabase} from '@allocdb/bench';
import {expect, onTestFinished, test} from 'vitest';
import {EmbeddedLoop} from '../src/allocdb/embedded_loop.ts';
import {TcpLoop} from '../src/allocdb/tcp_loop.ts';
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

test('over several connections every answer counts, and waits are those of the run', async () => {
  const directory = testDirectory();
  onTestFinished(() => directory.remove());
  const server = await startDatabase(join(directory.path, 'run'), null);
  onTestFinished(() => server.kill());
  const before = await serverHoldings(server.port);
  const loop = await TcpLoop.connect(server.port, {connections: 3, outstanding: 5});
  onTestFinished(() => loop.close());
  const beganMs = performance.now();
  const run = await measureLoop(loop, TIMES);
  const ranMicros = (performance.now() - beganMs) * 1000;
  expect(loop.answers).toBeGreaterThan(15);
  expect(run.p50Micros).toBeGreaterThan(0);
  expect(run.p99Micros).toBeGreaterThanOrEqual(run.p50Micros);
  expect(run.p99Micros).toBeLessThan(ranMicros);
  expect(await serverHoldings(server.port)).toEqual(loop.expectedHoldings(before));
  await server.stop();
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
