/**
 * PostgreSQL as the loop sees it, in two ways. Single: a connection has one command outstanding, a call of the command's
 * function by a prepared statement, which is a transaction of its own. Batched: what was sent until the flush is one call
 * of `apply_batch`, and so one transaction.
 *
 * A transaction's answers are told when it is durable, not when its rows come.
 */
import {KIND, type PeerCommand} from '../command.ts';
import {type AnswerTarget, NOBODY, type PeerConnection} from '../connection.ts';
import {arrayParameter, int8Parameter, nullParameter, OID, uuidParameter, writeRun} from './messages.ts';
import {PostgresSession, type SessionTarget} from './postgres_session.ts';

const STATEMENTS: Readonly<Record<number, readonly [name: string, sql: string]>> = {
  [KIND.RESERVE]: ['reserve', 'SELECT code, granted FROM reserve($1, $2, $3, $4)'],
  [KIND.CONFIRM]: ['confirm', 'SELECT code, granted FROM confirm($1, $2, $3)'],
  [KIND.RELEASE]: ['release', 'SELECT code, granted FROM release($1, $2, $3)'],
};
const BATCH: readonly [name: string, sql: string] = [
  'batch',
  'SELECT code, granted FROM apply_batch($1, $2, $3, $4, $5, $6) ORDER BY place',
];

/** What both have: answers are kept until their transaction is durable. */
abstract class PostgresConnection implements PeerConnection, SessionTarget {
  target: AnswerTarget = NOBODY;
  protected readonly session: PostgresSession;
  #rows: (readonly number[])[] = [];

  protected constructor(session: PostgresSession) {
    this.session = session;
    session.target = this;
  }

  abstract send(command: PeerCommand): void;
  abstract flush(): void;

  close(): Promise<void> {
    return this.session.close();
  }

  onChunk(): void {
    this.target.onChunk();
  }

  onRow(fields: readonly number[]): void {
    this.#rows.push(fields);
  }

  onReady(): void {
    const rows = this.#rows;
    this.#rows = [];
    for (const [code, granted] of rows) this.target.onAnswer(code ?? 0, granted ?? 0);
  }

  onChunkEnd(): void {
    this.flush();
  }

  onError(error: Error): void {
    this.target.onError(error);
  }
}

export class SingleConnection extends PostgresConnection {
  static async open(port: number): Promise<SingleConnection> {
    const session = await PostgresSession.open(port);
    for (const [name, sql] of Object.values(STATEMENTS)) await session.prepare(name, sql);
    return new SingleConnection(session);
  }

  send(command: PeerCommand): void {
    const {out} = this.session;
    const {kind, operation, holder} = command;
    const isReserve = kind === KIND.RESERVE;
    writeRun(out, STATEMENTS[kind]?.[0] ?? '', isReserve ? 4 : 3, () => {
      uuidParameter(out, operation);
      if (isReserve) uuidParameter(out, command.resource);
      else int8Parameter(out, command.reservation);
      uuidParameter(out, holder);
      if (isReserve) int8Parameter(out, command.ttlMs);
    });
  }

  flush(): void {
    this.session.flush();
  }
}

export class BatchConnection extends PostgresConnection {
  #commands: PeerCommand[] = [];

  static async open(port: number): Promise<BatchConnection> {
    const session = await PostgresSession.open(port);
    await session.prepare(...BATCH);
    return new BatchConnection(session);
  }

  send(command: PeerCommand): void {
    const {operation, holder, resource} = command;
    this.#commands.push({
      ...command,
      operation: Buffer.from(operation),
      holder: Buffer.from(holder),
      resource: Buffer.from(resource),
    });
  }

  flush(): void {
    const commands = this.#commands;
    if (commands.length === 0) return;
    this.#commands = [];
    const {out} = this.session;
    const column = (oid: number, write: (command: PeerCommand) => void): void =>
      arrayParameter(out, oid, commands.length, i => write(commands[i] as PeerCommand));
    const ofReserve = (write: (command: PeerCommand) => void) => (command: PeerCommand) =>
      command.kind === KIND.RESERVE ? write(command) : nullParameter(out);
    writeRun(out, BATCH[0], 6, () => {
      column(OID.UUID, ({operation}) => uuidParameter(out, operation));
      column(OID.INT2, ({kind}) => {
        out.i32(2);
        out.i16(kind);
      });
      column(
        OID.UUID,
        ofReserve(({resource}) => uuidParameter(out, resource)),
      );
      column(OID.INT8, ({kind, reservation}) => {
        if (kind === KIND.RESERVE) nullParameter(out);
        else int8Parameter(out, reservation);
      });
      column(OID.UUID, ({holder}) => uuidParameter(out, holder));
      column(
        OID.INT8,
        ofReserve(({ttlMs}) => int8Parameter(out, ttlMs)),
      );
    });
    this.session.flush();
  }
}
