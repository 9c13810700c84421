/**
 * A program: the server in a process of its own, with bounds that the command has no options for, so that its memory is
 * its own and nothing takes minutes. SIGUSR2 has it collect its garbage and log how much is left, as the event `live_bytes`.
 *
 * Its argument is JSON (`AbuseServerOptions` in `abuse_server_process.ts`); its log is that of the server, on standard error;
 * SIGTERM stops it in order.
 */
import {configOfLimits} from '@allocdb/node';
import {AllocDbServer, createLog} from '@allocdb/server';
import type {AbuseServerOptions} from './abuse_server_process.ts';

const options: AbuseServerOptions = JSON.parse(process.argv[2] ?? '{}');
const stopAsked = new Promise<void>(resolve => {
  process.once('SIGTERM', () => resolve());
});

const {slotMs, capacities} = options;
const server = await AllocDbServer.start({
  dir: options.dir,
  listen: {host: '127.0.0.1', port: 0},
  config: configOfLimits(capacities, slotMs),
  slotDurationMs: slotMs,
  trustClientSlots: false,
  tokenFile: options.tokenFile ?? null,
  anonymousRole: 'operate',
  http: {listen: {host: '127.0.0.1', port: 0}, localNamesOnly: false, limits: options.httpLimits ?? {}},
  maxConnections: options.maxConnections,
  limits: options.limits ?? {},
  checkpoint: {everyLogBytes: 64 << 20, retainLogBytes: 0},
  segmentBytes: 16 << 20,
  log: createLog(),
});

process.on('SIGUSR2', () => {
  globalThis.gc?.();
  const {heapUsed, external} = process.memoryUsage();
  process.stderr.write(`${JSON.stringify({event: 'live_bytes', bytes: heapUsed + external})}\n`);
});

await stopAsked;
await server.stop();
