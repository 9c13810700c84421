/**
 * HTTP ports in the test's own process over engines of their own, and a client that says what came back: status, headers
 * and JSON. Everything started here ends with `stopHttp`.
 */
import {createDatabase, type Database} from '@allocdb/api';
import {
  type DatabaseConfig,
  EngineTransport,
  ExpirationTicker,
  lastSlotOf,
  MonotonicSlotClock,
  SingleNodeEngine,
} from '@allocdb/node';
import {pino} from 'pino';
import {AccessList, type Role} from '../src/access/index.ts';
import type {HttpHost, HttpLimits, HttpServer, HttpServerOptions, HttpTls, Readiness} from '../src/http/index.ts';
import {createHttpServer} from '../src/http/index.ts';
import {cleanUp, type LogEvent, tempDir, tempFile} from './command.ts';
import {SMALL} from './in_process.ts';

const SEGMENT_BYTES: number = 1 << 20;
const SLOT_MS = 100;

/** What a test may want otherwise. */
export interface HttpTestOptions {
  readonly config?: DatabaseConfig;
  readonly limits?: Partial<HttpLimits>;
  readonly tls?: HttpTls;
  readonly server?: HttpServerOptions;
  /** Lines of a token file; without them everybody has `anonymousRole`. */
  readonly tokens?: string;
  readonly anonymousRole?: Role | null;
  readonly readiness?: Readiness;
  readonly logLevel?: 'debug' | 'info';
  /** Stands between the port and the engine, to fail where an engine seldom does. */
  readonly database?: (database: Database) => Database;
  /** Milliseconds of the clock of slots. */
  readonly clockSource?: () => number;
  /** Connections and streams of one name. */
  readonly sessionsMax?: number;
  /** Where backups go; none may be made without it. */
  readonly backupDir?: string;
  /** A free one unless given. */
  readonly port?: number;
}

/** A running port, its engine and what it has logged. */
export interface HttpTest {
  readonly http: HttpServer;
  readonly engine: SingleNodeEngine;
  readonly access: AccessList;
  /** Empty without tokens. */
  readonly tokenFile: string;
  readonly port: number;
  readonly origin: string;
  readonly events: LogEvent[];
  /** Why connections have ended other than in order. */
  readonly ends: string[];
}

const running = new Set<{stop(): Promise<void>}>();

/** Starts a port on a free one of the loopback address. */
export async function startHttp(options: HttpTestOptions = {}): Promise<HttpTest> {
  const events: LogEvent[] = [];
  const ends: string[] = [];
  const log = pino(
    {base: null, level: options.logLevel ?? 'debug'},
    {write: line => events.push(JSON.parse(line) as LogEvent)},
  );
  let clock: MonotonicSlotClock | null = null;
  const engine = SingleNodeEngine.open({
    dir: tempDir(),
    config: options.config ?? SMALL,
    slotMs: SLOT_MS,
    segmentBytes: SEGMENT_BYTES,
    checkpoint: {everyLogBytes: null},
    slots: db => {
      clock = new MonotonicSlotClock(lastSlotOf(db), SLOT_MS, options.clockSource);
      return {clock, maxSlotAdvance: null, ignoreRequestSlots: true};
    },
  });
  if (clock === null) throw new Error('the engine has a clock');
  const ticker = new ExpirationTicker(engine, clock);
  const tokenFile = options.tokens === undefined ? '' : tempFile('tokens', options.tokens);
  const access = AccessList.open({
    tokenFile: tokenFile === '' ? null : tokenFile,
    anonymousRole: options.anonymousRole === undefined ? 'operate' : options.anonymousRole,
    sessionsMax: options.sessionsMax ?? 100,
    log,
  });
  const database = createDatabase(new EngineTransport(engine, clock));
  const host: HttpHost = {
    database: options.database === undefined ? database : options.database(database),
    access,
    log,
    slotDurationMs: SLOT_MS,
    limits: options.limits ?? {},
    tls: options.tls ?? null,
    openFeed: from => engine.changes(from),
    stateMap: () => engine.stateMap(),
    backup: options.backupDir === undefined ? null : (name, how) => engine.backup(`${options.backupDir}/${name}`, how),
    checkpoint: () => engine.checkpoint(),
    history: (query, signal) => engine.history(query, {slotMs: SLOT_MS, signal}),
    metrics: () => Promise.resolve({contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'up 1\n'}),
    readiness: () => options.readiness ?? {ready: true, reasons: []},
    onConnectionEnd: reason => ends.push(reason),
  };
  const http = createHttpServer(host, options.server);
  const stop = async (): Promise<void> => {
    await http.stop(1000);
    ticker.stop();
    await engine.close();
  };
  running.add({stop});
  const {port} = await http.listen({host: '127.0.0.1', port: options.port ?? 0});
  const origin = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {http, engine, access, tokenFile, port, origin, events, ends};
}

/** Stops every port, closes every engine and removes what was made. */
export async function stopHttp(): Promise<void> {
  await Promise.all([...running].map(each => each.stop()));
  running.clear();
  await cleanUp();
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape, and compare what they find.
  readonly json: any;
  readonly text: string;
}

/** What to send with a request. */
export interface Sending {
  readonly body?: unknown;
  readonly key?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a request, such as `POST /v1/resources`, and reads what comes back. */
export async function ask({origin}: HttpTest, what: string, sending: Sending = {}): Promise<Answer> {
  const [method = 'GET', path = '/'] = what.split(' ');
  const {body, key, token, headers} = sending;
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : {'content-type': 'application/json'}),
      ...(key === undefined ? {} : {'idempotency-key': key}),
      ...(token === undefined ? {} : {authorization: `Bearer ${token}`}),
      ...headers,
    },
    ...(body === undefined ? {} : {body: typeof body === 'string' ? body : JSON.stringify(body)}),
  });
  const text = await response.text();
  const type = response.headers.get('content-type');
  const isJson = type?.includes('json') === true && !type.includes('ndjson');
  const json: unknown = isJson && text !== '' ? JSON.parse(text) : null;
  return {status: response.status, headers: response.headers, type, json, text};
}

/** An id of 32 digits from a small number. */
export function id(number: number): string {
  return number.toString(16).padStart(32, '0');
}
