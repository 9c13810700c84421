/**
 * The server as a library, for programs and tests that start one in their own process.
 */

export {defaultAnonymousRole, ROLES, type Role, roleNamed} from './access/roles.ts';
export {isSettingError, SettingError} from './access/setting_error.ts';
export {generateToken, type NewToken} from './access/token.ts';
export {AllocDbServer, type ServerOptions} from './allocdb_server.ts';
export {defaultConfig, explainConfig} from './default_config.ts';
export {createLog, LOG_FORMATS, type Log, type LogFormat, type LogOptions} from './log.ts';
export {type ConnectionLimits, DEFAULT_CONNECTION_LIMITS} from './net/connection_host.ts';
export type {ListenAddress} from './net/tcp_server.ts';
export type {TlsFiles} from './net/tls_files.ts';
export {LOG_LEVELS, type LogLevel} from './ops/log_events.ts';
export type {HttpPortOptions} from './ports.ts';
