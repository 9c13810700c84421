/**
 * Everything that a server logs, as a closed set: the name of each event, and the levels at which it occurs. What is not
 * here cannot be logged: the compiler compares. Names and fields are what people search for and alert on; a new one comes
 * with a line in docs/operations.md.
 *
 * Levels: `error` wants somebody to look, `warn` may, `info` says what happens seldom, `debug` what happens all the time.
 */

/** Names of levels, least first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The events of each level; one that occurs at several is in each. */
export const LOG_EVENTS = {
  debug: ['http_request'],
  info: [
    'access',
    'access_reloaded',
    'checkpoint_finished',
    'checkpoint_given_up',
    'checkpoint_started',
    'config',
    'connection_ended',
    'listening',
    'not_logged',
    'opening',
    'reload_finished',
    'stopped',
    'stopping',
    'tls',
  ],
  warn: ['access', 'environment_ignored', 'not_encrypted', 'tls', 'tls_handshake_failed'],
  error: ['access_reload_failed', 'checkpoint_failed', 'halted', 'http_error', 'reload_finished', 'tls_reload_failed'],
  fatal: ['fatal'],
} as const;

/** The events that occur at a level. */
export type LogEventAt<Level extends LogLevel> = (typeof LOG_EVENTS)[Level][number];
/** The name of an event. */
export type LogEventName = LogEventAt<LogLevel>;

/**
 * Events that anybody who reaches a port can bring about as often as they like: of each reason only so many are logged
 * within a time, and how many were not.
 */
export const REPEATED_EVENTS: readonly LogEventName[] = ['connection_ended', 'http_error'];
