/**
 * The HTTP framework as this port uses it, typed once: routes take their types from their TypeBox schemas, and a request
 * carries a few things of ours from the hooks to the log.
 */
import type {IncomingMessage, Server, ServerResponse} from 'node:http';
import type {OperationId} from '@allocdb/api';
import type {TypeBoxTypeProvider} from '@fastify/type-provider-typebox';
import type {FastifyBaseLogger, FastifyInstance} from 'fastify';
import type {Principal} from '../access/index.ts';
import type {Connections} from './connections.ts';
import type {HttpHost, HttpLimits} from './http_host.ts';
import type {ProblemCode} from './problem_table.ts';
import type {RouteKind} from './responses.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null on public routes. */
    principal: Principal | null;
    /** The operation of the command that the request is, once it is known. */
    operation: OperationId | null;
    /** What it was answered with, if not with success. */
    problemCode: ProblemCode | null;
    /** What no answer was foreseen for. */
    fault: unknown;
  }

  interface FastifyContextConfig {
    /** What the route is for. */
    kind?: RouteKind;
    /** What it may be answered with beside what its kind may be. */
    problems?: readonly ProblemCode[];
    /** A command that its path says in full: its body is empty, and the document shows none. */
    hasNoBody?: boolean;
    /** Answered also where there is no room for more: whoever watches the server must not be locked out by load. */
    isVital?: boolean;
    /** Media type of the answer; application/json unless given. */
    produces?: string;
  }
}

/** What routes are registered on. */
export type HttpApp = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

/** What routes need. */
export interface HttpContext {
  readonly host: HttpHost;
  readonly limits: HttpLimits;
  readonly connections: Connections;
  /** Fires when the port is to stop: an answer without end must end then. */
  readonly stopping: AbortSignal;
}

/** Registers the routes of one subject. */
export type Routes = (app: HttpApp, context: HttpContext) => void;
