/**
 * A process of `pnpm campaign equivalence`: core against model over streams, and snapshots at every lsn of short runs. The
 * runs themselves are those of the tests (`equivalence_runs.ts`), a seed being one run; here they are only counted.
 */

import {type Counts, runWorker} from '@allocdb/campaign';
import {runSnapshots, runStream} from '../equivalence_runs.ts';

const SNAPSHOT_REQUESTS = 150;

function stream(seed: number): Counts {
  const {commands, digests, dumps, reloads, codes} = runStream(BigInt(seed));
  const [ok, retries, conflicts] = ['ok', 'from_retry_cache', 'operation_conflict'].map(code => codes.get(code) ?? 0);
  return {commands, streams: 1, digests, dumps, reloads, ok: ok ?? 0, retries: retries ?? 0, conflicts: conflicts ?? 0};
}

await runWorker([
  {name: 'streams', weight: 70, seeds: null, run: stream},
  {name: 'snapshots', weight: 30, seeds: null, run: seed => runSnapshots(BigInt(seed), SNAPSHOT_REQUESTS)},
]);
