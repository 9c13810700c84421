/**
 * The commands over SQLite: each with the same tables and the same answers as in schemas/postgres.sql, as statements that
 * are prepared once. The caller opens and commits transactions.
 *
 * One writer, in process: what a command reads nobody else changes before the commit.
 */
import {readFileSync} from 'node:fs';
import type {Holdings} from '@allocdb/bench';
import {RESERVATION_STATE, RESULT} from '@allocdb/core';
import type Database from 'better-sqlite3';
import type {PeerAnswer} from '../ask.ts';
import {KIND, type PeerCommand} from '../command.ts';

const SCHEMA: URL = new URL('../../schemas/sqlite.sql', import.meta.url);
const {RESERVED, CONFIRMED, RELEASED, EXPIRED} = RESERVATION_STATE;

interface OperationRow {
  readonly kind: number;
  readonly code: number;
  readonly resource: Buffer | null;
  readonly reservation: number | null;
  readonly holder: Buffer;
  readonly ttl_ms: number | null;
}

interface ReservationRow {
  readonly resource: Buffer;
  readonly holder: Buffer;
  readonly state: number;
  readonly deadline_ms: number;
}

interface ResourceRow {
  readonly reservation: number | null;
}

export class SqliteStore {
  readonly begin: Database.Statement;
  readonly commit: Database.Statement;
  readonly #db: Database.Database;
  readonly #createResource: Database.Statement;
  readonly #findOperation: Database.Statement<[Buffer], OperationRow>;
  readonly #storeOperation: Database.Statement;
  readonly #findResource: Database.Statement<[Buffer], ResourceRow>;
  readonly #setHolder: Database.Statement;
  readonly #findReservation: Database.Statement<[number], ReservationRow>;
  readonly #makeReservation: Database.Statement;
  readonly #setState: Database.Statement;

  /** Creates the tables in an empty database. */
  constructor(db: Database.Database) {
    db.exec(readFileSync(SCHEMA, 'utf8'));
    this.#db = db;
    this.begin = db.prepare('BEGIN IMMEDIATE');
    this.commit = db.prepare('COMMIT');
    this.#createResource = db.prepare('INSERT INTO resources VALUES (?, NULL)');
    this.#findOperation = db.prepare('SELECT * FROM operations WHERE id = ?');
    this.#storeOperation = db.prepare('INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#findResource = db.prepare('SELECT reservation FROM resources WHERE id = ?');
    this.#setHolder = db.prepare('UPDATE resources SET reservation = ? WHERE id = ?');
    this.#findReservation = db.prepare('SELECT resource, holder, state, deadline_ms FROM reservations WHERE id = ?');
    this.#makeReservation = db.prepare(`INSERT INTO reservations VALUES (NULL, ?, ?, ${RESERVED}, ?)`);
    this.#setState = db.prepare('UPDATE reservations SET state = ? WHERE id = ?');
  }

  /** Within a transaction. */
  createResource(id: Buffer): void {
    this.#createResource.run(id);
  }

  /** Within a transaction. */
  apply(command: PeerCommand): PeerAnswer {
    const seen = this.#findOperation.get(command.operation);
    if (seen !== undefined) return answerAgain(seen, command);
    return command.kind === KIND.RESERVE ? this.#reserve(command) : this.#move(command);
  }

  holdings(): Holdings {
    const count = (what: string): number =>
      Number(this.#db.prepare<[], number>(`SELECT count(*) FROM ${what}`).pluck().get());
    return {
      operations: count('operations'),
      reservations: count('reservations'),
      held: count('resources WHERE reservation IS NOT NULL'),
    };
  }

  #reserve({kind, operation, resource, holder, ttlMs}: PeerCommand): PeerAnswer {
    const row = this.#findResource.get(resource);
    let [code, reservation]: [number, number] = [RESULT.OK, 0];
    if (row === undefined) code = RESULT.RESOURCE_NOT_FOUND;
    else if (row.reservation !== null && !this.#expired(row.reservation)) code = RESULT.RESOURCE_BUSY;
    else {
      reservation = Number(this.#makeReservation.run(resource, holder, Date.now() + ttlMs).lastInsertRowid);
      this.#setHolder.run(reservation, resource);
    }
    this.#storeOperation.run(operation, kind, code, resource, reservation === 0 ? null : reservation, holder, ttlMs);
    return {code, reservation};
  }

  /** Ends a hold that is overdue; whether it was. */
  #expired(reservation: number): boolean {
    const row = this.#findReservation.get(reservation);
    if (row?.state !== RESERVED || row.deadline_ms > Date.now()) return false;
    this.#setState.run(EXPIRED, reservation);
    return true;
  }

  /** Confirm and release. */
  #move({kind, operation, reservation, holder}: PeerCommand): PeerAnswer {
    const row = this.#findReservation.get(reservation);
    let code: number = RESULT.OK;
    if (row === undefined) code = RESULT.RESERVATION_NOT_FOUND;
    else if (!row.holder.equals(holder)) code = RESULT.HOLDER_MISMATCH;
    else if (row.state !== RESERVED && (row.state !== CONFIRMED || kind !== KIND.RELEASE)) code = RESULT.INVALID_STATE;
    else {
      this.#setState.run(kind === KIND.CONFIRM ? CONFIRMED : RELEASED, reservation);
      if (kind === KIND.RELEASE) this.#setHolder.run(null, row.resource);
    }
    this.#storeOperation.run(operation, kind, code, null, reservation, holder, null);
    return {code, reservation: 0};
  }
}

function answerAgain(seen: OperationRow, command: PeerCommand): PeerAnswer {
  const isReserve = command.kind === KIND.RESERVE;
  const isSame =
    seen.kind === command.kind &&
    seen.holder.equals(command.holder) &&
    (isReserve
      ? seen.resource?.equals(command.resource) === true && seen.ttl_ms === command.ttlMs
      : seen.reservation === command.reservation);
  if (!isSame) return {code: RESULT.OPERATION_CONFLICT, reservation: 0};
  return {code: seen.code, reservation: isReserve ? (seen.reservation ?? 0) : 0};
}
