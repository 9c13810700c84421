/**
 * Servers in the test's own process, where bounds and clocks can be set; stopped by `stopServers`.
 */
import {configOfLimits, type DatabaseConfig} from '@allocdb/node';
import {pino} from 'pino';
import {AllocDbServer, type ServerOptions} from '../src/index.ts';
import {type LogEvent, tempDir} from './command.ts';

const servers = new Set<AllocDbServer>();

/** Small files: a server is ready, and gone, without writing 64 MiB of zeros. */
const SEGMENT_BYTES: number = 1 << 20;

/** A small database: quick to open, large enough for a test. */
export const SMALL: DatabaseConfig = configOfLimits(
  {maxResources: 10_000, maxReservations: 1000, maxOperations: 20_000, maxTtlSlots: 10_000, maxBundleSize: 4096},
  100,
);

/** A running server and what it has logged. */
export interface TestServer {
  readonly server: AllocDbServer;
  readonly dir: string;
  readonly port: number;
  readonly events: LogEvent[];
}

/** Starts a server on a free port, in a directory of its own unless one is given. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const events: LogEvent[] = [];
  const dir = options.dir ?? tempDir();
  const server = await AllocDbServer.start({
    dir,
    listen: {host: '127.0.0.1', port: 0},
    config: SMALL,
    slotDurationMs: 100,
    trustClientSlots: false,
    tokenFile: null,
    anonymousRole: 'operate',
    maxConnections: 1000,
    checkpoint: {everyLogBytes: null},
    segmentBytes: SEGMENT_BYTES,
    log: pino({base: null}, {write: line => events.push(JSON.parse(line) as LogEvent)}),
    ...options,
  });
  servers.add(server);
  return {server, dir, port: server.address.port, events};
}

/** Stops every server that was started. */
export async function stopServers(): Promise<void> {
  await Promise.all([...servers].map(server => server.stop()));
  servers.clear();
}
