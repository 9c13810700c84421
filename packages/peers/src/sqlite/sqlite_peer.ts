/**
 * SQLite as a peer: in this process, on a fresh file, with a write-ahead log that is synced at every commit. What was sent
 * until the flush is one transaction, run in a turn of the event loop of its own.
 *
 * Tuned: the file is ours alone, the cache holds it all, and pages go from log to database seldom enough not to matter.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import type {Holdings, LoadShape} from '@allocdb/bench';
import type Database from 'better-sqlite3';
import type {PeerAnswer} from '../ask.ts';
import {emptyCommand, type PeerCommand} from '../command.ts';
import {type AnswerTarget, NOBODY, type Peer, type PeerConnection} from '../connection.ts';
import {confirmHot, HOT_COUNT, hotReserve, RESOURCE_COUNT, resourceId} from '../setup.ts';
import {loadSqlite} from './sqlite_library.ts';
import {SqliteStore} from './sqlite_store.ts';

/** In the order in which they are set. */
export const SQLITE_SETTINGS: Readonly<Record<string, string>> = {
  page_size: '4096',
  locking_mode: 'EXCLUSIVE',
  journal_mode: 'WAL',
  synchronous: 'FULL',
  cache_size: '-524288',
  temp_store: 'MEMORY',
  wal_autocheckpoint: '10000',
};

export class SqlitePeer implements Peer {
  readonly about: string;
  readonly #db: Database.Database;
  readonly #store: SqliteStore;

  /** Opens it in `dir`, which is not there yet, and prepares the workload. */
  static async start(dir: string): Promise<SqlitePeer> {
    const library = await loadSqlite();
    if (library === null) throw new Error('better-sqlite3 is not installed');
    mkdirSync(dir);
    const db = new library(join(dir, 'sqlite.db'));
    try {
      for (const [name, value] of Object.entries(SQLITE_SETTINGS)) db.pragma(`${name} = ${value}`);
      const store = new SqliteStore(db);
      prepare(store);
      db.pragma('wal_checkpoint(TRUNCATE)');
      return new SqlitePeer(db, store);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  private constructor(db: Database.Database, store: SqliteStore) {
    this.#db = db;
    this.#store = store;
    const version = String(db.prepare('SELECT sqlite_version()').pluck().get());
    const settings = Object.entries(SQLITE_SETTINGS).map(([name, value]) => `${name} ${value}`);
    this.about = `SQLite ${version} in process, better-sqlite3, ${settings.join(', ')}`;
  }

  /** One connection only: there is one writer. */
  connect({connections}: LoadShape): Promise<PeerConnection[]> {
    if (connections !== 1) throw new RangeError(`SQLite has one writer, not ${connections}`);
    return Promise.resolve([new SqliteConnection(this.#store)]);
  }

  holdings(): Promise<Holdings> {
    return Promise.resolve(this.#store.holdings());
  }

  stop(): Promise<void> {
    this.#db.close();
    return Promise.resolve();
  }

  kill(): void {
    this.#db.close();
  }
}

function prepare(store: SqliteStore): void {
  store.begin.run();
  for (let i = 0; i < RESOURCE_COUNT; i++) store.createResource(resourceId(i));
  for (let i = 0; i < HOT_COUNT; i++) {
    const {reservation} = store.apply(hotReserve(i));
    store.apply(confirmHot(i, reservation));
  }
  store.commit.run();
}

class SqliteConnection implements PeerConnection {
  target: AnswerTarget = NOBODY;
  readonly #store: SqliteStore;
  /** Commands until the flush; objects are used again. */
  readonly #commands: PeerCommand[] = [];
  #count: number = 0;
  #isScheduled: boolean = false;

  constructor(store: SqliteStore) {
    this.#store = store;
  }

  send(command: PeerCommand): void {
    const kept = this.#commands[this.#count] ?? emptyCommand();
    this.#commands[this.#count++] = kept;
    kept.kind = command.kind;
    command.operation.copy(kept.operation);
    command.holder.copy(kept.holder);
    command.resource.copy(kept.resource);
    kept.reservation = command.reservation;
    kept.ttlMs = command.ttlMs;
  }

  flush(): void {
    if (this.#count === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #run(): void {
    this.#isScheduled = false;
    try {
      const answers = this.#transaction();
      this.#count = 0;
      this.target.onChunk();
      for (const {code, reservation} of answers) this.target.onAnswer(code, reservation);
    } catch (error) {
      this.target.onError(error instanceof Error ? error : new Error(String(error)));
    }
    this.flush();
  }

  #transaction(): PeerAnswer[] {
    const answers: PeerAnswer[] = [];
    this.#store.begin.run();
    for (let i = 0; i < this.#count; i++) answers.push(this.#store.apply(this.#commands[i] as PeerCommand));
    this.#store.commit.run();
    return answers;
  }
}
