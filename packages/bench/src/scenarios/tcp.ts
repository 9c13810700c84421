/**
 * Durable answers per second over TCP, from another process, at several numbers of commands outstanding; beside each the
 * bare durable echo of the same bytes from the same client in the same run, and the quotient of the two.
 *
 * Echo and database alternate, each in a fresh process on a fresh directory. The processor time of both sides is shown
 * because at high rates the client may be what is busy: then both figures are the client's, and the quotient flatters.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import {type ChildServer, ECHO_PROGRAM, startServer} from '../child_server.ts';
import {probeDisk, probeLine} from '../disk_probe.ts';
import {LoadClient} from '../load_client.ts';
import type {Cell} from '../report.ts';
import {type BenchOptions, type LoadShape, type Scenario, type ScenarioReport, shapeText} from '../scenario.ts';
import {startDatabase} from '../server_setup.ts';
import {type Spread, spreadOf} from '../stats.ts';
import {SERVER_RESOURCES, TTL_SLOTS} from '../workload_config.ts';

/** The target: share of the echo's rate, by shape. */
const TARGETS: ReadonlyMap<string, number> = new Map([
  ['1x1', 0.85],
  ['1x64', 0.7],
  ['1x1024', 0.5],
  ['16x64', 0.45],
]);

/** One run against one server. */
interface LoadRun {
  readonly answersPerSecond: number;
  /** Processor time over elapsed time, in percent; null where the system does not say. */
  readonly serverPercent: number | null;
  readonly clientPercent: number;
}

async function startEcho(dir: string, profileDir: string | null): Promise<ChildServer> {
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir);
  return startServer(ECHO_PROGRAM, [dir], profileDir);
}

async function load(server: ChildServer, shape: LoadShape, options: BenchOptions): Promise<LoadRun> {
  const client = await LoadClient.connect({
    port: server.port,
    shape,
    resources: SERVER_RESOURCES,
    ttlSlots: TTL_SLOTS,
  });
  try {
    client.start();
    await client.orFailure(delay(options.warmUpSeconds * 1000));
    const [answers, beganMs, cpu, serverCpu] = [
      client.answers,
      performance.now(),
      process.cpuUsage(),
      server.cpuMillis(),
    ];
    await client.orFailure(delay(options.seconds * 1000));
    const millis = performance.now() - beganMs;
    const answered = client.answers - answers;
    const own = process.cpuUsage(cpu);
    const serverNow = server.cpuMillis();
    await client.stop();
    return {
      answersPerSecond: (answered * 1000) / millis,
      serverPercent: serverCpu === null || serverNow === null ? null : (100 * (serverNow - serverCpu)) / millis,
      clientPercent: (own.user + own.system) / 10 / millis,
    };
  } finally {
    client.destroy();
  }
}

async function measure(
  start: (dir: string, profileDir: string | null) => Promise<ChildServer>,
  dir: string,
  shape: LoadShape,
  options: BenchOptions,
): Promise<LoadRun> {
  try {
    const server = await start(dir, options.profileDir);
    try {
      const result = await load(server, shape, options);
      await server.stop();
      return result;
    } finally {
      server.kill();
    }
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

function spreadOrNull(values: readonly (number | null)[]): Spread | null {
  const numbers = values.filter(value => value !== null);
  return numbers.length === 0 ? null : spreadOf(numbers);
}

async function rowOf(shape: LoadShape, dir: string, options: BenchOptions): Promise<Cell[]> {
  const [database, echo]: [LoadRun[], LoadRun[]] = [[], []];
  for (let i = 0; i < options.repeat; i++) {
    const [bare, full] = [
      await measure(startEcho, join(dir, 'echo'), shape, options),
      await measure(startDatabase, join(dir, 'database'), shape, options),
    ];
    echo.push(bare);
    database.push(full);
    const rates = `${Math.round(full.answersPerSecond)}/s, echo ${Math.round(bare.answersPerSecond)}/s`;
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
    spreadOrNull(database.map(run => run.serverPercent))?.median ?? null,
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
          title: 'Durable answers per second over TCP, connections x outstanding',
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
