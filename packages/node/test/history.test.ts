/**
 * Sound histories, as they really come about, give no finding: with the log, without it, and with a log that was cut
 * behind a snapshot. What the generator covers is counted, so that silence is about something.
 */
import {describe, expect, test} from 'vitest';
import {
  checkHistory,
  type HistoryReport,
  historyHeaderLine,
  historyLine,
  openDirectoryLog,
  readHistoryText,
} from '../src/history/index.ts';
import {runWorld, type World, type WorldOptions} from './history_world.ts';
import {DIR} from './support.ts';

/** More, or one again: HISTORY_SEEDS=2000 or HISTORY_SEED=17 in front of vitest. */
const FIRST_SEED = Number(process.env['HISTORY_SEED'] ?? 1);
const SEEDS = process.env['HISTORY_SEED'] === undefined ? Number(process.env['HISTORY_SEEDS'] ?? 40) : 1;

function withLog({header, entries, disk}: World): HistoryReport {
  using log = openDirectoryLog(DIR, disk);
  return checkHistory(header, entries, {log});
}

/** What a seed adds: operations that are executed anew, small tables, a coarse clock, and all of them together. */
function variantOf(seed: number): Partial<WorldOptions> {
  return {repeatsLate: (seed & 1) !== 0, smallTables: (seed & 2) !== 0, coarseClock: (seed & 4) !== 0};
}

/** Through the text of a file, as it is used. */
function alone({header, entries}: World): HistoryReport {
  const text = [historyHeaderLine(header), ...entries.map(historyLine)].join('\n');
  const source = readHistoryText(`${text}\n`);
  return checkHistory(source.header, source.entries);
}

describe('no finding in', () => {
  test('histories of concurrent clients over crashes, with and without the log', async () => {
    const seen = {crashes: 0, cached: 0, lost: 0, definite: 0, results: new Set<string>(), happened: 0, not: 0};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const world = await runWorld(seed, {smallTables: seed % 4 === 1, coarseClock: seed % 4 > 1});
      for (const report of [withLog(world), alone(world)]) {
        expect([seed, report.findings]).toEqual([seed, []]);
        expect(report.found).toBe(0);
      }
      const {unanswered} = withLog(world);
      seen.crashes += world.crashes;
      seen.happened += unanswered.happened;
      seen.not += unanswered.not;
      for (const entry of world.entries) {
        if (entry.type !== 'attempt') continue;
        const {answer} = entry;
        if (answer.type === 'nothing') seen.lost++;
        else if (answer.type === 'definite') seen.definite++;
        else if (answer.type === 'committed') {
          if (answer.fromRetryCache) seen.cached++;
          seen.results.add(answer.result);
        }
      }
    }
    for (const count of [seen.crashes, seen.cached, seen.lost, seen.definite, seen.happened, seen.not]) {
      expect([seen, count > SEEDS / 2]).toEqual([seen, true]);
    }
    expect([...seen.results].sort()).toMatchInlineSnapshot(`
      [
        "already_exists",
        "bundle_too_large",
        "holder_mismatch",
        "invalid_state",
        "ok",
        "operation_conflict",
        "operation_table_full",
        "reservation_not_found",
        "reservation_retired",
        "resource_busy",
        "resource_not_found",
        "stale_epoch",
        "ttl_out_of_range",
      ]
    `);
  });

  test('histories whose log was cut behind a snapshot, which says from where on it was checked', async () => {
    let [cut, before] = [0, 0];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS / 2; seed++) {
      const world = await runWorld(seed, {truncates: true, steps: 1600, ...variantOf(seed)});
      const report = withLog(world);
      expect([seed, report.findings]).toEqual([seed, []]);
      const {firstLsn = 0n, replayedFrom = 0n, lastLsn = 0n} = report.log ?? {};
      expect(firstLsn <= replayedFrom && replayedFrom <= lastLsn + 1n).toBe(true);
      if (firstLsn > 1n) cut++;
      if (replayedFrom > firstLsn) before++;
    }
    // In some the log reaches back to before the snapshot.
    for (const count of [cut, before]) expect([cut, before, count > SEEDS / 8]).toEqual([cut, before, true]);
  });

  test('histories in which operations are executed anew when their window has passed, with the log', async () => {
    let several = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS / 4; seed++) {
      const world = await runWorld(seed, {...variantOf(seed), repeatsLate: true, steps: 1000});
      expect([seed, withLog(world).findings]).toEqual([seed, []]);
      several += alone(world).found;
    }
    // Without it they cannot be told from what must not be.
    expect(several).toBeGreaterThan(0);
  });

  test('an empty history, with and without a log', async () => {
    const world = await runWorld(1, {steps: 50});
    const none = {...world, entries: []};
    for (const report of [withLog(none), alone(none)]) expect(report).toMatchObject({attempts: 0, found: 0});
  });
});
