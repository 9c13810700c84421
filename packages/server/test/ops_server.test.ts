/**
 * A real server as those who run it see it: its metrics and health over HTTP, in a process of its own, under a load of every
 * kind; and the health check of the container image, asked of it.
 */
import {spawn} from 'node:child_process';
import {encodeSubscribe} from '@allocdb/api';
import {configOfLimits, configToJson} from '@allocdb/node';
import {afterEach, describe, expect, test} from 'vitest';
import {METRICS} from '../src/ops/metric_table.ts';
import {packageVersion} from '../src/version.ts';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, ServeProcess, tempDir, tempFile} from './command.ts';
import {rootPath} from './ops_deploy_files.ts';
import {type SampleLine, sampleOf, samplesOf} from './ops_fixture.ts';
import {Peer} from './peer.ts';
import {create, createMany, reserve} from './requests.ts';

afterEach(cleanUp);

function configFile(): string {
  const limits = {maxResources: 10_000, maxReservations: 1000, maxOperations: 20_000, maxTtlSlots: 10_000};
  return tempFile('config.json', JSON.stringify(configToJson(configOfLimits(limits, 100))));
}

interface Served {
  readonly server: ServeProcess;
  readonly httpPort: number;
  readonly tokens: TokenFile;
  get(path: string, name?: string): Promise<Response>;
  scrape(): Promise<SampleLine[]>;
}

/** A server that lets in a worker and whoever watches. */
async function serve(...flags: string[]): Promise<Served> {
  const tokens = new TokenFile({name: 'worker', role: 'operate'}, {name: 'prometheus', role: 'read'});
  const own = ['--config', configFile(), '--token-file', tokens.path, '--http', '127.0.0.1:0'];
  const server = await ServeProcess.start(tempDir(), ...own, ...flags);
  const {http} = server.events.find(({event}) => event === 'listening') as unknown as {http: {port: number}};
  const get: Served['get'] = (path, name) => {
    const headers = name === undefined ? {} : {authorization: `Bearer ${tokens.tokenOf(name)}`};
    return fetch(`http://127.0.0.1:${http.port}${path}`, {headers});
  };
  const scrape = async (): Promise<SampleLine[]> => samplesOf(await (await get('/metrics', 'prometheus')).text());
  return {server, httpPort: http.port, tokens, get, scrape};
}

describe('metrics of a real server', () => {
  test('are for who may read, and tell what was done over either port', async () => {
    const {server, tokens, get, scrape} = await serve();
    expect((await get('/metrics')).status).toBe(401);
    const peer = await Peer.open(server.port, tokens.tokenOf('worker'));
    await peer.ask(createMany(1n, 500), create(1n), reserve(9000n, 1n, 5n));
    const stranger = await Peer.connect(server.port);
    await expect(stranger.hello('wrong')).rejects.toThrow();
    await stranger.close();
    const feed = await Peer.open(server.port, tokens.tokenOf('prometheus'));
    feed.send(encodeSubscribe(1n));
    await feed.take(501);
    await get('/v1/resources/00000000000000000000000000000001', 'worker');
    await get('/v1/resources/00000000000000000000000000000001');

    await expect.poll(async () => sampleOf(await scrape(), 'allocdb_expirations_total'), {timeout: 60_000}).toBe(1);
    const connections = async (): Promise<number | undefined> =>
      sampleOf(await scrape(), 'allocdb_connections', {transport: 'tcp'});
    await expect.poll(connections, {timeout: 60_000}).toBe(2);
    const samples = await scrape();
    const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
      sampleOf(samples, `allocdb_${name}`, labels);
    expect(value('commands_total', {kind: 'create_resource', result: 'ok'})).toBe(500);
    expect(value('retries_total')).toBe(1);
    expect(value('connections_max', {transport: 'http'})).toBe(1000);
    expect(value('connections', {transport: 'http'})).toBeGreaterThan(0);
    expect(value('connection_errors_total', {transport: 'tcp', reason: 'unauthorized'})).toBe(1);
    expect(value('feeds', {transport: 'tcp'})).toBe(1);
    const lag = async (): Promise<number | undefined> =>
      sampleOf(await scrape(), 'allocdb_feed_lag_records', {transport: 'tcp'});
    await expect.poll(lag, {timeout: 60_000}).toBe(0);
    expect(value('http_requests_total', {route: '/v1/resources/:id', status: '2xx'})).toBe(1);
    expect(value('http_requests_total', {route: '/v1/resources/:id', status: '4xx'})).toBe(1);
    expect(value('checkpoint_interval_bytes')).toBe(256 * 2 ** 20);
    expect(value('build_info', {version: packageVersion()})).toBe(1);
    expect(value('ready')).toBe(1);
    expect(samples.filter(({name}) => name === 'process_start_time_seconds')).toHaveLength(1);

    await Promise.all([peer.close(), feed.close()]);
    const left = async (): Promise<(number | undefined)[]> => {
      const now = await scrape();
      return ['connections', 'feeds'].map(name => sampleOf(now, `allocdb_${name}`, {transport: 'tcp'}));
    };
    await expect.poll(left, {timeout: 60_000}).toEqual([0, 0]);
  });

  test('labels are those of the table, whatever was asked of the server', async () => {
    const {server, get, scrape} = await serve();
    for (const path of ['/x"y', '/%0A', '/v1/resources/nonsense', '/v1/%22', '/metrics?x=1', '/readyz?verbose=7']) {
      await (await get(path, 'worker')).arrayBuffer();
    }
    const stranger = await Peer.connect(server.port);
    stranger.socket.write('GET / HTTP/1.1\r\n\r\n');
    await stranger.error();
    const requests = (await scrape()).filter(({name}) => name === 'allocdb_http_requests_total');
    const routes = new Set(requests.map(({labels}) => labels['route']));
    for (const route of routes) expect(route).toMatch(/^(?:other|\/[a-z0-9/:._-]+)$/);
    for (const {name, labels} of await scrape()) {
      const metric = METRICS.find(each => each.name === name);
      if (metric !== undefined) expect(Object.keys(labels).sort()).toEqual(Object.keys(metric.labels ?? {}).sort());
    }
    await stranger.close();
  });
});

describe('health of a real server', () => {
  /** The health check of the image, in the environment of a container. */
  function check(environment: Readonly<Record<string, string>>): Promise<number | null> {
    const env = {PATH: process.env['PATH'], ...environment};
    const child = spawn(process.execPath, [rootPath('deploy/healthcheck.mjs')], {env, stdio: 'ignore'});
    return new Promise(resolve => child.once('close', resolve));
  }

  test('is for everybody to ask, and what the health check of the image goes by', async () => {
    const {server, httpPort, get} = await serve();
    const ready = await get('/readyz?verbose');
    expect([ready.status, await ready.json()]).toEqual([
      200,
      {ready: true, reasons: [], details: expect.objectContaining({state: 'running'})},
    ]);
    expect((await get('/livez')).status).toBe(200);
    expect(await check({ALLOCDB_HTTP: `0.0.0.0:${httpPort}`})).toBe(0);
    expect(await server.signal('SIGTERM')).toEqual({code: 0, signal: null});
    expect(await check({ALLOCDB_HTTP: `0.0.0.0:${httpPort}`})).toBe(1);
  });

  test('a port that somebody else has is named, and nothing is left behind', async () => {
    const {httpPort} = await serve();
    const taken = `127.0.0.1:${httpPort}`;
    const dir = tempDir();
    await expect(ServeProcess.start(dir, '--config', configFile(), '--http', taken)).rejects.toThrow(
      `${taken} is in use by another program`,
    );
    const again = await ServeProcess.start(dir, '--http', '127.0.0.1:0');
    expect(await again.signal('SIGTERM')).toEqual({code: 0, signal: null});
  });
});
