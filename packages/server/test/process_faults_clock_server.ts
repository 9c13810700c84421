/**
 * A program: a server with a clock that stands wherever it is told to, for tests of clocks that jump in a process of their
 * own. The machine's clock is left alone.
 *
 * Arguments: directory, configuration file, milliseconds of a slot, milliseconds at which the clock begins. Each line on
 * standard input is the time in milliseconds from then on, and is answered by the same line once it holds. The log is
 * that of the server, on standard error.
 */
import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {parseConfig} from '@allocdb/node';
import {AllocDbServer, createLog} from '@allocdb/server';

const [dir = '', configFile = '', slotMs = '', firstMs = ''] = process.argv.slice(2);
let nowMs = Number(firstMs);

const server = await AllocDbServer.start({
  dir,
  listen: {host: '127.0.0.1', port: 0},
  config: parseConfig(readFileSync(configFile, 'utf8')),
  slotDurationMs: Number(slotMs),
  trustClientSlots: false,
  tokenFile: null,
  anonymousRole: 'operate',
  maxConnections: 10,
  checkpoint: {everyLogBytes: null},
  segmentBytes: 1 << 20,
  log: createLog(),
  clockSource: () => nowMs,
});

const lines = createInterface({input: process.stdin});
lines.on('line', line => {
  nowMs = Number(line);
  process.stdout.write(`${line}\n`);
});
// Whoever started it is gone.
lines.on('close', () => void server.stop());
