/**
 * The engine in the simulated world: 500 schedules of 500 events, drawn from seeds, and the corpus of schedules that once
 * showed something. A failure names its seed and the command that shows it again.
 *
 * `SIM_SEEDS=5000` runs more, `SIM_SEED=17` one alone; `pnpm campaign sim` runs them for as long as it is told.
 */
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import {ANSWER_CODES} from '../src/simulator/answer_codes.ts';
import {CRASH_POINT_NAMES} from '../src/simulator/crash_points.ts';
import {drawSchedule} from '../src/simulator/draw_schedule.ts';
import {runSchedule} from '../src/simulator/run.ts';
import {addCounts, noCounts} from '../src/simulator/run_state.ts';
import {scheduleFromJson, scheduleToJson} from '../src/simulator/schedule.ts';

const EVENTS = 500;
const CHUNKS = 10;
const SEEDS = Number(process.env['SIM_SEEDS'] ?? 500);
const ONLY_SEED = process.env['SIM_SEED'];
/** Another process may measure on the same machine. */
const PATIENCE_MS = 300_000;

const CORPUS = new URL('./corpus/', import.meta.url);
const total = noCounts();
let chunks = 0;

async function runSeed(seed: number): Promise<void> {
  const {violation, counts, foundAt} = await runSchedule(drawSchedule(seed, EVENTS));
  addCounts(total, counts);
  if (violation === null) return;
  const again = `pnpm sim --seed ${seed} --events ${EVENTS} --shrink`;
  throw new Error(`event ${foundAt}: ${violation.message}\nagain: ${again}`, {cause: violation});
}

describe.runIf(ONLY_SEED === undefined)('schedules from seeds', () => {
  const perChunk = Math.ceil(SEEDS / CHUNKS);
  const all = Array.from({length: CHUNKS}, (_, chunk): [number, number] => [
    1 + chunk * perChunk,
    (chunk + 1) * perChunk,
  ]);
  test.each(all)('seeds %d to %d', {timeout: PATIENCE_MS}, async (first, last) => {
    for (let seed = first; seed <= last; seed++) await runSeed(seed);
    chunks++;
  });

  test('every crash point was struck, every answer was given, every kind of fault was met, and whatever was unknown was settled', context => {
    if (chunks < CHUNKS) context.skip('not all seeds were run');
    const {points, codes, closedNow, ...counts} = total;
    process.stdout.write(`simulator: ${JSON.stringify(total)} over ${perChunk * CHUNKS} seeds\n`);
    expect(CRASH_POINT_NAMES.filter(name => points[name] === 0)).toEqual([]);
    expect(ANSWER_CODES.filter(code => codes[code] === 0)).toEqual([]);
    expect(Object.keys(codes).length).toBe(ANSWER_CODES.length);
    expect(codes['committed ok']).toBeGreaterThan(codes['submit overloaded'] ?? 0);
    expect(codes['committed ok']).toBeGreaterThan(codes['committed operation_table_full'] ?? 0);
    expect(closedNow).toBeGreaterThan(SEEDS / 2);
    expect(Object.entries(counts).filter(([, count]) => count < SEEDS / 2)).toEqual([]);
    expect(counts.events).toBe(perChunk * CHUNKS * EVENTS);
    expect(counts.crashes).toBeGreaterThan(2 * SEEDS);
  });
});

test.runIf(ONLY_SEED !== undefined)('the one seed', {timeout: PATIENCE_MS}, async () => {
  await runSeed(Number(ONLY_SEED));
});

describe('the corpus', () => {
  test.each(readdirSync(CORPUS).filter(name => name.endsWith('.json')))('%s', async name => {
    const {schedule, note} = scheduleFromJson(readFileSync(new URL(name, CORPUS), 'utf8'));
    const {violation} = await runSchedule(schedule);
    expect(violation === null ? null : `${violation.message} (it once showed: ${note})`).toBeNull();
  });
});

describe('one schedule, one history', () => {
  test('the same seed gives the same transcript, also when it is written down and read again', async () => {
    for (const seed of [3, 21, 44]) {
      const schedule = drawSchedule(seed, EVENTS);
      const first = await runSchedule(schedule, {keepsTranscript: true});
      const again = await runSchedule(scheduleFromJson(scheduleToJson(schedule)).schedule, {keepsTranscript: true});
      expect(again.lines).toEqual(first.lines);
      expect(again.digest).toBe(first.digest);
      expect(first.lines.length).toBeGreaterThan(EVENTS);
      expect((await runSchedule(drawSchedule(seed + 1, EVENTS))).digest).not.toBe(first.digest);
    }
  });

  test('also in another process, by the command line', async () => {
    const {digest} = await runSchedule(drawSchedule(21, EVENTS));
    const {status, stdout} = sim('--seed', '21');
    expect(stdout).toContain(`seed 21 · transcript ${digest} · drawn ${EVENTS} events`);
    expect(stdout).toContain('no violation');
    expect(status).toBe(0);
  });

  test('a wrong command line is told, and exits with 64', () => {
    const {status, stderr} = sim('--sed', '21');
    expect(stderr).toContain('usage: pnpm sim');
    expect(status).toBe(64);
  });
});

function sim(...args: string[]): {status: number | null; stdout: string; stderr: string} {
  const program = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  return spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@allocdb/source', program, ...args], {
    encoding: 'utf8',
  });
}
