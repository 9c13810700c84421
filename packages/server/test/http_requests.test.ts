/**
 * Requests that are wrong: each is told what is wrong with it, where, and that nothing was done. What is wrong with a field
 * is said by a pointer to it; what is wrong with the request as such, by its status.
 */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ask, type HttpTest, id, type Sending, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, requestText} from './http_raw.ts';

let http: HttpTest;
beforeAll(async () => {
  http = await startHttp();
});
afterAll(stopHttp);

const HOLDER = id(0xbeef);
const RESERVE = 'POST /v1/reservations';
const reserve = {resource: id(1), holder: HOLDER, ttl_slots: 10};
const U64_TEXT = 'must be an unsigned 64-bit number, as text above 9007199254740991';
const ID_TEXT = 'must be a UUID or 32 hex digits';

type FieldCase = readonly [what: string, body: unknown, place: string, pointer: string, detail: string];

const without = (name: string): object => Object.fromEntries(Object.entries(reserve).filter(([each]) => each !== name));

const FIELDS: readonly FieldCase[] = [
  ['POST /v1/resources', {}, 'body', '/id', 'is required'],
  ['POST /v1/resources', {id: id(1), more: 1}, 'body', '/more', 'is not known here'],
  ['POST /v1/resources', {id: 1}, 'body', '/id', ID_TEXT],
  ['POST /v1/resources', {id: id(1).slice(1)}, 'body', '/id', ID_TEXT],
  ['POST /v1/resources', {id: `${id(1)} `}, 'body', '/id', ID_TEXT],
  ['POST /v1/resources', [], 'body', '', 'must be object'],
  ['POST /v1/resources', 'null', 'body', '', 'must be object'],
  ['POST /v1/resources', '"text"', 'body', '', 'must be object'],
  ['POST /v1/resources', '', 'body', '', 'must be object'],
  ['POST /v1/resources', '{', 'body', '', 'is not JSON'],
  ['POST /v1/resources', '{"id":1,}', 'body', '', 'is not JSON'],
  ['POST /v1/resources', '{"__proto__":{}}', 'body', '', 'is not JSON'],
  [RESERVE, without('holder'), 'body', '/holder', 'is required'],
  [RESERVE, without('resource'), 'body', '', 'must have exactly one of resource, resources'],
  [RESERVE, {...reserve, resources: [id(2)]}, 'body', '', 'must have exactly one of resource, resources'],
  [RESERVE, without('ttl_slots'), 'body', '', 'must have exactly one of ttl_slots, ttl_ms'],
  [RESERVE, {...reserve, ttl_ms: 1}, 'body', '', 'must have exactly one of ttl_slots, ttl_ms'],
  [RESERVE, {...reserve, ttl_slots: -1}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {...reserve, ttl_slots: 1.5}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {...reserve, ttl_slots: true}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {...reserve, ttl_slots: null}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {...reserve, ttl_slots: '01'}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {...reserve, ttl_slots: '18446744073709551616'}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {...reserve, ttl_slots: 2 ** 53}, 'body', '/ttl_slots', U64_TEXT],
  [RESERVE, {resources: [], holder: HOLDER, ttl_ms: 1}, 'body', '/resources', 'must be 1 to 65535 ids'],
  [RESERVE, {resources: [id(1), 'x'], holder: HOLDER, ttl_ms: 1}, 'body', '/resources/1', ID_TEXT],
  ['POST /v1/reservations/x/confirm', {holder: HOLDER}, 'path', '/id', ID_TEXT],
  [`POST /v1/reservations/${id(1)}/confirm`, {}, 'body', '/holder', 'is required'],
  [`POST /v1/reservations/${id(1)}/release`, {holder: HOLDER, epoch: 'x'}, 'body', '/epoch', U64_TEXT],
  [`POST /v1/reservations/${id(1)}/revoke`, {holder: HOLDER}, 'body', '/holder', 'is not known here'],
  [`POST /v1/reservations/${id(1)}/reclaim`, '[]', 'body', '', 'must be object'],
  ['POST /v1/batch', {commands: []}, 'body', '/commands', 'must be 1 to 8192 commands'],
  ['POST /v1/batch', {commands: [{}]}, 'body', '/commands/0/command', 'is required'],
  ['POST /v1/batch', {commands: [{command: 'drop'}]}, 'body', '/commands/0/command', 'is no command that is known'],
  ['POST /v1/batch', {commands: [{command: 7}]}, 'body', '/commands/0/command', 'is no command that is known'],
  ['POST /v1/batch', {commands: [7]}, 'body', '/commands/0', 'must be object'],
  ['GET /v1/resources/', null, 'path', '/id', ID_TEXT],
  ['POST /v1/batch', {commands: [{command: 'revoke'}]}, 'body', '/commands/0/reservation', 'is required'],
  [
    'POST /v1/batch',
    {commands: [{...reserve, command: 'reserve', a: 1}]},
    'body',
    '/commands/0/a',
    'is not known here',
  ],
  ['GET /v1/resources/x', null, 'path', '/id', ID_TEXT],
  ['GET /v1/resources/%00', null, 'path', '/id', ID_TEXT],
  ['GET /v1/resources/%zz', null, 'path', '', 'is not a valid path'],
  ['GET /v1/resources?state=free', null, 'query', '/state', 'must be one of available, reserved, confirmed, revoking'],
  ['GET /v1/resources?limit=0', null, 'query', '/limit', 'must be a number from 1 to 1000'],
  ['GET /v1/resources?limit=1001', null, 'query', '/limit', 'must be a number from 1 to 1000'],
  ['GET /v1/resources?limit=1&limit=2', null, 'query', '/limit', 'must be a number from 1 to 1000'],
  ['GET /v1/resources?position=-1', null, 'query', '/position', 'must be an unsigned 64-bit number'],
  ['GET /v1/resources?required_lsn=x', null, 'query', '/required_lsn', 'must be an unsigned 64-bit number'],
  ['GET /v1/resources?more=1', null, 'query', '/more', 'is not known here'],
  ['GET /v1/resources?ids=', null, 'query', '/ids', 'must be ids with commas between them'],
  [`GET /v1/resources?ids=${id(1)}&limit=1`, null, 'query', '/ids', 'cannot stand beside state, position or limit'],
  [`GET /v1/resources/${id(1)}?limit=1`, null, 'query', '/limit', 'is not known here'],
  ['GET /v1/reservations?holder=x', null, 'query', '/holder', ID_TEXT],
  ['GET /v1/metrics?x=1', null, 'query', '/x', 'is not known here'],
  ['GET /readyz?verbose=no', null, 'query', '/verbose', 'must be nothing, 1 or true'],
];

describe('a field that is wrong', () => {
  test.each(FIELDS)('%s %j: %s %s %s', async (what, body, place, pointer, detail) => {
    const answer = await ask(http, what, what.startsWith('GET') ? {} : {body});
    expect(codeOf(answer)).toBe('invalid_request');
    expect(answer.status).toBe(400);
    expect(answer.json.category).toBe('definite');
    expect(answer.json.errors).toEqual([{in: place, pointer, detail}]);
  });

  test('of a list of ids is named, and too many are counted', async () => {
    const wrong = await ask(http, `GET /v1/resources?ids=${id(1)},abc`);
    expect(wrong.json).toMatchObject({code: 'invalid_request', errors: [{in: 'query', pointer: '/ids'}]});
    expect(wrong.json.detail).toContain('abc');
    const many = Array.from({length: 1001}, (_, i) => id(i)).join(',');
    const tooMany = await ask(http, `GET /v1/resources?ids=${many}`);
    expect(tooMany.json.errors[0].detail).toBe('has 1001 ids, and may have 1000');
  });

  test('is not echoed at full length', async () => {
    const answer = await ask(http, 'POST /v1/resources', {body: {id: id(1), ['x'.repeat(100_000)]: 1}});
    expect(codeOf(answer)).toBe('invalid_request');
    expect(answer.text.length).toBeLessThan(1000);
  });

  test('changes nothing', async () => {
    expect((await ask(http, 'GET /v1/metrics')).json.last_applied_lsn).toBeNull();
  });
});

type RequestCase = readonly [what: string, sending: Sending, status: number, code: string];
const json = (text: string): Sending => ({headers: {'content-type': text}, body: JSON.stringify({id: id(1)})});

const REQUESTS: readonly RequestCase[] = [
  ['GET /v1', {}, 404, 'no_such_route'],
  ['GET /v2/resources', {}, 404, 'no_such_route'],
  ['GET /V1/resources', {}, 404, 'no_such_route'],
  ['POST /nowhere', {body: '{'}, 404, 'no_such_route'],
  [`POST /v1/reservations/${id(1)}/steal`, {body: {}}, 404, 'no_such_route'],
  ['POST /v1/resources', {...json('text/plain')}, 415, 'unsupported_media_type'],
  ['POST /v1/resources', {...json('application/x-www-form-urlencoded')}, 415, 'unsupported_media_type'],
  ['POST /v1/resources', {...json('nonsense')}, 415, 'unsupported_media_type'],
  ['POST /v1/resources', {body: {}, headers: {'content-encoding': 'gzip'}}, 415, 'unsupported_media_type'],
  ['POST /v1/resources', {body: {}, headers: {accept: 'text/html'}}, 406, 'not_acceptable'],
  ['GET /v1/resources', {headers: {accept: 'application/json;q=0, */*'}}, 406, 'not_acceptable'],
  ['GET /v1/resources', {headers: {accept: 'application/xml'}}, 406, 'not_acceptable'],
  ['GET /metrics', {headers: {accept: 'application/json'}}, 406, 'not_acceptable'],
  ['POST /v1/resources', {body: `"${'x'.repeat(1 << 20)}"`}, 413, 'body_too_large'],
  [`GET /v1/resources?ids=${'a'.repeat(50_000)}`, {}, 414, 'url_too_long'],
  ['GET /v1/resources', {headers: {cookie: 'x'.repeat(70_000)}}, 431, 'headers_too_large'],
];

describe('a request that is wrong', () => {
  test.each(REQUESTS)('%s %j: %i %s', async (what, sending, status, code) => {
    const answer = await ask(http, what, sending);
    expect(codeOf(answer)).toBe(code);
    expect(answer.status).toBe(status);
    expect(answer.json.category).toBe('definite');
  });

  test.each([
    ['DELETE', '/v1/resources', 'POST, GET, HEAD'],
    ['OPTIONS', '/v1/resources', 'POST, GET, HEAD'],
    ['PUT', `/v1/resources/${id(1)}`, 'GET, HEAD'],
    ['GET', `/v1/reservations/${id(1)}/confirm`, 'POST'],
    ['PUT', '/v1/resources/states', 'GET, HEAD'],
    ['POST', '/livez', 'GET, HEAD'],
    ['PATCH', '/openapi.json?x=1', 'GET, HEAD'],
  ])('%s %s: the methods that there are are %s', async (method, path, allowed) => {
    const answer = await ask(http, `${method} ${path}`);
    expect(codeOf(answer)).toBe('method_not_allowed');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe(allowed);
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON'])(
    'is not one whose body is %s',
    async type => {
      const answer = await ask(http, 'POST /v1/resources', {headers: {'content-type': type}, body: '{}'});
      expect(answer.json.errors).toMatchObject([{pointer: '/id'}]);
    },
  );

  test.each(['*/*', 'application/*', 'text/html, application/json;q=0.1', 'application/json;q=0.001', ''])(
    'is not one that accepts %j',
    async accept => {
      expect((await ask(http, 'GET /v1/resources', {headers: {accept}})).status).toBe(200);
    },
  );

  test.each([
    ['HEAD /livez', 200],
    [`HEAD /v1/resources/${id(9)}`, 404],
    ['HEAD /nowhere', 404],
  ])('%s has status and headers and no body', async (what, status) => {
    const answer = await ask(http, what);
    expect(answer.status).toBe(status);
    expect(answer.text).toBe('');
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(0);
  });

  test.each([
    ['nonsense\r\n\r\n', 400, 'malformed_http'],
    ['GET / HTTP/1.1\r\nbad header\r\n\r\n', 400, 'malformed_http'],
    ['GET /livez HTTP/1.1\r\n\r\n', 400, 'malformed_http'],
    [requestText('POST /v1/resources', {}, {'content-length': '-1'}), 400, 'malformed_http'],
    [requestText('POST /v1/resources', {}, {'transfer-encoding': 'chunked'}), 400, 'malformed_http'],
    [requestText('GET /livez', null, {expect: 'miracles'}), 417, 'expectation_failed'],
    [requestText('GET /livez', null, {host: 'x', 'x-long': 'x'.repeat(70_000)}), 431, 'headers_too_large'],
  ])('%.40j: %i %s', async (text, status, code) => {
    const raw = await RawHttp.open(http.port);
    raw.write(text);
    const [response] = await raw.take(1);
    const type = response?.headers['content-type'] ?? null;
    const headers = new Headers(response?.headers);
    expect(codeOf({status: response?.status ?? 0, type, headers, json: JSON.parse(response?.body ?? 'null')})).toBe(
      code,
    );
    expect(response?.status).toBe(status);
    if (code !== 'malformed_http' || !text.startsWith('GET /livez')) await raw.closed();
  });

  test('that is one of HTTP/1.0 needs no host', async () => {
    const raw = await RawHttp.open(http.port);
    raw.write('GET /livez HTTP/1.0\r\n\r\n');
    expect((await raw.take(1))[0]).toMatchObject({status: 200, body: '{"live":true}'});
  });
});

describe('every response', () => {
  test.each(['GET /livez', 'GET /v1/resources', 'GET /nowhere', 'GET /metrics', 'GET /%zz', 'POST /v1/resources'])(
    '%s carries the headers of security, and none that lets other origins in',
    async what => {
      const {headers} = await ask(http, what, {headers: {origin: 'http://elsewhere.test'}});
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect([...headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
      expect(headers.get('server')).toBeNull();
    },
  );
});
