/**
 * Commands that get no answer: what they say is known, and what they tell to do. Outcomes become unknown as they do in
 * life: the server has executed the command and the answer is lost, or it is killed before it has seen it. The command
 * line that is printed then is run as it stands, by a shell, and must get the one answer.
 */
import {createServer} from 'node:net';
import {holderIdFrom, resourceIdFrom} from '@allocdb/client';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, objectOf, type Running, run, Server, shell, start, tempFile} from './command.ts';
import {SwallowingProxy} from './swallowing_proxy.ts';

const A = resourceIdFrom('a');
const HOLDER = holderIdFrom('it is me');
const OPERATION = resourceIdFrom('operation');

let server: Server;
const proxies: SwallowingProxy[] = [];
beforeAll(async () => {
  server = await Server.start();
  expect((await server.run(['create', A])).code).toBe(0);
});
afterEach(async () => {
  await Promise.all(proxies.splice(0).map(proxy => proxy.close()));
});
afterAll(cleanUp);

async function proxyOf(target: Server): Promise<SwallowingProxy> {
  const proxy = await SwallowingProxy.start(target.port);
  proxies.push(proxy);
  return proxy;
}

/** Resolves when the proxy has lost something; rejects when the command ends before that. */
async function lost(proxy: SwallowingProxy, running: Running): Promise<void> {
  const tooEarly = running.ended.then(result => Promise.reject(new Error(`ended: ${JSON.stringify(result)}`)));
  await Promise.race([proxy.lost(), tooEarly]);
}

describe('an answer that is lost leaves the outcome unknown', () => {
  test('interrupted: the printed line, run by a shell, gets the answer of the one execution', async () => {
    const proxy = await proxyOf(server);
    proxy.mode = 'swallow answers';
    const args = ['reserve', A, '--holder', 'name:it is me', '--hold', '1h', '--timeout', '60s', '--url', proxy.url];
    const running = start(args);
    await lost(proxy, running);
    running.child.kill('SIGINT');
    const {code, stdout, stderr} = await running.ended;
    const operation = /--operation ([0-9a-f]{32})\n$/.exec(stderr)?.[1];
    const line = `allocdb reserve ${A} --holder 'name:it is me' --hold 1h --timeout 60s --url ${proxy.url} --operation ${operation}`;
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toBe(
      `name:it is me is ${HOLDER}\n` +
        'allocdb: outcome unknown: aborted: interrupted by SIGINT\n' +
        `the operation is ${operation}; repeated with it, the command gets the one answer there is:\n  ${line}\n`,
    );

    proxy.heal(server.port);
    const again = await shell(line);
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(
      new RegExp(`^reserved {2}lease=[0-9a-f]{32} epoch=1 .* operation=${operation} fromRetryCache=true\n$`),
    );
  });

  test('out of time: the same as JSON, with an operation that was given', async () => {
    const proxy = await proxyOf(server);
    proxy.mode = 'swallow answers';
    const args = ['release', A, '--holder', HOLDER, '--operation', OPERATION, '--timeout', '8s', '--url', proxy.url];
    const {code, stdout, stderr} = await run(['--json', ...args]);
    expect([code, stdout]).toEqual([3, '']);
    expect(objectOf(stderr)).toEqual({
      error: {
        code: 'timed_out',
        certainty: 'indefinite',
        message: 'no answer within 8 s',
        operation: OPERATION,
        repeat: `allocdb --json ${args.join(' ')}`,
      },
    });
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test('a server that is killed before it has seen the command: once it is back, the line executes it', async () => {
    const killed = await Server.start();
    expect((await killed.run(['create', A])).code).toBe(0);
    const proxy = await proxyOf(killed);
    proxy.mode = 'hold requests';
    const running = start(['reserve', A, '--holder', HOLDER, '--hold', '1h', '--timeout', '8s', '--url', proxy.url]);
    await lost(proxy, running);
    await killed.kill();
    const {code, stderr} = await running.ended;
    expect(code).toBe(3);
    expect(stderr).toMatch(/^allocdb: outcome unknown: timed_out: no answer within 8 s; last: /);

    const restarted = await Server.start(killed.dir);
    proxy.heal(restarted.port);
    const line = stderr.trimEnd().split('\n').at(-1)?.trim() ?? '';
    const again = await shell(line.replace('--timeout 8s', '--timeout 60s'));
    expect([again.code, again.stdout.startsWith('reserved  '), again.stdout.includes('fromRetryCache')]).toEqual([
      0,
      true,
      false,
    ]);
  });

  test('of many: what was answered before is said, and the repetition does the rest', async () => {
    const proxy = await proxyOf(server);
    proxy.mode = 'swallow answers';
    proxy.passing = 2;
    const running = start(['create', '--count', '5000', '--prefix', 'n', '--timeout', '60s', '--url', proxy.url]);
    await lost(proxy, running);
    running.child.kill('SIGTERM');
    const {code, stderr} = await running.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('outcome unknown: aborted: interrupted by SIGTERM; 2000 of 5000 were answered\n');
    proxy.heal(server.port);
    const again = await shell(stderr.trimEnd().split('\n').at(-1)?.trim() ?? '');
    expect(again).toMatchObject({code: 0, stderr: ''});
    expect(again.stdout).toMatch(/^created {2}created=5000 refused=0 /);
  });
});

describe('what certainly had no effect', () => {
  test('nobody listens', async () => {
    const free = createServer();
    await new Promise<void>(resolve => free.listen(0, '127.0.0.1', resolve));
    const address = free.address();
    const url = `allocdb://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    await new Promise(resolve => free.close(resolve));
    const human = await run(['create', A, '--url', url]);
    expect([human.code, human.stdout]).toEqual([1, '']);
    expect(human.stderr).toMatch(new RegExp(`^allocdb: connect_failed: ${url}: .*ECONNREFUSED.*\n$`));
    const json = await run(['get', A, '--url', url, '--json']);
    expect([json.code, json.stdout]).toEqual([1, '']);
    expect(objectOf(json.stderr)).toEqual({
      error: {
        code: 'connect_failed',
        certainty: 'definite',
        message: expect.stringMatching(/ECONNREFUSED.*; is a server running, and is this its address \(--url\)\?$/),
        operation: null,
      },
    });
  });

  test('a server that says nothing, and an interrupt, or the end of the time', async () => {
    const sockets: {destroy(): void}[] = [];
    const silent = createServer();
    const accepted = new Promise<void>(resolve => {
      silent.on('connection', socket => {
        sockets.push(socket);
        resolve();
      });
    });
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const url = `allocdb://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const running = start(['create', A, '--timeout', '60s', '--url', url]);
    await accepted;
    running.child.kill('SIGINT');
    expect(await running.ended).toEqual({code: 1, stdout: '', stderr: 'allocdb: aborted: interrupted by SIGINT\n'});
    const late = await run(['create', A, '--timeout', '100ms', '--url', url]);
    expect([late.code, late.stdout]).toEqual([1, '']);
    expect(late.stderr).toMatch(new RegExp(`^allocdb: connect_timed_out: ${url}: `));
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('tokens: none, a wrong one, one with too small a role, from a file and from the environment', async () => {
    const reader = await run(['token', 'reader', '--role', 'read']);
    const writer = await run(['token', 'writer', '--role', 'write', '--json']);
    const file = tempFile('tokens', `${reader.stderr}${String(objectOf(writer.stdout)['line'])}\n`);
    const guarded = await Server.start(undefined, '--token-file', file);
    const token = {ALLOCDB_TOKEN: reader.stdout.trim()};

    const none = await guarded.run(['get', A]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/^allocdb: unauthorized: /)]);
    const wrong = await guarded.run(['get', A], {env: {ALLOCDB_TOKEN: 'wrong'}});
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/^allocdb: unauthorized: /)]);
    const read = await guarded.run(['get', A], {env: token});
    expect([read.code, read.stdout]).toEqual([2, `resource_not_found  resource=${A} lsn=0\n`]);
    const forbidden = await guarded.run(['create', A, '--json'], {env: token});
    expect([forbidden.code, objectOf(forbidden.stderr)]).toEqual([
      1,
      {error: {code: 'forbidden', certainty: 'definite', message: expect.any(String), operation: null}},
    ]);
    const written = await guarded.run(
      ['create', A, '--token-file', tempFile('t', String(objectOf(writer.stdout)['token']))],
      {
        env: token,
      },
    );
    expect(written.code).toBe(0);
    const empty = tempFile('empty', ' \n');
    expect(await guarded.run(['get', A, '--token-file', empty])).toMatchObject({
      code: 1,
      stderr: `allocdb: --token-file ${empty} holds no token\n`,
    });
  });
});
