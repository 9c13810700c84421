/**
 * Which peers are on this machine, and what to say of those that are not.
 */
import type {PeerName} from './comparison.ts';
import {findPostgres} from './postgres/postgres_server.ts';
import {findRedis} from './redis/redis_server.ts';
import {loadSqlite} from './sqlite/sqlite_library.ts';

const WHAT: Readonly<Record<PeerName, string>> = {
  redis: 'redis-server',
  postgres: 'postgres',
  sqlite: 'better-sqlite3, with its binary,',
};

/** Whether it can be run. */
export async function isInstalled(name: PeerName): Promise<boolean> {
  if (name === 'redis') return findRedis() !== null;
  if (name === 'postgres') return findPostgres() !== null;
  return (await loadSqlite()) !== null;
}

/** A line for whoever wanted it. */
export function absenceText(name: PeerName): string {
  return `${WHAT[name]} is not installed: packages/peers/scripts/install_peers.sh does it`;
}
