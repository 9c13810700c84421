/**
 * HTTP ports for tests of the commands that ask one: a whole server in the test's own process, and ports that answer as no
 * server should, byte for byte, so that what a command makes of it can be seen. All of them end with `stopPorts`.
 */
import {createServer, type Server, type Socket} from 'node:net';
import {join} from 'node:path';
import {configOfLimits} from '@allocdb/node';
import {AllocDbServer, createLog, type ServerOptions} from '@allocdb/server';
import {cleanUp, tempDir} from './command.ts';

const servers = new Set<AllocDbServer>();
const ports = new Set<Server>();
const sockets = new Set<Socket>();

/** A server, and the flags by which commands find its two ports. */
export interface HttpServer {
  readonly server: AllocDbServer;
  readonly dir: string;
  readonly tcp: readonly string[];
  readonly http: readonly string[];
}

/** Starts a server on free ports. Slots are an hour long: nothing expires. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<HttpServer> {
  const dir = options.dir ?? join(tempDir(), 'data');
  const listen = {host: '127.0.0.1', port: 0};
  const server = await AllocDbServer.start({
    dir,
    listen,
    http: {listen},
    config: configOfLimits(
      {maxResources: 100, maxReservations: 100, maxOperations: 1000, maxTtlSlots: 1000},
      3_600_000,
    ),
    slotDurationMs: 3_600_000,
    trustClientSlots: false,
    tokenFile: null,
    anonymousRole: 'operate',
    maxConnections: 100,
    checkpoint: {},
    segmentBytes: 1 << 20,
    log: createLog({level: 'fatal'}),
    ...options,
  });
  servers.add(server);
  const scheme = options.tls ? 'https' : 'http';
  return {
    server,
    dir,
    tcp: ['--url', `allocdb://127.0.0.1:${server.address.port}`, '--timeout', '60s'],
    http: ['--http', `${scheme}://127.0.0.1:${server.httpAddress?.port}`, '--timeout', '60s'],
  };
}

/** Starts a port that does this with each connection, once something was asked; returns its address for --http. */
export async function startPort(answer: (socket: Socket) => void): Promise<string> {
  const port = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('data', () => answer(socket));
  });
  ports.add(port);
  await new Promise<void>(resolve => port.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(port.address() as {port: number}).port}`;
}

/** A whole answer of a port that speaks HTTP. */
export function response(status: string, type: string, body: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}

/** Stops what was started, and removes what was made. */
export async function stopPorts(): Promise<void> {
  await Promise.all([...servers].map(server => server.stop()));
  for (const socket of sockets) socket.destroy();
  await Promise.all([...ports].map(port => new Promise(resolve => port.close(resolve))));
  for (const all of [servers, ports, sockets]) all.clear();
  await cleanUp();
}
