/**
 * Every answer of the HTTP port that is no success, as data: its status, whether it leaves open what happened, and after
 * how long another try makes sense. The OpenAPI document and the responses are both made from this.
 *
 * Codes of refusals and of the engine's failures are those of the database; the rest are the port's own.
 */

import type {DatabaseFailureCode, ResultName} from '@allocdb/api';

/** Code of an answer of the database that is no agreement. */
export type RefusalCode = Exclude<ResultName, 'ok' | 'noop'>;
/** Code of what is no answer of the database, but its word that there is none. */
export type NoAnswerCode =
  | Exclude<DatabaseFailureCode, RefusalCode | 'invalid_request'>
  | 'fence_not_applied'
  | 'lsn_not_retained'
  | 'lsn_ahead'
  | 'log_damaged';
/** Code of what the port says by itself. */
export type PortProblemCode =
  | 'invalid_request'
  | 'malformed_http'
  | 'unauthorized'
  | 'forbidden'
  | 'cross_site'
  | 'foreign_host'
  | 'no_such_route'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'request_timeout'
  | 'body_too_large'
  | 'url_too_long'
  | 'unsupported_media_type'
  | 'expectation_failed'
  | 'rate_limited'
  | 'headers_too_large'
  | 'too_many_connections'
  | 'too_many_requests_in_flight'
  | 'too_many_streams'
  | 'no_backups'
  | 'backup_exists'
  | 'upkeep_failed'
  | 'shutting_down'
  | 'not_ready'
  | 'internal_error';
/** Code of a problem. */
export type ProblemCode = RefusalCode | NoAnswerCode | PortProblemCode;

/** One kind of problem. */
export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What it means and what to do, for the document. */
  readonly about: string;
  /** True where a command may have been executed all the same; a read never is. */
  readonly indefinite?: boolean;
  /** Seconds after which another try may go better. */
  readonly retryAfter?: number;
}

const NEW_KEY = 'The answer is remembered with its operation: to try again, use a new Idempotency-Key.';

/** The database's answers that are no agreement. */
const REFUSALS: Readonly<Record<RefusalCode, ProblemKind>> = {
  resource_not_found: {status: 404, title: 'Resource not found', about: 'No such resource was created.'},
  reservation_not_found: {status: 404, title: 'Reservation not found', about: 'No such reservation was granted.'},
  reservation_retired: {status: 410, title: 'Reservation is over', about: 'The reservation has ended.'},
  resource_busy: {
    status: 409,
    title: 'Resource is held',
    about: `A resource is held by somebody, or is named twice in the request. Nothing was taken. ${NEW_KEY}`,
  },
  already_exists: {status: 409, title: 'Resource exists', about: 'The resource was created before.'},
  invalid_state: {
    status: 409,
    title: 'Wrong state',
    about: 'The reservation is in no state in which this can be done.',
  },
  holder_mismatch: {status: 409, title: 'Another holder', about: 'The reservation belongs to another holder.'},
  stale_epoch: {status: 409, title: 'Stale epoch', about: 'The right to the reservation was taken away in between.'},
  operation_conflict: {
    status: 409,
    title: 'Idempotency key used for something else',
    about: 'The operation is known as another command; `lsn` says where it stands. Nothing was done.',
  },
  ttl_out_of_range: {
    status: 422,
    title: 'Hold too short or too long',
    about: 'Zero, or above what the database allows.',
  },
  bundle_too_large: {status: 422, title: 'Too many resources', about: 'More than one reservation may have.'},
  slot_overflow: {status: 422, title: 'Slot does not fit', about: 'The deadline would not fit 64 bits.'},
  resource_table_full: {
    status: 503,
    title: 'No room for resources',
    about: `As many resources exist as the database was made for. ${NEW_KEY}`,
    retryAfter: 60,
  },
  reservation_table_full: {
    status: 503,
    title: 'No room for reservations',
    about: `Room comes when reservations end and their history has passed. ${NEW_KEY}`,
    retryAfter: 1,
  },
  operation_table_full: {
    status: 503,
    title: 'No room for operations',
    about: 'Room comes when operations are forgotten. This answer is not remembered: the same key may be used again.',
    retryAfter: 1,
  },
  expiration_index_full: {
    status: 503,
    title: 'No room at this deadline',
    about: `Too many holds end at the same slot. ${NEW_KEY}`,
    retryAfter: 1,
  },
};

/** No answer of the database: see its failures. */
const NO_ANSWERS: Readonly<Record<NoAnswerCode, ProblemKind>> = {
  overloaded: {
    status: 503,
    title: 'Overloaded',
    about: 'Too many commands wait for the disk. Nothing was done.',
    retryAfter: 1,
  },
  storage_full: {
    status: 503,
    title: 'Disk full',
    about: 'Nothing was done. It passes when there is space.',
    retryAfter: 10,
  },
  lsn_exhausted: {status: 503, title: 'Log exhausted', about: 'No log sequence number is left. Nothing was done.'},
  command_too_large: {status: 413, title: 'Command too large', about: 'Too many resources for one command.'},
  engine_halted: {
    status: 503,
    title: 'Engine halted',
    about:
      'The log could not be written. A command may have been executed: send it again with the same key after a restart.',
    indefinite: true,
  },
  storage_failure: {
    status: 503,
    title: 'Log not written',
    about: 'The command may have been executed: send it again with the same key after a restart.',
    indefinite: true,
  },
  fence_not_applied: {
    status: 412,
    title: 'Required lsn not reached',
    about:
      'The database is at `last_applied_lsn`, which is before `required_lsn`. Nothing is said about what was asked for.',
  },
  lsn_not_retained: {
    status: 410,
    title: 'Log not kept so far back',
    about: 'Changes can be had from `oldest_lsn` on. Begin with what the resources are now, and follow from there.',
  },
  lsn_ahead: {
    status: 409,
    title: 'Log has not come so far',
    about: 'The lsn lies beyond the next one: it is of another database, or of a life of this one that was undone.',
  },
  log_damaged: {status: 503, title: 'Log damaged', about: 'The log cannot be read there. The server log says where.'},
};

/** The port's own. Nothing was done. */
const PORT_PROBLEMS: Readonly<Record<PortProblemCode, ProblemKind>> = {
  invalid_request: {status: 400, title: 'Invalid request', about: '`errors` says which field is wrong.'},
  malformed_http: {status: 400, title: 'Malformed request', about: 'The bytes are no HTTP/1.1 request.'},
  unauthorized: {
    status: 401,
    title: 'Unauthorized',
    about:
      'No token or client certificate that is let in was shown. Tokens go into the Authorization header, as Bearer.',
  },
  forbidden: {status: 403, title: 'Forbidden', about: 'The role that was granted does not allow this.'},
  foreign_host: {
    status: 421,
    title: 'Foreign host',
    about:
      'A server that lets everybody of its machine in answers only to localhost and to addresses, so that no page of ' +
      'another site can reach it under a name of its own. Use one of these, tokens, or --anonymous-role.',
  },
  cross_site: {status: 403, title: 'Cross-site request', about: 'A browser sent a command for a page of another site.'},
  no_such_route: {status: 404, title: 'No such route', about: 'There is nothing at this path.'},
  method_not_allowed: {status: 405, title: 'Method not allowed', about: 'The header Allow lists the methods.'},
  not_acceptable: {status: 406, title: 'Not acceptable', about: 'The header Accept excludes what the route answers.'},
  request_timeout: {status: 408, title: 'Request timeout', about: 'The request did not arrive in time.'},
  body_too_large: {status: 413, title: 'Body too large', about: 'The body is longer than allowed.'},
  url_too_long: {status: 414, title: 'URL too long', about: 'Path and query are longer than allowed.'},
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    about: 'Bodies are application/json in UTF-8, without content encoding.',
  },
  expectation_failed: {status: 417, title: 'Expectation failed', about: 'The only expectation met is 100-continue.'},
  rate_limited: {
    status: 429,
    title: 'Rate limited',
    about: 'More commands and reads a second than were granted.',
    retryAfter: 1,
  },
  headers_too_large: {
    status: 431,
    title: 'Headers too large',
    about: 'Request line and headers are longer than allowed.',
  },
  too_many_connections: {
    status: 503,
    title: 'Too many connections',
    about: 'The connection is one too many and is closed.',
    retryAfter: 1,
  },
  too_many_requests_in_flight: {
    status: 503,
    title: 'Too many requests in flight',
    about: 'Of this connection or of all together; `scope` says which.',
    retryAfter: 1,
  },
  too_many_streams: {
    status: 429,
    title: 'Too many change streams',
    about: 'As many streams, or connections and streams together, are open in this name as it may have.',
    retryAfter: 1,
  },
  no_backups: {
    status: 409,
    title: 'No backups',
    about: 'The server was started without a directory for backups (--backup-dir).',
  },
  backup_exists: {
    status: 409,
    title: 'Backup exists',
    about: 'Something is at the place of this name, or a backup is being written there. It was left as it is.',
  },
  upkeep_failed: {
    status: 500,
    title: 'Backup or checkpoint failed',
    about: 'Nothing was lost, and nothing is left that looks finished.',
  },
  shutting_down: {
    status: 503,
    title: 'Shutting down',
    about: 'The server answers what it has taken and takes nothing more.',
    retryAfter: 1,
  },
  not_ready: {status: 503, title: 'Not ready', about: '`reasons` says why.', retryAfter: 1},
  internal_error: {
    status: 500,
    title: 'Internal error',
    about:
      'A fault of the server, which has logged it. A command may have been executed: send it again with the same key.',
    indefinite: true,
  },
};

/** Every problem by its code. */
export const PROBLEMS: Readonly<Record<ProblemCode, ProblemKind>> = {...REFUSALS, ...NO_ANSWERS, ...PORT_PROBLEMS};
/** All codes. */
export const PROBLEM_CODES: readonly ProblemCode[] = Object.keys(PROBLEMS) as ProblemCode[];

/** True for the name of a refusal. */
export function isRefusal(result: string): result is RefusalCode {
  return Object.hasOwn(REFUSALS, result);
}
