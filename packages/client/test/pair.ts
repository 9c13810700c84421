/** A client connected to a scripted server, and what tests of calls share: errors as data, failures of the wire. */
import type {ApiResponse, SubmissionFailure} from '@allocdb/api';
import {vi} from 'vitest';
import {type Client, type ConnectOptions, connect, isAllocDbError} from '../src/index.ts';
import {ScriptedServer, type ServerConnection} from './scripted_server.ts';

export const HALTED: SubmissionFailure = {code: 'engine_halted'};
export const OVERLOADED: SubmissionFailure = {code: 'overloaded', queueDepth: 1, queueCapacity: 1};

/** Attempts that follow each other closely. */
export const QUICK = {initialBackoffMs: 2, maxBackoffMs: 5, budgetMs: 10_000};
/** One attempt, then a pause that outlasts the budget: what the first one met is what is told. */
export const ONCE = {initialBackoffMs: 10_000, maxBackoffMs: 10_000, budgetMs: 400};

/** A clock that moves only by `vi.advanceTimersByTime`, until disposed of: no machine is too slow for a deadline then. */
export function standingClock(): Disposable {
  vi.useFakeTimers({toFake: ['performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval']});
  return {[Symbol.dispose]: () => void vi.useRealTimers()};
}

export interface Pair extends AsyncDisposable {
  server: ScriptedServer;
  client: Client;
  /** The first connection. */
  connection: ServerConnection;
}

export async function pair(options: ConnectOptions = {}): Promise<Pair> {
  const server = await ScriptedServer.start();
  const client = await connect(server.url, {retry: QUICK, ...options});
  const connection = await server.connections.next();
  const dispose = async (): Promise<void> => {
    await client.close();
    await server[Symbol.asyncDispose]();
  };
  return {server, client, connection, [Symbol.asyncDispose]: dispose};
}

/** The failure that a call rejects with, its message and its cause. */
export async function errorOf(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isAllocDbError(error)) throw error ?? new Error('it did not fail');
  return {...error.failure, message: error.message, cause: error.cause};
}

export function rejected(failure: SubmissionFailure): ApiResponse {
  return {type: 'submit_rejected', failure};
}
