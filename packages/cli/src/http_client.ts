/**
 * Asks the HTTP port of a server: one request on a connection of its own, answered with JSON, or with a line of JSON for
 * each step of what takes long. Every way in which that can end is turned into a failure with an exit code here.
 *
 *   refused (not there, not possible so)   2      outcome unknown (a command whose answer did not come)   3
 *   anything else                          1
 *
 * A read has no effect, so its failures are certain. Nothing is repeated: the asker decides.
 */
import {type ClientRequest, request as httpRequest, type IncomingMessage} from 'node:http';
import {request as httpsRequest, type RequestOptions} from 'node:https';
import {tlsOf, tokenOf} from './connection.ts';
import {EXIT, fail} from './exit.ts';
import type {HttpFlags} from './http_flags.ts';
import {Interrupted, TimedOut} from './interrupt.ts';
import type {Session} from './session.ts';

/** What is asked. */
interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: object | null;
}

/** Longest answer that is kept in memory, in characters. */
const ANSWER_MAX = 64 * 2 ** 20;
const REFUSED: readonly unknown[] = [404, 409, 410, 412, 422];

/** Asks for something; returns its JSON. */
export async function getJson(session: Session, flags: HttpFlags, path: string): Promise<unknown> {
  let text = '';
  for await (const part of new Exchange(session, flags, {method: 'GET', path, body: null}).parts()) {
    text += part;
    if (text.length > ANSWER_MAX) fail(EXIT.FAILURE, `the answer of ${flags.http} is longer than can be read`);
  }
  const json = parsed(text);
  return json === undefined ? strange(flags.http, 200) : json;
}

/** Asks for something to be done; yields the lines of the answer. Left early, it closes the connection. */
export async function* postLines(
  session: Session,
  flags: HttpFlags,
  path: string,
  body: object,
): AsyncGenerator<Readonly<Record<string, unknown>>, void> {
  let rest = '';
  for await (const part of new Exchange(session, flags, {method: 'POST', path, body}).parts()) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const json = parsed(line);
      yield typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : strange(flags.http, 200);
    }
  }
}

/** Ends the command with a problem that the server has named. */
export function failWith(problem: unknown): never {
  const {status, code, category, detail, errors} = problem as Readonly<Record<string, unknown>>;
  // A single one stands in the detail.
  const fields =
    Array.isArray(errors) && errors.length > 1 ? errors.map(each => `${each.in} ${each.pointer}: ${each.detail}`) : [];
  const hint = status === 401 ? 'a token comes from --token-file or ALLOCDB_TOKEN' : null;
  const text = [String(detail), ...fields, ...(hint === null ? [] : [hint])].join('\n  ');
  if (category === 'indefinite') return fail(EXIT.UNKNOWN, text, String(code));
  const isRefused = REFUSED.includes(status) && code !== 'no_such_route';
  return fail(isRefused ? EXIT.REFUSED : EXIT.FAILURE, text, String(code));
}

/** One request and its answer. */
class Exchange {
  readonly #origin: string;
  readonly #question: Question;
  readonly #timeoutMs: number;
  readonly #interrupt: AbortSignal;
  readonly #request: ClientRequest;
  readonly #response: Promise<IncomingMessage>;
  #timer: NodeJS.Timeout | null = null;
  /** Why this side has ended it. */
  #ended: Error | null = null;
  #isConnected: boolean = false;

  constructor(session: Session, flags: HttpFlags, question: Question) {
    const {http: origin} = flags;
    const isTls = origin.startsWith('https:');
    const token = tokenOf(flags);
    const tls = tlsOf(flags, isTls, '--http https://…');
    const text = question.body === null ? null : JSON.stringify(question.body);
    const headers = {
      accept: 'application/json, application/x-ndjson, application/problem+json',
      ...(text === null ? {} : {'content-type': 'application/json', 'content-length': Buffer.byteLength(text)}),
      ...(token === null ? {} : {authorization: `Bearer ${token}`}),
    };
    this.#origin = origin;
    this.#question = question;
    this.#timeoutMs = flags.timeout;
    this.#interrupt = session.interrupt.signal;
    const options = {method: question.method, headers, agent: false as const};
    const url = `${origin}${question.path}`;
    this.#request = isTls ? tlsRequest(url, {...options, ...tls}) : httpRequest(url, options);
    this.#request.once('socket', socket => {
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        this.#isConnected = true;
      });
    });
    this.#response = new Promise((resolve, reject) => {
      this.#request.once('response', resolve).on('error', reject);
    });
    this.#request.end(text ?? undefined);
  }

  /** The text of the answer as it comes. Ends the command for every answer that is a problem, and without one. */
  async *parts(): AsyncGenerator<string, void> {
    if (this.#interrupt.aborted) this.#onInterrupt();
    else this.#interrupt.addEventListener('abort', this.#onInterrupt);
    this.#hear();
    let isWhole = false;
    try {
      const response = await this.#response;
      const {statusCode: status = 0} = response;
      response.setEncoding('utf8');
      let problem = '';
      for await (const part of response) {
        this.#hear();
        if (status === 200) yield part;
        else if (problem.length < ANSWER_MAX) problem += part;
      }
      isWhole = true;
      if (status !== 200) this.#failWith(status, problem);
    } catch (error) {
      if (isWhole || !(error instanceof Error)) throw error;
      this.#lose(this.#ended ?? error);
    } finally {
      this.#interrupt.removeEventListener('abort', this.#onInterrupt);
      clearTimeout(this.#timer ?? undefined);
      this.#timer = null;
      this.#request.destroy();
    }
  }

  /** The server has said something: its time begins anew. */
  #hear(): void {
    clearTimeout(this.#timer ?? undefined);
    const timer = setTimeout(() => {
      // Where it was this process that was busy, what has come meanwhile is heard first.
      setImmediate(() => this.#timer === timer && this.#end(new TimedOut(this.#timeoutMs)));
    }, this.#timeoutMs);
    this.#timer = timer;
  }

  readonly #onInterrupt = (): void => this.#end(this.#interrupt.reason as Error);

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#request.destroy(reason);
  }

  #failWith(status: number, text: string): never {
    const problem = parsed(text);
    if (typeof problem === 'object' && problem !== null && 'code' in problem && 'detail' in problem) failWith(problem);
    // What stands between here and the server may have lost its answer.
    const isOpen = this.#question.method === 'POST' && status >= 500;
    return strange(this.#origin, status, isOpen ? EXIT.UNKNOWN : EXIT.FAILURE);
  }

  /** The answer did not come, or not all of it. */
  #lose(error: Error): never {
    const {method} = this.#question;
    const code = 'code' in error ? String(error.code) : '';
    if (code.startsWith('HPE_')) fail(EXIT.FAILURE, `what listens at ${this.#origin} does not speak HTTP`, 'no_http');
    const exitCode = method === 'GET' || !this.#isConnected ? EXIT.FAILURE : EXIT.UNKNOWN;
    if (error instanceof Interrupted) return fail(exitCode, error.message, 'aborted');
    if (error instanceof TimedOut)
      return fail(exitCode, `${error.message} from ${this.#origin} (--timeout)`, 'timed_out');
    const what = this.#isConnected ? 'lost the connection to' : 'cannot reach';
    return fail(exitCode, `${what} ${this.#origin}: ${reasonOf(error, code, this.#origin)}`, 'disconnected');
  }
}

/** A request over TLS; ends the command where certificates or key cannot be used. */
function tlsRequest(url: string, options: RequestOptions): ClientRequest {
  try {
    return httpsRequest(url, options);
  } catch (error) {
    return fail(EXIT.FAILURE, `the certificates or the key cannot be used: ${(error as Error).message}`);
  }
}

/** What was wrong, and what is likely the cause. */
function reasonOf({message}: Error, code: string, origin: string): string {
  if (code === 'EPROTO') return `it was asked by TLS and answered otherwise; without TLS it is http://…`;
  if (code === 'ECONNREFUSED') {
    return `${message}; is a server running, and is this the address of its HTTP port (--http of serve)?`;
  }
  if (code === 'ECONNRESET' && origin.startsWith('http:')) return `${message}; with TLS it is https://…`;
  return message;
}

function strange(origin: string, status: number, exitCode: number = EXIT.FAILURE): never {
  return fail(exitCode, `${origin} answers (${status}), but not as an AllocDB server does`, 'unexpected_answer');
}

/** What a text is as JSON; undefined for none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
