/**
 * The flags by which a command finds its server, and the client that they make. A flag goes before the environment.
 *
 * There is no flag that takes a token itself: what stands on a command line is shown to every user of the machine by `ps`
 * and is kept in the history of the shell. A token comes from a file or from the environment.
 */
import {type Client, type ConnectOptions, connect, DEFAULT_PORT, parseAddress} from '@allocdb/client';
import {type Command, Option} from 'commander';
import {serverUrl, timeout} from './arguments.ts';
import {EXIT, fail} from './exit.ts';
import {readText} from './file_input.ts';

/** Files of TLS. */
export interface TlsFlags {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The connecting flags of a command. */
export interface ConnectionFlags extends TlsFlags {
  readonly url: string;
  readonly tokenFile?: string;
  /** Milliseconds that connecting, and then each call, may take. */
  readonly timeout: number;
}

const DEFAULT_URL = `allocdb://127.0.0.1:${DEFAULT_PORT}`;
const URL_VARIABLE = 'ALLOCDB_URL';
const TIMEOUT_MS = 5000;

/** Adds the connecting flags; of those a connected session needs only the time that a call may take. */
export function withConnection(command: Command, isConnected: boolean): Command {
  if (!isConnected) {
    const url = new Option('--url <url>', 'the server').default(DEFAULT_URL).argParser(serverUrl);
    // An empty variable counts as not set.
    command.addOption(process.env[URL_VARIABLE] === '' ? url : url.env(URL_VARIABLE));
    withCredentials(command, 'allocdbs://');
  }
  return command.addOption(
    new Option('--timeout <time>', 'longest wait for the connection and for an answer')
      .default(TIMEOUT_MS, '5s')
      .argParser(timeout),
  );
}

/** Adds the flags by which a command shows who it is, and knows the server. */
export function withCredentials(command: Command, tlsScheme: string): Command {
  return command
    .option(
      '--token-file <file>',
      'file that holds the token (else ALLOCDB_TOKEN; a token itself is never an argument, because ps and histories show those)',
    )
    .option('--ca <file>', `for ${tlsScheme}: the CA to trust (PEM), instead of those that come with Node`)
    .option('--cert <file>', 'a certificate to show to the server (PEM); with --key')
    .option('--key <file>', 'the key of --cert (PEM)');
}

/** Connects, within the time of the flags; rejects with AllocDbError, ends the command when flags or files cannot be used. */
export async function openClient(flags: ConnectionFlags, signal: AbortSignal): Promise<Client> {
  const token = tokenOf(flags);
  const tls = tlsOf(flags, parseAddress(flags.url).tls, '--url allocdbs://…');
  const options: ConnectOptions = {
    signal,
    handshakeTimeoutMs: flags.timeout,
    ...(token === null ? {} : {token}),
    ...(tls === null ? {} : {tls}),
  };
  try {
    return await connect(flags.url, options);
  } catch (error) {
    // What is in a token or a certificate; every other argument was checked before.
    if (error instanceof TypeError || error instanceof RangeError) fail(EXIT.FAILURE, error.message);
    throw error;
  }
}

/** The texts of the files of TLS; null where no flag names one. They go only with an address of TLS: `needed` is one. */
export function tlsOf(
  flags: TlsFlags,
  isTls: boolean,
  needed: string,
): Readonly<Partial<Record<keyof TlsFlags, string>>> | null {
  const {ca, cert, key} = flags;
  if (ca === undefined && cert === undefined && key === undefined) return null;
  if (!isTls) fail(EXIT.USAGE, `--ca, --cert and --key need ${needed}`);
  if ((cert === undefined) !== (key === undefined)) fail(EXIT.USAGE, '--cert and --key go together');
  return {
    ...(ca === undefined ? {} : {ca: readText(ca, '--ca')}),
    ...(cert === undefined ? {} : {cert: readText(cert, '--cert')}),
    ...(key === undefined ? {} : {key: readText(key, '--key')}),
  };
}

/** The token of the flags, or of the environment; null without one. */
export function tokenOf(flags: Pick<ConnectionFlags, 'tokenFile'>): string | null {
  if (flags.tokenFile === undefined) return process.env['ALLOCDB_TOKEN'] || null;
  const token = readText(flags.tokenFile, '--token-file').trim();
  return token === '' ? fail(EXIT.FAILURE, `--token-file ${flags.tokenFile} holds no token`) : token;
}
