/**
 * What is logged of requests: a line at level debug for each, and one at level error for each that ends with a 5xx. Of a
 * request's headers, query and body nothing is logged, so that no secret can be; the principal's name says who it was.
 */
import type {FastifyReply, FastifyRequest} from 'fastify';
import type {HttpApp} from './http_app.ts';
import type {HttpHost} from './http_host.ts';

const SERVER_ERROR = 500;

/** Logs every request when its answer is finished, or its connection is gone, and has it counted. */
export function addRequestLog(app: HttpApp, {log, onAnswered}: HttpHost): void {
  app.addHook('onResponse', (request, reply, done) => {
    onAnswered?.(request.routeOptions.url ?? null, reply.statusCode);
    // A probe that is told "not ready" was answered as it should be.
    const isError = reply.statusCode >= SERVER_ERROR && request.problemCode !== 'not_ready';
    if (isError) log.error({event: 'http_error', ...lineOf(request, reply), ...faultOf(request)});
    else if (log.isLevelEnabled('debug')) log.debug({event: 'http_request', ...lineOf(request, reply)});
    done();
  });
}

function lineOf(request: FastifyRequest, reply: FastifyReply): Record<string, string | number | null> {
  return {
    method: request.method,
    route: request.routeOptions.url ?? null,
    status: reply.statusCode,
    code: request.problemCode,
    operation: request.operation,
    principal: request.principal?.name ?? null,
    ms: Math.round(reply.elapsedTime * 10) / 10,
  };
}

function faultOf({fault}: FastifyRequest): {fault?: string} {
  if (fault === null) return {};
  return {fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)};
}
