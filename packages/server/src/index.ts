/**
 * The server as a library, for programs and tests that start one in their own process.
 */
export {AllocDbServer, DEFAULT_CONNECTION_LIMITS, type ServerOptions} from './allocdb_server.ts';
export {defaultConfig, explainConfig} from './default_config.ts';
export {createLog, type Log} from './log.ts';
export type {ConnectionLimits} from './net/connection.ts';
export type {ListenAddress} from './net/tcp_server.ts';
