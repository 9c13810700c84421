/**
 * The node:http or node:https server under the framework, with the bounds that node itself enforces: bytes of headers, and
 * the time that a request may take to arrive. What is counted per connection is in connections.ts.
 */
import {constants} from 'node:crypto';
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import {createServer as createHttps} from 'node:https';
import type {Socket} from 'node:net';
import type {SecureContextOptions, TLSSocket} from 'node:tls';
import type {Log} from '../log.ts';
import {HandshakeLog} from '../net/handshake_log.ts';
import type {Connections} from './connections.ts';
import type {HttpLimits, HttpTls} from './http_host.ts';
import {PROBLEM_TYPE, problemOf} from './problem.ts';
import {SECURITY_HEADERS} from './security_headers.ts';

/** Timeouts are noticed when connections are looked at. */
const CHECK_MS_MIN = 20;
const CHECK_MS_MAX = 1000;

/** What a server is made with. */
interface PortOptions {
  readonly limits: HttpLimits;
  readonly tls: HttpTls | null;
  readonly log: Log;
  /** Fires when the port stops: a handshake that is under way is not waited for. */
  readonly stopping: AbortSignal;
  /** Told of each TLS handshake that has failed. */
  onHandshakeFailure(): void;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server for this handler that does not listen yet; every connection of it is counted. */
export function createNodeServer(handler: Handler, connections: Connections, port: PortOptions): Server {
  const {limits, tls} = port;
  const {headerTimeoutMs, requestTimeoutMs, keepAliveMs, headerBytes} = limits;
  const options: ServerOptions = {
    headersTimeout: Math.min(headerTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS_MAX, Math.max(CHECK_MS_MIN, Math.ceil(headerTimeoutMs / 4))),
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: headerBytes,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    // The gate says that it is missing; node would do so without a body.
    requireHostHeader: false,
  };
  const server =
    tls === null
      ? createHttp(options, handler)
      : // Its requests, responses and events are those of an http server; only its sockets are encrypted.
        (createHttps(
          {
            ...options,
            ...secureContextOf(tls),
            requestCert: tls.clientCa !== undefined,
          },
          handler,
        ) as unknown as Server);
  server.timeout = limits.stallTimeoutMs;
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const problem = problemOf('expectation_failed');
    const body = JSON.stringify(problem);
    response.writeHead(problem.status, {
      ...SECURITY_HEADERS,
      'content-type': PROBLEM_TYPE,
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    });
    response.end(body);
  });
  // Node would put it between head and body of an answer in octets that waits behind others.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (response.socket !== null) response.writeContinue();
    else response.once('socket', () => response.headersSent || response.writeContinue());
    server.emit('request', request, response);
  });
  // Node takes a connection for idle whose answer has not left yet. All are ended by connections.ts, behind their answers.
  server.closeIdleConnections = () => undefined;
  if (tls !== null) watchHandshakes(server, connections, port);
  connections.watch(server, tls === null ? 'connection' : 'secureConnection');
  return server;
}

/** What a connection is encrypted with; may be replaced while the server runs. */
export function secureContextOf({cert, key, clientCa}: HttpTls): SecureContextOptions {
  return {
    cert: bufferOf(cert),
    key: bufferOf(key),
    ...(clientCa === undefined ? {} : {ca: bufferOf(clientCa)}),
    minVersion: 'TLSv1.2',
    // A resumed session would go by a verification of the past.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/**
 * Logs and counts handshakes that fail, and ends those that do not end: node's own clock begins anew with every byte. Where
 * there are as many connections as allowed, the one that has been at it for longest gives way to a new one.
 */
function watchHandshakes(server: Server, connections: Connections, port: PortOptions): void {
  const {headerTimeoutMs, maxConnections} = port.limits;
  const failures = new HandshakeLog(port.log, undefined, port.onHandshakeFailure);
  /** By peer, oldest first. */
  const arriving = new Map<
    string,
    {readonly socket: Socket; readonly timer: NodeJS.Timeout; end(reason: string): void}
  >();
  const settle = (peer: string): void => {
    clearTimeout(arriving.get(peer)?.timer);
    arriving.delete(peer);
  };
  server.on('connection', (socket: Socket) => {
    const [oldest] = arriving.values();
    if (connections.count + arriving.size >= maxConnections) oldest?.end('gave way');
    // Gone already.
    if (socket.remotePort === undefined) return;
    const peer = peerOf(socket);
    const end = (reason: string): void => {
      settle(peer);
      failures.failed(reason);
      socket.destroy();
    };
    const timer = setTimeout(() => end('timeout'), headerTimeoutMs).unref();
    arriving.set(peer, {socket, timer, end});
    socket.once('close', () => settle(peer));
  });
  port.stopping.addEventListener('abort', () => {
    for (const {socket} of arriving.values()) socket.destroy();
  });
  server.on('secureConnection', (socket: TLSSocket) => settle(peerOf(socket)));
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    // A certificate that does not pass ends the socket from here, which the library reports as a reset.
    const reason = String(socket.authorizationError ?? error.code ?? error.message);
    if (reason !== 'ECONNRESET') failures.failed(reason);
    socket.destroy();
  });
}

/** The same for a socket and for the one that decrypts it. */
function peerOf({remoteAddress, remotePort}: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function bufferOf(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem);
}
