/**
 * How fast changes are read from the beginning of a log while nothing else happens: from a server, as objects, as raw frames
 * and as server-sent events; in process, as objects and as frames; beside them the log's own cursor, which copies nothing and
 * makes nothing. Every run is a reader in a process of its own (`feed_read_program.ts`) with a warm page cache; the ways take
 * turns, and a server is a fresh one for every turn.
 *
 * Checked in every run: that each lsn follows the one before, and that there were as many as the log has.
 */
import {join} from 'node:path';
import {configToJson} from '@allocdb/node';
import {numberIn, runMeasurement} from './child_process.ts';
import {ALLOCDB_PROGRAM, type ChildServer, startServer} from './child_server.ts';
import type {FeedContext} from './feed_writers.ts';
import type {PopulationPlan} from './population.ts';
import type {Cell, Table} from './report.ts';
import {times} from './scenario.ts';
import {httpPortOf, serveArgs, WITH_HTTP} from './server_setup.ts';
import {spreadOf, spreadOrNull} from './stats.ts';
import {HOT_RESOURCES} from './workload.ts';
import {SERVER_RESOURCES, TTL_SLOTS, workloadConfig} from './workload_config.ts';

const CHANGES = 1_000_000;
const RESOURCES_MIN = 2000;
/** Operations at a slot of the log: a million a second at 100 ms. */
const PER_SLOT = 100_000;

/** Where a way reads from. */
type Source = 'log' | 'engine' | 'tcp' | 'http';

interface Way {
  readonly name: string;
  readonly about: string;
  readonly source: Source;
}

const WAYS: readonly Way[] = [
  {name: 'cursor', about: 'cursor of the log', source: 'log'},
  {name: 'frames', about: 'embedded, frames', source: 'engine'},
  {name: 'objects', about: 'embedded, objects', source: 'engine'},
  {name: 'tcp-frames', about: 'TCP, frames', source: 'tcp'},
  {name: 'tcp-objects', about: 'TCP, objects', source: 'tcp'},
  {name: 'sse', about: 'HTTP, server-sent events', source: 'http'},
];

/** One way once. */
interface ReadRun {
  readonly changesPerSecond: number;
  readonly bytesEach: number | null;
  readonly serverPercent: number | null;
  readonly readerPercent: number;
}

async function build({options}: FeedContext, dir: string): Promise<number> {
  const resources = Math.max(RESOURCES_MIN, Math.round(SERVER_RESOURCES * options.scale));
  const plan: PopulationPlan = {
    resources,
    kept: {first: HOT_RESOURCES, end: HOT_RESOURCES, ttlSlots: TTL_SLOTS, confirmed: 0},
    operations: Math.max(2 * resources, Math.round(CHANGES * options.scale)),
    over: {first: HOT_RESOURCES, end: resources},
    perSlot: PER_SLOT,
    checkpoint: false,
  };
  const args = [dir, JSON.stringify(configToJson(workloadConfig(resources))), JSON.stringify(plan)];
  const built = await runMeasurement('populate_program', args, {
    progress: line => options.progress(`feed: ${line}`),
  });
  return numberIn(built, 'operations');
}

async function readBy(
  way: Way,
  where: string,
  last: number,
  {expectations}: FeedContext,
  server: ChildServer | null,
): Promise<ReadRun> {
  const cpu = server?.cpuMillis() ?? null;
  const found = await runMeasurement('feed_read_program', [way.name, where, String(last)]);
  const cpuNow = server?.cpuMillis() ?? null;
  const [changes, seconds] = [numberIn(found, 'changes'), numberIn(found, 'seconds')];
  // Chunks are counted to their end: more than there should be shows too.
  expectations.equal(`changes, ${way.about}`, changes, last);
  return {
    changesPerSecond: changes / seconds,
    bytesEach: found['bytes'] === null ? null : numberIn(found, 'bytes') / changes,
    serverPercent: cpu === null || cpuNow === null ? null : (cpuNow - cpu) / (10 * seconds),
    readerPercent: numberIn(found, 'cpuMillis') / (10 * seconds),
  };
}

async function fromServer(
  ways: readonly Way[],
  dir: string,
  context: FeedContext,
  use: (way: Way, where: string, server: ChildServer) => Promise<void>,
): Promise<void> {
  let http: number | null = null;
  const server = await startServer(ALLOCDB_PROGRAM, [...serveArgs(dir), ...WITH_HTTP], {
    profileDir: context.options.profileDir,
    onEvent: event => {
      http ??= httpPortOf(event);
    },
  });
  try {
    if (http === null) throw new Error('the server does not say where it answers HTTP');
    for (const way of ways) await use(way, String(way.source === 'http' ? http : server.port), server);
    await server.stop();
  } finally {
    server.kill();
  }
}

/** Changes per second of every way. */
export async function catchUpTable(context: FeedContext): Promise<Table> {
  const {options} = context;
  const dir = join(context.dir, 'catch-up');
  const last = await build(context, dir);
  const runs = new Map<Way, ReadRun[]>(WAYS.map(way => [way, []]));
  for (const i of times(options.repeat)) {
    const turned = WAYS.map((_, j) => WAYS[(i + j) % WAYS.length] as Way);
    const add = async (way: Way, where: string, server: ChildServer | null): Promise<void> => {
      const run = await readBy(way, where, last, context, server);
      runs.get(way)?.push(run);
      const rate = Math.round(run.changesPerSecond);
      options.progress(`feed: ${way.about}, run ${i + 1} of ${options.repeat}: ${rate}/s`);
    };
    for (const way of turned.filter(({source}) => source === 'log' || source === 'engine')) await add(way, dir, null);
    const served = turned.filter(({source}) => source === 'tcp' || source === 'http');
    await fromServer(served, dir, context, add);
  }
  const bare = (runs.get(WAYS[0] as Way) ?? []).map(run => run.changesPerSecond);
  return {
    title: `Reading ${last} changes from the beginning of the log, nothing else happening`,
    columns: [
      {name: 'way', kind: 'text'},
      {name: 'changes/s', kind: 'rate'},
      {name: 'of the cursor', kind: 'ratio'},
      {name: 'bytes each', kind: 'bytesEach'},
      {name: 'server cpu', kind: 'percent'},
      {name: 'reader cpu', kind: 'percent'},
    ],
    rows: WAYS.map(way => rowOf(way, runs.get(way) ?? [], bare)),
  };
}

function rowOf(way: Way, runs: readonly ReadRun[], bare: readonly number[]): Cell[] {
  const rates = runs.map(run => run.changesPerSecond);
  return [
    way.about,
    spreadOf(rates),
    spreadOf(rates.map((rate, i) => rate / (bare[i] ?? Number.NaN))),
    runs[0]?.bytesEach ?? null,
    spreadOrNull(runs.map(run => run.serverPercent).filter(each => each !== null))?.median ?? null,
    spreadOf(runs.map(run => run.readerPercent)).median,
  ];
}
