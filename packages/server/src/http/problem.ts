/**
 * A problem as it is answered: RFC 9457 `application/problem+json`, with the code that programs compare, and whether it is
 * certain that nothing happened. Made from the table of kinds; what a single case adds are members of its own.
 *
 * Two ways out: as the reply of a request, and as raw bytes on a socket whose bytes never became a request.
 */
import {STATUS_CODES} from 'node:http';
import type {FastifyReply} from 'fastify';
import {PROBLEMS, type ProblemCode} from './problem_table.ts';
import {SECURITY_HEADERS} from './security_headers.ts';

/** Where a field that is wrong stands. */
export interface FieldError {
  readonly in: 'body' | 'query' | 'path' | 'header';
  /** JSON pointer into that part of the request; empty for all of it. */
  readonly pointer: string;
  readonly detail: string;
}

/** Members that some problems have. 64- and 128-bit numbers are text. */
export interface ProblemFields {
  /** What exactly, for people; the kind's own words unless given. */
  readonly detail?: string;
  readonly operation?: string | undefined;
  readonly operations?: readonly string[];
  readonly lsn?: string;
  readonly from_retry_cache?: boolean;
  readonly errors?: readonly FieldError[];
  readonly required_lsn?: string;
  readonly last_applied_lsn?: string | null;
  /** The first lsn from which changes can be had. */
  readonly oldest_lsn?: string;
  readonly queue_depth?: number;
  readonly queue_capacity?: number;
  readonly scope?: 'server' | 'connection';
  readonly reasons?: readonly string[];
  /** Milliseconds. */
  readonly retry_after_ms?: number;
}

/** What is answered. */
export interface Problem extends ProblemFields {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly category: 'definite' | 'indefinite';
}

/** The media type of problems, with the charset that every other answer names too. */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Reference of a kind of problem: its place in the OpenAPI document of this server. */
export function problemType(code: ProblemCode): string {
  return `/openapi.json#/components/responses/${code}`;
}

/** A problem of this kind, as certain as its kind says. */
export function problemOf(code: ProblemCode, fields: ProblemFields = {}): Problem {
  const {status, title, about, indefinite} = PROBLEMS[code];
  const category = indefinite === true ? 'indefinite' : 'definite';
  return {type: problemType(code), title, status, detail: about, code, category, ...fields};
}

/** The same problem where it is certain that nothing happened: that of a read. */
export function definitely(problem: Problem): Problem {
  return problem.category === 'definite' ? problem : {...problem, category: 'definite'};
}

/** Seconds of the header Retry-After; null without one. */
export function retryAfterOf(problem: Problem): number | null {
  const {retry_after_ms: ms} = problem;
  return ms === undefined ? (PROBLEMS[problem.code].retryAfter ?? null) : Math.max(1, Math.ceil(ms / 1000));
}

/** Answers a request with a problem. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const retryAfter = retryAfterOf(problem);
  if (retryAfter !== null) reply.header('retry-after', String(retryAfter));
  reply.request.problemCode = problem.code;
  return reply.code(problem.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** A whole response with a problem, after which the connection ends. */
export function rawProblem(problem: Problem): string {
  const body = JSON.stringify(problem);
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': PROBLEM_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n${body}`;
}
