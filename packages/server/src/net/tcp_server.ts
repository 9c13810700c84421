/**
 * Listens for TCP connections, with TLS or without, looks now and then which of them are idle, and ends them together. Where
 * there are as many as allowed, a new one takes the place of the oldest that has not said who it is, so that strangers who
 * say nothing shut nobody out; where all have, the new one is told so and ended.
 */
import {createServer, type Server, type Socket} from 'node:net';
import {CONNECTION_ERROR} from '@allocdb/api';
import type {Log} from '../log.ts';
import {Connection} from './connection.ts';
import type {ConnectionEnd, ConnectionHost} from './connection_host.ts';
import type {TlsSource} from './tls_files.ts';
import {TlsGate} from './tls_gate.ts';

/** A peer that is gone without a word would hold its place among the connections for ever. */
const KEEP_ALIVE = {keepAlive: true, keepAliveInitialDelay: 60_000} as const;

/**
 * Connections that the system holds until they are accepted, at most as many as `net.core.somaxconn` allows. One is accepted
 * for each turn of the event loop: a burst overruns Node's 511, and who is dropped there waits a second before the next try.
 */
export const LISTEN_BACKLOG = 4096;

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** What the connections of a server need, but for what the server itself provides. */
export type TcpServerHost = Omit<ConnectionHost, 'onEnd' | 'onHello'> & {
  /** Told why a connection has ended other than in order. */
  onEnd(reason: string): void;
  readonly maxConnections: number;
  /** Null for a port that does not speak TLS. */
  readonly tls: TlsSource | null;
  readonly log: Log;
};

/** Most connections over the limit that are being told so at a time. */
const REFUSED_CONNECTIONS = 64;
/** How often idle connections are looked for, at least: a part of the time they have. */
const IDLE_CHECKS = 4;
const IDLE_CHECK_MS_MAX = 5000;

export class TcpServer {
  readonly #server: Server;
  readonly #host: TcpServerHost;
  readonly #connections: Set<Connection> = new Set();
  /** Those of them that have not said hello, oldest first. */
  readonly #strangers: Set<Connection> = new Set();
  readonly #tls: TlsGate | null;
  readonly #idleCheck: NodeJS.Timeout;
  #stopping: boolean = false;
  #onEmpty: (() => void) | null = null;

  constructor(host: TcpServerHost) {
    this.#host = host;
    this.#tls = host.tls === null ? null : this.#gateOf(host.tls);
    this.#server = createServer({allowHalfOpen: true, noDelay: true, ...KEEP_ALIVE}, socket => this.#accept(socket));
    // Those over the limit are told so; those over this are not, so that a flood cannot use up the process's handles.
    this.#server.maxConnections = host.maxConnections + REFUSED_CONNECTIONS;
    const everyMs = Math.min(IDLE_CHECK_MS_MAX, Math.ceil(host.limits.idleMs / IDLE_CHECKS));
    this.#idleCheck = setInterval(() => this.#endIdle(), everyMs).unref();
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves with the address once connections are accepted; rejects with the system's error (a port in use, …). */
  listen(address: ListenAddress): Promise<ListenAddress> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({...address, backlog: LISTEN_BACKLOG}, () => {
        this.#server.off('error', reject);
        const bound = this.#server.address();
        resolve(typeof bound === 'object' && bound !== null ? {host: bound.address, port: bound.port} : address);
      });
    });
  }

  /** Takes what the TLS files say now, for connections to come. */
  renewTls(): void {
    this.#tls?.renew();
  }

  /** Accepts nothing more, lets every connection answer what it took, and resolves when all have ended, by force in the end. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#server.close();
    clearInterval(this.#idleCheck);
    this.#tls?.destroyArriving();
    for (const connection of this.#connections) connection.shutDown();
    if (this.#connections.size === 0) return;
    const force = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, graceMs);
    await new Promise<void>(resolve => {
      this.#onEmpty = resolve;
    });
    clearTimeout(force);
  }

  #accept(socket: Socket): void {
    if (this.#tls === null) this.#admit(socket, null);
    else if (this.#stopping) socket.destroy();
    else {
      if (this.#connections.size + this.#tls.arrivingCount >= this.#host.maxConnections) this.#tls.dropOldest();
      this.#tls.take(socket);
    }
  }

  #gateOf(source: TlsSource): TlsGate {
    return new TlsGate({
      source,
      handshakeMs: this.#host.limits.helloTimeoutMs,
      log: this.#host.log,
      onSecure: (socket, commonName) => this.#admit(socket, commonName),
      onFailure: () => this.#host.onEnd('tls_handshake'),
      onPlaintext: socket => {
        const text = 'this port speaks TLS: connect to it with allocdbs://';
        this.#admit(socket, null).refuse(CONNECTION_ERROR.BAD_MAGIC, text);
      },
    });
  }

  #admit(socket: Socket, commonName: string | null): Connection {
    const host: ConnectionHost = {
      ...this.#host,
      currentSlot: () => this.#host.currentSlot(),
      authenticate: credentials => this.#host.authenticate(credentials),
      onFeed: feed => this.#host.onFeed(feed),
      onHello: known => this.#strangers.delete(known),
      onEnd: (ended, end) => this.#onEnd(ended, end),
    };
    const connection = new Connection(socket, host, commonName);
    this.#connections.add(connection);
    if (this.#stopping) connection.shutDown();
    else if (this.#connections.size > this.#host.maxConnections && !this.#makeRoom()) {
      connection.refuse(CONNECTION_ERROR.TOO_MANY_CONNECTIONS, `at most ${this.#host.maxConnections} connections`);
    } else this.#strangers.add(connection);
    return connection;
  }

  /** Ends the oldest connection that has not said who it is; false where all have. */
  #makeRoom(): boolean {
    for (const oldest of this.#strangers) {
      this.#strangers.delete(oldest);
      oldest.giveWay();
      return true;
    }
    return false;
  }

  #endIdle(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.endIfIdle(nowMs);
  }

  #onEnd(connection: Connection, end: ConnectionEnd | null): void {
    this.#connections.delete(connection);
    this.#strangers.delete(connection);
    if (end !== null) {
      this.#host.log.info({event: 'connection_ended', ...end});
      this.#host.onEnd(end.reason);
    }
    if (this.#connections.size === 0) this.#onEmpty?.();
  }
}
