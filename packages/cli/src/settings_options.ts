/**
 * What settings mean to the server as a library: units, absent values, and what follows from one another. Settings have
 * been checked before; files are read here or by the server, which says what is wrong with them.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {slotMsOf} from '@allocdb/node';
import {
  type ConnectionLimits,
  defaultConfig,
  type Log,
  type Role,
  type ServerOptions,
  type TlsFiles,
} from '@allocdb/server';
import {readConfig} from './config_input.ts';
import type {ServeSettings} from './settings.ts';
import {reachableAddresses} from './settings_checks.ts';

const MIB = 2 ** 20;
const DEFAULT_SLOT_MS = 100;

/** The options of a server on this directory. Ends the command when the file of capacities cannot be used. */
export function serverOptionsOf(dir: string, settings: ServeSettings, log: Log): ServerOptions {
  const {config, maxConnections, maxConnectionsPerClient} = settings;
  const given = config === null ? null : readConfig(config);
  const isNew = !existsSync(join(dir, 'CONFIG'));
  const slotMs = settings.slotMs ?? (isNew ? null : slotMsOf(dir)) ?? DEFAULT_SLOT_MS;
  return {
    dir,
    listen: settings.listen,
    config: given ?? (isNew ? defaultConfig(slotMs) : null),
    slotDurationMs: slotMs,
    trustClientSlots: settings.trustClientSlots,
    tokenFile: settings.tokenFile,
    anonymousRole: anonymousRoleOf(settings),
    tls: tlsOf(settings),
    http: httpOf(settings),
    backupDir: settings.backupDir,
    maxConnections,
    ...(maxConnectionsPerClient === null ? {} : {maxConnectionsPerPrincipal: maxConnectionsPerClient}),
    limits: limitsOf(settings),
    checkpoint: {
      everyLogBytes: settings.checkpointEveryMib * MIB,
      bytesPerSecond: settings.checkpointMibPerSecond * MIB,
      retainLogBytes: settings.retainLogMib * MIB,
    },
    drainMs: settings.drain,
    log,
  };
}

/** What everybody may do: nothing with a token file; what was said; else everything, but only on loopback. */
export function anonymousRoleOf(settings: ServeSettings): Role | null {
  const {tokenFile, anonymousRole} = settings;
  if (tokenFile !== null || anonymousRole === 'none') return null;
  return anonymousRole ?? (reachableAddresses(settings).length === 0 ? 'operate' : null);
}

function tlsOf({tlsCert: cert, tlsKey: key, tlsClientCa: clientCa}: ServeSettings): TlsFiles | null {
  if (cert === null || key === null) return null;
  return clientCa === null ? {cert, key} : {cert, key, clientCa};
}

function httpOf({
  http: listen,
  httpTls,
  httpMaxBody,
  maxBatch,
  anonymousRole,
}: ServeSettings): NonNullable<ServerOptions['http']> | null {
  if (listen === null) return null;
  return {
    listen,
    ...(httpTls === null ? {} : {tls: httpTls}),
    // Who says what everybody may do has thought of the names under which the server is reached, a proxy's perhaps.
    ...(anonymousRole === null ? {} : {localNamesOnly: false}),
    limits: {bodyBytes: httpMaxBody, maxBatch},
  };
}

function limitsOf({maxFrame, maxBatch, slowConsumer, idleTimeout}: ServeSettings): Partial<ConnectionLimits> {
  return {maxFrameBytes: maxFrame, maxBatch, slowConsumerMs: slowConsumer, idleMs: idleTimeout};
}
