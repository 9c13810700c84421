/**
 * Which peers are on this machine, what to say of those that are not, and the script that installs them. It runs only when
 * somebody asks: it changes the system.
 */
import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {PeerName} from './comparison.ts';
import {findPostgres} from './postgres/postgres_server.ts';
import {findRedis} from './redis/redis_server.ts';
import {loadSqlite} from './sqlite/sqlite_library.ts';

const SCRIPT = 'packages/peers/scripts/install_peers.sh';
const SCRIPT_URL: URL = new URL('../scripts/install_peers.sh', import.meta.url);
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
  return `${WHAT[name]} is not installed: \`pnpm bench:peers --install\`, or ${SCRIPT}, does it`;
}

/** Installs what is missing, with the words of the script on stderr. Answers why it could not, a line each; none if it could. */
export function installPeers(script: string = fileURLToPath(SCRIPT_URL)): string[] {
  const {status, signal, error} = spawnSync(script, [], {stdio: ['ignore', process.stderr.fd, process.stderr.fd]});
  if (status === 0) return [];
  return [`--install: ${SCRIPT} ${error?.message ?? `ended with ${status ?? signal}`}; its reasons are on stderr`];
}
