/**
 * `allocdb serve DIR`: runs the server until SIGTERM or SIGINT, then stops gracefully and exits 0. Everything that can be
 * wrong with flags, configuration, directory or port is said in one message, with every offending field named.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import type {ListenAddress} from '@allocdb/server';
import {AllocDbServer, createLog, defaultConfig, explainConfig, type ServerOptions} from '@allocdb/server';
import {readConfig, readText} from '../config_input.ts';
import {EXIT, fail} from '../exit.ts';

/** Flags of `serve` as the command line gives them. */
export interface ServeFlags {
  listen: ListenAddress;
  config?: string;
  slotMs: number;
  trustClientSlots: boolean;
  tokenFile?: string;
  maxConnections: number;
  checkpointEveryMib: number;
  checkpointMibPerSecond: number;
  retainLogMib: number;
}

export const MIB: number = 1 << 20;

export async function serve(dir: string, flags: ServeFlags): Promise<void> {
  const log = createLog();
  const isNew = !existsSync(join(dir, 'CONFIG'));
  const given = flags.config === undefined ? null : readConfig(flags.config);
  const options: ServerOptions = {
    dir,
    listen: flags.listen,
    config: given ?? (isNew ? defaultConfig(flags.slotMs) : null),
    slotDurationMs: flags.slotMs,
    trustClientSlots: flags.trustClientSlots,
    token: flags.tokenFile === undefined ? null : readToken(flags.tokenFile),
    maxConnections: flags.maxConnections,
    checkpoint: {
      everyLogBytes: flags.checkpointEveryMib * MIB,
      bytesPerSecond: flags.checkpointMibPerSecond * MIB,
      retainLogBytes: flags.retainLogMib * MIB,
    },
    log,
  };
  const stopAsked = stopSignal();
  const server = await start(options);
  for (const line of explainConfig(server.engine.config, flags.slotMs)) log.info({event: 'config'}, line);
  await stopAsked;
  await server.stop();
}

/** Resolves at the first SIGTERM or SIGINT, also one during recovery. The second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    const onSignal = (): void => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

async function start(options: ServerOptions): Promise<AllocDbServer> {
  try {
    return await AllocDbServer.start(options);
  } catch (error) {
    const {host, port} = options.listen;
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EADDRINUSE') return fail(EXIT.FAILURE, `${host}:${port} is in use by another program`);
    if (code === 'EACCES') return fail(EXIT.FAILURE, `${host}:${port} may not be listened on by this user`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      return fail(EXIT.FAILURE, `${host} is not an address of this machine`);
    }
    throw error;
  }
}

function readToken(file: string): string {
  const token = readText(file, '--token-file').trim();
  return token === '' ? fail(EXIT.FAILURE, `${file} holds no token`) : token;
}
