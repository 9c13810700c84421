/**
 * Latency over TCP at half of the highest rate, by a fixed schedule of arrivals on sixteen connections: what users see who
 * do not wait for each other. Slots change and ticks run all the time. Beside it, in the same run and at the same rate, the
 * bare durable echo, and what one write and fdatasync takes on this disk.
 *
 * The highest rate is measured first, with the closed loop, unless a rate is given.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {HIGHEST, runClosedLoop, withServer} from '../closed_loop.ts';
import {type DiskProbe, probeDisk} from '../disk_probe.ts';
import {type OpenRun, runOpenLoop} from '../latency_runs.ts';
import type {Cell, Table} from '../report.ts';
import {type BenchOptions, type Scenario, type ScenarioReport, times} from '../scenario.ts';
import {startDatabase, startEcho} from '../server_setup.ts';
import {spreadOf} from '../stats.ts';
import {SERVER_RESOURCES, TTL_SLOTS} from '../workload_config.ts';

const CONNECTIONS = 16;
/** Enough for what a stall of 50 ms lets pile up. */
const LANES = 2048;
/** Of the highest rate. */
const SHARE = 0.5;
/** The target: p99, in p99s of the bare fdatasync. */
const TARGET = 4;
const PROBE_MS = 1000;

type Start = typeof startEcho;

interface LatencyContext {
  readonly options: BenchOptions;
  readonly dir: string;
}

async function highestRate({options, dir}: LatencyContext): Promise<number> {
  const run = await withServer(startDatabase, join(dir, 'highest'), options, server =>
    runClosedLoop(server, HIGHEST, options),
  );
  return run.answersPerSecond;
}

function openLoop({options, dir}: LatencyContext, start: Start, rate: number): Promise<OpenRun> {
  const over = {resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS};
  return withServer(start, join(dir, 'run'), options, ({port}) =>
    runOpenLoop({port, connections: CONNECTIONS, lanes: LANES, rate, over}, options),
  );
}

interface Runs {
  readonly database: OpenRun[];
  readonly echo: OpenRun[];
  readonly disk: DiskProbe[];
}

async function measure(context: LatencyContext, rate: number): Promise<Runs> {
  const {options, dir} = context;
  const runs: Runs = {database: [], echo: [], disk: []};
  const database = async (): Promise<void> => {
    runs.database.push(await openLoop(context, startDatabase, rate));
  };
  const echo = async (): Promise<void> => {
    runs.echo.push(await openLoop(context, startEcho, rate));
  };
  for (const i of times(options.repeat)) {
    runs.disk.push(probeDisk(dir, Math.min(PROBE_MS, options.seconds * 200)));
    for (const run of i % 2 === 0 ? [echo, database] : [database, echo]) await run();
    const [p99, bare] = [runs.database.at(-1)?.latencies.p99, runs.disk.at(-1)?.p99Micros];
    options.progress(
      `latency: run ${i + 1} of ${options.repeat}: p99 ${p99} us, bare fdatasync ${Math.round(bare ?? 0)} us`,
    );
  }
  return runs;
}

function rowOf(what: string, runs: readonly OpenRun[], disk: readonly DiskProbe[], target: number | null): Cell[] {
  const of = (read: (run: OpenRun) => number): Cell => spreadOf(runs.map(read));
  return [
    what,
    of(run => run.answersPerSecond),
    of(run => run.latencies.p50),
    of(run => run.latencies.p99),
    of(run => run.latencies.p999),
    of(run => run.latencies.max),
    spreadOf(runs.map((run, i) => run.latencies.p99 / (disk[i]?.p99Micros ?? Number.NaN))),
    target,
    of(run => run.late.p99),
    of(run => run.late.max),
  ];
}

function tableOf({database, echo, disk}: Runs, rate: number): Table {
  const [p50, p99] = [disk.map(each => each.p50Micros), disk.map(each => each.p99Micros)];
  return {
    title: `Latency from the scheduled moment at ${Math.round(rate)} arrivals a second on ${CONNECTIONS} connections`,
    columns: [
      {name: 'what', kind: 'text'},
      {name: 'answers/s', kind: 'rate'},
      {name: 'p50 us', kind: 'micros'},
      {name: 'p99 us', kind: 'micros'},
      {name: 'p99.9 us', kind: 'micros'},
      {name: 'max us', kind: 'micros'},
      {name: 'p99 of fdatasync p99', kind: 'ratio'},
      {name: 'target', kind: 'ratio'},
      {name: 'sender late p99 us', kind: 'micros'},
      {name: 'late max us', kind: 'micros'},
    ],
    rows: [
      rowOf('database', database, disk, TARGET),
      rowOf('bare durable echo', echo, disk, null),
      ['4 KiB write + fdatasync', null, spreadOf(p50), spreadOf(p99), null, null, null, null, null, null],
    ],
  };
}

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, 'latency');
  mkdirSync(dir, {recursive: true});
  try {
    const context = {options, dir};
    const highest = options.rate === null ? await highestRate(context) : null;
    const rate = options.rate ?? SHARE * (highest ?? Number.NaN);
    options.progress(`latency: ${Math.round(rate)} arrivals a second`);
    const runs = await measure(context, rate);
    return {
      tables: [tableOf(runs, rate)],
      notes: [
        highest === null ? 'the rate was given' : `the highest rate, by the closed loop, was ${Math.round(highest)}/s`,
        'an arrival counts from when it was due, sent or not: a late sender is in the latencies, and beside them',
      ],
      failures: [],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

export const LATENCY: Scenario = {
  name: 'latency',
  about: 'latency at half of the highest rate by a fixed schedule, beside the echo and the bare fdatasync',
  isLarge: true,
  run,
};
