/**
 * A process of `pnpm campaign wal`: runs the workloads of the log and reports on standard output, one JSON value a line.
 *
 * It is given an `Order` (`workload.ts`) as its argument and answers with `{"counts"}`, added since the last such line,
 * with `{"totals"}`, `{"violation"}`, and at its end `{"done"}`. When its input ends, it ends.
 */

import {runSurrogateLives} from '../nodedb/surrogate_lives.ts';
import {bitChunks, runBitChunk, totalBits} from './bit_flips.ts';
import {runCallFailureSeed} from './call_failures.ts';
import {runDamageSeed} from './damages.ts';
import {runPowerCutSeed} from './power_cuts.ts';
import {runWorker, type Workload} from './workload.ts';

const WORKLOADS: readonly Workload[] = [
  {name: 'power_cuts', weight: 50, seeds: null, run: runPowerCutSeed},
  {name: 'bits', weight: 55, seeds: bitChunks(), totals: {bits: totalBits()}, run: runBitChunk},
  {name: 'call_failures', weight: 8, seeds: null, run: runCallFailureSeed},
  {name: 'damages', weight: 5, seeds: null, run: runDamageSeed},
  {name: 'surrogates', weight: 5, seeds: null, run: async seed => ({...(await runSurrogateLives(seed))})},
];

await runWorker(WORKLOADS);
