/**
 * Health and metrics over the HTTP port of a server in this process, where its disk can be broken and its feeds be left; and
 * the health check of the container image, asked of that port with TLS and without.
 */
import {spawn} from 'node:child_process';
import {join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import type {ServerOptions} from '../src/index.ts';
import {Authority} from './certificates.ts';
import {cleanUp, tempFile} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {rootPath} from './ops_deploy_files.ts';
import {breakLog, sampleOf, samplesOf} from './ops_fixture.ts';
import {closeSmallDisks, SmallDisk} from './process_faults_small_disk.ts';
import {create} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
  await closeSmallDisks();
});

interface Started extends TestServer {
  readonly httpPort: number;
  get(path: string): Promise<{status: number; type: string; text: string}>;
}

async function startHttp(options: Partial<ServerOptions> = {}): Promise<Started> {
  const started = await startServer({http: {listen: {host: '127.0.0.1', port: 0}}, ...options});
  const httpPort = started.server.httpAddress?.port ?? 0;
  const get: Started['get'] = async path => {
    const response = await fetch(`http://127.0.0.1:${httpPort}${path}`);
    return {status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text()};
  };
  return {...started, httpPort, get};
}

describe('over HTTP', () => {
  test('metrics are text for Prometheus, and count the requests for them by route', async () => {
    const {get} = await startHttp();
    await get('/v1/resources/00000000000000000000000000000001');
    await get('/no/such/route');
    await get('/readyz');
    const {status, type, text} = await get('/metrics');
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const samples = samplesOf(text);
    const requests = (route: string, statusClass: string): number | undefined =>
      sampleOf(samples, 'allocdb_http_requests_total', {route, status: statusClass});
    expect(requests('/v1/resources/:id', '4xx')).toBe(1);
    expect(requests('/readyz', '2xx')).toBe(1);
    expect(requests('other', '4xx')).toBe(1);
  });

  test('ready, and then not any more, with the reasons, and alive all the same', async context => {
    const disk = await SmallDisk.openFor(context, 16);
    const {get, server} = await startHttp({dir: join(disk.root, 'data')});
    expect((await get('/readyz')).status).toBe(200);
    breakLog(disk);
    expect(await server.engine.submit(create(1n))).toMatchObject({failure: {code: 'storage_failure'}});
    const {status, text} = await get('/readyz?verbose');
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({reasons: [expect.stringMatching(/^halted: /)]});
    expect((await get('/livez')).status).toBe(200);
    expect(sampleOf(samplesOf((await get('/metrics')).text), 'allocdb_ready')).toBe(0);
  });

  test('feeds are counted while they are read', async () => {
    const {get, httpPort} = await startHttp();
    const feeds = async (): Promise<number | undefined> =>
      sampleOf(samplesOf((await get('/metrics')).text), 'allocdb_feeds', {transport: 'http'});
    const ended = new AbortController();
    const response = await fetch(`http://127.0.0.1:${httpPort}/v1/changes`, {signal: ended.signal});
    expect(response.status).toBe(200);
    await expect.poll(feeds, {timeout: 60_000}).toBe(1);
    ended.abort();
    await expect.poll(feeds, {timeout: 60_000}).toBe(0);
  });
});

describe('the health check of the image', () => {
  interface Checked {
    readonly code: number | null;
    readonly said: string;
  }

  function check(environment: Readonly<Record<string, string>>): Promise<Checked> {
    const child = spawn(process.execPath, [rootPath('deploy/healthcheck.mjs')], {
      env: {PATH: process.env['PATH'], ...environment},
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    return new Promise(resolve => child.once('close', code => resolve({code, said})));
  }

  test('is well where the server is ready, and says why it is not', async context => {
    const disk = await SmallDisk.openFor(context, 16);
    const {httpPort, server} = await startHttp({dir: join(disk.root, 'data')});
    const address = {ALLOCDB_HTTP: `0.0.0.0:${httpPort}`};
    expect(await check(address)).toEqual({code: 0, said: ''});
    breakLog(disk);
    expect(await server.engine.submit(create(1n))).toMatchObject({failure: {code: 'storage_failure'}});
    expect(await check(address)).toEqual({code: 1, said: expect.stringContaining('halted: ')});
  });

  test('speaks TLS where the server does', async () => {
    const authority = new Authority('an authority');
    const {cert, key} = authority.issue({commonName: 'db.example', hosts: ['db.example']});
    const tls = {cert: tempFile('cert.pem', cert), key: tempFile('key.pem', key)};
    const {httpPort} = await startHttp({tls});
    const address = {ALLOCDB_HTTP: `127.0.0.1:${httpPort}`};
    expect(await check({...address, ALLOCDB_TLS_CERT: tls.cert})).toEqual({code: 0, said: ''});
    expect((await check({...address, ALLOCDB_TLS_CERT: tls.cert, ALLOCDB_HTTP_TLS: 'off'})).code).toBe(1);
  });

  test('is not well where nothing listens', async () => {
    const {httpPort} = await startHttp();
    await stopServers();
    expect(await check({ALLOCDB_HTTP: `127.0.0.1:${httpPort}`})).toEqual({
      code: 1,
      said: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
