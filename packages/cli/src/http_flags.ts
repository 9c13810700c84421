/**
 * The flags by which a command finds the HTTP port of a server: for what only that port offers. Where it is, who asks, and
 * for how long the server may be silent. A flag goes before the environment.
 *
 * The variable is the one by which `serve` takes its own address, so both forms of an address are taken here: where a
 * server is set up by its environment, a command beside it finds it.
 */
import {type Command, InvalidArgumentError, Option} from 'commander';
import {listenAddress, timeout} from './arguments.ts';
import {type TlsFlags, withCredentials} from './connection.ts';

/** The HTTP flags of a command. */
export interface HttpFlags extends TlsFlags {
  /** `http://HOST:PORT` or `https://HOST:PORT`, without a path. */
  readonly http: string;
  readonly tokenFile?: string;
  /** Milliseconds that the server may be silent. */
  readonly timeout: number;
}

const DEFAULT_ORIGIN = 'http://127.0.0.1:7480';
const VARIABLE = 'ALLOCDB_HTTP';
const TIMEOUT_MS = 30_000;

/** Adds the HTTP flags. */
export function withHttp(command: Command): Command {
  const http = new Option('--http <url>', 'HTTP port of the server: http://HOST:PORT, https://HOST:PORT, or HOST:PORT')
    .default(DEFAULT_ORIGIN)
    .argParser(httpOrigin);
  // An empty variable counts as not set.
  command.addOption(process.env[VARIABLE] === '' ? http : http.env(VARIABLE));
  withCredentials(command, 'https://');
  return command.addOption(
    new Option('--timeout <time>', 'longest silence of the server').default(TIMEOUT_MS, '30s').argParser(timeout),
  );
}

/** Where the HTTP port is; `off` and port 0 are settings of a server, and no place to ask. */
export function httpOrigin(text: string): string {
  if (text === 'off') throw new InvalidArgumentError('off is a server without HTTP.');
  const {protocol, hostname, port} = text.includes('://') ? urlOf(text) : placeOf(text);
  const place = LOCAL[hostname] ?? hostname;
  return `${protocol}//${place}${port === '' ? '' : `:${port}`}`;
}

/** Addresses that a server listens on to be reached by all of its own. */
const LOCAL: Readonly<Record<string, string>> = {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'};

type Place = Pick<URL, 'protocol' | 'hostname' | 'port'>;

function placeOf(text: string): Place {
  const {host, port} = listenAddress(text);
  if (port === 0) throw new InvalidArgumentError('port 0 is for listening: any free one.');
  return {protocol: 'http:', hostname: host.includes(':') ? `[${host}]` : host, port: String(port)};
}

function urlOf(text: string): Place {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidArgumentError('must be http://HOST:PORT or https://HOST:PORT.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('holds a name or a password; a token comes from --token-file or ALLOCDB_TOKEN.');
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('ends with the port: http://HOST:PORT.');
  }
  return url;
}
