/**
 * From what was thrown to the problem that is answered. The database's failures keep their code and their certainty; what
 * the framework finds wrong with a request is the request's fault; anything else is a fault of ours, is told as such and
 * leaves open what happened.
 */
import {type AllocDbError, isAllocDbError} from '@allocdb/api';
import type {FastifyError, FastifyRequest} from 'fastify';
import {fieldErrorOf} from './field_errors.ts';
import {definitely, type FieldError, type Problem, type ProblemFields, problemOf} from './problem.ts';
import {PROBLEMS, type ProblemCode} from './problem_table.ts';

/** Methods that change nothing. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** True where the failure is nobody's answer and not foreseen: it belongs into the log. */
export function isFault(problem: Problem): boolean {
  return problem.code === 'internal_error';
}

/** The problem of a request that could not be answered. */
export function problemOfError(error: unknown, request: FastifyRequest): Problem {
  const operation = request.operation ?? undefined;
  const problem = isAllocDbError(error)
    ? problemOfFailure(error, {operation})
    : (problemOfFramework(error as Partial<FastifyError>) ?? problemOf('internal_error', {operation}));
  return SAFE.has(request.method) ? definitely(problem) : problem;
}

/** The problem that a failure of the database is. */
export function problemOfFailure(error: AllocDbError, fields: ProblemFields): Problem {
  const code = codeOf(error);
  if (code === 'internal_error' || code === 'shutting_down') return problemOf(code, fields);
  const {detail} = error;
  const queue =
    detail?.code === 'overloaded' ? {queue_depth: detail.queueDepth, queue_capacity: detail.queueCapacity} : {};
  const {failure} = error;
  const oldest = failure.certainty === 'definite' ? failure.oldestLsn : undefined;
  const log = oldest === undefined ? {} : {oldest_lsn: String(oldest)};
  const problem = problemOf(code, {detail: `${error.message}. ${PROBLEMS[code].about}`, ...fields, ...queue, ...log});
  return {...problem, category: failure.certainty};
}

function codeOf({code}: AllocDbError): ProblemCode {
  switch (code) {
    case 'engine_halted':
    case 'invalid_request':
    case 'slot_overflow':
    case 'command_too_large':
    case 'lsn_exhausted':
    case 'overloaded':
    case 'storage_failure':
    case 'storage_full':
    case 'lsn_not_retained':
    case 'lsn_ahead':
    case 'log_damaged':
      return code;
    case 'closed':
      return 'shutting_down';
    default:
      return 'internal_error';
  }
}

/** What the framework found wrong with a request; null where nothing is known to be. */
function problemOfFramework(error: Partial<FastifyError>): Problem | null {
  if (error.validation !== undefined) return invalidRequest(fieldErrorOf(error.validation, error.validationContext));
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problemOf('body_too_large');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problemOf('unsupported_media_type');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return invalidRequest({in: 'body', pointer: '', detail: 'is not JSON'});
    case 'FST_ERR_BAD_URL':
      return invalidRequest({in: 'path', pointer: '', detail: 'is not a valid path'});
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return problemOf('url_too_long');
    // The body ended early, or is longer than it said: nobody is left to read this.
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'ECONNRESET':
      return problemOf('malformed_http');
    default:
      return null;
  }
}

/** A request with a field that is wrong. */
export function invalidRequest(error: FieldError): Problem {
  const where = error.pointer === '' ? `the ${error.in}` : error.pointer;
  return problemOf('invalid_request', {detail: `${where} ${error.detail}`, errors: [error]});
}
