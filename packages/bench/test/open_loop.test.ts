/**
 * Latencies and the open loop: percentiles are as exact as they are said to be, and a server that stands still shows in
 * the latency of everything that was due meanwhile, sent or not.
 */
import {mkdirSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, onTestFinished, test} from 'vitest';
import {ECHO_PROGRAM, startServer} from '../src/child_server.ts';
import {LatencyRecorder} from '../src/latency_recorder.ts';
import {runOpenLoop} from '../src/latency_runs.ts';
import {OpenLoop} from '../src/open_loop.ts';
import {isSpread} from '../src/report.ts';
import {LATENCY} from '../src/scenarios/latency.ts';
import {tinyOptions} from './options.ts';

const RATE = 2000;
const OVER = {resources: 10_000, ttlSlots: 3000};

async function startEcho() {
  const dir = join(tinyOptions().dir, 'echo');
  mkdirSync(dir);
  const server = await startServer(ECHO_PROGRAM, [dir]);
  onTestFinished(() => server.kill());
  return server;
}

test('percentiles are upper bounds within 1.6 percent, the largest is exact', () => {
  const recorder = new LatencyRecorder();
  const micros = Array.from({length: 10_000}, (_, i) => 1 + i * i);
  for (const each of micros) recorder.record(each / 1000);
  for (const rank of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999]) {
    const exact = micros[Math.ceil(rank * micros.length) - 1] ?? Number.NaN;
    expect(recorder.percentile(rank)).toBeGreaterThanOrEqual(exact);
    expect(recorder.percentile(rank)).toBeLessThanOrEqual(exact * 1.016 + 1.001);
  }
  expect(recorder.latencies).toMatchObject({count: 10_000, max: micros.at(-1)});
  expect(new LatencyRecorder().latencies).toEqual({count: 0, p50: 0, p99: 0, p999: 0, max: 0});
});

test('every arrival of the schedule is sent and answered once', async () => {
  const {port} = await startEcho();
  const options = {port, connections: 3, lanes: 16, rate: RATE, over: OVER};
  const run = await runOpenLoop(options, tinyOptions({seconds: 0.5, warmUpSeconds: 0.1}));
  // Its ends are read from a clock, and a timer may come a millisecond before its time at either.
  expect(run.latencies.count).toBeGreaterThanOrEqual(0.5 * RATE - 1 - 0.002 * RATE);
  expect(run.late.count).toBe(run.latencies.count);
  expect(run.late.max).toBeLessThanOrEqual(run.latencies.max);
});

test('what is due while the server stands still waits for it, more of it than can be outstanding', async () => {
  const server = await startEcho();
  const arrivals: {dueMs: number; nowMs: number}[] = [];
  const options = {port: server.port, connections: 2, lanes: 16, rate: RATE, over: OVER};
  const loop = await OpenLoop.connect(options, {
    sent: () => undefined,
    answered: (dueMs, nowMs) => void arrivals.push({dueMs, nowMs}),
  });
  loop.start();
  await delay(100);
  process.kill(server.pid, 'SIGSTOP');
  // What the process had answered before it stopped is still on its way.
  await delay(50);
  const stoppedMs = performance.now();
  await delay(300);
  const goesOnMs = performance.now();
  process.kill(server.pid, 'SIGCONT');
  await delay(100);
  await loop.end();
  const meanwhile = arrivals.filter(({dueMs}) => dueMs >= stoppedMs && dueMs < goesOnMs);
  expect(meanwhile.length).toBeGreaterThanOrEqual(Math.floor(((goesOnMs - stoppedMs) * RATE) / 1000) - 1);
  expect(meanwhile.length).toBeGreaterThan(32);
  expect(meanwhile.filter(({nowMs}) => nowMs < goesOnMs)).toEqual([]);
});

test('latency measures database and echo by the same schedule and leaves nothing behind', async () => {
  const options = tinyOptions({rate: 1000, seconds: 0.3});
  const report = await LATENCY.run(options);
  expect(report.failures).toEqual([]);
  const rows = report.tables[0]?.rows ?? [];
  expect(rows.map(([what]) => what)).toEqual(['database', 'bare durable echo', '4 KiB write + fdatasync']);
  for (const row of rows.slice(0, 2)) {
    for (const cell of row.slice(1, 6))
      expect(cell !== null && cell !== undefined && isSpread(cell) && cell.median > 0).toBe(true);
  }
  expect(readdirSync(options.dir)).toEqual([]);
});
