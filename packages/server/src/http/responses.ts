/**
 * The problems that a route can meet, as the OpenAPI document lists them: its own, and those that every route of its kind
 * can meet, so that no route forgets one. They are not in the schemas of the routes, because a problem is written without
 * one, and because so many serialisers take their time to make.
 */
import {PROBLEMS, type ProblemCode} from './problem_table.ts';

/** What the port itself may say about any request. */
const PUBLIC: readonly ProblemCode[] = [
  'invalid_request',
  'malformed_http',
  'foreign_host',
  'not_acceptable',
  'request_timeout',
  'url_too_long',
  'expectation_failed',
  'headers_too_large',
  'too_many_connections',
  'too_many_requests_in_flight',
  'shutting_down',
  'internal_error',
];
const COUNTERS: readonly ProblemCode[] = [...PUBLIC, 'unauthorized', 'forbidden'];
const COMMAND: readonly ProblemCode[] = [
  ...COUNTERS,
  'cross_site',
  'body_too_large',
  'unsupported_media_type',
  'rate_limited',
  'operation_conflict',
  'operation_table_full',
  'slot_overflow',
  'overloaded',
  'storage_full',
  'storage_failure',
  'engine_halted',
  'lsn_exhausted',
];

/**
 * What a route is for. `counters` are answered by a halted engine too; a `read` and a `command` count as one against the
 * rate of who asks, a `batch` as many as it has, others do not count.
 */
export type RouteKind = 'public' | 'counters' | 'read' | 'command' | 'batch' | 'upkeep';

const BY_KIND: Readonly<Record<RouteKind, readonly ProblemCode[]>> = {
  public: PUBLIC,
  counters: COUNTERS,
  read: [...COUNTERS, 'rate_limited', 'engine_halted'],
  command: COMMAND,
  batch: COMMAND,
  upkeep: [...COUNTERS, 'cross_site', 'body_too_large', 'unsupported_media_type', 'engine_halted'],
};

/** A response of the OpenAPI document, as the framework takes it. */
export interface ResponseSchema {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content: Readonly<Record<string, {readonly schema: {readonly $ref: string}}>>;
}

const RETRY_AFTER = {type: 'integer', description: 'Seconds after which another try may go better.'};
/** Headers of problems by status, beside Retry-After. */
const HEADERS: Readonly<Record<number, Readonly<Record<string, object>>>> = {
  401: {'WWW-Authenticate': {type: 'string', description: 'Bearer.'}},
};

/** Problems as responses by status; each says which codes it may have. */
export function problemResponses(kind: RouteKind, own: readonly ProblemCode[]): Record<number, ResponseSchema> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set([...own, ...BY_KIND[kind]])) {
    const {status} = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map(code => `\`${code}\``).join(', '),
        ...headersOf(Number(status), codes),
        content: {'application/problem+json': {schema: {$ref: 'Problem#'}}},
      },
    ]),
  );
}

function headersOf(status: number, codes: readonly ProblemCode[]): Pick<ResponseSchema, 'headers'> {
  const saysWhen = codes.some(code => PROBLEMS[code].retryAfter !== undefined);
  const headers = {...HEADERS[status], ...(saysWhen ? {'Retry-After': RETRY_AFTER} : {})};
  return Object.keys(headers).length === 0 ? {} : {headers};
}
