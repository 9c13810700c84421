/**
 * Redis as a peer: a server of its own on a fresh directory, every write synced before it is answered, no snapshots and no
 * rewrites of the log during a run, and the workload's resources in it.
 *
 * A write is answered after the sync that follows the turn of Redis's event loop in which it was taken, so commands that
 * arrive together share a sync. Redis reads 16 KiB of a connection in a turn: many commands want several connections.
 */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Holdings, LoadShape} from '@allocdb/bench';
import {askOnce} from '../ask.ts';
import type {Peer, PeerConnection} from '../connection.ts';
import {findProgram, freePort, makeDirectory, ServerProcess, versionOf} from '../server_process.ts';
import {confirmHot, HOT_COUNT, hotReserve, RESOURCE_COUNT, resourceId} from '../setup.ts';
import {RedisConnection} from './redis_connection.ts';
import type {Reply} from './resp.ts';

/** What makes a write durable before it is answered, and what is kept out of the runs. */
export const REDIS_SETTINGS: Readonly<Record<string, string>> = {
  appendonly: 'yes',
  appendfsync: 'always',
  save: '',
  'auto-aof-rewrite-percentage': '0',
};

const LIBRARY: URL = new URL('../../schemas/redis.lua', import.meta.url);
const CHUNK = 10_000;

/** Path of the server; null where it is not installed. */
export function findRedis(): string | null {
  return findProgram('redis-server', ['/usr/bin', '/usr/local/bin']);
}

export class RedisPeer implements Peer {
  readonly about: string;
  readonly #server: ServerProcess;
  readonly port: number;
  readonly #control: RedisConnection;

  /** Starts it on `dir`, which is not there yet, and prepares the workload. Rejects where the port is not its own. */
  static async start(dir: string, port?: number): Promise<RedisPeer> {
    const program = findRedis();
    if (program === null) throw new Error('redis-server is not installed');
    makeDirectory(dir, null);
    const own = port ?? (await freePort());
    const settings = {...REDIS_SETTINGS, dir, port: String(own), bind: '127.0.0.1', loglevel: 'warning'};
    const server = new ServerProcess({
      program,
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      user: null,
      logFile: join(dir, 'server.log'),
      stopSignal: 'SIGTERM',
      killSignal: 'SIGKILL',
    });
    try {
      const control = await server.whenReady(() => openOwn(own, server.pid));
      await prepare(control);
      return new RedisPeer(server, own, control, versionOf(program));
    } catch (error) {
      server.kill();
      throw error;
    }
  }

  private constructor(server: ServerProcess, port: number, control: RedisConnection, version: string) {
    this.#server = server;
    this.port = port;
    this.#control = control;
    const settings = Object.entries(REDIS_SETTINGS).map(([name, value]) => `${name} ${value === '' ? '""' : value}`);
    const number = /v=(\S+)/.exec(version)?.[1] ?? version;
    this.about = `Redis ${number}, Lua functions, ${settings.join(', ')}, RESP pipelined over TCP`;
  }

  connect({connections}: LoadShape): Promise<PeerConnection[]> {
    return Promise.all(Array.from({length: connections}, () => RedisConnection.open(this.port)));
  }

  async holdings(): Promise<Holdings> {
    const reservations = numberOf(await this.#control.ask('GET', 'reservation_ids'));
    const keys = numberOf(await this.#control.ask('DBSIZE'));
    return {
      // Every key is a resource, a reservation, an operation, or the counter.
      operations: keys - RESOURCE_COUNT - reservations - 1,
      reservations,
      held: await this.#heldResources(),
    };
  }

  async stop(): Promise<void> {
    await this.#control.close();
    await this.#server.stop();
  }

  kill(): void {
    this.#server.kill();
  }

  async #heldResources(): Promise<number> {
    let held = 0;
    for (let first = 0; first < RESOURCE_COUNT; first += CHUNK) {
      const keys = Array.from({length: CHUNK}, (_, i) => resourceKey(first + i));
      const holders = await this.#control.ask('MGET', ...keys);
      if (!Array.isArray(holders)) throw new Error('MGET answered no array');
      held += holders.filter(holder => holder !== '').length;
    }
    return held;
  }
}

function resourceKey(index: number): Buffer {
  return Buffer.concat([Buffer.from('r'), resourceId(index)]);
}

function numberOf(reply: Reply): number {
  const value = Number(reply);
  if (reply === null || !Number.isInteger(value)) throw new Error(`Redis answered ${JSON.stringify(reply)}, no number`);
  return value;
}

/** Connects, and asks whom: another server has another process. */
async function openOwn(port: number, pid: number): Promise<RedisConnection> {
  const connection = await RedisConnection.open(port);
  const found = /process_id:(\d+)/.exec(String(await connection.ask('INFO', 'server')))?.[1];
  if (Number(found) === pid) return connection;
  await connection.close();
  throw new Error(`on port ${port} there is another Redis, process ${found}`);
}

async function prepare(control: RedisConnection): Promise<void> {
  await control.ask('FUNCTION', 'LOAD', readFileSync(LIBRARY));
  for (let first = 0; first < RESOURCE_COUNT; first += CHUNK) {
    const pairs = Array.from({length: CHUNK}, (_, i) => [resourceKey(first + i), '']);
    await control.ask('MSET', ...pairs.flat());
  }
  for (let i = 0; i < HOT_COUNT; i++) {
    const {reservation} = await askOnce(control, hotReserve(i));
    await askOnce(control, confirmHot(i, reservation));
  }
}
