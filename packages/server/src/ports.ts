/**
 * The ports of a server: the binary protocol over TCP, and HTTP beside it unless it is switched off. They share engine,
 * clock, list of access and TLS files, are opened together and stopped together; where one cannot listen, none does.
 */
import {join} from 'node:path';
import {createDatabase} from '@allocdb/api';
import {EngineTransport, lastSlotOf, type MonotonicSlotClock, type SingleNodeEngine} from '@allocdb/node';
import type {AccessList} from './access/access_list.ts';
import {defaultAnonymousRole} from './access/roles.ts';
import {ROUTE_RULES} from './access/rules.ts';
import type {HttpLimits, HttpServer, HttpTls} from './http/index.ts';
import type {Log} from './log.ts';
import {type ConnectionLimits, DEFAULT_CONNECTION_LIMITS} from './net/connection_host.ts';
import {type ListenAddress, TcpServer} from './net/tcp_server.ts';
import type {TlsSource} from './net/tls_files.ts';
import {createOperations, type Operations} from './ops/operations.ts';
import type {ConnectionCount} from './ops/scrape.ts';

/** The HTTP port, where there is one. */
export interface HttpPortOptions {
  readonly listen: ListenAddress;
  /** Answers by HTTPS, with the files of the server's TLS; default: where the server has any. */
  readonly tls?: boolean;
  /**
   * Answers only requests that were sent to localhost or to an address, not to another name that leads here: else a page
   * of another site could be a client. Default: where everybody is let in, on a loopback address.
   */
  readonly localNamesOnly?: boolean;
  /** Bounds, where they are to differ from the defaults. */
  readonly limits?: Partial<HttpLimits>;
}

/** What the ports need to know. */
export interface PortOptions {
  readonly dir: string;
  readonly listen: ListenAddress;
  readonly http: HttpPortOptions | null;
  readonly slotDurationMs: number;
  readonly trustClientSlots: boolean;
  readonly maxConnections: number;
  readonly limits: Partial<ConnectionLimits>;
  readonly checkpointEveryBytes: number | null;
  /** Directory for backups that are asked for over HTTP; null where none may be. */
  readonly backupDir: string | null;
  readonly log: Log;
}

/** What stands behind them. */
export interface PortParts {
  readonly engine: SingleNodeEngine;
  readonly clock: MonotonicSlotClock;
  readonly access: AccessList;
  readonly tls: TlsSource | null;
  readonly recoveryMs: number;
}

export class Ports {
  readonly address: ListenAddress;
  readonly httpAddress: ListenAddress | null;
  readonly operations: Operations;
  readonly #tcp: TcpServer;
  readonly #http: HttpServer | null;
  readonly #tls: TlsSource | null;

  /** Resolves when all of them accept connections; rejects with the system's error (a port in use, …). */
  static async open(parts: PortParts, options: PortOptions): Promise<Ports> {
    const {engine, clock, access, tls, recoveryMs} = parts;
    const {dir, slotDurationMs, trustClientSlots, maxConnections, checkpointEveryBytes, log} = options;
    const limits = {...DEFAULT_CONNECTION_LIMITS, ...options.limits};
    const currentSlot = (): bigint => clock.now();
    let tcp: TcpServer | null = null;
    let http: HttpServer | null = null;
    const connections = (): ConnectionCount[] => {
      const counts: ConnectionCount[] = [{transport: 'tcp', count: tcp?.connectionCount ?? 0, most: maxConnections}];
      if (http !== null) counts.push({transport: 'http', count: http.connectionCount, most: maxConnections});
      return counts;
    };
    const routes = Object.keys(ROUTE_RULES);
    const about = {dir, slotDurationMs, recoveryMs, checkpointEveryBytes, currentSlot, connections, routes};
    const operations = createOperations(engine, about);
    tcp = new TcpServer({
      engine,
      limits,
      maxConnections,
      trustClientSlots,
      slotDurationMs,
      currentSlot,
      authenticate: credentials => access.authenticate(credentials),
      tls,
      log,
      onEnd: reason => operations.traffic.connectionEnded('tcp', reason),
      onFeed: feed => operations.traffic.feedOpened('tcp', feed),
    });
    http = options.http === null ? null : await httpOf(parts, options, options.http, operations);
    const address = await tcp.listen(options.listen);
    try {
      const httpAddress = options.http === null || http === null ? null : await http.listen(options.http.listen);
      return new Ports(tcp, http, http === null ? null : httpTls(options.http, tls), address, httpAddress, operations);
    } catch (error) {
      await tcp.stop(0);
      throw error;
    }
  }

  private constructor(
    tcp: TcpServer,
    http: HttpServer | null,
    tls: TlsSource | null,
    address: ListenAddress,
    httpAddress: ListenAddress | null,
    operations: Operations,
  ) {
    this.#tcp = tcp;
    this.#http = http;
    this.#tls = tls;
    this.address = address;
    this.httpAddress = httpAddress;
    this.operations = operations;
  }

  get connectionCount(): number {
    return this.#tcp.connectionCount + (this.#http?.connectionCount ?? 0);
  }

  /** Takes what the TLS files say now, for connections to come. */
  renewTls(): void {
    this.#tcp.renewTls();
    if (this.#tls !== null) this.#http?.setTls(pemOf(this.#tls));
  }

  /** Accepts nothing more, answers what was taken, and resolves when every connection has ended, by force after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.operations.health.beginShutdown();
    // Probes are told meanwhile that the server is going.
    await this.#tcp.stop(graceMs);
    await this.#http?.stop(graceMs);
  }
}

/** What HTTP is made of takes longer to load than all the rest: only a server that speaks it does. */
async function httpOf(
  {engine, clock, access, tls}: PortParts,
  options: PortOptions,
  port: HttpPortOptions,
  {health, traffic, metrics}: Operations,
): Promise<HttpServer> {
  const {createHttpServer} = await import('./http/index.ts');
  const {slotDurationMs: slotMs, trustClientSlots, maxConnections, backupDir, log} = options;
  // Where clients own time, a request over HTTP states the slot that is, and so moves none.
  const slots = trustClientSlots ? {now: () => lastSlotOf(engine.db)} : clock;
  const source = httpTls(port, tls);
  return createHttpServer({
    database: createDatabase(new EngineTransport(engine, slots)),
    access,
    log,
    localNamesOnly: port.localNamesOnly ?? (access.isOpen && defaultAnonymousRole(port.listen.host) !== null),
    slotDurationMs: slotMs,
    limits: {maxConnections, ...port.limits},
    tls: source === null ? null : pemOf(source),
    openFeed: from => {
      const feed = engine.changes(from);
      traffic.feedOpened('http', feed);
      return feed;
    },
    stateMap: () => engine.stateMap(),
    history: (query, signal) => engine.history(query, {nowSlot: slots.now(), slotMs, signal}),
    backup: backupDir === null ? null : (name, how) => engine.backup(join(backupDir, name), how),
    checkpoint: () => engine.checkpoint(),
    metrics: () => metrics.render(),
    readiness: () => health.readiness(),
    onAnswered: (route, status) => traffic.requestAnswered(route, status),
    onConnectionEnd: reason => traffic.connectionEnded('http', reason),
  });
}

function httpTls(port: HttpPortOptions | null, tls: TlsSource | null): TlsSource | null {
  return port?.tls === false ? null : tls;
}

function pemOf({context}: TlsSource): HttpTls {
  const {cert, key, ca} = context;
  return {cert: cert as string, key: key as string, ...(ca === undefined ? {} : {clientCa: ca as string})};
}
