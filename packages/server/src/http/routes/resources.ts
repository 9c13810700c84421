/**
 * Routes of resources: make one known, read one, several by id, or all of them page by page.
 */
import {type Database, type ResourceId, resourceId} from '@allocdb/api';
import {Type} from 'typebox';
import {RESOURCE_STATES} from '../components.ts';
import {invalidRequest} from '../failures.ts';
import {commandHeaders, idField, limit, nameField, position, requiredLsn} from '../fields.ts';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {type Problem, problemOf, sendProblem} from '../problem.ts';
import {fenceOf, fenceProblem, type Json, resourceJson, textOrNull} from '../read_json.ts';
import {execute, operationOf} from './commands.ts';

const strict = {additionalProperties: false} as const;
const IDS_MAX = 1000;

const CreateBody = Type.Object(
  {id: idField('The id that the resource is to have.')},
  {...strict, examples: [{id: '018f6c1e00007000800000000000002a'}]},
);
const OneParams = Type.Object({id: idField('The resource.')}, strict);
const OneQuery = Type.Object({required_lsn: requiredLsn}, strict);
const ManyQuery = Type.Object(
  {
    ids: Type.Optional(
      Type.String({
        title: 'ids with commas between them',
        description: `Up to ${IDS_MAX} ids with commas between them, instead of a page.`,
        pattern: '^[0-9a-fA-F,-]+$',
        examples: ['018f6c1e00007000800000000000002a,018f6c1e00007000800000000000002b'],
      }),
    ),
    state: Type.Optional(nameField(RESOURCE_STATES, 'Only those in this state.')),
    position,
    limit,
    required_lsn: requiredLsn,
  },
  strict,
);

export function resourceRoutes(app: HttpApp, {host: {database}}: HttpContext): void {
  app.post(
    '/v1/resources',
    {
      config: {kind: 'command', problems: ['already_exists', 'resource_table_full']},
      schema: {
        operationId: 'createResource',
        summary: 'Make a resource known; it is then available',
        tags: ['resources'],
        headers: commandHeaders,
        body: CreateBody,
        response: {201: Type.Ref('Created#')},
      },
    },
    (request, reply) => {
      const operation = operationOf(request);
      const resource = resourceId(request.body.id);
      return execute(database, {command: 'create_resource', resource, operationId: operation}, reply);
    },
  );

  app.get(
    '/v1/resources/:id',
    {
      config: {kind: 'read', problems: ['resource_not_found', 'fence_not_applied']},
      schema: {
        operationId: 'getResource',
        summary: 'Read a resource',
        tags: ['resources'],
        params: OneParams,
        querystring: OneQuery,
        response: {200: Type.Ref('Resource#')},
      },
    },
    async (request, reply) => {
      const answer = await database.getResource(resourceId(request.params.id), fenceOf(request.query));
      if (answer.result === 'found') return reply.send(resourceJson(answer.resource));
      return sendProblem(
        reply,
        answer.result === 'fence_not_applied' ? fenceProblem(answer) : problemOf(answer.result),
      );
    },
  );

  app.get(
    '/v1/resources',
    {
      config: {kind: 'read', problems: ['fence_not_applied']},
      schema: {
        operationId: 'listResources',
        summary: 'Read all resources, page by page, or several by id',
        description:
          'Without `ids`: pages in the order of creation; those that follow one another show each resource exactly ' +
          'once. With `ids`: these, in this order, null for one that does not exist, and no other parameter but the fence.',
        tags: ['resources'],
        querystring: ManyQuery,
        response: {200: Type.Ref('ResourcePage#')},
      },
    },
    async (request, reply) => {
      const {ids, state, position: from, limit: most} = request.query;
      const fence = fenceOf(request.query);
      if (ids !== undefined) {
        if (state !== undefined || from !== undefined || most !== undefined) return sendProblem(reply, IDS_AND_PAGE);
        const found = idsOf(ids);
        if (!Array.isArray(found)) return sendProblem(reply, found);
        const page = await byId(database, found, fence);
        return 'category' in page ? sendProblem(reply, page as Problem) : reply.send(page);
      }
      const input = {
        state: state as 'available' | undefined,
        position: from === undefined ? 0n : BigInt(from),
        limit: Number(most ?? 0),
      };
      const answer = await database.scanResources(input, fence);
      if (answer.result === 'fence_not_applied') return sendProblem(reply, fenceProblem(answer));
      const {resources, next, lsn} = answer;
      return reply.send({resources: resources.map(resourceJson), next: textOrNull(next), lsn: textOrNull(lsn)});
    },
  );
}

const IDS_AND_PAGE: Problem = invalidRequest({
  in: 'query',
  pointer: '/ids',
  detail: 'cannot stand beside state, position or limit',
});

function idsOf(text: string): ResourceId[] | Problem {
  const texts = text.split(',');
  const wrong = (detail: string): Problem => invalidRequest({in: 'query', pointer: '/ids', detail});
  if (texts.length > IDS_MAX) return wrong(`has ${texts.length} ids, and may have ${IDS_MAX}`);
  try {
    return texts.map(resourceId);
  } catch (error) {
    return wrong(`has an id that is none: ${(error as Error).message}`);
  }
}

/** All of one moment: they are sequenced in one turn, with nothing between them. */
async function byId(
  database: Database,
  ids: readonly ResourceId[],
  fence: {requiredLsn: bigint},
): Promise<Json | Problem> {
  const answers = await Promise.all(ids.map(id => database.getResource(id, fence)));
  const resources: (Json | null)[] = [];
  for (const answer of answers) {
    if (answer.result === 'fence_not_applied') return fenceProblem(answer);
    resources.push(answer.result === 'found' ? resourceJson(answer.resource) : null);
  }
  return {resources, next: null, lsn: null};
}
