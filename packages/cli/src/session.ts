/**
 * What the commands of one run share: where they print, the words they were called with, the client they use, the signal
 * that ends them, and the exit code they come to. A run of the command line is one session; so is each line of the repl,
 * on the connection and the terminal of the repl.
 *
 * A command asks for what it needs and leaves closing, reporting and exit codes to whoever runs it (program.ts).
 */
import {type AnswerBase, type Client, newOperationId, type OperationId} from '@allocdb/client';
import {type IdParsers, idParsers} from './arguments.ts';
import {type ConnectionFlags, openClient} from './connection.ts';
import {EXIT} from './exit.ts';
import {type Interrupt, withTimeout} from './interrupt.ts';
import type {Fields, Output} from './output.ts';

/** Surroundings of a session. */
export interface SessionOptions {
  readonly output: Output;
  readonly interrupt: Interrupt;
  /** The client of a repl; null where each command connects by its own flags. */
  readonly client: Client | null;
  /** Whether answers are JSON also where the command line does not say so. */
  readonly json?: boolean;
  /** What stands before a command's name where it is typed: `allocdb `, or nothing in the repl. */
  readonly invocation: string;
}

export class Session {
  readonly output: Output;
  readonly interrupt: Interrupt;
  readonly invocation: string;
  readonly json: boolean;
  /** Whether the connection is there already, and commands have no flags for it. */
  readonly isConnected: boolean;
  /** Parsers of ids that note the names on the command line. */
  readonly ids: IdParsers;
  /** The command line, without what started the program. */
  words: readonly string[] = [];
  exitCode: number = EXIT.OK;
  /** The operation of the command that is running: what an unknown outcome is to be repeated with. */
  operation: OperationId | null = null;
  /** Why the connection was lost during the call that has failed; null when it was not. */
  connectionError: string | null = null;
  /** What was done before a failure, in words, where a command is many; null when nothing was. */
  done: string | null = null;
  readonly #names: Map<string, string> = new Map();
  #client: Client | null;

  constructor(options: SessionOptions) {
    this.output = options.output;
    this.interrupt = options.interrupt;
    this.invocation = options.invocation;
    this.json = options.json ?? false;
    this.isConnected = options.client !== null;
    this.#client = options.client;
    this.ids = idParsers((name, id) => this.#names.set(name, id));
  }

  /** Says what the names on the command line became. */
  tellNames(): void {
    for (const [name, id] of this.#names) this.output.note(`${name} is ${id}`);
    this.#names.clear();
  }

  /** The client, connected; rejects with AllocDbError. Says what the names on the command line became. */
  async connect(flags: ConnectionFlags): Promise<Client> {
    this.tellNames();
    this.#client ??= await openClient(flags, this.interrupt.signal);
    return this.#client;
  }

  /** One call, within the time that one may take. */
  async call<Value>(flags: ConnectionFlags, call: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
    const errorBefore = this.#client?.status.lastError ?? null;
    try {
      return await withTimeout(this.interrupt, flags.timeout, call);
    } catch (error) {
      const lastError = this.#client?.status.lastError ?? null;
      this.connectionError = lastError === errorBefore ? null : (lastError?.message ?? null);
      throw error;
    }
  }

  /** The operation of this command: the one that was given, or a fresh one. */
  beginOperation(given: OperationId | undefined): OperationId {
    this.operation = given ?? newOperationId();
    return this.operation;
  }

  /** Prints the answer of a command, with `fields` between its name and its lsn, and takes its exit code. */
  async answer(
    answer: AnswerBase & {result: string},
    yes: string,
    fields: Fields,
    hidden: readonly string[] = [],
  ): Promise<void> {
    const {result, lsn, operation, fromRetryCache} = answer;
    this.exitCode = result === yes ? EXIT.OK : EXIT.REFUSED;
    await this.output.record({result, ...fields, lsn, operation, fromRetryCache}, hidden);
  }

  /** Ends the connection, unless it is the repl's. */
  async close(): Promise<void> {
    if (!this.isConnected) await this.#client?.close();
  }
}
