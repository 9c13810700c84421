/**
 * Requests per second over HTTP/1.1 and how long their answers take, from another process, at several numbers of keep-alive
 * connections with one request outstanding on each: single commands, batches, and reads. Beside each the bare reference
 * (`http_reference.ts`) under the same load in the same run, and the quotient of the two.
 *
 * The reference has no disk: where a command waits for one, the quotient is what durability and the database cost together.
 * The processor time of both sides is shown because at high rates the client may be what is busy.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {probeDisk, probeLine} from '../disk_probe.ts';
import {type HttpRun, type LoadRuns, loadText, runHttpLoads} from '../http_runs.ts';
import type {Cell, Table} from '../report.ts';
import type {BenchOptions, Scenario, ScenarioReport} from '../scenario.ts';
import {type Spread, spreadOf, spreadOrNull} from '../stats.ts';

function ratesOf(runs: readonly HttpRun[]): number[] {
  return runs.map(run => run.requestsPerSecond);
}

function serverPercent(runs: readonly HttpRun[]): number | null {
  return spreadOrNull(runs.map(run => run.serverPercent).filter(each => each !== null))?.median ?? null;
}

function rateTable(all: readonly LoadRuns[]): Table {
  const rows = all.map(({load, database, reference}): Cell[] => {
    const [rates, bare] = [ratesOf(database), ratesOf(reference)];
    return [
      loadText(load),
      spreadOf(rates),
      spreadOf(bare),
      spreadOf(rates.map((rate, i) => rate / (bare[i] ?? Number.NaN))),
      load.what === 'read' ? null : spreadOf(rates).median * load.batch,
      serverPercent(database),
      serverPercent(reference),
      spreadOf(database.map(run => run.clientPercent)).median,
      spreadOf(reference.map(run => run.clientPercent)).median,
    ];
  });
  return {
    title: 'Requests per second over HTTP, keep-alive, one outstanding on each connection',
    columns: [
      {name: 'load', kind: 'text'},
      {name: 'database/s', kind: 'rate'},
      {name: 'reference/s', kind: 'rate'},
      {name: 'ratio', kind: 'ratio'},
      {name: 'commands/s', kind: 'rate'},
      {name: 'server cpu', kind: 'percent'},
      {name: 'reference cpu', kind: 'percent'},
      {name: 'client cpu', kind: 'percent'},
      {name: 'client cpu, reference', kind: 'percent'},
    ],
    rows,
  };
}

function latencyTable(all: readonly LoadRuns[]): Table {
  const spread = (runs: readonly HttpRun[], rank: 'p50' | 'p99'): Spread => spreadOf(runs.map(run => run[rank]));
  return {
    title: 'Microseconds from sending a request to its whole answer, closed loop',
    columns: [
      {name: 'load', kind: 'text'},
      {name: 'database p50', kind: 'micros'},
      {name: 'database p99', kind: 'micros'},
      {name: 'reference p50', kind: 'micros'},
      {name: 'reference p99', kind: 'micros'},
    ],
    rows: all.map(({load, database, reference}) => [
      loadText(load),
      spread(database, 'p50'),
      spread(database, 'p99'),
      spread(reference, 'p50'),
      spread(reference, 'p99'),
    ]),
  };
}

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'http');
  mkdirSync(dir, {recursive: true});
  try {
    const probe = probeDisk(dir, Math.min(1000, options.seconds * 200));
    const runs = await runHttpLoads(options, dir);
    return {
      tables: [rateTable(runs), latencyTable(runs)],
      notes: [
        probeLine(probe),
        'reference: Fastify with TypeBox schemas and answers of the same shape; no disk, no database, no access, no log',
        'where the client takes about 100 % of a core the rate is the client’s, and the ratio flatters',
      ],
      failures: [],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

export const HTTP: Scenario = {
  name: 'http',
  about: 'requests per second and latency over HTTP, beside a bare Fastify that answers the same',
  isLarge: true,
  run,
};
