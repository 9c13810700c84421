/**
 * Durable answers per second over TCP, from another process, at several numbers of commands outstanding; beside each the
 * bare durable echo of the same bytes from the same client in the same run, and the quotient of the two.
 *
 * Echo and database alternate, each in a fresh process on a fresh directory, and which goes first alternates too. The processor time of both sides is shown
 * because at high rates the client may be what is busy: then both figures are the client's, and the quotient flatters.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {type LoadRun, runClosedLoop, withServer} from '../closed_loop.ts';
import {probeDisk, probeLine} from '../disk_probe.ts';
import type {Cell} from '../report.ts';
import {type BenchOptions, type LoadShape, type Scenario, type ScenarioReport, shapeText, times} from '../scenario.ts';
import {startDatabase, startEcho} from '../server_setup.ts';
import {spreadOf, spreadOrNull} from '../stats.ts';

/** The target: share of the echo's rate, by shape. */
const TARGETS: ReadonlyMap<string, number> = new Map([
  ['1x1', 0.85],
  ['1x64', 0.7],
  ['1x1024', 0.5],
  ['16x64', 0.45],
]);

async function rowOf(shape: LoadShape, dir: string, options: BenchOptions): Promise<Cell[]> {
  const [database, echo]: [LoadRun[], LoadRun[]] = [[], []];
  const measure = (start: typeof startEcho, name: string): Promise<LoadRun> =>
    withServer(start, join(dir, name), options, server => runClosedLoop(server, shape, options));
  const measureEcho = async (): Promise<void> => {
    echo.push(await measure(startEcho, 'echo'));
  };
  const measureDatabase = async (): Promise<void> => {
    database.push(await measure(startDatabase, 'database'));
  };
  for (const i of times(options.repeat)) {
    for (const run of i % 2 === 0 ? [measureEcho, measureDatabase] : [measureDatabase, measureEcho]) await run();
    const [full, bare] = [database, echo].map(runs => Math.round(runs.at(-1)?.answersPerSecond ?? 0));
    const rates = `${full}/s, echo ${bare}/s`;
    options.progress(`tcp: ${shapeText(shape)}, run ${i + 1} of ${options.repeat}: ${rates}`);
  }
  const bare = echo.map(run => run.answersPerSecond);
  const ratios = database.map((run, i) => run.answersPerSecond / (bare[i] ?? Number.NaN));
  return [
    shapeText(shape),
    spreadOf(database.map(run => run.answersPerSecond)),
    spreadOf(bare),
    spreadOf(ratios),
    TARGETS.get(shapeText(shape)) ?? null,
    spreadOrNull(database.map(run => run.serverPercent).filter(each => each !== null))?.median ?? null,
    spreadOf(database.map(run => run.clientPercent)).median,
    spreadOf(echo.map(run => run.clientPercent)).median,
  ];
}

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'tcp');
  mkdirSync(dir, {recursive: true});
  try {
    const probe = probeDisk(dir, 1000);
    const rows: Cell[][] = [];
    for (const shape of options.shapes) rows.push(await rowOf(shape, dir, options));
    return {
      tables: [
        {
          title: 'Durable answers per second over TCP, connections x outstanding, b: batches of so many',
          columns: [
            {name: 'load', kind: 'text'},
            {name: 'database/s', kind: 'rate'},
            {name: 'echo/s', kind: 'rate'},
            {name: 'ratio', kind: 'ratio'},
            {name: 'target', kind: 'ratio'},
            {name: 'server cpu', kind: 'percent'},
            {name: 'client cpu', kind: 'percent'},
            {name: 'client cpu, echo', kind: 'percent'},
          ],
          rows,
        },
      ],
      notes: [
        probeLine(probe),
        'where the client takes about 100 % of a core the rate is the client’s, and the ratio flatters',
      ],
      failures: [],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

export const TCP: Scenario = {
  name: 'tcp',
  about: 'durable answers per second over TCP, beside the bare durable echo of the same bytes',
  run,
};
