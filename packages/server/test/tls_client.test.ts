/**
 * The client by TLS: it works as it does without, also when connections are lost, and a server that it cannot verify is
 * refused in words that say what to do. Nothing turns that off.
 */

import {encodeRequest} from '@allocdb/api';
import {
  type AllocDbError,
  type ConnectOptions,
  connect,
  isAllocDbError,
  newHolderId,
  newResourceId,
  openRawConnection,
  type TlsOptions,
} from '@allocdb/client';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {Authority, EXPIRED, HERE, type Issued, selfSigned} from './certificates.ts';
import {cleanUp, tempFile} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {GET_METRICS} from './requests.ts';
import {tlsFilesOf} from './tls_files.ts';

const authority = new Authority('the authority of the server');
const clients = new Authority('the authority of clients');
const ours = authority.issue({commonName: 'server', hosts: HERE});

afterEach(async () => {
  await stopServers();
  await cleanUp();
  vi.unstubAllEnvs();
});

/** The failure of connecting. */
async function failureOf(url: string, options: ConnectOptions = {}): Promise<AllocDbError> {
  const failure: unknown = await connect(url, options).then(
    async client => {
      await client.close();
      return new Error('it connected');
    },
    (error: unknown) => error,
  );
  if (!isAllocDbError(failure)) throw failure;
  expect(failure.failure.certainty).toBe('definite');
  return failure;
}

test('works as without TLS: by name and by address, with the CA as text and as bytes', async () => {
  const {port} = await startServer({tls: tlsFilesOf(ours)});
  const bytes = new TextEncoder().encode(authority.cert);
  for (const [host, ca] of [
    ['localhost', authority.cert],
    ['127.0.0.1', bytes],
  ] as const) {
    await using client = await connect(`allocdbs://${host}:${port}`, {tls: {ca}});
    const resource = newResourceId();
    expect(await client.createResource({resource})).toMatchObject({result: 'created'});
    await using lease = await client.acquire({resources: [resource], holder: newHolderId(), ttlSlots: 100});
    expect(lease).not.toBe(null);
    const commands = Array.from(
      {length: 3000},
      () => ({command: 'create_resource', resource: newResourceId()}) as const,
    );
    const answers = await client.batch(commands);
    expect(answers.every(answer => answer.result === 'created')).toBe(true);
  }
});

test('many large answers come whole', async () => {
  const {port} = await startServer({tls: tlsFilesOf(ours)});
  let answers = 0;
  await using connection = await openRawConnection(`allocdbs://localhost:${port}`, {
    tls: {ca: authority.cert},
    onResponse: () => answers++,
  });
  const frame = encodeRequest(GET_METRICS);
  for (let i = 0; i < 50_000; i++) connection.send(frame);
  await connection.idle();
  expect(answers).toBe(50_000);
});

test('a lost connection is replaced, and calls go on', async () => {
  const tls = tlsFilesOf(ours);
  const first = await startServer({tls});
  const url = `allocdbs://localhost:${first.port}`;
  await using client = await connect(url, {tls: {ca: authority.cert}, retry: {initialBackoffMs: 5, maxBackoffMs: 20}});
  await client.createResource({resource: newResourceId()});
  await first.server.stop();
  const call = client.createResource({resource: newResourceId()});
  await startServer({tls, dir: first.dir, listen: {host: '127.0.0.1', port: first.port}});
  expect(await call).toMatchObject({result: 'created', lsn: 2n});
  expect(client.status.reconnects).toBeGreaterThan(0);
});

describe('a server that cannot be verified', () => {
  const trusting: TlsOptions = {ca: authority.cert};

  test.each<[string, Issued, string, TlsOptions | undefined, string, RegExp]>([
    [
      'is signed by an unknown CA',
      ours,
      'localhost',
      undefined,
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /give its CA as tls\.ca/,
    ],
    [
      'is signed by another CA',
      ours,
      'localhost',
      {ca: clients.cert},
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /give its CA as tls\.ca/,
    ],
    [
      'is self-signed',
      selfSigned({commonName: 'server', hosts: HERE}),
      'localhost',
      trusting,
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      /self-signed/,
    ],
    [
      'has expired',
      authority.issue({commonName: 'server', hosts: HERE, ...EXPIRED}),
      'localhost',
      trusting,
      'CERT_HAS_EXPIRED',
      /expired/,
    ],
    [
      'is not valid yet',
      authority.issue({commonName: 'server', hosts: HERE, notBefore: new Date(Date.now() + 3_600_000)}),
      'localhost',
      trusting,
      'CERT_NOT_YET_VALID',
      /not valid yet/,
    ],
    [
      'is another host',
      authority.issue({commonName: 'localhost', hosts: ['db.example']}),
      'localhost',
      trusting,
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /another host.*localhost/,
    ],
    [
      'is another address',
      authority.issue({commonName: 'server', hosts: ['localhost']}),
      '127.0.0.1',
      trusting,
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /another host.*127\.0\.0\.1/,
    ],
    [
      'has not the name that was asked for',
      ours,
      'localhost',
      {...trusting, servername: 'db.example'},
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /another host.*db\.example/,
    ],
  ])('because it %s', async (_what, issued, host, tls, code, message) => {
    // What the rest of the ecosystem takes as "do not verify".
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const {server, port} = await startServer({tls: tlsFilesOf(issued)});
    const failure = await failureOf(`allocdbs://${host}:${port}`, tls === undefined ? {} : {tls});
    expect(failure.code).toBe('connect_failed');
    expect(failure.message).toMatch(message);
    expect(failure.message).toContain(`allocdbs://${host}:${port}`);
    expect(failure.cause).toMatchObject({code});
    expect(server.engine.durableLsn).toBe(null);
  });

  test('is trusted when it is self-signed and given', async () => {
    const alone = selfSigned({commonName: 'server', hosts: HERE});
    const {port} = await startServer({tls: tlsFilesOf(alone)});
    await using client = await connect(`allocdbs://localhost:${port}`, {tls: {ca: alone.cert}});
    expect(client.status.state).toBe('connected');
  });

  test('is trusted by the name that was asked for', async () => {
    const named = authority.issue({commonName: 'server', hosts: ['db.example']});
    const {port} = await startServer({tls: tlsFilesOf(named)});
    await using client = await connect(`allocdbs://127.0.0.1:${port}`, {tls: {...trusting, servername: 'db.example'}});
    expect(client.status.state).toBe('connected');
  });
});

describe('who speaks something else', () => {
  test('TLS where nobody does', async () => {
    const {port} = await startServer();
    const failure = await failureOf(`allocdbs://localhost:${port}`, {tls: {ca: authority.cert}});
    expect(failure.code).toBe('connect_failed');
    expect(failure.message).toContain('does not speak TLS on this port');
  });

  test('no TLS where everybody does', async () => {
    const {port} = await startServer({tls: tlsFilesOf(ours)});
    const failure = await failureOf(`allocdb://localhost:${port}`);
    expect(failure.code).toBe('bad_magic');
    expect(failure.message).toContain('allocdbs://');
  });
});

describe('certificates of clients', () => {
  let url = '';
  beforeEach(async () => {
    const tokenFile = tempFile('tokens', 'door write cert:Door 7\n');
    const {port} = await startServer({tls: tlsFilesOf(ours, clients), tokenFile});
    url = `allocdbs://localhost:${port}`;
  });

  test('let in', async () => {
    const door = clients.issue({commonName: 'Door 7'});
    await using client = await connect(url, {tls: {ca: authority.cert, ...door}});
    expect(await client.createResource({resource: newResourceId()})).toMatchObject({result: 'created'});
  });

  test('that are missing are asked for', async () => {
    const failure = await failureOf(url, {tls: {ca: authority.cert}});
    expect(failure.code).toBe('connect_failed');
    expect(failure.message).toMatch(/give tls\.cert and tls\.key|does not accept/);
  });

  test('that are not accepted', async () => {
    const failure = await failureOf(url, {tls: {ca: authority.cert, ...selfSigned({commonName: 'Door 7'})}});
    expect(failure.code).toBe('connect_failed');
    expect(failure.message).toContain('does not accept');
    const unknown = await failureOf(url, {tls: {ca: authority.cert, ...clients.issue({commonName: 'Window'})}});
    expect(unknown.code).toBe('unauthorized');
  });
});
