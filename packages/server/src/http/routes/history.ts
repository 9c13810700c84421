/**
 * Routes of why: what happened to a resource and who holds it, why an operation was answered as it was, and whom the server
 * takes the caller for.
 */
import {type OperationId, operationId, resourceId} from '@allocdb/api';
import {historyToJson, isOpenError} from '@allocdb/node';
import {Type} from 'typebox';
import {idField, limit, u64Text} from '../fields.ts';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {problemOf, sendProblem} from '../problem.ts';

const strict = {additionalProperties: false} as const;

const HistoryParams = Type.Object({id: idField('The resource.')}, strict);
const HistoryQuery = Type.Object(
  {
    operation: Type.Optional(idField('Also tells why this operation was answered as it was.')),
    from: Type.Optional(u64Text('The first lsn to read. Left out: as far back as the log goes.', '500')),
    limit,
  },
  strict,
);

export function historyRoutes(app: HttpApp, {host, stopping}: HttpContext): void {
  app.get(
    '/v1/resources/:id/history',
    {
      config: {kind: 'read', problems: ['log_damaged']},
      schema: {
        operationId: 'getHistory',
        summary: 'What happened to a resource, who holds it, and why',
        description:
          'Read from the log, from its beginning unless `from` says otherwise, without holding up commands: a long log ' +
          'takes long. The newest events, oldest of them first.',
        tags: ['resources'],
        params: HistoryParams,
        querystring: HistoryQuery,
        response: {200: Type.Ref('History#')},
      },
    },
    async (request, reply) => {
      const {operation, from, limit: most} = request.query;
      const query = {
        resource: resourceId(request.params.id),
        operation: operation === undefined ? null : (operationId(operation) as OperationId),
        ...(from === undefined ? {} : {from: BigInt(from)}),
        limit: Number(most ?? 100),
      };
      const gone = new AbortController();
      request.raw.once('close', () => gone.abort());
      try {
        return reply.send(historyToJson(await host.history(query, AbortSignal.any([stopping, gone.signal]))));
      } catch (error) {
        if (stopping.aborted) return sendProblem(reply, problemOf('shutting_down'));
        if (isOpenError(error)) return sendProblem(reply, problemOf('log_damaged', {detail: error.message}));
        throw error;
      }
    },
  );

  app.get(
    '/v1/access',
    {
      config: {kind: 'read', problems: []},
      schema: {
        operationId: 'getAccess',
        summary: 'Whom the server takes the caller for, and what that allows',
        tags: ['server'],
        querystring: Type.Object({}, strict),
        response: {
          200: Type.Object(
            {
              name: Type.String({description: 'The name in the token file.', examples: ['checkout']}),
              role: Type.Unsafe<string>({type: 'string', enum: ['read', 'write', 'operate']}),
            },
            strict,
          ),
        },
      },
    },
    (request, reply) => {
      const {principal} = request;
      reply.send({name: principal?.name ?? '', role: principal?.role ?? 'read'});
    },
  );
}
