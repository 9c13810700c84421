/**
 * Under which names the HTTP port answers: where everybody of the machine is let in, only under those that nobody else can
 * have resolved to it, or a page of another site would be a client of the same origin (DNS rebinding).
 */
import {afterEach, expect, test} from 'vitest';
import {generateToken} from '../src/access/token.ts';
import type {ServerOptions} from '../src/index.ts';
import {cleanUp, tempFile} from './command.ts';
import {RawHttp, requestText} from './http_raw.ts';
import {startServer, stopServers} from './in_process.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const listen = {host: '127.0.0.1', port: 0};

async function portOf(options: Partial<ServerOptions>): Promise<number> {
  return (await startServer(options)).server.httpAddress?.port ?? 0;
}

/** Status of a GET that was sent to this host, or the code of its problem. */
async function answerTo(port: number, host: string, path: string): Promise<string> {
  const client = await RawHttp.open(port);
  client.write(requestText(`GET ${path}`, null, {host}));
  const [answer] = await client.take(1);
  client.destroy();
  const {code} = JSON.parse(answer?.body ?? '') as {code?: string};
  return code === undefined ? String(answer?.status) : `${answer?.status} ${code}`;
}

test('localhost and addresses, where everybody is let in because only this machine gets here', async () => {
  const port = await portOf({http: {listen}});
  const local = ['localhost', `LOCALHOST:${port}`, 'db.localhost', '127.0.0.1', `127.0.0.1:${port}`, `[::1]:${port}`];
  for (const host of local) expect([host, await answerTo(port, host, '/v1/resources')]).toEqual([host, '200']);
  const foreign = ['page.example', `page.example:${port}`, '127.0.0.1.page.example', 'localhost.example', '[::1', ''];
  for (const host of foreign) {
    expect([host, await answerTo(port, host, '/v1/resources')]).toEqual([host, '421 foreign_host']);
  }
  expect(await answerTo(port, 'page.example', '/console/')).toBe('421 foreign_host');
  expect(await answerTo(port, 'probe.example', '/livez')).toBe('200');
});

test.each<[string, () => Partial<ServerOptions>]>([
  ['tokens', () => ({tokenFile: tempFile('tokens', generateToken().hashLine('shop', 'read')), anonymousRole: null})],
  ['word that every name is meant', () => ({http: {listen, localNamesOnly: false}})],
])('every name, where there are %s', async (_, options) => {
  const port = await portOf({http: {listen}, ...options()});
  expect(await answerTo(port, 'db.example', '/openapi.json')).toBe('200');
});
