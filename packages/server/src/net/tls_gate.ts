/**
 * What stands before the connections of a port that speaks TLS: the first byte tells a handshake from a client that speaks
 * without TLS, which is told so in the clear; then the handshake, within a time that no drip extends; then, with a client
 * CA, a verified certificate. Only what has passed all of it becomes a connection.
 *
 * Sessions are never resumed: connections are long, and a resumed one would go by a verification of the past.
 */
import {constants} from 'node:crypto';
import type {Socket} from 'node:net';
import {createServer, type Server, type TLSSocket, type TlsOptions} from 'node:tls';
import type {Log} from '../log.ts';
import {HandshakeLog} from './handshake_log.ts';
import {writeSliced} from './sliced_writes.ts';
import type {TlsSource} from './tls_files.ts';

/** First byte of a TLS record that carries a handshake. */
const TLS_HANDSHAKE = 0x16;

export interface TlsGateOptions {
  readonly source: TlsSource;
  /** From the connection to the end of the handshake. */
  readonly handshakeMs: number;
  readonly log: Log;
  /** Takes a connection that has passed; `commonName` is that of the client's certificate, null without a client CA. */
  onSecure(socket: TLSSocket, commonName: string | null): void;
  /** Told of a handshake that has failed. */
  onFailure(): void;
  /** Takes a connection that does not speak TLS; what it has said is gone. */
  onPlaintext(socket: Socket): void;
}

export class TlsGate {
  readonly #options: TlsGateOptions;
  readonly #server: Server;
  readonly #failures: HandshakeLog;
  /** By address and port of the peer: connections that have not passed yet. */
  readonly #arriving: Map<string, {readonly socket: Socket; readonly timer: NodeJS.Timeout}> = new Map();

  constructor(options: TlsGateOptions) {
    this.#options = options;
    this.#failures = new HandshakeLog(options.log, undefined, () => options.onFailure());
    const asksForCertificate = options.source.files.clientCa !== undefined;
    this.#server = createServer({
      ...this.#context(),
      requestCert: asksForCertificate,
      rejectUnauthorized: true,
      // Its clock begins anew with every byte; the one below does not.
      handshakeTimeout: 0,
    });
    this.#server.on('secureConnection', socket => this.#onSecure(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#onFailure(error, socket));
  }

  /** Connections that have not passed yet. */
  get arrivingCount(): number {
    return this.#arriving.size;
  }

  /** Ends the connection that has been at it for the longest, if there is any. */
  dropOldest(): void {
    for (const [peer, {socket}] of this.#arriving) {
      this.#hasPassed(peer);
      this.#failures.failed('gave way');
      socket.destroy();
      return;
    }
  }

  /** Takes a connection that was just accepted. */
  take(socket: Socket): void {
    // Gone before it was here.
    if (socket.remotePort === undefined) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    const timer = setTimeout(() => {
      this.#failures.failed('timeout');
      socket.destroy();
    }, this.#options.handshakeMs);
    this.#arriving.set(peer, {socket, timer});
    // Whoever vanishes now has asked for nothing; the socket closes behind the error.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#hasPassed(peer));
    const onEnd = (): void => void socket.destroy();
    socket.once('end', onEnd);
    socket.once('data', chunk => {
      socket.off('end', onEnd);
      socket.pause();
      if (chunk[0] === TLS_HANDSHAKE) {
        socket.unshift(chunk);
        this.#server.emit('connection', socket);
      } else {
        this.#hasPassed(peer);
        this.#options.onPlaintext(socket);
      }
    });
  }

  /** Takes what the source says now, for connections to come. */
  renew(): void {
    this.#server.setSecureContext(this.#context());
  }

  /** Ends everything that has not passed yet. */
  destroyArriving(): void {
    for (const {socket} of this.#arriving.values()) socket.destroy();
  }

  #context(): TlsOptions {
    const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;
    return {...this.#options.source.context, secureOptions};
  }

  #hasPassed(peer: string): void {
    const arriving = this.#arriving.get(peer);
    if (arriving !== undefined) clearTimeout(arriving.timer);
    this.#arriving.delete(peer);
  }

  #onSecure(socket: TLSSocket): void {
    this.#hasPassed(peerOf(socket));
    writeSliced(socket);
    this.#options.onSecure(socket, this.#options.source.files.clientCa === undefined ? null : commonNameOf(socket));
  }

  #onFailure(error: Error, socket: TLSSocket): void {
    const code = 'code' in error ? String(error.code) : error.message;
    // A certificate that does not pass ends the socket from here, which the library reports as a reset.
    const reason = socket.authorizationError ?? code;
    if (String(reason) !== 'ECONNRESET') this.#failures.failed(String(reason));
    socket.destroy();
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

/** The one common name of a verified certificate; several are none. */
function commonNameOf(socket: TLSSocket): string | null {
  if (!socket.authorized) return null;
  const names: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof names === 'string' ? names : null;
}
