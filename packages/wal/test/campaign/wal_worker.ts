/**
 * A process of `pnpm campaign wal`: the workloads of the log, and how they share the time. What each does is in a file of
 * its own, without vitest, because tests run a few seeds of them too. Not here: the loop that runs and counts them
 * (`@allocdb/campaign`).
 */

import {runWorker, type Workload} from '@allocdb/campaign';
import {runSurrogateLives} from '../nodedb/surrogate_lives.ts';
import {bitChunks, runBitChunk, totalBits} from './bit_flips.ts';
import {runCallFailureSeed} from './call_failures.ts';
import {runDamageSeed} from './damages.ts';
import {runPowerCutSeed} from './power_cuts.ts';

const WORKLOADS: readonly Workload[] = [
  {name: 'power_cuts', weight: 50, seeds: null, run: runPowerCutSeed},
  {name: 'bits', weight: 55, seeds: bitChunks(), totals: {bits: totalBits()}, run: runBitChunk},
  {name: 'call_failures', weight: 8, seeds: null, run: runCallFailureSeed},
  {name: 'damages', weight: 5, seeds: null, run: runDamageSeed},
  {name: 'surrogates', weight: 5, seeds: null, run: async seed => ({...(await runSurrogateLives(seed))})},
];

await runWorker(WORKLOADS);
