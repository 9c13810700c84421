/**
 * What `backup` and `why` make of a port that fails them: nobody there, nothing said, half an answer, something that is no
 * server of ours, TLS where there is none. A read is certain to have done nothing; a backup that was asked for may be made.
 */
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {objectOf, start, tempDir, tempFile} from './command.ts';
import {response, startPort, startServer, stopPorts} from './http_ports.ts';
import {runHere} from './in_process.ts';

afterAll(stopPorts);

const ID = '018f6c1e-0000-7000-8000-00000000002a';
const LINES = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
const HEARTBEAT = '3\r\n{}\n\r\n';
const PROGRESS = '{"progress":{"phase":"copy","unit":"bytes","done":1,"total":9}}\n';

/** Exit code and code of the failure of both, against a port that does this. */
async function outcomes(http: string, ...flags: readonly string[]): Promise<unknown[]> {
  const outcome = async (...words: string[]): Promise<unknown> => {
    const {code, stdout, stderr} = await runHere([...words, '--http', http, '--json', ...flags]);
    expect(stdout).toBe('');
    const {error} = objectOf(stderr) as {error: {code: string; certainty: string; message: string}};
    expect(error.certainty).toBe(code === 3 ? 'indefinite' : 'definite');
    expect(error.message).toContain(http.replace(/^https?:\/\//, ''));
    return [code, error.code];
  };
  return [await outcome('why', ID), await outcome('backup', 'monday')];
}

test('nobody there: neither can have done anything', async () => {
  const failed = [1, 'disconnected'];
  expect(await outcomes('127.0.0.1:1')).toEqual([failed, failed]);
});

test('a port that ends the connection unanswered, or in the middle', async () => {
  const expected = [
    [1, 'disconnected'],
    [3, 'disconnected'],
  ];
  expect(await outcomes(await startPort(socket => socket.end()))).toEqual(expected);
  const half = await startPort(socket => socket.write(LINES + HEARTBEAT, () => socket.destroy()));
  expect(await outcomes(half)).toEqual(expected);
});

test('a port that is silent, from the start or after a while', async () => {
  const expected = [
    [1, 'timed_out'],
    [3, 'timed_out'],
  ];
  expect(await outcomes(await startPort(() => undefined), '--timeout', '300ms')).toEqual(expected);
  const after = await startPort(socket => socket.write(LINES + HEARTBEAT));
  expect(await outcomes(after, '--timeout', '300ms')).toEqual(expected);
});

test('a port that is no server of ours', async () => {
  const failed = [1, 'unexpected_answer'];
  const page = await startPort(socket => socket.end(response('200 OK', 'text/html', '<html>\n</html>\n')));
  expect(await outcomes(page)).toEqual([failed, failed]);
  const proxy = await startPort(socket => socket.end(response('502 Bad Gateway', 'text/html', '<html></html>')));
  expect(await outcomes(proxy)).toEqual([failed, [3, 'unexpected_answer']]);
  const other = await startPort(socket => socket.end('220 mail.example.com ESMTP\r\n'));
  const noHttp = [1, 'no_http'];
  expect(await outcomes(other)).toEqual([noHttp, noHttp]);
});

test('a backup of which the last line does not come: an outcome that is not known', async () => {
  const port = await startPort(socket => socket.end(response('200 OK', 'application/x-ndjson', `{}\n${PROGRESS}`)));
  const {code, stdout, stderr} = await runHere(['backup', 'monday', '--http', port]);
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(
    /^allocdb: outcome unknown: disconnected: .*without saying whether the backup was made\n\(a backup that nobody waits for/,
  );
});

test('a problem of the server keeps its code; one that leaves it open exits 3', async () => {
  const problem = (status: string, category: string, code: string) =>
    startPort(socket =>
      socket.end(
        response(
          status,
          'application/problem+json',
          JSON.stringify({status: Number.parseInt(status, 10), category, code, detail: 'in words'}),
        ),
      ),
    );
  for (const [status, category, code, exitCode] of [
    ['404 Not Found', 'definite', 'resource_not_found', 2],
    ['404 Not Found', 'definite', 'no_such_route', 1],
    ['409 Conflict', 'definite', 'no_backups', 2],
    ['503 Service Unavailable', 'definite', 'overloaded', 1],
    ['500 Internal Server Error', 'indefinite', 'internal_error', 3],
  ] as const) {
    const http = await problem(status, category, code);
    const failed = await runHere(['backup', 'monday', '--http', http]);
    const unknown = exitCode === 3 ? 'outcome unknown: ' : '';
    expect([failed.code, failed.stderr.split('\n')[0]]).toEqual([exitCode, `allocdb: ${unknown}${code}: in words`]);
  }
});

test('^C ends the wait for a backup, and says that its outcome is not known', async () => {
  let isAsked = false;
  const port = await startPort(socket => {
    isAsked = true;
    socket.write(LINES + HEARTBEAT);
  });
  const running = start(['backup', 'monday', '--http', port, '--timeout', '10m']);
  await expect.poll(() => isAsked, {timeout: 200_000}).toBe(true);
  running.child.kill('SIGINT');
  const {code, stdout, stderr} = await running.ended;
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(
    /^allocdb: outcome unknown: aborted: interrupted by SIGINT\n\(.* verify it, if it is there\)\n$/,
  );
});

describe.skipIf(spawnSync('openssl', ['version']).status !== 0)('https://', () => {
  test('is trusted with its CA alone; files that cannot be used are named', async () => {
    const dir = tempDir();
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const how = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    expect(spawnSync('openssl', [...how, '-keyout', key, '-out', cert, ...subject]).status).toBe(0);
    const {http} = await startServer({tls: {cert, key}});
    const asked = (...flags: readonly string[]) => runHere(['why', ID, ...http, ...flags]);
    expect((await asked('--ca', cert)).code).toBe(2);
    expect(await asked()).toMatchObject({code: 1, stderr: expect.stringContaining('self-signed certificate')});
    expect(await asked('--ca', tempFile('ca.pem', 'no certificate'))).toMatchObject({
      ...{
        code: 1,
        stderr: expect.stringMatching(/^allocdb: (?:the certificates or the key|disconnected: .*self-signed)/),
      },
    });
    expect(await asked('--cert', cert)).toMatchObject({code: 64, stderr: expect.stringContaining('go together')});
    const plain = String(http[1]).replace('https:', 'http:');
    expect(await asked('--http', plain)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('with TLS it is https://'),
    });
    const bare = await startServer();
    const wrong = String(bare.http[1]).replace('http:', 'https:');
    expect(await asked('--http', wrong)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('without TLS it is http://'),
    });
  });
});
