/**
 * The HTTP port under abuse: requests from the OpenAPI document with something wrong in them, HTTP that is none, requests
 * smuggled behind others, five hundred slow connections. Whatever comes is answered, with a problem or a success, or its
 * connection ends; nothing is a fault of the server, and an honest client has every answer.
 */
import {configOfLimits} from '@allocdb/node';
import {afterEach, expect, test} from 'vitest';
import type {AbuseCase} from './abuse_cases.ts';
import {httpCaseOf, requestsOf, smugglings} from './abuse_http_cases.ts';
import {faultOf, runHttpCase} from './abuse_http_session.ts';
import {AbuseServer, connectionsAt, ROOMY} from './abuse_server_process.ts';
import {describeCase} from './abuse_session.ts';
import {cleanUp, pause, until} from './command.ts';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {RawHttp, requestText} from './http_raw.ts';
import {OpenApiDocument, type Part} from './openapi_document.ts';

afterEach(async () => {
  await stopHttp();
  await cleanUp();
});

const CASES = 1500;
const AT_ONCE = 8;
const DRAWN_EACH = 60;
const SEED = 20;
/** Between rounds of the honest: faster ones would be most of the load, and show no more. */
const PACE_MS = 5;

/** An honest client: holds and gives back one resource, until told to stop; answers how often. */
async function honestly(http: HttpTest, isOver: () => boolean): Promise<number> {
  const resource = 'feed'.repeat(8);
  expect((await ask(http, 'POST /v1/resources', {body: {id: resource}})).status).toBe(201);
  let rounds = 0;
  for (; !isOver(); rounds++) {
    const held = await ask(http, 'POST /v1/reservations', {body: {resource, holder: resource, ttl_slots: 5000}});
    expect([held.status, held.text]).toEqual([201, expect.any(String)]);
    const reservation = String(held.json.reservation.id);
    expect((await ask(http, `GET /v1/resources/${resource}`)).json).toMatchObject({state: 'reserved', reservation});
    const released = await ask(http, `POST /v1/reservations/${reservation}/release`, {body: {holder: resource}});
    expect([released.status, released.text]).toEqual([200, expect.any(String)]);
    expect((await ask(http, `GET /v1/resources/${resource}`)).json).toMatchObject({state: 'available'});
    await pause(PACE_MS);
  }
  return rounds;
}

async function expectAnswered(http: HttpTest, cases: readonly AbuseCase[]): Promise<Map<number, number>> {
  const faults: string[] = [];
  const statuses = new Map<number, number>();
  let next = 0;
  const abuse = async (): Promise<void> => {
    while (next < cases.length && faults.length === 0) {
      const each = cases[next++] as AbuseCase;
      const {fault, responses} = await runHttpCase(http.port, each);
      for (const {status} of responses) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (fault !== null) faults.push(`${fault}\n${describeCase(each)}`);
    }
  };
  let isOver = false;
  const working = honestly(http, () => isOver);
  await Promise.all(Array.from({length: AT_ONCE}, abuse));
  isOver = true;
  expect(faults).toEqual([]);
  expect(await working).toBeGreaterThan(0);
  expect(http.events.filter(({event}) => event === 'http_error')).toEqual([]);
  return statuses;
}

test('requests from the document, broken in one place or as HTTP, several on a connection', async () => {
  const http = await startHttp({logLevel: 'info', config: configOfLimits({...ROOMY, maxOperations: 200_000}, 100)});
  const document = new OpenApiDocument((await ask(http, 'GET /openapi.json')).json as Part);
  const drawn = requestsOf(document, SEED, DRAWN_EACH);
  const statuses = await expectAnswered(
    http,
    Array.from({length: CASES}, (_, i) => httpCaseOf(BigInt(SEED * 1_000_000 + i), drawn)),
  );
  // It has got everywhere: what is refused for its form, for its content and for what it meets, and what is done.
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 201, 400, 404, 405, 409, 414, 415, 417, 431]));
});

test('a request that is smuggled behind another is not seen, and its connection ends', async () => {
  const http = await startHttp();
  for (const [what, text] of smugglings(requestText('POST /v1/resources', {id: id(0x5e)}))) {
    const piece = {what: 'smuggled', bytes: Buffer.from(text, 'latin1')};
    const {fault, responses} = await runHttpCase(http.port, {seed: 0n, pieces: [piece], cuts: [], halfCloses: true});
    expect([what, fault, responses.map(({status}) => status)]).toEqual([what, null, [400]]);
    expect([what, responses[0]?.headers.get('connection')]).toEqual([what, 'close']);
    expect([what, http.engine.durableLsn]).toEqual([what, null]);
  }
});

test('the leave to go on with a body stands before the answer that it belongs to, never in the middle of it', async () => {
  const http = await startHttp();
  for (const number of [1, 2, 3]) await ask(http, 'POST /v1/resources', {body: {id: id(number)}});
  // An answer in octets, behind another one that is under way.
  const states = requestText('GET /v1/resources/states');
  const expecting = requestText('GET /v1/resources/states', null, {expect: '100-continue'});
  const piece = {what: 'two', bytes: Buffer.from(states + expecting)};
  const {fault, responses} = await runHttpCase(http.port, {seed: 0n, pieces: [piece], cuts: [], halfCloses: true});
  expect(fault).toBeNull();
  expect(responses.map(({status, body}) => [status, body])).toEqual([
    [200, '\x01\x01\x01'],
    [200, '\x01\x01\x01'],
  ]);
});

test('five hundred slow connections, at every step of a request', {timeout: 180_000}, async () => {
  const httpLimits = {headerTimeoutMs: 1000, requestTimeoutMs: 1500, keepAliveMs: 1000, stallTimeoutMs: 1500};
  const server = await AbuseServer.start({slotMs: 100, capacities: ROOMY, maxConnections: 1000, httpLimits});
  const {httpPort: port} = server;
  const before = server.residentBytes();
  let peak = before;
  const whole = requestText('POST /v1/batch', {commands: []});
  const stops = [0, 5, 30, whole.length - 30, whole.length - 1];
  const slow: RawHttp[] = [];
  while (slow.length < 500) {
    const more = await Promise.all(Array.from({length: 50}, () => RawHttp.open(port)));
    for (const [i, raw] of more.entries()) raw.write(whole.slice(0, stops[i % stops.length]));
    slow.push(...more);
  }
  // A tenth of them drips on, which buys no time.
  const drip = setInterval(() => {
    for (const raw of slow.slice(100, 150)) raw.write('x');
  }, 100);
  const isEnded = (): boolean => {
    peak = Math.max(peak, server.residentBytes());
    return slow.every(({isClosed}) => isClosed);
  };
  let served = 0;
  const serving = (async () => {
    while (!isEnded()) {
      const response = await fetch(`http://127.0.0.1:${port}/v1/resources`, {headers: {connection: 'close'}});
      expect(response.status).toBe(200);
      await response.text();
      served++;
      await pause(PACE_MS);
    }
  })();
  await until(isEnded, 'the slow to be ended');
  clearInterval(drip);
  await serving;
  expect(served).toBeGreaterThan(0);
  const told = slow.flatMap(({responses}) => responses);
  expect(told.length).toBeGreaterThan(300);
  for (const response of told) {
    expect(faultOf({...response, headers: new Map(Object.entries(response.headers))})).toBeNull();
    expect([400, 408]).toContain(response.status);
  }
  // 64 KiB for each of the connections with what it had sent, and what the collector leaves lying about.
  expect(peak - before).toBeLessThan(500 * (64 << 10) + (64 << 20));
  await expect.poll(async () => (await connectionsAt(port)).count, {timeout: 60_000}).toBe(0);
  expect(await server.stop()).toEqual({code: 0, signal: null});
});
