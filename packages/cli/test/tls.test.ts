/**
 * The connecting flags against a server that speaks TLS, with a certificate that `openssl` makes for the test.
 */
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, Server, tempDir, tempFile} from './command.ts';

afterAll(cleanUp);

describe.skipIf(spawnSync('openssl', ['version']).status !== 0)('allocdbs://', () => {
  let server: Server;
  let cert: string;
  let key: string;
  let url: string;

  beforeAll(async () => {
    const dir = tempDir();
    [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', cert, ...subject],
    ]);
    expect(String(made.stderr)).not.toContain('rror');
    server = await Server.start(undefined, '--tls-cert', cert, '--tls-key', key);
    url = server.url.replace('allocdb:', 'allocdbs:');
  });

  test('with its CA it is trusted; the repl is, too', async () => {
    const created = await server.run(['create', 'name:a', '--url', url, '--ca', cert]);
    expect([created.code, created.stdout.startsWith('created  ')]).toEqual([0, true]);
    const typed = await server.run(['repl', '--url', url, '--ca', cert], {input: 'get name:a'});
    expect([typed.code, typed.stdout.startsWith('found  ')]).toEqual([0, true]);
  });

  test('without, or without TLS, it is not, and nothing was sent', async () => {
    const stranger = await server.run(['create', 'name:b', '--url', url]);
    expect([stranger.code, stranger.stdout]).toEqual([1, '']);
    expect(stranger.stderr).toMatch(/\nallocdb: connect_failed: .*self-signed.*; that is --ca here\n$/);
    const plain = await server.run(['create', 'name:b', '--json']);
    expect([plain.code, plain.stdout]).toEqual([1, '']);
    expect(JSON.parse(plain.stderr)).toMatchObject({error: {certainty: 'definite', operation: null}});
  });

  test('files that cannot be used are named', async () => {
    const missing = await server.run(['get', 'name:a', '--url', url, '--ca', join(tempDir(), 'none.pem')]);
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/\nallocdb: --ca .*none\.pem cannot be read/),
    ]);
    const garbage = await server.run(['get', 'name:a', '--url', url, '--ca', tempFile('ca.pem', 'no certificate')]);
    expect([garbage.code, garbage.stderr]).toEqual([
      1,
      expect.stringMatching(/\nallocdb: the certificates or the key/),
    ]);
    const half = await server.run(['get', 'name:a', '--url', url, '--cert', cert]);
    expect([half.code, half.stderr]).toEqual([64, expect.stringMatching(/\nallocdb: --cert and --key go together/)]);
  });
});
