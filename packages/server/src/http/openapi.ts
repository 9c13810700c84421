/**
 * The OpenAPI document: made by the framework from the schemas that requests are checked against and answers written with,
 * so that it cannot say anything else. Added here is what no schema says: who may call, and every kind of problem.
 */
import swagger from '@fastify/swagger';
import type {FastifySchema, RouteOptions} from 'fastify';
import {Type} from 'typebox';
import {packageVersion} from '../version.ts';
import {COMPONENTS} from './components.ts';
import type {HttpApp} from './http_app.ts';
import {problemOf} from './problem.ts';
import {PROBLEM_CODES, PROBLEMS} from './problem_table.ts';
import {problemResponses} from './responses.ts';
import type {RouteRules} from './route_access.ts';

const DESCRIPTION = `Holds scarce things exactly once. Every command may carry an Idempotency-Key; repeat it with the same
key until it is answered, and it happens once. Every answer is durable. An answer that is no success is a problem with a
\`code\` for programs and a \`category\`: *definite* means that nothing happened and nothing will; *indefinite* means that it
may have, and that the same command with the same key tells. Ids are UUIDs or 32 hex digits and are answered as 32 lower-case
hex digits; 64-bit numbers are answered as text.`;

/** Collects the routes that are registered from now on. */
export function addOpenApi(app: HttpApp, rules: RouteRules): void {
  for (const [$id, schema] of Object.entries(COMPONENTS)) app.addSchema({$id, ...schema});
  app.register(swagger, {
    convertConstToEnum: false,
    refResolver: {buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `schema-${i}`)},
    openapi: {
      openapi: '3.1.0',
      info: {title: 'AllocDB', version: packageVersion(), description: DESCRIPTION},
      servers: [{url: '/'}],
      tags: [
        {name: 'resources', description: 'Scarce things.'},
        {name: 'reservations', description: 'Who holds them.'},
        {name: 'batch', description: 'Several commands in one request.'},
        {name: 'changes', description: 'What happened.'},
        {name: 'server', description: 'How the server is.'},
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token of the server. It decides what may be called.',
          },
        },
        responses: problemComponents(),
      },
    },
    transform: ({schema, url, route}) => ({schema: documented(schema, route, rules), url}),
  });
}

interface ResponseComponent {
  readonly description: string;
}

/** A response for each kind of problem: what the member `type` of a problem refers to. */
function problemComponents(): Record<string, ResponseComponent> {
  return Object.fromEntries(
    PROBLEM_CODES.map(code => {
      const {retryAfter, about} = PROBLEMS[code];
      const headers = {'Retry-After': {description: 'Seconds', schema: {type: 'integer'}, example: retryAfter}};
      const media = {schema: {$ref: '#/components/schemas/Problem'}, example: problemOf(code)};
      return [
        code,
        {
          description: about,
          ...(retryAfter === undefined ? {} : {headers}),
          content: {'application/problem+json': media},
        },
      ];
    }),
  );
}

/** The schema of a route as the document shows it. */
function documented(schema: FastifySchema | undefined, route: RouteOptions, rules: RouteRules): FastifySchema {
  const rule = rules[`${String(route.method)} ${route.url}`];
  const role = rule === 'public' ? 'Needs no token.' : `Needs the role \`${rule}\`.`;
  const {body, description, response, ...rest} = (schema ?? {}) as FastifySchema & {response?: object};
  const {kind = 'public', problems = [], hasNoBody = false} = route.config ?? {};
  return {
    ...rest,
    response: {...response, ...problemResponses(kind, problems)},
    description: description === undefined ? role : `${description} ${role}`,
    security: rule === 'public' ? [] : [{bearer: []}],
    ...(body === undefined || hasNoBody ? {} : {body: withoutDiscriminators(body)}),
  };
}

/** A discriminator needs names of schemas in the document; here the constants in the alternatives say it. */
function withoutDiscriminators(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutDiscriminators);
  const entries = Object.entries(value).filter(([name]) => name !== 'discriminator');
  return Object.fromEntries(entries.map(([name, each]) => [name, withoutDiscriminators(each)]));
}

/** Serves the document. */
export function openApiRoute(app: HttpApp): void {
  let text: string | null = null;
  app.get(
    '/openapi.json',
    {
      config: {kind: 'public', problems: []},
      schema: {
        operationId: 'getOpenApi',
        summary: 'This document',
        tags: ['server'],
        response: {200: Type.Object({}, {additionalProperties: true, description: 'OpenAPI 3.1.'})},
      },
    },
    (_request, reply) => {
      text ??= JSON.stringify(app.swagger());
      reply.header('content-type', 'application/json; charset=utf-8').send(text as never);
    },
  );
}
