/**
 * Bounds of the HTTP port, each met by real connections: what is too many, too long or too slow is told so, and nobody else
 * notices.
 */
import {createServer, type Server} from 'node:http';
import {Readable} from 'node:stream';
import {afterEach, describe, expect, test} from 'vitest';
import {ROUTE_RULES} from '../src/access/index.ts';
import type {Routes} from '../src/http/index.ts';
import {pause, until} from './command.ts';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, type RawResponse, requestText} from './http_raw.ts';
import {createMany} from './requests.ts';

afterEach(stopHttp);

const LIVE = requestText('GET /livez');
const READ = requestText('GET /v1/resources');
const JSON_BODY = {'content-type': 'application/json'};

/** Checks that a response is a problem, and answers its code. */
function rawCode(response: RawResponse | undefined): string {
  const {status = 0, headers = {}, body = 'null'} = response ?? {};
  return codeOf({status, type: headers['content-type'] ?? null, headers: new Headers(headers), json: JSON.parse(body)});
}

/** Others are served; perhaps not the first time where a test has bounds so short that a busy machine exceeds them. */
async function expectServed(http: HttpTest): Promise<void> {
  await expect.poll(async () => (await ask(http, 'GET /v1/resources')).status, {timeout: 60_000}).toBe(200);
}

describe('slow clients', () => {
  const limits = {headerTimeoutMs: 200, requestTimeoutMs: 400};

  test('whose headers do not come are told so and dropped', async () => {
    const http = await startHttp({limits});
    const raw = await RawHttp.open(http.port);
    raw.write('GET /livez HTTP/1.1\r\nhost: test\r\nx-slow: ');
    await expectServed(http);
    const [response] = await raw.take(1);
    expect(rawCode(response)).toBe('request_timeout');
    expect(response).toMatchObject({status: 408, headers: {connection: 'close'}});
    await raw.closed();
    await until(() => http.http.connectionCount <= 1, 'the connection to be gone');
  });

  test('that drip are dropped as well, however often a byte comes', async () => {
    const http = await startHttp({limits});
    const raw = await RawHttp.open(http.port);
    raw.write('GET /livez HTTP/1.1\r\n');
    const drip = setInterval(() => raw.write('a: b\r\n'), 10);
    try {
      expect(rawCode((await raw.take(1))[0])).toBe('request_timeout');
      await raw.closed();
    } finally {
      clearInterval(drip);
    }
    await expectServed(http);
  });

  test('whose body does not come are told so and dropped, and nothing was done', async () => {
    const http = await startHttp({limits});
    const raw = await RawHttp.open(http.port);
    const text = requestText('POST /v1/resources', {id: id(1)});
    raw.write(text.slice(0, -1));
    await expectServed(http);
    expect(rawCode((await raw.take(1))[0])).toBe('request_timeout');
    await raw.closed();
    await until(() => http.http.requestsInFlight === 0, 'the request to be gone');
    expect(http.engine.durableLsn).toBeNull();
  });

  test('that say nothing at all are dropped', async () => {
    const http = await startHttp({limits});
    const raw = await RawHttp.open(http.port);
    await raw.closed();
  });

  test('that are idle between requests are dropped after a while, without a word', async () => {
    const http = await startHttp({limits: {keepAliveMs: 100}});
    const raw = await RawHttp.open(http.port);
    raw.write(LIVE);
    expect((await raw.take(1))[0]?.status).toBe(200);
    await raw.closed();
    expect(raw.responses).toHaveLength(1);
  });

  test.each([
    ['no JSON', `${requestText('POST /v1/resources', null, {...JSON_BODY, 'content-length': '1'})}{`],
    ['no request', 'no request\r\n\r\n'],
  ])('that read late get all of their answers, also where one is %s and ends the connection', async (_, last) => {
    const http = await startHttp();
    const raw = await RawHttp.open(http.port);
    raw.pause();
    // More than the buffers of the system hold, between two ends that do not read.
    const count = 10;
    raw.write(requestText('GET /openapi.json').repeat(count) + last);
    await pause(300);
    // Who goes on sending to a closed end is reset, and what it had not read yet is gone.
    raw.write(READ);
    await pause(300);
    raw.write(READ);
    raw.resume();
    const responses = await raw.take(count + 1);
    expect(responses.map(({status}) => status)).toEqual([...new Array(count).fill(200), 400]);
    await raw.closed();
  });

  test('that do not read their answers are dropped', async () => {
    const http = await startHttp({limits: {stallTimeoutMs: 300}});
    await http.engine.submit(createMany(1n, 1000));
    const raw = await RawHttp.open(http.port);
    raw.pause();
    // More than the buffers between the two ends hold.
    const sending = setInterval(() => raw.write(READ.repeat(20)), 5);
    try {
      await raw.closed();
    } finally {
      clearInterval(sending);
      raw.destroy();
    }
    await until(() => http.http.requestsInFlight === 0, 'its requests to be gone');
    await expectServed(http);
  });
});

describe('strangers that do not read what they were answered', () => {
  const unread = requestText('GET /openapi.json').repeat(10) + requestText('GET /nowhere').repeat(200);

  /** Asks for more and more, until answers stay where they are because nobody reads them. */
  async function clogged(http: HttpTest): Promise<RawHttp> {
    const raw = await RawHttp.open(http.port);
    raw.pause();
    for (let i = 0; i < 10; i++) {
      raw.write(unread);
      await pause(20);
    }
    return raw;
  }

  test('take no place with what was refused, and give way with the rest', async () => {
    const http = await startHttp({limits: {maxInFlight: 10}});
    const raws = await Promise.all(Array.from({length: 6}, () => clogged(http)));
    expect(http.http.requestsInFlight).toBeLessThanOrEqual(10);
    // Some gave way to others of them; whoever is left gives way to this.
    await expectServed(http);
    expect(http.ends.length).toBeGreaterThan(0);
    expect(new Set(http.ends)).toEqual(new Set(['too_many_connections']));
    for (const raw of raws) raw.destroy();
    await until(() => http.http.requestsInFlight === 0, 'their requests to be gone');
  });
});

describe('connections', () => {
  test('one too many is told so with its first request, and a place that is free is taken again', async () => {
    const http = await startHttp({limits: {maxConnections: 2}});
    const first = await RawHttp.open(http.port);
    const second = await RawHttp.open(http.port);
    for (const raw of [first, second]) {
      raw.write(READ);
      expect((await raw.take(1))[0]?.status).toBe(200);
    }
    const third = await RawHttp.open(http.port);
    third.write(READ);
    const [refused] = await third.take(1);
    expect(rawCode(refused)).toBe('too_many_connections');
    expect(refused).toMatchObject({status: 503, headers: {connection: 'close', 'retry-after': '1'}});
    await third.closed();
    // Whoever watches the server is answered all the same.
    const watching = await RawHttp.open(http.port);
    watching.write(LIVE);
    expect((await watching.take(1))[0]?.status).toBe(200);
    await watching.closed();
    first.destroy();
    await until(() => http.http.connectionCount === 1, 'the first to be gone');
    const fourth = await RawHttp.open(http.port);
    fourth.write(READ);
    expect((await fourth.take(1))[0]?.status).toBe(200);
  });

  test('far too many are not accepted', async () => {
    const http = await startHttp({limits: {maxConnections: 2}});
    const known = await Promise.all([1, 2].map(() => RawHttp.open(http.port)));
    for (const raw of known) {
      raw.write(READ);
      expect((await raw.take(1))[0]?.status).toBe(200);
    }
    const raws = await Promise.all(Array.from({length: 100}, () => RawHttp.open(http.port)));
    await until(() => raws.filter(({isClosed}) => isClosed).length >= 36, 'those beyond the bound to be closed');
    expect(http.http.connectionCount).toBe(66);
    for (const raw of [...raws, ...known]) raw.destroy();
    await until(() => http.http.connectionCount === 0, 'all to be gone');
    await expectServed(http);
  });

  test('on which nobody was let in give way to new ones while they are idle, the oldest first', async () => {
    const http = await startHttp({limits: {maxConnections: 3}});
    const known = await RawHttp.open(http.port);
    known.write(READ);
    expect((await known.take(1))[0]?.status).toBe(200);
    const busy = await RawHttp.open(http.port);
    busy.write(requestText('POST /v1/resources', {id: id(1)}).slice(0, -1));
    await until(() => http.http.requestsInFlight === 1, 'the request to have begun');
    // What everybody may ask for tells nothing of who it is.
    const silent = await RawHttp.open(http.port);
    silent.write(LIVE);
    expect((await silent.take(1))[0]?.status).toBe(200);
    const dripping = await RawHttp.open(http.port);
    dripping.write('GET /v1/resources HTTP/1.1\r\nhost: ');
    await silent.closed();
    const honest = await RawHttp.open(http.port);
    honest.write(READ);
    expect((await honest.take(1))[0]?.status).toBe(200);
    await dripping.closed();
    busy.write('}');
    expect((await busy.take(1))[0]?.status).toBe(201);
    known.write(READ);
    expect((await known.take(2))[1]?.status).toBe(200);
    // All of them are known by now.
    const tooMany = await RawHttp.open(http.port);
    tooMany.write(READ);
    expect(rawCode((await tooMany.take(1))[0])).toBe('too_many_connections');
    for (const raw of [known, busy, honest]) raw.destroy();
    await until(() => http.http.connectionCount === 0, 'all to be gone');
    await expectServed(http);
  });

  test('of strangers, however many, shut nobody out', async () => {
    const http = await startHttp({limits: {maxConnections: 20}});
    const strangers = await Promise.all(Array.from({length: 200}, () => RawHttp.open(http.port)));
    for (let i = 0; i < 5; i++) expect((await ask(http, 'GET /v1/resources')).status).toBe(200);
    for (const raw of strangers) raw.destroy();
    await until(() => http.http.connectionCount <= 5, 'the strangers to be gone');
  });

  test('are closed in order after so many requests', async () => {
    const http = await startHttp({limits: {maxRequestsPerConnection: 3}});
    const raw = await RawHttp.open(http.port);
    for (let i = 1; i <= 3; i++) {
      raw.write(READ);
      const response = (await raw.take(i))[i - 1];
      expect(response?.status).toBe(200);
      expect(response?.headers['connection']).toBe(i === 3 ? 'close' : 'keep-alive');
    }
    await raw.closed();
  });
});

describe('requests in flight', () => {
  /** Requests whose bodies are on their way count too. */
  const begun = requestText('POST /v1/resources', {id: id(1)}).slice(0, -1);

  test('one too many of all together is told so, and the vital ones are answered', async () => {
    const http = await startHttp({limits: {maxInFlight: 3}});
    const held = await Promise.all([1, 2, 3].map(() => RawHttp.open(http.port)));
    for (const raw of held) raw.write(begun);
    await until(() => http.http.requestsInFlight === 3, 'three requests in flight');
    const refused = await ask(http, 'GET /v1/resources');
    expect(codeOf(refused)).toBe('too_many_requests_in_flight');
    expect(refused.json).toMatchObject({status: 503, category: 'definite', scope: 'server'});
    expect(refused.headers.get('retry-after')).toBe('1');
    for (const path of ['/livez', '/readyz', '/metrics', '/v1/metrics']) {
      expect((await ask(http, `GET ${path}`)).status).toBe(200);
    }
    held[0]?.write('}');
    expect((await held[0]?.take(1))?.[0]?.status).toBe(201);
    await expectServed(http);
  });

  test('one too many of a connection is told so in its turn, and the others of it are answered in order', async () => {
    const http = await startHttp({limits: {maxInFlightPerConnection: 4}});
    const raw = await RawHttp.open(http.port);
    const texts = Array.from({length: 10}, (_, i) => requestText('POST /v1/resources', {id: id(i + 1)}));
    raw.write(texts.join(''));
    const responses = await raw.take(10);
    expect(responses.slice(0, 4).map(({status}) => status)).toEqual([201, 201, 201, 201]);
    const refused = responses.filter(({status}) => status !== 201);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) {
      expect(rawCode(response)).toBe('too_many_requests_in_flight');
      expect(JSON.parse(response.body)).toMatchObject({scope: 'connection'});
    }
    expect((await ask(http, 'GET /v1/resources')).json.resources).toHaveLength(10 - refused.length);
  });

  test('of a connection that is gone do not count any more', async () => {
    const http = await startHttp({limits: {maxInFlight: 20}});
    const raw = await RawHttp.open(http.port);
    raw.write(Array.from({length: 10}, (_, i) => requestText('POST /v1/resources', {id: id(i + 1)})).join('') + begun);
    await until(() => http.http.requestsInFlight > 0, 'requests in flight');
    raw.destroy();
    await until(() => http.http.connectionCount === 0, 'the connection to be gone');
    expect(http.http.requestsInFlight).toBe(0);
    // What it had sent was taken, and is done.
    await expect.poll(async () => (await ask(http, 'GET /v1/metrics')).json.last_applied_lsn).not.toBeNull();
  });
});

test('answers that wait behind others let go of what they are made of when their connection is gone', async () => {
  const made: Readable[] = [];
  const large: Routes = app => {
    app.get('/large', (_request, reply) => {
      const body = Readable.from(Array.from({length: 100}, () => 'x'.repeat(100_000)));
      made.push(body);
      reply.header('content-type', 'text/plain').send(body as never);
    });
  };
  const http = await startHttp({server: {routes: [large], rules: {...ROUTE_RULES, 'GET /large': 'public'}}});
  const raw = await RawHttp.open(http.port);
  raw.pause();
  raw.write(requestText('GET /large').repeat(20));
  await until(() => made.length === 20, 'all to be under way');
  raw.destroy();
  await until(() => made.every(({destroyed}) => destroyed), 'all to be closed');
  expect(http.http.requestsInFlight).toBe(0);
  await expectServed(http);
});

describe('bytes that are no request', () => {
  test('end a connection behind the answers to the requests before them', async () => {
    const http = await startHttp();
    const raw = await RawHttp.open(http.port);
    const texts = Array.from({length: 5}, (_, i) => requestText('POST /v1/resources', {id: id(i + 1)}));
    raw.write(`${texts.join('')}nonsense\r\n\r\n`);
    const responses = await raw.take(6);
    expect(responses.slice(0, 5).map(({status}) => status)).toEqual([201, 201, 201, 201, 201]);
    expect(rawCode(responses[5])).toBe('malformed_http');
    await raw.closed();
  });

  test('that are a request too slow end it behind the answers too', async () => {
    const http = await startHttp({limits: {headerTimeoutMs: 1500, requestTimeoutMs: 1500}});
    const raw = await RawHttp.open(http.port);
    raw.write(`${requestText('POST /v1/resources', {id: id(1)})}GET /livez HTTP/1.1\r\n`);
    const responses = await raw.take(2);
    expect(responses[0]?.status).toBe(201);
    expect(rawCode(responses[1])).toBe('request_timeout');
    await raw.closed();
  });

  test('that are another protocol cost nothing', async () => {
    const http = await startHttp();
    const raw = await RawHttp.open(http.port);
    raw.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03');
    expect(rawCode((await raw.take(1))[0])).toBe('malformed_http');
    await raw.closed();
    await expectServed(http);
  });
});

describe('bodies', () => {
  test('that are too long are refused before they have come, and the connection goes on', async () => {
    const http = await startHttp({limits: {bodyBytes: 1000}});
    const raw = await RawHttp.open(http.port);
    raw.write(requestText('POST /v1/resources', {id: 'x'.repeat(2000)}));
    raw.write(requestText('POST /v1/resources', {id: id(1)}));
    const responses = await raw.take(2);
    expect(rawCode(responses[0])).toBe('body_too_large');
    expect(responses[1]?.status).toBe(201);
  });

  test('that do not say how long they are are cut off at the bound', async () => {
    const http = await startHttp({limits: {bodyBytes: 1000}});
    const raw = await RawHttp.open(http.port);
    const head = requestText('POST /v1/resources', null, {
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
    });
    const chunk = `200\r\n${' '.repeat(0x200)}\r\n`;
    raw.write(head + chunk + chunk + chunk);
    expect(rawCode((await raw.take(1))[0])).toBe('body_too_large');
    raw.write('0\r\n\r\n');
    raw.write(LIVE);
    expect((await raw.take(2))[1]?.status).toBe(200);
  });

  test('of those who are not let in are not waited for', async () => {
    const http = await startHttp({anonymousRole: null});
    const raw = await RawHttp.open(http.port);
    raw.write(requestText('POST /v1/resources', {id: id(1)}).slice(0, -1));
    expect(rawCode((await raw.take(1))[0])).toBe('unauthorized');
  });
});

describe('a port that cannot be had', () => {
  test('is an error of listening', async () => {
    const other: Server = createServer();
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(startHttp({port})).rejects.toMatchObject({code: 'EADDRINUSE'});
    await new Promise(resolve => other.close(resolve));
  });
});
