/**
 * PostgreSQL as a peer: a cluster of its own on a fresh directory, tuned for this loop and durable: fsync and
 * synchronous_commit are on. Checkpoints are out of reach, autovacuum runs. It refuses root, so it runs as a user of its
 * own where we are root.
 *
 * Everything is set in its configuration file, where whoever doubts a figure can read it.
 */
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync, realpathSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import type {Holdings, LoadShape} from '@allocdb/bench';
import {askOnce} from '../ask.ts';
import type {Peer, PeerConnection} from '../connection.ts';
import {
  freePort,
  makeDirectory,
  programIn,
  ServerProcess,
  type User,
  unprivilegedUser,
  versionOf,
} from '../server_process.ts';
import {confirmHot, HOT_COUNT, hotReserve, RESOURCE_COUNT, resourceId} from '../setup.ts';
import {BatchConnection, SingleConnection} from './postgres_connections.ts';
import {PostgresSession, USER} from './postgres_session.ts';

/** What differs from the defaults; the sizes are for a machine of a few cores and gigabytes. */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '512MB',
  max_connections: '300',
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_buffers: '64MB',
  min_wal_size: '1GB',
  max_wal_size: '64GB',
  checkpoint_timeout: '1h',
  jit: 'off',
};

const SCHEMA: URL = new URL('../../schemas/postgres.sql', import.meta.url);
const DEBIAN = '/usr/lib/postgresql';
const CHUNK = 10_000;

/** How commands become transactions. */
export type TransactionMode = 'single' | 'batched';

/** PostgreSQL's programs, of one installation: a server refuses what the `initdb` of another version has made. */
export interface PostgresPrograms {
  readonly postgres: string;
  readonly initdb: string;
}

/** The programs, from the first directory that has both; null where none has. Directories of Debian: the newest first. */
export function findPostgres(
  dirs: readonly string[] = [...(process.env['PATH'] ?? '').split(delimiter), ...debianDirs()],
): PostgresPrograms | null {
  for (const dir of dirs) {
    const [postgres, initdb] = [programIn(dir, 'postgres'), programIn(dir, 'initdb')];
    if (postgres !== null && initdb !== null) return {postgres, initdb};
  }
  return null;
}

function debianDirs(): string[] {
  try {
    const versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
    return versions.map(version => join(DEBIAN, version, 'bin'));
  } catch {
    return [];
  }
}

/** A running PostgreSQL with an empty database, which anybody on this machine may use while it runs. */
export class PostgresServer {
  readonly port: number;
  readonly version: string;
  readonly control: PostgresSession;
  readonly #server: ServerProcess;

  /**
   * Starts it on `dir`, which is not there yet and must be reachable for its user. Rejects where the port is not its own.
   */
  static async start(dir: string, port?: number): Promise<PostgresServer> {
    const programs = findPostgres();
    if (programs === null) throw new Error('PostgreSQL is not installed');
    const user = unprivilegedUser();
    makeDirectory(dir, user);
    const [data, own] = [join(dir, 'data'), port ?? (await freePort())];
    createCluster(programs.initdb, data, user);
    writeSettings(join(data, 'postgresql.auto.conf'), own);
    const server = new ServerProcess({
      program: programs.postgres,
      args: ['-D', data],
      user,
      logFile: join(dir, 'server.log'),
      stopSignal: 'SIGINT',
      killSignal: 'SIGQUIT',
    });
    try {
      const control = await server.whenReady(() => openOwn(own, data));
      return new PostgresServer(server, own, control, versionOf(programs.postgres));
    } catch (error) {
      server.kill();
      throw error;
    }
  }

  private constructor(server: ServerProcess, port: number, control: PostgresSession, version: string) {
    this.#server = server;
    this.port = port;
    this.control = control;
    this.version = /\d+(?:\.\d+)*/.exec(version)?.[0] ?? version;
  }

  /** Where clients connect: everybody is trusted, and every user is this one. */
  get url(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/postgres`;
  }

  async stop(): Promise<void> {
    await this.control.close();
    await this.#server.stop();
  }

  kill(): void {
    this.#server.kill();
  }
}

export class PostgresPeer implements Peer {
  readonly about: string;
  readonly #server: PostgresServer;
  readonly #mode: TransactionMode;

  /** Starts a server on `dir`, as {@link PostgresServer.start} does, and prepares the workload. */
  static async start(dir: string, mode: TransactionMode, port?: number): Promise<PostgresPeer> {
    const server = await PostgresServer.start(dir, port);
    try {
      await prepare(server.control, server.port);
      return new PostgresPeer(server, mode);
    } catch (error) {
      server.kill();
      throw error;
    }
  }

  private constructor(server: PostgresServer, mode: TransactionMode) {
    this.#server = server;
    this.#mode = mode;
    const settings = Object.entries(POSTGRES_SETTINGS).map(([name, value]) => `${name} ${value}`);
    this.about = `PostgreSQL ${server.version}, prepared calls of functions over TCP, ${settings.join(', ')}`;
  }

  get port(): number {
    return this.#server.port;
  }

  connect({connections}: LoadShape): Promise<PeerConnection[]> {
    const open = this.#mode === 'single' ? SingleConnection.open : BatchConnection.open;
    return Promise.all(Array.from({length: connections}, () => open(this.port)));
  }

  async holdings(): Promise<Holdings> {
    const count = async (what: string): Promise<number> =>
      Number((await this.#server.control.query(`SELECT count(*) FROM ${what}`))[0]);
    return {
      operations: await count('operations'),
      reservations: await count('reservations'),
      held: await count('resources WHERE reservation IS NOT NULL'),
    };
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  kill(): void {
    this.#server.kill();
  }
}

function createCluster(initdb: string, data: string, user: User | null): void {
  const args = ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'];
  execFileSync(initdb, args, {cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], ...user});
}

function writeSettings(file: string, port: number): void {
  const settings = {
    ...POSTGRES_SETTINGS,
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
  };
  writeFileSync(
    file,
    `${Object.entries(settings)
      .map(([name, value]) => `${name} = '${value}'`)
      .join('\n')}\n`,
  );
}

/** Connects, and asks whom: another server has another directory. */
async function openOwn(port: number, data: string): Promise<PostgresSession> {
  const session = await PostgresSession.open(port);
  const [found] = await session.query('SHOW data_directory');
  if (found !== undefined && realPath(found) === realPath(data)) return session;
  await session.close();
  throw new Error(`on port ${port} there is another PostgreSQL, of ${found}`);
}

/** The path itself where it cannot be looked at: then it is not ours. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

async function prepare(control: PostgresSession, port: number): Promise<void> {
  await control.query(readFileSync(SCHEMA, 'utf8'));
  for (let first = 0; first < RESOURCE_COUNT; first += CHUNK) {
    const rows = Array.from({length: CHUNK}, (_, i) => `('${resourceId(first + i).toString('hex')}')`);
    await control.query(`INSERT INTO resources (id) VALUES ${rows.join(',')}`);
  }
  const keeper = await SingleConnection.open(port);
  for (let i = 0; i < HOT_COUNT; i++) {
    const {reservation} = await askOnce(keeper, hotReserve(i));
    await askOnce(keeper, confirmHot(i, reservation));
  }
  await keeper.close();
  await control.query('VACUUM ANALYZE');
  // Begins every run without dirty pages of the setup.
  await control.query('CHECKPOINT');
}
