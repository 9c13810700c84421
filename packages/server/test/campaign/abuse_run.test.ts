/**
 * A short run of `pnpm campaign abuse`: every case is judged while the honest client goes on, and a server that loses a
 * frame is found, with a case that is small. The cases themselves, and their judge, are in `abuse.test.ts`.
 */
import {addCounts, type Counts} from '@allocdb/campaign';
import {afterEach, expect, test} from 'vitest';
import {cleanUp} from '../command.ts';
import {type AbuseOptions, AbuseViolation, runAbuse} from './abuse_run.ts';

const LONG_MS = 240_000;
const FRAMES = 3000;

afterEach(cleanUp);

async function run(seed: number, tamper?: AbuseOptions['tamper']) {
  const counts: Counts = {};
  const end = await runAbuse(seed, {
    frames: FRAMES,
    rounds: 2,
    undisturbedMs: 300,
    isOver: () => false,
    report: more => addCounts(counts, more),
    ...(tamper === undefined ? {} : {tamper}),
  });
  return {counts, end};
}

test('frames and requests are sent and judged, the honest client is answered, and all of it is counted', {
  timeout: LONG_MS,
}, async () => {
  const {counts, end} = await run(5);
  expect(counts['frames']).toBeGreaterThanOrEqual(FRAMES);
  expect(counts['answers']).toBeGreaterThan(FRAMES / 10);
  expect(counts['httpAnswers']).toBeGreaterThan(0);
  expect(counts['told_malformed_request']).toBeGreaterThan(0);
  expect([end.undisturbed.length, end.abused.length]).toEqual([2, 2]);
  for (const phase of [...end.undisturbed, ...end.abused]) {
    expect(phase.answers).toBeGreaterThan(0);
    expect(phase.wrong).toEqual([]);
    expect(phase.p99).toBeGreaterThanOrEqual(phase.p50);
  }
});

test('a server that loses its last frame is found, with a small case', {timeout: LONG_MS}, async () => {
  const error = await run(6, frames => frames.slice(0, -1)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AbuseViolation);
  expect((error as Error).message).toMatch(/seed 6: [\s\S]*case \d+, 1 pieces/);
});
