/**
 * The library that embeds SQLite, where it is there: it is optional, because it has to be compiled or downloaded, which an
 * ordinary installation of this repository does not do. `scripts/install_peers.sh` does.
 */
import type Database from 'better-sqlite3';

/** What the library exports. */
export type SqliteLibrary = typeof Database;

/** The library; null where it is not installed or has no binary for this machine. */
export async function loadSqlite(): Promise<SqliteLibrary | null> {
  try {
    const {default: library} = await import('better-sqlite3');
    new library(':memory:').close();
    return library;
  } catch {
    return null;
  }
}
