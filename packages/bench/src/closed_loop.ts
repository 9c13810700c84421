/**
 * One run of the closed loop against a server that was started for it, on a directory of its own that is removed again.
 *
 * Processor time of both sides is taken over the measured seconds, because at high rates the client may be what is busy.
 */
import {rmSync} from 'node:fs';
import {performance} from 'node:perf_hooks';
import {setTimeout as delay} from 'node:timers/promises';
import type {ChildServer} from './child_server.ts';
import {LoadClient} from './load_client.ts';
import type {BenchOptions, LoadShape} from './scenario.ts';
import {SERVER_RESOURCES, TTL_SLOTS} from './workload_config.ts';

/** The load under which a server answers most. */
export const HIGHEST: LoadShape = {connections: 16, outstanding: 512};

/** One run against one server. */
export interface LoadRun {
  readonly answersPerSecond: number;
  /** All of them, the warm-up's and those behind the measured seconds too. */
  readonly answers: number;
  /** Processor time over elapsed time, in percent; null where the system does not say. */
  readonly serverPercent: number | null;
  readonly clientPercent: number;
}

/** Loads a server for the seconds asked for, behind the warm-up; rejects at the first unexpected answer. */
export async function runClosedLoop(
  server: ChildServer,
  shape: LoadShape,
  {warmUpSeconds, seconds}: BenchOptions,
  resources: number = SERVER_RESOURCES,
): Promise<LoadRun> {
  const client = await LoadClient.connect({port: server.port, shape, resources, ttlSlots: TTL_SLOTS});
  try {
    client.start();
    await client.orFailure(delay(warmUpSeconds * 1000));
    const [answers, beganMs, cpu, serverCpu] = [
      client.answers,
      performance.now(),
      process.cpuUsage(),
      server.cpuMillis(),
    ];
    await client.orFailure(delay(seconds * 1000));
    const millis = performance.now() - beganMs;
    const answered = client.answers - answers;
    const own = process.cpuUsage(cpu);
    const serverNow = server.cpuMillis();
    await client.stop();
    return {
      answersPerSecond: (answered * 1000) / millis,
      answers: client.answers,
      serverPercent: serverCpu === null || serverNow === null ? null : (100 * (serverNow - serverCpu)) / millis,
      clientPercent: (own.user + own.system) / 10 / millis,
    };
  } finally {
    client.destroy();
  }
}

/** Starts a server on `dir`, uses it, and stops it in order; it is killed and the directory removed whatever happens. */
export async function withServer<T>(
  start: (dir: string, profileDir: string | null) => Promise<ChildServer>,
  dir: string,
  {profileDir}: BenchOptions,
  use: (server: ChildServer) => Promise<T>,
): Promise<T> {
  try {
    const server = await start(dir, profileDir);
    try {
      const result = await use(server);
      await server.stop();
      return result;
    } finally {
      server.kill();
    }
  } finally {
    rmSync(dir, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
  }
}
