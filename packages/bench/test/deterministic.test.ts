/**
 * The deterministic scenarios at small scale: all counts as asserted, the same on every run, and an unexpected count is
 * reported rather than passed over.
 */
import {expect, test} from 'vitest';
import {playScript} from '../src/deterministic.ts';
import {formatTable, type Table} from '../src/report.ts';
import {hotSpotScript} from '../src/scenarios/hot_spot.ts';
import {retryWindowScript} from '../src/scenarios/retry_window.ts';
import {tinyOptions} from './options.ts';

function countsOf(tables: readonly Table[]): string {
  const [counts] = tables;
  return counts === undefined ? '' : formatTable(counts).slice(1).join('\n');
}

test('one resource has exactly one winner a round, and every loser is told why', async () => {
  const report = await playScript(hotSpotScript({contenders: 50, rounds: 3}), tinyOptions({repeat: 2}));
  expect(report.failures).toEqual([]);
  expect(countsOf(report.tables)).toMatchInlineSnapshot(`
    "step              outcome              answers
    ----------------  -------------------  -------
    create_resource   ok                         1
    reserve           ok                         3
    reserve           resource_busy            147
    reserve repeated  ok again                   3
    reserve repeated  resource_busy again      147
    confirm           holder_mismatch          147
    confirm           ok                         3
    release           holder_mismatch           75
    release           ok                         3
    release           reservation_retired       72"
  `);
});

test('the rate of the crowd stands beside that of the workload', async () => {
  const report = await playScript(hotSpotScript({contenders: 20, rounds: 2}), tinyOptions({repeat: 2}));
  const [, totals] = report.tables;
  expect(totals?.columns.slice(0, 5).map(({name}) => name)).toEqual([
    'answers',
    'durable answers/s',
    'workload, answers/s',
    'ratio',
    'target',
  ]);
  const [, own, workload, ratio, target] = totals?.rows[0] ?? [];
  for (const cell of [own, workload, ratio])
    expect(cell).toMatchObject({runs: [expect.any(Number), expect.any(Number)]});
  expect(target).toBe(0.9);
});

test('a single contender meets nobody', async () => {
  const report = await playScript(hotSpotScript({contenders: 1, rounds: 2}), tinyOptions());
  expect(report.failures).toEqual([]);
});

test('a full operation table refuses, repeats stay repeats to the end of the window, and run again after it', async () => {
  const report = await playScript(retryWindowScript({operations: 100, rounds: 3}), tinyOptions({repeat: 2}));
  expect(report.failures).toEqual([]);
  expect(countsOf(report.tables)).toMatchInlineSnapshot(`
    "step                       outcome                   answers
    -------------------------  ------------------------  -------
    new                        ok                            300
    repeated                   ok again                      300
    same id, other command     operation_conflict again      300
    table full                 operation_table_full           75
    table full, repeated       operation_table_full           75
    repeated in the last slot  ok again                      300
    repeated after the window  already_exists                300"
  `);
});

test('a wrong count is a failure that names step and outcome', async () => {
  const script = retryWindowScript({operations: 10, rounds: 1});
  const wrong = {...script, records: script.records + 1};
  const report = await playScript(wrong, tinyOptions());
  expect(report.failures).toContain(`records in the log: expected ${script.records + 1}, got ${script.records}`);
});
