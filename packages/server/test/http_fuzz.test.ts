/**
 * Requests made from the schemas of the OpenAPI document, right ones and wrong ones: whatever comes, the port answers with
 * what the document lists for that route; what the schema of a body allows is not called invalid, what it forbids is; and
 * no request is a fault of the server.
 */
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {CHANGES, valuesOf} from './http_arbitraries.ts';
import {type Answer, ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {OpenApiDocument, type Operation, type Part} from './openapi_document.ts';

let http: HttpTest;
let document: OpenApiDocument;
beforeAll(async () => {
  http = await startHttp();
  document = new OpenApiDocument((await ask(http, 'GET /openapi.json')).json as Part);
});
afterAll(stopHttp);

/** Few enough that resources are met again, and reservations found: those have the lsn of their creation. */
const IDS = Array.from({length: 30}, (_, i) => id(i + 1));
const RUNS = 100;

/** Checks what is true of any answer to an operation. */
function expectListed({method, path, operation}: Operation, answer: Answer): void {
  const listed = (operation['responses'] as Part)[String(answer.status)] as {description: string} | undefined;
  expect([method, path, answer.status, listed !== undefined]).toEqual([method, path, answer.status, true]);
  if (answer.status < 400) return;
  const code = codeOf(answer);
  expect(code).not.toBe('internal_error');
  expect(listed?.description).toContain(`\`${code}\``);
}

function pathWith({path}: Operation, value: string): string {
  return path.replace(/\{\w+\}/g, encodeURIComponent(value));
}

const bodies = (): Operation[] => document.operations.filter(({operation}) => operation['requestBody'] !== undefined);

function schemaOfBody({operation}: Operation): unknown {
  const {content} = operation['requestBody'] as {content: Record<string, {schema: unknown}>};
  return document.expanded(content['application/json']?.schema);
}

describe('a body', () => {
  test('is told to be invalid when its schema says so, and never otherwise', async () => {
    for (const operation of bodies()) {
      const schema = schemaOfBody(operation);
      const key = fc.option(fc.stringMatching(/^[!-~]{1,20}$/), {nil: undefined});
      const right = valuesOf(schema, IDS);
      const wrong = fc.tuple(right, CHANGES).map(([body, change]) => change(body));
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...IDS), fc.oneof(right, wrong), key, async (where, body, name) => {
          const answer = await ask(http, `${operation.method.toUpperCase()} ${pathWith(operation, where)}`, {
            body: JSON.stringify(body) ?? 'null',
            ...(name === undefined ? {} : {key: name}),
          });
          expectListed(operation, answer);
          const isValid = document.isValid(schema, JSON.parse(JSON.stringify(body) ?? 'null'));
          expect(answer.json.code === 'invalid_request').toBe(!isValid);
        }),
        {numRuns: RUNS},
      );
    }
  });

  test('that is any text is answered', async () => {
    for (const operation of bodies()) {
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.string({unit: 'binary'}), fc.json()), async body => {
          const what = `${operation.method.toUpperCase()} ${pathWith(operation, id(1))}`;
          const answer = await ask(http, what, {body, headers: {'content-type': 'application/json'}});
          expectListed(operation, answer);
        }),
        {numRuns: RUNS},
      );
    }
  });
});

describe('a path, a query and headers', () => {
  const endless = '/v1/changes';

  test('that are any text are answered', async () => {
    const reads = document.operations.filter(({method, path}) => method === 'get' && path !== endless);
    const text = fc.oneof(fc.string({minLength: 1}), fc.constantFrom(...IDS), fc.nat().map(String));
    for (const operation of reads) {
      const names = ((operation.operation['parameters'] ?? []) as Part[]).map(each => String(each['name']));
      const query = fc.dictionary(fc.oneof(fc.constantFrom('x', ...names), fc.string({minLength: 1})), text, {
        maxKeys: 3,
      });
      await fc.assert(
        fc.asyncProperty(text, query, fc.option(text, {nil: undefined}), async (where, fields, accept) => {
          const search = new URLSearchParams(Object.entries(fields)).toString();
          const headers = accept !== undefined && /^[ -~]*$/.test(accept) ? {accept} : {};
          const path = pathWith(operation, where.replaceAll('.', '_'));
          expectListed(operation, await ask(http, `GET ${path}?${search}`, {headers}));
        }),
        {numRuns: RUNS},
      );
    }
  });
});
