/**
 * A program: the server with a log of small segments, of which none is kept beyond what recovery needs, so that within a
 * few cycles of kills the log is cut behind snapshots. The command has no option for that; all else is as it does it.
 *
 * Arguments: directory, configuration file, milliseconds of a slot, MiB a second that a checkpoint may write. The log is
 * that of the server, on standard error; SIGTERM stops it in order.
 */
import {readFileSync} from 'node:fs';
import {parseConfig} from '@allocdb/node';
import {AllocDbServer, createLog} from '@allocdb/server';

const SEGMENT_BYTES = 128 << 10;
const CHECKPOINT_BYTES = 192 << 10;

const [dir = '', configFile = '', slotMs = '', mibPerSecond = ''] = process.argv.slice(2);
const stopAsked = new Promise<void>(resolve => {
  process.once('SIGTERM', () => resolve());
});

const server = await AllocDbServer.start({
  dir,
  listen: {host: '127.0.0.1', port: 0},
  config: parseConfig(readFileSync(configFile, 'utf8')),
  slotDurationMs: Number(slotMs),
  trustClientSlots: false,
  tokenFile: null,
  anonymousRole: 'operate',
  maxConnections: 1000,
  checkpoint: {everyLogBytes: CHECKPOINT_BYTES, bytesPerSecond: Number(mibPerSecond) * (1 << 20), retainLogBytes: 0},
  segmentBytes: SEGMENT_BYTES,
  log: createLog(),
});

await stopAsked;
await server.stop();
