/**
 * The large scenarios from end to end at a thousandth of their size: every record, row and digest is found again,
 * checkpoints happen under load, and nothing is left behind. And that an interrupt leaves nothing either.
 */
import {spawn} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, test} from 'vitest';
import {CheckpointPhases} from '../src/checkpoint_phases.ts';
import {checkpointPlan} from '../src/checkpoint_plan.ts';
import {PROGRAM_DIR} from '../src/child_process.ts';
import {type Cell, isSpread} from '../src/report.ts';
import {CHECKPOINT} from '../src/scenarios/checkpoint.ts';
import {RECOVERY} from '../src/scenarios/recovery.ts';
import {tinyOptions} from './options.ts';

function medianOf(cell: Cell | undefined): number {
  return cell !== undefined && cell !== null && isSpread(cell) ? cell.median : Number.NaN;
}

test('recovery reads back what was written, by every way', {timeout: 180_000}, async () => {
  const options = tinyOptions();
  const report = await RECOVERY.run(options);
  expect(report.failures).toEqual([]);
  const [log, snapshot] = report.tables;
  expect(log?.rows.map(([what]) => what)).toEqual([
    'SingleNodeEngine.open',
    'of it checkInvariants, once',
    'readWal, nothing applied',
    'core alone, payloads in memory',
  ]);
  expect(snapshot?.rows).toHaveLength(4);
  for (const row of [...(log?.rows ?? []), ...(snapshot?.rows ?? [])]) expect(medianOf(row[1])).toBeGreaterThan(0);
  expect(readdirSync(options.dir)).toEqual([]);
});

test('checkpoint measures answers before, during and after two checkpoints', {timeout: 180_000}, async () => {
  const options = tinyOptions({rate: 6000});
  const report = await CHECKPOINT.run(options);
  expect(report.failures).toEqual([]);
  const [answers, checkpoints, fill] = report.tables;
  expect(answers?.rows.map(([when]) => when)).toEqual([
    'before the first',
    'during',
    'after, to the next',
    'sender late',
  ]);
  // On a busy machine a checkpoint may begin as soon as the one before has finished; then nothing is undisturbed.
  expect(Number(answers?.rows[1]?.[1])).toBeGreaterThan(0);
  expect(Number(answers?.rows[3]?.[1])).toBeGreaterThanOrEqual(Number(answers?.rows[1]?.[1]));
  expect(checkpoints?.rows.length).toBeGreaterThanOrEqual(2);
  for (const row of checkpoints?.rows ?? []) expect(Number(row[2])).toBeGreaterThan(100_000);
  expect(fill?.rows.map(([table]) => table)).toEqual(['resources', 'reservations', 'operations']);
  expect(readdirSync(options.dir)).toEqual([]);
});

test('small tables are not loaded with the highest rate', async () => {
  await expect(CHECKPOINT.run(tinyOptions({rate: null}))).rejects.toThrow(/needs --rate/);
});

test.each([
  [0.001, 1000],
  [0.01, 20_000],
  [1, 150_000],
  [1, 1_000_000],
])('a plan of scale %d at rate %d has room for what it keeps and for what turns over', (scale, rate) => {
  const {config, population, connections, lanes, over} = checkpointPlan(scale, rate);
  const {core} = config;
  const perSlot = rate / 10;
  const {kept} = population;
  expect(Number(core.operationWindowSlots ?? 0n) * perSlot).toBeLessThanOrEqual(population.operations);
  expect(population.operations).toBeLessThan(core.maxOperations);
  const ending = 0.3 * perSlot * (Number(core.reservationHistoryWindowSlots) + 1);
  const inHands = connections * lanes + (population.over.end - population.over.first);
  expect(100 + kept.end - kept.first + ending + Math.min(inHands, 4096 + 8192)).toBeLessThan(core.maxReservations);
  expect(over.resources - (over.firstResource ?? 0)).toBeGreaterThanOrEqual(connections * lanes);
  expect(kept.end).toBeLessThanOrEqual(population.over.first);
  expect(population.over.end).toBeLessThanOrEqual(over.firstResource ?? 0);
  expect(over.firstOperation).toBeGreaterThanOrEqual(population.operations - population.resources);
});

test('an answer whose time touches a checkpoint belongs to it, and to no other phase', () => {
  const phases = new CheckpointPhases();
  phases.open();
  const at = performance.now();
  const counts = (): number[][] => [phases.undisturbed, phases.during].map(all => all.map(({count}) => count));
  phases.answered(at - 10, at + 1);
  expect(counts()).toEqual([[0], []]);
  phases.answered(at, at);
  phases.onEvent({event: 'checkpoint_started', fields: {}});
  phases.answered(at, performance.now());
  phases.onEvent({event: 'checkpoint_finished', fields: {bytes: 7, durationMs: 500}});
  phases.answered(at, performance.now());
  phases.answered(performance.now() + 1, performance.now() + 2);
  expect(counts()).toEqual([[1, 1], [2]]);
  expect(phases.finished).toEqual([{bytes: 7, seconds: 0.5}]);
  expect(() => phases.onEvent({event: 'checkpoint_failed', fields: {reason: 'full'}})).toThrow(/failed: full/);
});

test('an interrupt ends the servers and removes what they wrote', async () => {
  const {dir} = tinyOptions();
  const args = ['--scenario', 'tcp', '--load', '1x64', '--seconds', '60', '--dir', dir];
  const nodeArgs = ['--conditions=@allocdb/source', '--import', 'tsx', join(PROGRAM_DIR, 'main.ts')];
  const bench = spawn(process.execPath, [...nodeArgs, ...args], {cwd: PROGRAM_DIR, stdio: 'ignore'});
  const ended = new Promise<number | null>(resolve => bench.once('exit', resolve));
  const written = (): string[] => readdirSync(dir, {recursive: true}).map(String);
  while (!written().some(name => name.endsWith('echo/echo'))) await delay(20);
  bench.kill('SIGTERM');
  expect(await ended).toBe(1);
  await delay(200);
  expect(readdirSync(dir)).toEqual([]);
});
