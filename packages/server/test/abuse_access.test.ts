/**
 * Every credential that is none against everything that can be asked: each HTTP route, and each request, command and
 * subscription of the TCP port, with no token, a wrong one, one that has expired, its hash, a name, another scheme, and
 * with the credential of the other port in the form of this one. Then each role against each route, executed or not.
 *
 * What a role may do on the TCP port is in `access_requests.test.ts`, tokens and certificates one by one in
 * `http_access.test.ts`.
 */
import {encodeHello, encodeRequest, encodeSubscribe, PROTOCOL_VERSION} from '@allocdb/api';
import {Random} from '@allocdb/sim';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ROUTE_RULES} from '../src/access/index.ts';
import type {Role} from '../src/index.ts';
import {FRAME_KINDS, frameOf} from './abuse_frames.ts';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, tempDir} from './command.ts';
import {ask, type HttpTest, id} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, requestText} from './http_raw.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {Peer} from './peer.ts';

interface Guarded extends TestServer {
  readonly file: TokenFile;
  readonly http: Pick<HttpTest, 'origin'> & {readonly port: number};
}

async function startGuarded(): Promise<Guarded> {
  const file = new TokenFile(
    {name: 'reader', role: 'read'},
    {name: 'writer', role: 'write'},
    {name: 'operator', role: 'operate'},
    {name: 'gone', role: 'operate', options: 'expires=2020-01-01T00:00:00Z'},
  );
  const listen = {host: '127.0.0.1', port: 0};
  const server = await startServer({tokenFile: file.path, http: {listen}, backupDir: tempDir()});
  const port = server.server.httpAddress?.port ?? 0;
  return {...server, file, http: {origin: `http://127.0.0.1:${port}`, port}};
}

/** For whoever is let do nothing: all of them have not changed it in the end. */
let closed: Guarded;

beforeAll(async () => {
  closed = await startGuarded();
});
afterAll(async () => {
  await stopServers();
  await cleanUp();
});

const ROUTES = Object.entries(ROUTE_RULES);
const BODIES: Readonly<Record<string, unknown>> = {
  'POST /v1/resources': {id: id(1)},
  'POST /v1/reservations': {resource: id(1), holder: id(2), ttl_slots: 10},
  'POST /v1/reservations/:id/confirm': {holder: id(2)},
  'POST /v1/reservations/:id/release': {holder: id(2)},
  'POST /v1/batch': {commands: [{command: 'revoke', reservation: id(1)}]},
  'POST /v1/backups': {name: 'stolen'},
};

/** A request for a route that would be answered, were it allowed, and ends. */
function whatFor(route: string): string {
  const what = route.replace(':id', id(1)).replace('*', '');
  return route === 'GET /v1/changes' ? `${what}?from=1000000` : what;
}

/** Sends the request; backups and checkpoints answer in lines of JSON, which are read to their end. */
async function send(origin: string, route: string, token: string): Promise<{status: number; text: string}> {
  const [method = 'GET', path = ''] = whatFor(route).split(' ');
  const body = BODIES[route];
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body === undefined ? {} : {'content-type': 'application/json'}),
  };
  const response = await fetch(`${origin}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : {body: JSON.stringify(body)}),
  });
  return {status: response.status, text: await response.text()};
}

/** Headers that let nobody in. */
const WRONG: readonly (readonly [string, (file: TokenFile) => Readonly<Record<string, string>>])[] = [
  ['nothing', () => ({})],
  ['a wrong token', () => ({authorization: 'Bearer allocdb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'})],
  ['an expired token', file => ({authorization: `Bearer ${file.tokenOf('gone')}`})],
  ['the hash of a token', file => ({authorization: `Bearer ${file.secrets()[5]}`})],
  ['a name', () => ({authorization: 'Bearer operator'})],
  ['another scheme', file => ({authorization: `Basic ${btoa(`operator:${file.tokenOf('operator')}`)}`})],
  ['the bytes of a hello', file => ({authorization: helloText(file.tokenOf('operator'))})],
  [
    'a cookie',
    file => ({cookie: `token=${file.tokenOf('operator')}; authorization=Bearer ${file.tokenOf('operator')}`}),
  ],
  [
    'other headers',
    file => ({'x-api-key': file.tokenOf('operator'), 'proxy-authorization': `Bearer ${file.tokenOf('operator')}`}),
  ],
];

function helloText(token: string): string {
  const hello = encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)});
  return `Bearer ${Buffer.from(hello).toString('base64')}`;
}

describe('over HTTP', () => {
  test.each(WRONG)('every route is closed to who shows %s', async (_what, headersOf) => {
    const {server, file, http, events} = closed;
    const headers = headersOf(file);
    for (const [route, rule] of ROUTES) {
      const body = BODIES[route];
      const answer = await ask(http as HttpTest, whatFor(route), {headers, ...(body === undefined ? {} : {body})});
      expect([route, answer.status === 401]).toEqual([route, rule !== 'public']);
      if (rule !== 'public') expect(codeOf(answer)).toBe('unauthorized');
      for (const secret of file.secrets()) expect(answer.text).not.toContain(secret);
    }
    expect(server.engine.durableLsn).toBeNull();
    for (const secret of file.secrets()) expect(JSON.stringify(events)).not.toContain(secret);
  });

  test('of two headers with a token the first counts', async () => {
    const {file, http} = closed;
    const raw = await RawHttp.open(http.port);
    const right = `authorization: Bearer ${file.tokenOf('reader')}\r\n`;
    const wrong = 'authorization: Bearer wrong\r\n';
    for (const [i, headers] of [wrong + right, right + right].entries()) {
      raw.write(requestText('GET /v1/resources').replace('\r\n\r\n', `\r\n${headers}\r\n`));
      const response = (await raw.take(i + 1))[i];
      // A right one behind a wrong one makes up for nothing.
      expect(response?.status).toBe(i === 0 ? 401 : 200);
    }
    raw.destroy();
  });

  const reads: readonly Role[] = ['read', 'write', 'operate'];
  test.each(reads)(
    'with the role %s each route is answered or forbidden, and nothing is done that is forbidden',
    async role => {
      const {server, file, http} = await startGuarded();
      const token = file.tokenOf({read: 'reader', write: 'writer', operate: 'operator'}[role]);
      for (const [route, rule] of ROUTES) {
        const before = server.engine.durableLsn;
        const isAllowed = rule === 'public' || reads.indexOf(role) >= reads.indexOf(rule);
        const {status, text} = await send(http.origin, route, token);
        // Its only command is an operator's.
        const isForbidden = !isAllowed || (route === 'POST /v1/batch' && role !== 'operate');
        expect([route, status, [401, 403, 500].includes(status)]).toEqual([route, status, isForbidden]);
        if (!isForbidden) continue;
        expect(JSON.parse(text)).toMatchObject({status: 403, code: 'forbidden', category: 'definite'});
        expect(server.engine.durableLsn).toBe(before);
      }
    },
  );
});

describe('over TCP', () => {
  const SHOWN: readonly (readonly [string, (file: TokenFile) => string])[] = [
    ['nothing', () => ''],
    ['an expired token', file => file.tokenOf('gone')],
    ['a token as HTTP shows it', file => `Bearer ${file.tokenOf('operator')}`],
    ['a token and a byte', file => `${file.tokenOf('operator')}\0`],
    ['a token cut by a byte', file => file.tokenOf('operator').slice(0, -1)],
  ];

  test.each(SHOWN)('every frame is refused behind a hello with %s, also a subscription', async (_what, tokenOf) => {
    const {server, port, file} = closed;
    const hello = encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(tokenOf(file))});
    const random = new Random(1n);
    for (const kind of FRAME_KINDS) {
      const peer = await Peer.connect(port);
      peer.send(hello, frameOf(random, kind, true), encodeRequest({type: 'get_metrics', currentWallClockSlot: 0n}));
      expect([kind, (await peer.error()).code]).toEqual([kind, 3]);
      expect(peer.takeAll()).toEqual([]);
      await peer.close();
    }
    expect(server.engine.durableLsn).toBeNull();
  });

  test('a token of HTTP is one here, and the other way round: a port has no credentials of its own', async () => {
    const {port, file, http} = closed;
    const token = file.tokenOf('reader');
    const peer = await Peer.open(port, token);
    peer.send(encodeSubscribe(1n));
    expect((await ask(http as HttpTest, 'GET /v1/resources', {token})).status).toBe(200);
    expect(peer.isEnded).toBe(false);
    await peer.close();
  });

  test('HTTP on this port, and frames on the other, are told that they are none', async () => {
    const {port, file, http} = closed;
    const token = file.tokenOf('operator');
    const peer = await Peer.connect(port);
    peer.socket.write(requestText('GET /v1/resources', null, {authorization: `Bearer ${token}`}));
    expect((await peer.error()).code).toBe(4);
    await peer.close();
    const raw = await RawHttp.open(http.port);
    const hello = encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)});
    raw.write(Buffer.from(hello).toString('latin1'));
    expect((await raw.take(1))[0]?.status).toBe(400);
    await raw.closed();
  });
});
