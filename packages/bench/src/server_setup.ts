/**
 * A database server ready for the workload: started on a fresh directory, every resource created, the hot ones held by
 * somebody who keeps them.
 *
 * The server counts slots by its own clock, as in production: it replaces the slots of requests, ticks, and retires
 * operations and reservations as time passes. Checkpoints are out of reach, so that a figure is one of commands alone;
 * what a checkpoint costs is a scenario of its own.
 */
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {openRawConnection} from '@allocdb/client';
import {configToJson, type DatabaseConfig} from '@allocdb/node';
import {ALLOCDB_PROGRAM, type ChildServer, ECHO_PROGRAM, type ServerEvent, startServer} from './child_server.ts';
import {ResourceSetup} from './resource_setup.ts';
import {HOT_RESOURCES} from './workload.ts';
import {SERVER_RESOURCES, SLOT_MS, TTL_SLOTS, workloadConfig} from './workload_config.ts';

const NEVER_MIB = 1_000_000;

/** Empties `dir` and starts the bare durable echo on it. */
export async function startEcho(dir: string, profileDir: string | null): Promise<ChildServer> {
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir);
  return startServer(ECHO_PROGRAM, [dir], {profileDir});
}

/** What a server is started with beside what all are. */
export interface DatabaseStart {
  /** Further arguments of `allocdb serve`; the last of two counts. */
  readonly args?: readonly string[];
  /** Told what the server says, from its start on. */
  readonly onEvent?: (event: ServerEvent) => void;
}

/** Empties `dir`, starts a server on it and prepares the resources. */
export async function startDatabase(
  dir: string,
  profileDir: string | null,
  config: DatabaseConfig = workloadConfig(SERVER_RESOURCES),
  {args: more = [], onEvent = () => undefined}: DatabaseStart = {},
): Promise<ChildServer> {
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir);
  const file = join(dir, 'config.json');
  writeFileSync(file, JSON.stringify(configToJson(config)));
  const args = [...serveArgs(join(dir, 'data')), '--config', file, ...more];
  const server = await startServer(ALLOCDB_PROGRAM, args, {profileDir, onEvent});
  try {
    await using connection = await openRawConnection(`allocdb://127.0.0.1:${server.port}`);
    const setup = new ResourceSetup(frame => connection.request(frame));
    await setup.create(config.core.maxResources);
    await setup.keep(0, HOT_RESOURCES, TTL_SLOTS, HOT_RESOURCES);
  } catch (error) {
    server.kill();
    throw error;
  }
  return server;
}

/** The last lsn that is durable on a server; 0 for none. */
export async function lastLsnOf(server: ChildServer): Promise<number> {
  await using connection = await openRawConnection(`allocdb://127.0.0.1:${server.port}`);
  return Number(connection.welcome.lastDurableLsn ?? 0n);
}

/** Arguments by which a server answers HTTP too, on a port that {@link httpPortOf} finds. */
export const WITH_HTTP: readonly string[] = ['--http', '127.0.0.1:0'];

/** The port for HTTP that a server says it listens on; null where the event says nothing about it. */
export function httpPortOf({event, fields}: ServerEvent): number | null {
  const {http} = fields;
  if (event !== 'listening' || typeof http !== 'object' || http === null || !('port' in http)) return null;
  return Number(http.port);
}

/** Arguments of `allocdb serve` for a directory, with a checkpoint after so many MiB of log. */
export function serveArgs(data: string, checkpointEveryMib: number = NEVER_MIB): string[] {
  return [
    'serve',
    data,
    '--listen',
    '127.0.0.1:0',
    '--http',
    'off',
    '--slot-ms',
    String(SLOT_MS),
    '--checkpoint-every-mib',
    String(checkpointEveryMib),
  ];
}
