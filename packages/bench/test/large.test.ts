/**
 * The large scenarios from end to end at a thousandth of their size: every record, row and digest is found again,
 * checkpoints happen under load, and nothing is left behind. And that an interrupt leaves nothing either.
 */
import {spawn} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, test} from 'vitest';
import {ArrivalLine} from '../src/arrival_line.ts';
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

test('an answer belongs to the checkpoint that its time touches, by the time that the server says', () => {
  const phases = new CheckpointPhases();
  phases.open();
  const counts = (): number[][] => [phases.undisturbed, phases.during].map(all => all.map(({count}) => count));
  const [from, ofDay] = [performance.now() + 1000, Date.now() + 1000];
  const answered = (due: number, now: number): void => phases.answered(from + due, from + now);
  const said = (event: string, at: number): void =>
    phases.onEvent({event: `checkpoint_${event}`, fields: {time: ofDay + at, bytes: 7, durationMs: 500}});
  answered(-2000, 5);
  answered(0, 10);
  answered(120, 130);
  answered(120, 210);
  answered(170, 175);
  said('started', 200);
  answered(500, 501);
  answered(680, 800);
  said('finished', 700);
  answered(720, 810);
  answered(980, 1005);
  // What was answered in the last second may be of a checkpoint of which the word is still to come.
  expect(counts()).toEqual([[0, 0], [0]]);
  answered(1070, 1080);
  said('started', 1100);
  expect(counts()).toEqual([
    [1, 0],
    [0, 0],
  ]);
  answered(3000, 3001);
  expect(counts()).toEqual([
    [2, 2],
    [4, 1],
  ]);
  phases.close();
  expect(counts()).toEqual([
    [2, 2],
    [4, 2],
  ]);
  expect(phases.finished).toEqual([{bytes: 7, seconds: 0.5}]);
  expect(() => phases.onEvent({event: 'checkpoint_failed', fields: {reason: 'full'}})).toThrow(/failed: full/);
  expect(() => phases.onEvent({event: 'checkpoint_started', fields: {}})).toThrow(/did not say time/);
});

test('arrivals leave the line in order, however long it was', () => {
  const left: number[] = [];
  const line = new ArrivalLine((dueMs, nowMs) => left.push(nowMs - dueMs));
  for (let i = 0; i < 5000; i++) {
    line.push(0, i);
    if (i % 3 === 0) line.settle(i / 2);
  }
  expect(left).toHaveLength(2500);
  line.settle(Number.POSITIVE_INFINITY);
  expect(left).toEqual(Array.from({length: 5000}, (_, i) => i));
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
