/**
 * The OpenAPI document: well formed, complete, with examples that are what they are examples of, and true to what the port
 * answers.
 */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ROUTE_RULES} from '../src/access/index.ts';
import {PROBLEM_CODES, PROBLEMS} from '../src/http/problem_table.ts';
import {type Answer, ask, type HttpTest, id, type Sending, startHttp, stopHttp} from './http_in_process.ts';
import {OpenApiDocument, type Operation, type Part} from './openapi_document.ts';

let http: HttpTest;
let document: OpenApiDocument;
beforeAll(async () => {
  http = await startHttp();
  document = new OpenApiDocument((await ask(http, 'GET /openapi.json')).json as Part);
});
afterAll(stopHttp);

/** Files of the console, which may be there or not, are none of the document's business. */
const isApi = (route: string): boolean => !/^GET \/(?:console\/.*)?$/.test(route);

const HOLDER = id(0xbeef);

function operationOf(method: string, path: string): Operation {
  const found = document.operations.find(each => each.method === method.toLowerCase() && each.path === path);
  if (found === undefined) throw new Error(`the document has no ${method} ${path}`);
  return found;
}

/** Schema of the response of this status and type; undefined where the document has none. */
function responseSchema({operation}: Operation, {status, type}: Pick<Answer, 'status' | 'type'>): unknown {
  const response = (operation['responses'] as Part)[String(status)] as Part | undefined;
  const media = (response?.['content'] as Part | undefined)?.[type?.split(';')[0] ?? ''] as Part | undefined;
  return media?.['schema'];
}

describe('the document', () => {
  test('is OpenAPI 3.1', () => {
    expect(document.issues).toEqual([]);
    expect(document.root['openapi']).toBe('3.1.0');
  });

  test('has every route, and no others', () => {
    const documented = document.operations.map(({method, path}) => `${method.toUpperCase()} ${path}`);
    const registered = http.http.routes.filter(isApi).map(route => route.replace(/:(\w+)/g, '{$1}'));
    expect(documented.sort()).toEqual(registered.sort());
    expect(Object.keys(ROUTE_RULES).filter(isApi).sort()).toEqual(http.http.routes.filter(isApi).sort());
  });

  test('says which routes need a token, and which role', () => {
    for (const [route, rule] of Object.entries(ROUTE_RULES).filter(([each]) => isApi(each))) {
      const [method = '', path = ''] = route.replace(/:(\w+)/g, '{$1}').split(' ');
      const {operation} = operationOf(method, path);
      expect(operation['security']).toEqual(rule === 'public' ? [] : [{bearer: []}]);
      expect(operation['description']).toContain(rule === 'public' ? 'no token' : `\`${rule}\``);
    }
    expect((document.root['components'] as Part)['securitySchemes']).toMatchObject({
      bearer: {type: 'http', scheme: 'bearer'},
    });
  });

  test('has examples, and each is what its schema says', () => {
    const {examples} = document;
    expect(examples.length).toBeGreaterThan(100);
    const wrong = examples.filter(({schema, value}) => !document.isValid(schema, value));
    expect(wrong).toEqual([]);
  });

  test('has an example of every body', () => {
    for (const {operation, path} of document.operations) {
      const media = (operation['requestBody'] as {content: Part} | undefined)?.content['application/json'];
      if (media === undefined) continue;
      const {example, examples} = media as {example?: unknown; examples?: object; schema: Part};
      expect([path, example !== undefined || examples !== undefined]).toEqual([path, true]);
    }
  });

  test('describes every problem where its type says', () => {
    const schema = document.expanded({$ref: '#/components/schemas/Problem'}) as {properties: {code: {enum: string[]}}};
    for (const code of schema.properties.code.enum) {
      const found = document.resolve(`#/components/responses/${code}`) as {description: string; content: Part};
      expect(found.description).toMatch(/./);
      const media = found.content['application/problem+json'] as {
        example: {type: string; code: string; status: number};
      };
      expect(media.example.code).toBe(code);
      expect(media.example.type).toBe(`/openapi.json#/components/responses/${code}`);
    }
  });

  test('lists, for every route, the codes of each status under that status', () => {
    for (const {method, path, operation} of document.operations) {
      for (const [status, response] of Object.entries(operation['responses'] as Part)) {
        if (Number(status) < 400) continue;
        for (const [, code = ''] of (response as {description: string}).description.matchAll(/`(\w+)`/g)) {
          const found = document.resolve(`#/components/responses/${code}`) as {content: Part};
          const media = found.content['application/problem+json'] as {example: {status: number}};
          expect([method, path, code, media.example.status]).toEqual([method, path, code, Number(status)]);
        }
      }
    }
  });
});

type Exchange = readonly [method: string, path: string, template: string, sending?: Sending];
const R = `/v1/reservations/${id(3)}`;
const RT = '/v1/reservations/{id}';

/** A course of events in which every route is met, and many problems. */
const EXCHANGES: readonly Exchange[] = [
  ['POST', '/v1/resources', '/v1/resources', {body: {id: id(1)}}],
  ['POST', '/v1/resources', '/v1/resources', {body: {id: id(1)}}],
  ['POST', '/v1/reservations', '/v1/reservations', {body: {resource: id(1), holder: HOLDER, ttl_ms: 60_000}}],
  ['POST', '/v1/reservations', '/v1/reservations', {body: {resource: id(1), holder: HOLDER, ttl_ms: 60_000}}],
  ['POST', '/v1/reservations', '/v1/reservations', {body: {resource: id(2), holder: HOLDER, ttl_ms: 60_000}}],
  ['POST', '/v1/reservations', '/v1/reservations', {body: {resource: id(1), holder: HOLDER, ttl_ms: 0}}],
  ['POST', '/v1/reservations', '/v1/reservations', {body: {}}],
  ['GET', '/v1/resources', '/v1/resources'],
  ['GET', `/v1/resources?ids=${id(1)},${id(2)}`, '/v1/resources'],
  ['GET', '/v1/resources?required_lsn=1000', '/v1/resources'],
  ['GET', '/v1/resources?limit=x', '/v1/resources'],
  ['GET', `/v1/resources/${id(1)}`, '/v1/resources/{id}'],
  ['GET', `/v1/resources/${id(2)}`, '/v1/resources/{id}'],
  ['GET', '/v1/reservations', '/v1/reservations'],
  ['GET', R, RT],
  ['GET', `/v1/reservations/${id(9)}`, RT],
  ['POST', `${R}/confirm`, `${RT}/confirm`, {body: {holder: id(1)}}],
  ['POST', `${R}/confirm`, `${RT}/confirm`, {body: {holder: HOLDER}}],
  ['POST', `${R}/revoke`, `${RT}/revoke`],
  ['POST', `${R}/release`, `${RT}/release`, {body: {holder: HOLDER, epoch: 1}}],
  ['POST', `${R}/reclaim`, `${RT}/reclaim`],
  ['POST', `${R}/release`, `${RT}/release`, {body: {holder: HOLDER}}],
  ['GET', R, RT],
  ['GET', '/v1/reservations?state=revoked', '/v1/reservations'],
  ['POST', '/v1/batch', '/v1/batch', {body: {commands: [{command: 'create_resource', resource: id(1)}]}}],
  ['POST', '/v1/batch', '/v1/batch', {body: {commands: []}}],
  ['GET', '/v1/changes?from=1000000', '/v1/changes'],
  ['GET', '/v1/resources/states', '/v1/resources/states'],
  ['GET', `/v1/resources/${id(1)}/history`, '/v1/resources/{id}/history'],
  ['GET', `/v1/resources/${id(2)}/history?from=x`, '/v1/resources/{id}/history'],
  ['GET', '/v1/access', '/v1/access'],
  ['POST', '/v1/backups', '/v1/backups', {body: {name: 'one'}}],
  ['POST', '/v1/backups', '/v1/backups', {body: {name: '../one'}}],
  ['POST', '/v1/checkpoints', '/v1/checkpoints'],
  ['GET', '/v1/metrics', '/v1/metrics'],
  ['GET', '/metrics', '/metrics'],
  ['GET', '/livez', '/livez'],
  ['GET', '/readyz?verbose', '/readyz'],
  ['GET', '/openapi.json', '/openapi.json'],
];

test('whatever passes says when, and the document says so of every route that may answer it', () => {
  const passing = PROBLEM_CODES.filter(code => PROBLEMS[code].retryAfter !== undefined);
  // What does not pass by waiting: somebody has to do something first.
  const lasting = ['lsn_exhausted', 'engine_halted', 'storage_failure', 'log_damaged'];
  const busy = PROBLEM_CODES.filter(code => [429, 503].includes(PROBLEMS[code].status));
  expect(busy.filter(code => !lasting.includes(code)).sort()).toEqual([...passing].sort());
  for (const {method, path, operation} of document.operations) {
    for (const [status, response] of Object.entries(operation['responses'] as Part)) {
      const {description, headers = {}} = response as {description: string; headers?: Part};
      const mayPass = passing.some(code => description.includes(`\`${code}\``));
      expect([method, path, status, 'Retry-After' in headers]).toEqual([method, path, status, mayPass]);
      expect('WWW-Authenticate' in headers).toBe(status === '401');
    }
  }
});

describe('what is answered', () => {
  test('is what the document says of it, for every route', async () => {
    const met = new Set<string>();
    for (const [method, path, template, sending] of EXCHANGES) {
      const answer = await ask(http, `${method} ${path}`, sending);
      const operation = operationOf(method, template);
      met.add(`${method} ${template}`);
      const schema = responseSchema(operation, answer);
      expect([method, path, answer.status, answer.type, schema !== undefined]).toEqual([
        method,
        path,
        answer.status,
        answer.type,
        true,
      ]);
      const value = answer.json ?? answer.text;
      expect([method, path, value, document.isValid(schema, value)]).toEqual([method, path, value, true]);
      if (answer.status < 400) continue;
      const {description} = (operation.operation['responses'] as Part)[String(answer.status)] as {description: string};
      expect(description).toContain(`\`${answer.json.code}\``);
    }
    expect(met.size).toBe(document.operations.length);
  });
});
