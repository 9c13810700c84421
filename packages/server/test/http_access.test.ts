/**
 * Who may do what over HTTP: routes by role, commands of a batch one by one, tokens and certificates, rates; and that
 * nothing which is secret is ever logged.
 */
import {writeFileSync} from 'node:fs';
import {request as httpsRequest} from 'node:https';
import {afterEach, describe, expect, test} from 'vitest';
import {ROUTE_RULES} from '../src/access/index.ts';
import {generateToken} from '../src/access/token.ts';
import {Authority, HERE, type Issued, selfSigned} from './certificates.ts';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';

afterEach(stopHttp);

const HOLDER = id(0xbeef);

/** Tokens of each role, and the file that lets them in. */
function people(more: string = '') {
  const read = generateToken();
  const write = generateToken();
  const operate = generateToken();
  const lines = [read.hashLine('reader', 'read'), write.hashLine('writer', `write`), operate.hashLine('op', 'operate')];
  return {read: read.token, write: write.token, operate: operate.token, tokens: `${lines.join('\n')}\n${more}`};
}

/** A request for a route: one that ends. */
function requestFor(route: string): string {
  const request = route.replace(':id', id(1));
  return request === 'GET /v1/changes' ? `${request}?from=1000000` : request;
}

/** Roles that a rule lets in. */
const LETS_IN = {
  public: ['nobody', 'read', 'write', 'operate'],
  read: ['read', 'write', 'operate'],
  write: ['write', 'operate'],
  operate: ['operate'],
} as const;

describe('a route', () => {
  test('is open to those whom its rule lets in, and to nobody else', async () => {
    const {tokens, ...tokenOf} = people();
    const http = await startHttp({tokens});
    expect(http.http.routes.length).toBeGreaterThan(15);
    for (const route of http.http.routes) {
      const rule = ROUTE_RULES[route] ?? 'operate';
      for (const role of ['nobody', 'read', 'write', 'operate'] as const) {
        const what = requestFor(route);
        const answer = await ask(http, what, {
          ...(what.startsWith('POST') ? {body: {}} : {}),
          ...(role === 'nobody' ? {} : {token: tokenOf[role]}),
        });
        const isLetIn = (LETS_IN[rule] as readonly string[]).includes(role);
        const refusal = role === 'nobody' ? 401 : 403;
        expect([route, role, [401, 403].includes(answer.status)]).toEqual([route, role, !isLetIn]);
        if (isLetIn) continue;
        expect(answer.status).toBe(refusal);
        expect(codeOf(answer)).toBe(role === 'nobody' ? 'unauthorized' : 'forbidden');
        expect(answer.json.category).toBe('definite');
      }
    }
    for (const route of http.http.routes.filter(each => each.startsWith('GET'))) {
      const answer = await ask(http, requestFor(route).replace('GET', 'HEAD'));
      const isPublic = ROUTE_RULES[route] === 'public';
      expect([route, answer.status === 401]).toEqual([route, !isPublic]);
    }
    // The only commands that were complete: an operator's, on what is no reservation.
    expect(http.engine.durableLsn).toBe(2n);
  });

  test('without a rule is not registered, and the port does not listen', async () => {
    const {'GET /v1/metrics': _, ...rules} = ROUTE_RULES;
    await expect(startHttp({server: {rules}})).rejects.toThrow('the route GET /v1/metrics has no rule of access');
    const extra = {
      routes: [(app: {get(path: string, handler: () => object): unknown}) => void app.get('/extra', () => ({}))],
    };
    await expect(startHttp({server: extra as object})).rejects.toThrow('the route GET /extra has no rule of access');
  });

  test('is closed to a token that is none, and says how to show one', async () => {
    const {tokens, read} = people();
    const http = await startHttp({tokens});
    const none = await ask(http, 'GET /v1/resources');
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="allocdb"');
    const wrong = [
      `Bearer ${read}x`,
      `Bearer ${read.slice(1)}`,
      'Bearer',
      `Basic ${read}`,
      read,
      `Bearer ${read} more`,
    ];
    for (const authorization of wrong) {
      const answer = await ask(http, 'GET /v1/resources', {headers: {authorization}});
      expect(codeOf(answer)).toBe('unauthorized');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="allocdb", error="invalid_token"');
    }
    for (const path of [`/v1/resources?token=${read}`, `/v1/resources?access_token=${read}`]) {
      expect((await ask(http, `GET ${path}`)).status).toBe(401);
    }
    expect((await ask(http, 'GET /v1/resources', {headers: {authorization: `bearer ${read}`}})).status).toBe(200);
    expect((await ask(http, 'GET /livez', {token: 'wrong'})).status).toBe(200);
  });

  test('is closed at once to a token that was taken away', async () => {
    const {tokens, write} = people();
    const http = await startHttp({tokens});
    expect((await ask(http, 'POST /v1/resources', {body: {id: id(1)}, token: write})).status).toBe(201);
    writeFileSync(http.tokenFile, people().tokens);
    expect(http.access.reload()).toBe(true);
    expect((await ask(http, 'POST /v1/resources', {body: {id: id(2)}, token: write})).status).toBe(401);
  });

  test('is closed to everybody without tokens where nobody is let in, and open to what anonymous access allows', async () => {
    const closed = await startHttp({anonymousRole: null});
    expect((await ask(closed, 'GET /v1/resources')).status).toBe(401);
    expect((await ask(closed, 'GET /livez')).status).toBe(200);
    const reading = await startHttp({anonymousRole: 'read'});
    expect((await ask(reading, 'GET /v1/resources')).status).toBe(200);
    expect((await ask(reading, 'POST /v1/resources', {body: {id: id(1)}})).status).toBe(403);
  });

  test.each(['cross-site', 'same-site'])('takes no command that a browser sends for a page that is %s', async site => {
    const http = await startHttp();
    const headers = {'sec-fetch-site': site};
    const answer = await ask(http, `POST /v1/reservations/${id(1)}/revoke`, {headers});
    expect(codeOf(answer)).toBe('cross_site');
    expect(answer.status).toBe(403);
    const own = await ask(http, 'POST /v1/resources', {body: {id: id(1)}, headers: {'sec-fetch-site': 'same-origin'}});
    expect(own.status).toBe(201);
  });

  test('goes by the origin of a page where the browser says nothing else, unless the page has a token', async () => {
    const http = await startHttp();
    const revoke = `POST /v1/reservations/${id(1)}/revoke`;
    for (const origin of ['http://page.example', 'null', `http://127.0.0.1:${http.port + 1}`]) {
      expect(codeOf(await ask(http, revoke, {headers: {origin}}))).toBe('cross_site');
      expect((await ask(http, 'GET /v1/resources', {headers: {origin}})).status).toBe(200);
    }
    expect(http.engine.durableLsn).toBeNull();
    expect(codeOf(await ask(http, revoke, {headers: {origin: http.origin}}))).toBe('reservation_not_found');
    // As through a proxy that asks by another name.
    const proxied = {origin: 'https://db.example', 'sec-fetch-site': 'same-origin'};
    expect(codeOf(await ask(http, revoke, {headers: proxied}))).toBe('reservation_not_found');
    const tokens = people();
    const closed = await startHttp({tokens: tokens.tokens});
    const sent = await ask(closed, revoke, {token: tokens.operate, headers: {origin: 'https://db.example'}});
    expect(codeOf(sent)).toBe('reservation_not_found');
  });
});

describe('a batch', () => {
  test('is refused as a whole for a command that its sender may not send', async () => {
    const {tokens, write, operate} = people();
    const http = await startHttp({tokens});
    const commands = [
      {command: 'create_resource', resource: id(1)},
      {command: 'reserve', resource: id(1), holder: HOLDER, ttl_slots: 10},
      {command: 'revoke', reservation: id(2)},
    ];
    const refused = await ask(http, 'POST /v1/batch', {body: {commands}, token: write});
    expect(codeOf(refused)).toBe('forbidden');
    expect(refused.json.errors).toMatchObject([{in: 'body', pointer: '/commands/2'}]);
    expect(http.engine.durableLsn).toBeNull();
    expect((await ask(http, 'POST /v1/batch', {body: {commands}, token: operate})).status).toBe(200);
    const allowed = await ask(http, 'POST /v1/batch', {body: {commands: commands.slice(0, 2)}, token: write});
    expect(allowed.status).toBe(200);
  });
});

describe('a rate', () => {
  const limited = generateToken();
  const LIMITED = limited.hashLine('limited', 'operate');

  test('bounds commands, alone and in batches, and says when to come again', async () => {
    const http = await startHttp({tokens: `${LIMITED} rate=2`});
    const create = (number: number) => ask(http, 'POST /v1/resources', {body: {id: id(number)}, token: limited.token});
    const commands = [1, 2, 3, 4].map(number => ({command: 'create_resource', resource: id(number)}));
    // A batch larger than the bucket passes while there is anything in it, and is paid back.
    expect((await ask(http, 'POST /v1/batch', {body: {commands}, token: limited.token})).status).toBe(200);
    const refused = await create(5);
    expect(codeOf(refused)).toBe('rate_limited');
    expect(refused.status).toBe(429);
    const wait = refused.json.retry_after_ms;
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(1000);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(codeOf(await ask(http, 'POST /v1/batch', {body: {commands}, token: limited.token}))).toBe('rate_limited');
    await expect.poll(async () => (await create(5)).status, {timeout: 60_000}).toBe(201);
  });

  test('bounds reads as over TCP, and what watches the server is not held up', async () => {
    const reader = generateToken();
    const http = await startHttp({tokens: `${reader.hashLine('reader', 'read')} rate=1`});
    const read = (path: string) => ask(http, `GET ${path}`, {token: reader.token});
    const statuses = new Set<number>();
    await expect
      .poll(
        async () => {
          const answer = await read('/v1/resources');
          statuses.add(answer.status);
          return answer.status === 429 ? codeOf(answer) : '';
        },
        {timeout: 60_000},
      )
      .toBe('rate_limited');
    expect(statuses).toContain(200);
    for (const path of ['/metrics', '/v1/metrics', '/readyz', '/livez']) expect((await read(path)).status).toBe(200);
  });
});

/** The same request on a connection with a certificate. */
function askWith(http: HttpTest, path: string, client: Issued | null, ca: string): Promise<number | string> {
  return new Promise(resolve => {
    const options = {host: '127.0.0.1', port: http.port, path, ca, servername: 'localhost', agent: false as const};
    const sent = httpsRequest({...options, ...client}, response => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}

describe('a certificate', () => {
  test('stands for its common name when the authority has signed it; without one nothing is said', async () => {
    const authority = new Authority('the authority of this test');
    const server = authority.issue({commonName: 'server', hosts: HERE});
    const tls = {...server, clientCa: authority.cert};
    const http = await startHttp({tls, tokens: 'worker write cert:worker-1\n'});
    const worker = authority.issue({commonName: 'worker-1'});
    expect(await askWith(http, '/v1/resources', worker, authority.cert)).toBe(200);
    expect(await askWith(http, '/v1/resources', authority.issue({commonName: 'other'}), authority.cert)).toBe(401);
    const several = authority.issue({commonName: ['worker-1', 'other']});
    expect(await askWith(http, '/v1/resources', several, authority.cert)).toBe(401);
    expect(await askWith(http, '/livez', worker, authority.cert)).toBe(200);
    for (const client of [null, selfSigned({commonName: 'worker-1'})]) {
      expect(await askWith(http, '/livez', client, authority.cert)).not.toBe(200);
    }
  });
});

describe('the log', () => {
  test('has a line for each request and nothing that is secret in it', async () => {
    const {tokens, write} = people();
    const http = await startHttp({tokens, logLevel: 'debug'});
    await ask(http, 'POST /v1/resources', {body: {id: id(1)}, token: write, key: 'a-secret-key'});
    await ask(http, 'POST /v1/resources', {body: {id: 'a-secret-body'}, token: write});
    await ask(http, 'GET /v1/resources', {token: 'a-secret-token'});
    await ask(http, 'GET /v1/resources?state=a-secret-query', {token: write, headers: {cookie: 'a-secret-cookie'}});
    await ask(http, 'GET /a-secret-path');
    const lines = http.events.filter(({event}) => event === 'http_request');
    expect(lines).toMatchObject([
      {method: 'POST', route: '/v1/resources', status: 201, principal: 'writer'},
      {route: '/v1/resources', status: 400, code: 'invalid_request', principal: 'writer'},
      {route: '/v1/resources', status: 401, code: 'unauthorized', principal: null},
      {route: '/v1/resources', status: 400, principal: 'writer'},
      {route: null, status: 404, code: 'no_such_route'},
    ]);
    const text = JSON.stringify(http.events);
    for (const secret of [write, 'a-secret', tokens.split('sha256:')[2]?.slice(0, 64) ?? '?']) {
      expect(text).not.toContain(secret);
    }
  });

  test('has no line for a request that went well unless it is verbose', async () => {
    const http = await startHttp({logLevel: 'info'});
    await ask(http, 'GET /v1/resources');
    expect(http.events.filter(({event}) => event === 'http_request')).toEqual([]);
  });
});
