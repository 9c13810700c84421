/**
 * Seeds of the workloads of power cuts and of failing calls, and that they reach what they are meant to reach.
 * What they do and check is in `campaign/`, where `pnpm campaign wal` runs them for as long as it is told to.
 */

import {addCounts} from '@allocdb/campaign';
import {expect, test} from 'vitest';
import {runCallFailureSeed} from './campaign/call_failures.ts';
import {type PowerCutCounts, runPowerCutSeed} from './campaign/power_cuts.ts';

const SEEDS = 2500;
const SCRIPTS = 4;

test(`power cuts: ${SEEDS} seeds of three lives each`, async () => {
  const counts = {} as PowerCutCounts;
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      addCounts(counts, await runPowerCutSeed(seed));
    } catch (error) {
      throw new Error(`seed ${seed}`, {cause: error});
    }
  }
  expect(counts.cuts).toBeGreaterThan(6000);
  expect(counts.kills).toBeGreaterThan(SEEDS / 20);
  expect(counts.torn).toBeGreaterThan(SEEDS / 5);
  expect(counts.unclean).toBeGreaterThan(SEEDS);
  expect(counts.clean).toBeGreaterThan(SEEDS / 20);
  expect(counts.openingsCut).toBeGreaterThan(SEEDS / 10);
  expect(counts.repeated).toBeGreaterThan(SEEDS / 5);
  expect(counts.interrupted).toBeGreaterThan(SEEDS / 5);
  expect(counts.asyncFrames).toBeGreaterThan(SEEDS * 5);
  expect(counts.reads).toBeGreaterThan(SEEDS);
  expect(counts.groups).toBeGreaterThan(SEEDS * 5);
  expect(counts.groupsLost).toBeGreaterThan(SEEDS / 20);
});

test(`failing calls: every call of ${SCRIPTS} random scripts, in every way`, async () => {
  for (let seed = 1; seed <= SCRIPTS; seed++) {
    const {callFailures, reported} = await runCallFailureSeed(seed);
    expect(callFailures).toBeGreaterThan(200);
    expect(reported).toBeGreaterThan(callFailures / 4);
  }
});
