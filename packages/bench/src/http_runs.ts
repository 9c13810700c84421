/**
 * The loads of the `http` scenario against a database and the bare reference, both fresh processes for every repetition, and
 * asked in turn, load by load, so that both see the same neighbours; which comes first alternates.
 *
 * The loads of one repetition share a database, and each has resources and operations of its own. The first ones warm the
 * process up for the later ones, on both sides alike.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import {programOf} from './child_process.ts';
import {type ChildServer, startServer} from './child_server.ts';
import {withServer} from './closed_loop.ts';
import {HttpClient, type HttpLoad, type HttpPart} from './http_client.ts';
import {LatencyRecorder} from './latency_recorder.ts';
import {type BenchOptions, times} from './scenario.ts';
import {httpPortOf, startDatabase, WITH_HTTP} from './server_setup.ts';
import {HOT_RESOURCES} from './workload.ts';
import {SERVER_RESOURCES, workloadConfig} from './workload_config.ts';

/** What is measured. */
export const HTTP_LOADS: readonly HttpLoad[] = [
  {what: 'command', connections: 1, batch: 1},
  {what: 'command', connections: 16, batch: 1},
  {what: 'command', connections: 64, batch: 1},
  {what: 'batch', connections: 16, batch: 64},
  {what: 'read', connections: 16, batch: 1},
];

/** One run of one load against one server. */
export interface HttpRun {
  readonly requestsPerSecond: number;
  /** Microseconds from sending to the whole answer. */
  readonly p50: number;
  readonly p99: number;
  /** Processor time over elapsed time, in percent; null where the system does not say. */
  readonly serverPercent: number | null;
  readonly clientPercent: number;
}

/** The runs of one load. */
export interface LoadRuns {
  readonly load: HttpLoad;
  readonly database: readonly HttpRun[];
  readonly reference: readonly HttpRun[];
}

/** A server and where it answers HTTP. */
interface Target {
  readonly server: ChildServer;
  readonly port: number;
}

/** Operations of a load are told from those of another by what stands above their low 32 bits. */
const OPERATIONS_OF_LOAD = 0x1_0000_0000;
/** Each load has a fifth of them, of which batches need 1024. */
const RESOURCES_MIN = 6000;

/** As the command names it in tables. */
export function loadText({what, connections, batch}: HttpLoad): string {
  const clients = connections === 1 ? '1 connection' : `${connections} connections`;
  return `${what === 'batch' ? `batch of ${batch}` : what}, ${clients}`;
}

/** Starts the bare reference; it writes nothing. */
export async function startReference(dir: string, profileDir: string | null): Promise<ChildServer> {
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir);
  return startServer(programOf('http_reference'), [], {profileDir});
}

/** Starts a database of so many resources that answers HTTP. */
export async function startHttpDatabase(dir: string, profileDir: string | null, resources: number): Promise<Target> {
  let port: number | null = null;
  const server = await startDatabase(dir, profileDir, workloadConfig(resources), {
    args: WITH_HTTP,
    onEvent: event => {
      port ??= httpPortOf(event);
    },
  });
  if (port !== null) return {server, port};
  server.kill();
  throw new Error('the server does not say where it answers HTTP');
}

/** Loads a server for the seconds asked for, behind the warm-up; rejects at the first unexpected answer. */
export async function runHttpLoad(
  {server, port}: Target,
  load: HttpLoad,
  part: HttpPart,
  {warmUpSeconds, seconds}: BenchOptions,
): Promise<HttpRun> {
  const client = await HttpClient.connect(port, load, part);
  try {
    client.start();
    await client.orFailure(delay(warmUpSeconds * 1000));
    const recorder = new LatencyRecorder();
    client.recorder = recorder;
    const [beganMs, cpu, serverCpu] = [performance.now(), process.cpuUsage(), server.cpuMillis()];
    await client.orFailure(delay(seconds * 1000));
    const millis = performance.now() - beganMs;
    client.recorder = null;
    const own = process.cpuUsage(cpu);
    const serverNow = server.cpuMillis();
    await client.stop();
    return {
      requestsPerSecond: (recorder.count * 1000) / millis,
      p50: recorder.percentile(0.5),
      p99: recorder.percentile(0.99),
      serverPercent: serverCpu === null || serverNow === null ? null : (100 * (serverNow - serverCpu)) / millis,
      clientPercent: (own.user + own.system) / 10 / millis,
    };
  } finally {
    client.destroy();
  }
}

/** Runs every load on both as often as asked. */
export async function runHttpLoads(options: BenchOptions, dir: string): Promise<LoadRuns[]> {
  const resources = Math.max(RESOURCES_MIN, Math.round(SERVER_RESOURCES * options.scale));
  const runs = HTTP_LOADS.map(load => ({load, database: [] as HttpRun[], reference: [] as HttpRun[]}));
  for (const i of times(options.repeat)) {
    await withBoth(options, dir, resources, async (database, reference) => {
      for (const [at, each] of runs.entries()) {
        const part = partOf(at, resources);
        const onDatabase = async (): Promise<void> => {
          each.database.push(await runHttpLoad(database, each.load, part, options));
        };
        const onReference = async (): Promise<void> => {
          each.reference.push(await runHttpLoad(reference, each.load, part, options));
        };
        for (const run of i % 2 === 0 ? [onReference, onDatabase] : [onDatabase, onReference]) await run();
        const [full, bare] = [each.database, each.reference].map(all => Math.round(all.at(-1)?.requestsPerSecond ?? 0));
        const rates = `${full}/s, reference ${bare}/s`;
        options.progress(`http: ${loadText(each.load)}, run ${i + 1} of ${options.repeat}: ${rates}`);
      }
    });
  }
  return runs;
}

async function withBoth(
  options: BenchOptions,
  dir: string,
  resources: number,
  use: (database: Target, reference: Target) => Promise<void>,
): Promise<void> {
  let port = 0;
  const start = async (own: string, profileDir: string | null): Promise<ChildServer> => {
    const target = await startHttpDatabase(own, profileDir, resources);
    port = target.port;
    return target.server;
  };
  await withServer(start, join(dir, 'database'), options, server =>
    withServer(startReference, join(dir, 'reference'), options, reference =>
      use({server, port}, {server: reference, port: reference.port}),
    ),
  );
}

function partOf(index: number, resources: number): HttpPart {
  const each = Math.floor((resources - HOT_RESOURCES) / HTTP_LOADS.length);
  const firstResource = HOT_RESOURCES + index * each;
  return {firstResource, endResource: firstResource + each, firstOperation: index * OPERATIONS_OF_LOAD};
}
