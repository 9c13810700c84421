/**
 * Routes about the server itself: its counters, for people and for Prometheus, and whether it lives and is ready.
 */
import {Type} from 'typebox';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {problemOf, sendProblem} from '../problem.ts';
import {metricsJson} from '../read_json.ts';

const strict = {additionalProperties: false} as const;

const ReadyQuery = Type.Object(
  {
    verbose: Type.Optional(
      Type.Unsafe<string>({
        title: 'nothing, 1 or true',
        type: 'string',
        enum: ['', '1', 'true'],
        description: 'With reasons and details.',
      }),
    ),
  },
  strict,
);

export function serverRoutes(app: HttpApp, {host}: HttpContext): void {
  app.get(
    '/v1/metrics',
    {
      config: {kind: 'counters', problems: [], isVital: true},
      schema: {
        operationId: 'getCounters',
        summary: 'The counters of the database, and the time of the server',
        description: 'A halted engine answers too, as of what is durable. ',
        tags: ['server'],
        querystring: Type.Object({}, strict),
        response: {200: Type.Ref('Counters#')},
      },
    },
    async (_request, reply) => {
      const {database, slotDurationMs} = host;
      return reply.send(metricsJson(await database.metrics(), database.currentSlot(), slotDurationMs));
    },
  );

  app.get(
    '/metrics',
    {
      config: {kind: 'counters', problems: [], isVital: true, produces: 'text/plain'},
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics for Prometheus',
        tags: ['server'],
        produces: ['text/plain'],
        response: {
          200: {
            description: 'Text of Prometheus.',
            content: {'text/plain': {schema: {type: 'string'}}},
          },
        },
      },
    },
    async (_request, reply) => {
      const {contentType, body} = await host.metrics();
      return reply.header('content-type', contentType).send(body);
    },
  );

  app.get(
    '/livez',
    {
      config: {kind: 'public', problems: [], isVital: true},
      schema: {
        operationId: 'isLive',
        summary: 'Whether the process answers; depends on nothing else',
        tags: ['server'],
        response: {200: Type.Ref('Live#')},
      },
    },
    (_request, reply) => {
      reply.send({live: true});
    },
  );

  app.get(
    '/readyz',
    {
      config: {kind: 'public', problems: ['not_ready'], isVital: true},
      schema: {
        operationId: 'isReady',
        summary: 'Whether the server can do its work, and why not',
        tags: ['server'],
        querystring: ReadyQuery,
        response: {200: Type.Ref('Ready#')},
      },
    },
    (request, reply) => {
      const {ready, reasons, details = {}} = host.readiness();
      const isVerbose = request.query.verbose !== undefined;
      if (!ready) sendProblem(reply, problemOf('not_ready', isVerbose ? {reasons} : {}));
      else reply.send({ready, ...(isVerbose ? {reasons, details} : {})});
    },
  );
}
