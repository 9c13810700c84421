/**
 * A session with PostgreSQL: connects, prepares statements, runs simple queries for setting up and looking, and hands rows
 * and ends of commands to whoever runs prepared ones.
 *
 * Trusts and is trusted: the server is our own and listens on this machine only.
 */
import type {Socket} from 'node:net';
import {OutBuffer} from '../out_buffer.ts';
import {endSocket, openSocket, Reassembly} from '../socket.ts';
import {
  errorText,
  MESSAGE,
  readMessages,
  readRow,
  writeParse,
  writeQuery,
  writeStartup,
  writeSync,
  writeTerminate,
} from './messages.ts';

export const USER = 'postgres';

/** Told what the server says to prepared statements. */
export interface SessionTarget {
  onChunk(): void;
  onRow(fields: readonly number[]): void;
  /** A transaction has ended: what it did is durable. */
  onReady(): void;
  onError(error: Error): void;
  /** The chunk has been told. */
  onChunkEnd(): void;
}

/** Waits for the end of a command. */
interface Waiting {
  readonly resolve: (rows: string[]) => void;
  readonly reject: (error: Error) => void;
  readonly rows: string[];
  error: Error | null;
}

export class PostgresSession {
  readonly out: OutBuffer = new OutBuffer();
  target: SessionTarget | null = null;
  readonly #socket: Socket;
  readonly #input: Reassembly = new Reassembly();
  #waiting: Waiting | null = null;
  #isClosing: boolean = false;

  static async open(port: number): Promise<PostgresSession> {
    const session = new PostgresSession(await openSocket(port));
    writeStartup(session.out, USER, USER);
    await session.#untilReady();
    return session;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', chunk => this.#onData(chunk));
    socket.on('error', error => this.#lost(error));
    socket.on('close', () => this.#lost(new Error('PostgreSQL closed a connection')));
  }

  /** Prepares a statement under a name. */
  async prepare(name: string, sql: string): Promise<void> {
    writeParse(this.out, name, sql);
    writeSync(this.out);
    await this.#untilReady();
  }

  /** Runs statements and resolves with the first column of every row, as text. Rejects with the server's error. */
  query(sql: string): Promise<string[]> {
    writeQuery(this.out, sql);
    return this.#untilReady();
  }

  flush(): void {
    this.out.sendTo(this.#socket);
  }

  close(): Promise<void> {
    this.#isClosing = true;
    writeTerminate(this.out);
    this.flush();
    return endSocket(this.#socket);
  }

  #untilReady(): Promise<string[]> {
    return new Promise((resolve, reject) => {
      this.#waiting = {resolve, reject, rows: [], error: null};
      this.flush();
    });
  }

  #onData(chunk: Buffer): void {
    const target = this.#waiting === null ? this.target : null;
    try {
      target?.onChunk();
      this.#input.push(chunk, bytes => readMessages(bytes, (...message) => this.#onMessage(...message)));
      target?.onChunkEnd();
    } catch (error) {
      this.#lost(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onMessage(type: number, bytes: Buffer, at: number, end: number): void {
    const waiting = this.#waiting;
    if (type === MESSAGE.ERROR) {
      const error = new Error(`PostgreSQL: ${errorText(bytes, at, end)}`);
      if (waiting === null) this.target?.onError(error);
      else waiting.error = error;
    } else if (type === MESSAGE.DATA_ROW) {
      if (waiting === null) this.target?.onRow(readRow(bytes, at));
      else waiting.rows.push(bytes.toString('utf8', at + 6, at + 6 + Math.max(0, bytes.readInt32BE(at + 2))));
    } else if (type === MESSAGE.READY) {
      this.#waiting = null;
      if (waiting === null) this.target?.onReady();
      else if (waiting.error === null) waiting.resolve(waiting.rows);
      else waiting.reject(waiting.error);
    } else if (type === MESSAGE.AUTHENTICATION && bytes.readInt32BE(at) !== 0) {
      throw new Error('PostgreSQL asks for a password');
    }
  }

  #lost(error: Error): void {
    if (this.#isClosing) return;
    if (this.#waiting === null) this.target?.onError(error);
    else this.#waiting.reject(error);
    this.#waiting = null;
  }
}
