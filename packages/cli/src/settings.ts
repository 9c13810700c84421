/**
 * Everything that can be set about a server, as data: what it is called, how its text is read, what it is without being
 * said, and what it does. Flags, environment variables, the keys of a settings file, help, `--print-config` and the table
 * in docs/operations.md are all made from this table, so that none of them can say something else.
 *
 * A setting has one name: `maxConnections` is `--max-connections`, `ALLOCDB_MAX_CONNECTIONS` and `max_connections`. Texts
 * are the same in all of them. Not here: where the values come from (settings_sources.ts), and what must not go together
 * (settings_checks.ts).
 */
import {type ListenAddress, LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel, type Role} from '@allocdb/server';
import {listenAddress, timeout, whole} from './arguments.ts';
import {choice, listenOrOff, path, roleOrNone, sizeBetween, tokenPath, yesOrNo} from './settings_parsers.ts';

/** The values of all settings. Null is "not set", or "off". */
export interface ServeSettings {
  readonly listen: ListenAddress;
  readonly http: ListenAddress | null;
  /** Milliseconds. */
  readonly idleTimeout: number;
  /** Milliseconds. */
  readonly slowConsumer: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number | null;
  /** Bytes. */
  readonly maxFrame: number;
  readonly maxBatch: number;
  /** Bytes. */
  readonly httpMaxBody: number;
  readonly tokenFile: string | null;
  readonly anonymousRole: Role | 'none' | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  readonly tlsClientCa: string | null;
  readonly httpTls: boolean | null;
  readonly config: string | null;
  /** Milliseconds. */
  readonly slotMs: number | null;
  readonly trustClientSlots: boolean;
  readonly checkpointEveryMib: number;
  readonly checkpointMibPerSecond: number;
  readonly retainLogMib: number;
  readonly backupDir: string | null;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Milliseconds. */
  readonly drain: number;
}

/** The name of a setting, as it is in {@link ServeSettings}. */
export type SettingName = keyof ServeSettings;

/** What settings are about, in the order of help and docs. */
export const SETTING_GROUPS = ['Ports', 'Access', 'Data', 'Process'] as const;

/** One setting. */
export interface Setting<Value> {
  readonly group: (typeof SETTING_GROUPS)[number];
  /** What stands for the value in help; null for a switch, which is true when it is said. */
  readonly placeholder: string | null;
  /** Reads its text; throws commander's InvalidArgumentError. */
  readonly parse: (text: string) => Value;
  /** Its text when nobody says anything; null where it is then not set. */
  readonly default: string | null;
  /** What not being set means, where that is not plain. */
  readonly unset?: string;
  /** Of a plain number. */
  readonly unit?: string;
  readonly help: string;
}

const FILE = '<file>';
const MIB_MAX = 1_000_000;

export const SETTINGS: {readonly [Name in SettingName]: Setting<ServeSettings[Name]>} = {
  listen: {
    group: 'Ports',
    placeholder: '<host:port>',
    parse: listenAddress,
    default: '127.0.0.1:7433',
    help: 'address of the binary protocol; port 0 takes a free one, which the event listening tells',
  },
  http: {
    group: 'Ports',
    placeholder: '<host:port>',
    parse: listenOrOff,
    default: '127.0.0.1:7480',
    help: 'address of HTTP: API, health and metrics; off for none',
  },
  maxConnections: {
    group: 'Ports',
    placeholder: '<n>',
    parse: whole(1, 100_000),
    default: '1000',
    help: 'most connections at a time, for each port; one more is told so and closed',
  },
  maxConnectionsPerClient: {
    group: 'Ports',
    placeholder: '<n>',
    parse: whole(1, 100_000),
    default: null,
    unset: 'as --max-connections',
    help: 'most connections in the name of one entry of the token file',
  },
  idleTimeout: {
    group: 'Ports',
    placeholder: '<time>',
    parse: timeout,
    default: '10m',
    help: 'a connection that says nothing for so long, and is owed nothing, is closed',
  },
  slowConsumer: {
    group: 'Ports',
    placeholder: '<time>',
    parse: timeout,
    default: '30s',
    help: 'a connection that leaves its answers unread for so long is closed',
  },
  maxFrame: {
    group: 'Ports',
    placeholder: '<size>',
    parse: sizeBetween('4KiB', '64MiB'),
    default: '1MiB',
    help: 'longest request of the binary protocol',
  },
  maxBatch: {
    group: 'Ports',
    placeholder: '<n>',
    parse: whole(1, 65_535),
    default: '8192',
    help: 'most commands in a batch, for each port',
  },
  httpMaxBody: {
    group: 'Ports',
    placeholder: '<size>',
    parse: sizeBetween('1KiB', '64MiB'),
    default: '1MiB',
    help: 'longest body of an HTTP request',
  },
  tokenFile: {
    group: 'Access',
    placeholder: FILE,
    parse: tokenPath,
    default: null,
    help: 'who is let in, and as what: one entry a line; read again on SIGHUP',
  },
  anonymousRole: {
    group: 'Access',
    placeholder: '<role>',
    parse: roleOrNone,
    default: null,
    unset: 'operate on loopback, none elsewhere',
    help: 'what everybody may do where there is no token file, under whatever name they get here: read, write, operate or none',
  },
  tlsCert: {
    group: 'Access',
    placeholder: FILE,
    parse: path,
    default: null,
    help: 'certificate of the server (PEM), and those between it and the root; read again on SIGHUP',
  },
  tlsKey: {
    group: 'Access',
    placeholder: FILE,
    parse: path,
    default: null,
    help: 'its private key (PEM)',
  },
  tlsClientCa: {
    group: 'Access',
    placeholder: FILE,
    parse: path,
    default: null,
    help: 'authorities (PEM) that sign the certificates of clients, whom the token file names',
  },
  httpTls: {
    group: 'Access',
    placeholder: '<on|off>',
    parse: yesOrNo('on', 'off'),
    default: null,
    unset: 'on with --tls-cert',
    help: 'whether the HTTP port speaks TLS too',
  },
  config: {
    group: 'Data',
    placeholder: FILE,
    parse: path,
    default: null,
    unset: 'sized for a laptop',
    help: 'capacities (JSON) of a new directory; must agree with those of an existing one',
  },
  slotMs: {
    group: 'Data',
    placeholder: '<n>',
    parse: whole(1, 3_600_000),
    default: null,
    unset: 'that of the directory; 100 for a new one',
    unit: 'ms',
    help: 'length of a slot of time in milliseconds; the same for the life of a directory',
  },
  trustClientSlots: {
    group: 'Data',
    placeholder: null,
    parse: yesOrNo('true', 'false'),
    default: 'false',
    help: 'let clients state slots and tick: time is theirs. For tests and replays',
  },
  checkpointEveryMib: {
    group: 'Data',
    placeholder: '<n>',
    parse: whole(1, MIB_MAX),
    default: '256',
    unit: 'MiB',
    help: 'log after which a checkpoint begins; what a restart has to read',
  },
  checkpointMibPerSecond: {
    group: 'Data',
    placeholder: '<n>',
    parse: whole(1, 100_000),
    default: '32',
    unit: 'MiB/s',
    help: 'most that writing a snapshot takes of the disk; of the processor it takes a tenth',
  },
  retainLogMib: {
    group: 'Data',
    placeholder: '<n>',
    parse: whole(0, 100_000_000),
    default: '8192',
    unit: 'MiB',
    help: 'log kept beyond what recovery needs, for change feeds, audits and restores',
  },
  backupDir: {
    group: 'Data',
    placeholder: '<dir>',
    parse: path,
    default: null,
    unset: 'none is taken',
    help: 'where a running server puts the backups that it is asked for',
  },
  logLevel: {
    group: 'Process',
    placeholder: '<level>',
    parse: choice(LOG_LEVELS),
    default: 'info',
    help: 'least that is logged: debug, info, warn, error or fatal',
  },
  logFormat: {
    group: 'Process',
    placeholder: '<form>',
    parse: choice(LOG_FORMATS),
    default: 'auto',
    help: 'json, pretty, or auto: pretty on a terminal',
  },
  drain: {
    group: 'Process',
    placeholder: '<time>',
    parse: timeout,
    default: '5s',
    help: 'how long connections may take to end when the server stops',
  },
};

/** All names, in the order of the table. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS) as SettingName[];

/** `--max-connections` for `maxConnections`. */
export function flagOf(name: string): string {
  return `--${separated(name, '-')}`;
}

/** `ALLOCDB_MAX_CONNECTIONS` for `maxConnections`. */
export function variableOf(name: string): string {
  return `ALLOCDB_${separated(name, '_').toUpperCase()}`;
}

/** `max_connections` for `maxConnections`. */
export function keyOf(name: string): string {
  return separated(name, '_');
}

function separated(name: string, separator: string): string {
  return name.replace(/[A-Z]/g, letter => `${separator}${letter.toLowerCase()}`);
}
