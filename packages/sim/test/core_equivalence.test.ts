/**
 * The core against the naive model, command by command, on seeded streams over small configurations with one thing or
 * another at its limit (`equivalence_profiles.ts`).
 *
 * A failure names its seed; `CORE_SEED=<seed>` runs that one alone, `CORE_SEEDS=<count>` more than the normal run, and
 * `pnpm campaign equivalence` as many as there is time for.
 */
import {RESULT_NAMES} from '@allocdb/sim';
import {expect, test} from 'vitest';
import {PROFILES} from './equivalence_profiles.ts';
import {runStream, type StreamRun} from './equivalence_runs.ts';

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 360);
const ONLY_SEED = process.env['CORE_SEED'];

function runNamed(seed: bigint): StreamRun {
  try {
    return runStream(seed);
  } catch (error) {
    throw new Error(`CORE_SEED=${seed}`, {cause: error});
  }
}

test('core and model agree on every command', {timeout: 600_000}, () => {
  const seeds = ONLY_SEED === undefined ? Array.from({length: SEEDS}, (_, i) => BigInt(i + 1)) : [BigInt(ONLY_SEED)];
  const codes = new Map<string, number>();
  const profiles = new Set<string>();
  let [commands, digests, dumps, reloads] = [0, 0, 0, 0];
  const started = performance.now();
  for (const seed of seeds) {
    const run = runNamed(seed);
    commands += run.commands;
    digests += run.digests;
    dumps += run.dumps;
    reloads += run.reloads;
    profiles.add(run.profile);
    for (const [code, count] of run.codes) codes.set(code, (codes.get(code) ?? 0) + count);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const tally = [...codes].map(([code, count]) => `${code} ${count}`).sort();
  process.stdout.write(
    `core equals model over ${commands} commands of ${seeds.length} seeds in ${seconds} s, ${digests} digests, ` +
      `${dumps} dumps, ${reloads} snapshots of the twin: ${tally.join(', ')}\n`,
  );
  if (ONLY_SEED !== undefined) return;
  // Agreement on what never happens would prove nothing: every answer that a submit can have must have occurred.
  const never = ['noop', 'slot_overflow'];
  expect(RESULT_NAMES.filter(name => !never.includes(name) && (codes.get(name) ?? 0) < 100)).toEqual([]);
  for (const code of ['slot_overflow', 'lsn_exhausted', 'invalid_request', 'command_too_large', 'from_retry_cache']) {
    expect([code, codes.get(code)]).not.toEqual([code, undefined]);
  }
  expect([...profiles].sort()).toEqual([...PROFILES].sort());
});
