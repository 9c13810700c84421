/**
 * A snapshot at every lsn of many short runs, each loaded into cores with other hash seeds that then go on with the run:
 * the same answers and the same digest at every step, whether the snapshot was read at once or in slices while commands
 * went on.
 *
 * `SNAPSHOT_SEED=<seed>` runs one alone, `SNAPSHOT_SEEDS=<count>` more than the normal run; the campaign `equivalence` has
 * it as a workload.
 */
import {expect, test} from 'vitest';
import {runSnapshots, type SnapshotCounts} from './equivalence_runs.ts';

const SEEDS = Number(process.env['SNAPSHOT_SEEDS'] ?? 45);
const ONLY_SEED = process.env['SNAPSHOT_SEED'];
const REQUESTS = 110;

test('a run goes on from a snapshot at any lsn as if nothing had happened', {timeout: 600_000}, () => {
  const seeds = ONLY_SEED === undefined ? Array.from({length: SEEDS}, (_, i) => BigInt(i + 1)) : [BigInt(ONLY_SEED)];
  const total: SnapshotCounts = {snapshots: 0, sliced: 0, replayed: 0, digests: 0};
  const started = performance.now();
  for (const seed of seeds) {
    let counts: SnapshotCounts;
    try {
      counts = runSnapshots(seed, REQUESTS);
    } catch (error) {
      throw new Error(`SNAPSHOT_SEED=${seed}`, {cause: error});
    }
    for (const name of Object.keys(total) as (keyof SnapshotCounts)[]) total[name] += counts[name];
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `${total.snapshots} snapshots at every lsn of ${seeds.length} runs in ${seconds} s, ${total.sliced} of them read ` +
      `in slices too; ${total.replayed} commands answered again, ${total.digests} digests compared\n`,
  );
  expect(total.sliced).toBe(total.snapshots);
  if (ONLY_SEED === undefined) expect(total.snapshots / seeds.length).toBeGreaterThan(50);
});
