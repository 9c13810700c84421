/**
 * Listens for TCP connections and ends them together. A connection more than allowed is told so and ended.
 */
import {createServer, type Server, type Socket} from 'node:net';
import {CONNECTION_ERROR} from '@allocdb/api';
import {Connection, type ConnectionHost} from './connection.ts';

/** A peer that is gone without a word would hold its place among the connections for ever. */
const KEEP_ALIVE = {keepAlive: true, keepAliveInitialDelay: 60_000} as const;

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** What the connections of a server need, but for what the server itself provides. */
export type TcpServerHost = Omit<ConnectionHost, 'onEnd'> & {
  readonly maxConnections: number;
  onConnectionEnd(reason: string | null): void;
};

/** Most connections over the limit that are being told so at a time. */
const REFUSED_CONNECTIONS = 64;

export class TcpServer {
  readonly #server: Server;
  readonly #host: TcpServerHost;
  readonly #connections: Set<Connection> = new Set();
  #stopping: boolean = false;
  #onEmpty: (() => void) | null = null;

  constructor(host: TcpServerHost) {
    this.#host = host;
    this.#server = createServer({allowHalfOpen: true, noDelay: true, ...KEEP_ALIVE}, socket => this.#accept(socket));
    // Those over the limit are told so; those over this are not, so that a flood cannot use up the process's handles.
    this.#server.maxConnections = host.maxConnections + REFUSED_CONNECTIONS;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves with the address once connections are accepted; rejects with the system's error (a port in use, …). */
  listen(address: ListenAddress): Promise<ListenAddress> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(address.port, address.host, () => {
        this.#server.off('error', reject);
        const bound = this.#server.address();
        resolve(typeof bound === 'object' && bound !== null ? {host: bound.address, port: bound.port} : address);
      });
    });
  }

  /** Accepts nothing more, lets every connection answer what it took, and resolves when all have ended, by force in the end. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#server.close();
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
    const connection = new Connection(socket, {
      ...this.#host,
      currentSlot: () => this.#host.currentSlot(),
      authorize: token => this.#host.authorize(token),
      onEnd: (ended, reason) => this.#onEnd(ended, reason),
    });
    this.#connections.add(connection);
    if (this.#stopping) connection.shutDown();
    else if (this.#connections.size > this.#host.maxConnections) {
      connection.refuse(CONNECTION_ERROR.TOO_MANY_CONNECTIONS, `at most ${this.#host.maxConnections} connections`);
    }
  }

  #onEnd(connection: Connection, reason: string | null): void {
    this.#connections.delete(connection);
    this.#host.onConnectionEnd(reason);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }
}
