/**
 * Certificates of clients: who has one that the client CA has signed is who its common name says, as far as the token file
 * knows them; everybody else is ended in the handshake, and the log says why.
 */
import {writeFileSync} from 'node:fs';
import {CONNECTION_ERROR} from '@allocdb/api';
import {afterEach, describe, expect, test} from 'vitest';
import {isSettingError} from '../src/index.ts';
import {TokenFile} from './access_tokens.ts';
import {Authority, EXPIRED, HERE, type Issued, selfSigned} from './certificates.ts';
import {cleanUp, tempFile, until} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, GET_METRICS} from './requests.ts';
import {tlsFilesOf} from './tls_files.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const authority = new Authority('the authority of the server');
const clients = new Authority('the authority of clients');
const ours = authority.issue({commonName: 'server', hosts: HERE});
const door = clients.issue({commonName: 'Door 7'});
const TRUST = {ca: authority.cert, servername: 'localhost'};

const start = (tokenFile: string): Promise<TestServer> => startServer({tls: tlsFilesOf(ours, clients), tokenFile});

const as = (issued: Issued | null, version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): object => ({
  ...TRUST,
  ...(issued ?? {}),
  maxVersion: version,
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s', version => {
  test('a certificate lets in by its common name, with the role of its entry', async () => {
    const {port} = await start(tempFile('tokens', 'door write cert:Door 7\nboard read cert:board\n'));
    const peer = await Peer.open(port, '', as(door, version));
    expect(await peer.ask(create(1n))).toMatchObject([{resultCode: 'ok'}]);
    const board = await Peer.open(port, '', as(clients.issue({commonName: 'board'}), version));
    board.send(new Uint8Array([1]));
    expect(await board.error()).toMatchObject({
      code: CONNECTION_ERROR.FORBIDDEN,
      text: expect.stringContaining('board'),
    });
    await Promise.all([peer.close(), board.close()]);
  });

  test.each([
    ['none', null, /CERTIFICATE|ISSUER/],
    ['one of another authority', authority.issue({commonName: 'Door 7'}), /VERIFY|ISSUER|CHAIN/],
    ['one that nobody has signed', selfSigned({commonName: 'Door 7'}), /SELF_SIGNED|VERIFY/],
    ['one that has ended', clients.issue({commonName: 'Door 7', ...EXPIRED}), /EXPIRED/],
  ])('%s is refused in the handshake', async (_what, issued, reason) => {
    const {server, port, events} = await start(tempFile('tokens', 'door write cert:Door 7\n'));
    // By TLS 1.3 a client is told only after it believes itself connected.
    const peer = await Peer.connect(port, as(issued, version)).catch(() => null);
    await peer?.hello().then(
      () => expect.unreachable('it was let in'),
      () => undefined,
    );
    const failure = await until(() => events.find(event => event.event === 'tls_handshake_failed'), 'the log');
    expect(String(failure['reason'])).toMatch(reason);
    expect(server.engine.durableLsn).toBe(null);
    await peer?.close();
  });
});

test.each([
  ['nobody knows', clients.issue({commonName: 'Window 3'})],
  ['is there twice', clients.issue({commonName: ['Door 7', 'Door 7']})],
  ['says who it is beside another name', clients.issue({commonName: ['Window 3', 'Door 7']})],
])('a certificate whose common name %s is good for nothing', async (_what, issued) => {
  const {port} = await start(tempFile('tokens', 'door write cert:Door 7\n'));
  const peer = await Peer.connect(port, as(issued));
  await expect(peer.hello()).rejects.toThrow();
  await peer.close();
});

test('a token decides where one is presented, and needs a certificate all the same', async () => {
  const file = new TokenFile({name: 'web', role: 'read'});
  const {port} = await start(file.path);
  const peer = await Peer.open(port, file.tokenOf('web'), as(door));
  expect(await peer.ask(GET_METRICS)).toMatchObject([{type: 'metrics'}]);
  const wrong = await Peer.connect(port, as(door));
  await expect(wrong.hello('wrong')).rejects.toThrow();
  const without = await Peer.connect(port, as(null)).catch(() => null);
  await expect(without?.hello(file.tokenOf('web')) ?? Promise.reject(new Error('refused'))).rejects.toThrow();
  await Promise.all([peer, wrong, without].map(each => each?.close()));
});

test('an entry that is gone ends what its certificate has opened', async () => {
  const file = new TokenFile({name: 'web', role: 'read'});
  const path = tempFile('tokens', 'door write cert:Door 7\n');
  const {server, port} = await start(path);
  const peer = await Peer.open(port, '', as(door));
  await expect(Peer.open(port, file.tokenOf('web'), as(door))).rejects.toThrow();
  writeFileSync(path, 'door write cert:Door 8\n');
  expect(server.reload()).toBe(true);
  expect((await peer.error()).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
  await peer.close();
});

test('a client CA is read again too', async () => {
  const file = tempFile('tokens', 'door write cert:Door 7\n');
  const tls = tlsFilesOf(ours, clients);
  const {server, port} = await startServer({tls, tokenFile: file});
  const next = new Authority('the next authority of clients');
  const renewed = as(next.issue({commonName: 'Door 7'}));
  await expect(Peer.open(port, '', renewed)).rejects.toThrow();
  writeFileSync(tls.clientCa ?? '', next.cert);
  expect(server.reload()).toBe(true);
  const peer = await Peer.open(port, '', renewed);
  await expect(Peer.open(port, '', as(door))).rejects.toThrow();
  await peer.close();
});

test('a client CA needs a token file, and one that is no certificate is refused', async () => {
  const tls = tlsFilesOf(ours, clients);
  const alone: unknown = await startServer({tls}).catch((error: unknown) => error);
  expect(isSettingError(alone)).toBe(true);
  expect(String(alone)).toContain('token file');
  const tokenFile = tempFile('tokens', 'door write cert:Door 7\n');
  for (const text of ['', 'no certificate', door.key]) {
    const wrong: unknown = await startServer({tls: {...tls, clientCa: tempFile('ca.pem', text)}, tokenFile}).catch(
      (error: unknown) => error,
    );
    expect(isSettingError(wrong), text.slice(0, 20)).toBe(true);
    expect(String(wrong)).toContain('ca.pem');
  }
});
