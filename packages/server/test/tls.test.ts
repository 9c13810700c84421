/**
 * A port that speaks TLS: what is served is what is served without it, clients that speak something else are told so, and
 * handshakes that fail or never end cost nobody anything. Files are read again on request, and a broken one changes nothing.
 */
import {once} from 'node:events';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {connect as connectTls, type TLSSocket} from 'node:tls';
import {CONNECTION_ERROR, decodeResponse, encodeHello, encodeRequest, PROTOCOL_VERSION} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {pino} from 'pino';
import {afterEach, describe, expect, test} from 'vitest';
import {isSettingError, type TlsFiles} from '../src/index.ts';
import {HandshakeLog} from '../src/net/handshake_log.ts';
import {Authority, EXPIRED, HERE, selfSigned} from './certificates.ts';
import {cleanUp, tempDir, until} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS, getResource, repeated} from './requests.ts';
import {tlsFilesOf} from './tls_files.ts';

const authority = new Authority('the authority of these tests');
const ours = authority.issue({commonName: 'server', hosts: HERE});
const TRUST = {ca: authority.cert, servername: 'localhost'};

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

/** Waits for a handshake that must fail; answers the code of the error. */
async function refusedBy(port: number, options: object): Promise<string> {
  const failure: unknown = await Peer.connect(port, options).then(
    () => null,
    (error: unknown) => error,
  );
  return String((failure as {code?: string} | null)?.code);
}

/** True when the server has ended the connection, or the system has. */
const isGone = (peer: Peer): boolean => peer.isEnded || peer.isClosed;

const said = ({events}: TestServer, event: string): Record<string, unknown>[] =>
  events.filter(each => each.event === event);

describe('a connection', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s is served as one without', async version => {
    const {server, port} = await startServer({tls: tlsFilesOf(ours)});
    const peer = await Peer.open(port, '', {...TRUST, minVersion: version, maxVersion: version});
    expect((peer.socket as TLSSocket).getProtocol()).toBe(version);
    const answers = await peer.ask(...Array.from({length: 2000}, (_, i) => create(BigInt(i + 1))));
    expect(answers.every(answer => answer.type === 'submit_committed' && answer.resultCode === 'ok')).toBe(true);
    const [batch] = await peer.ask(createMany(3001n, 5000));
    expect(batch).toMatchObject({type: 'batch_result', results: {length: 5000}});
    expect(server.engine.durableLsn).toBe(7000n);
    await peer.close();
  });

  test('by an older version is refused', async () => {
    const started = await startServer({tls: tlsFilesOf(ours)});
    // Security level 0, because this side's library would not even offer it.
    const old = {...TRUST, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0'} as const;
    expect(await refusedBy(started.port, old)).toMatch(/PROTOCOL_VERSION/);
    await until(() => said(started, 'tls_handshake_failed').length > 0, 'the failure to be logged');
  });

  test('that half-closes gets every answer, also those that fill the bound and are read late', async () => {
    const {port} = await startServer({tls: tlsFilesOf(ours), limits: {maxAnswerBytes: 64 * 1024}});
    const peer = await Peer.open(port, '', TRUST);
    peer.socket.pause();
    peer.socket.end(repeated(GET_METRICS, 50_000));
    peer.socket.resume();
    expect(await peer.take(50_000)).toHaveLength(50_000);
    await until(() => peer.isClosed, 'the connection to close');
  });

  test('that errs is told why behind its answers', async () => {
    const {port} = await startServer({tls: tlsFilesOf(ours)});
    const peer = await Peer.open(port, '', TRUST);
    peer.socket.write(Buffer.concat([joinFrames([encodeRequest(create(1n))]), new Uint8Array(4)]));
    const [answer] = await peer.take(1);
    expect(decodeResponse(answer ?? new Uint8Array(0))).toMatchObject({appliedLsn: 1n});
    expect((await peer.error()).code).toBe(CONNECTION_ERROR.EMPTY_FRAME);
    await peer.close();
  });

  test('is told when the server stops, and one in the middle of a handshake is closed', async () => {
    const {server, port} = await startServer({tls: tlsFilesOf(ours), limits: {helloTimeoutMs: 600_000}});
    const silent = await Peer.connect(port);
    const begun = await Peer.connect(port);
    begun.socket.write(Uint8Array.of(0x16, 3, 1));
    // Accepted behind the others, so that they are.
    const peer = await Peer.open(port, '', TRUST);
    const stopped = server.stop();
    expect((await peer.error()).code).toBe(CONNECTION_ERROR.SHUTTING_DOWN);
    peer.end();
    await stopped;
    await until(() => isGone(silent), 'the one that said nothing to be closed');
    await until(() => isGone(begun), 'the one that had begun to be closed');
  });

  test('cannot be resumed, so that no verification of the past lets anybody in', async () => {
    const {port} = await startServer({tls: tlsFilesOf(ours)});
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = connectTls({...TRUST, maxVersion, port, host: '127.0.0.1'});
      let session: Buffer | undefined;
      first.on('session', (given: Buffer) => {
        session = given;
      });
      await once(first, 'secureConnect');
      first.write(joinFrames([encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(0)})]));
      await once(first, 'data');
      first.destroy();
      const again = connectTls({...TRUST, maxVersion, port, host: '127.0.0.1', session: session ?? first.getSession()});
      await once(again, 'secureConnect');
      expect(again.isSessionReused()).toBe(false);
      again.destroy();
    }
  });
});

describe('who speaks something else', () => {
  test('without TLS to a port that speaks it is told so in the clear', async () => {
    const started = await startServer({tls: tlsFilesOf(ours)});
    for (const token of ['', 'thirteen byte']) {
      const peer = await Peer.connect(started.port);
      peer.send(encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)}));
      peer.end();
      // A length of 22 begins like a handshake; the rest does not, and the handshake fails.
      if (token === '') {
        const error = await peer.error();
        expect(error.code).toBe(CONNECTION_ERROR.BAD_MAGIC);
        expect(error.text).toContain('TLS');
      } else await until(() => isGone(peer), 'the connection to end');
      await peer.close();
    }
    await until(() => said(started, 'tls_handshake_failed').length === 1, 'the failed handshake to be logged');
    expect(said(started, 'connection_ended')).toMatchObject([
      {reason: 'bad_magic', text: expect.stringContaining('TLS')},
    ]);
  });

  test('TLS to a port that does not is told so in the clear', async () => {
    const started = await startServer();
    expect(await refusedBy(started.port, TRUST)).toMatch(/WRONG_VERSION_NUMBER|PACKET_LENGTH/);
    await until(() => said(started, 'connection_ended').length > 0, 'the end to be logged');
    expect(said(started, 'connection_ended')).toMatchObject([
      {reason: 'bad_magic', text: expect.stringContaining('TLS')},
    ]);

    // The bytes as the other side gets them.
    const peer = await Peer.connect(started.port);
    peer.socket.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1));
    expect(await peer.error()).toMatchObject({code: CONNECTION_ERROR.BAD_MAGIC, text: expect.stringContaining('TLS')});
    await peer.close();
  });

  test('and a hello as long as a handshake record begins is a hello', async () => {
    const {port} = await startServer();
    // Lengths of 0x16 and 0x0316: the first two bytes of a handshake record, and no more of one.
    for (const tokenBytes of [0x16 - 9, 0x316 - 9]) {
      const peer = await Peer.connect(port);
      expect((await peer.hello('x'.repeat(tokenBytes))).version).toBe(PROTOCOL_VERSION);
      await peer.close();
    }
  });
});

describe('handshakes that fail', () => {
  test('are logged once a minute for each reason, with how often since', () => {
    let nowMs = 0;
    const lines: unknown[] = [];
    const log = new HandshakeLog(pino({base: null}, {write: line => lines.push(JSON.parse(line))}), () => nowMs);
    for (const reason of ['A', 'A', 'B', 'A']) log.failed(reason);
    expect(lines).toMatchObject([
      {event: 'tls_handshake_failed', reason: 'A', times: 1},
      {event: 'tls_handshake_failed', reason: 'B', times: 1},
    ]);
    nowMs = 60_000;
    log.failed('B');
    expect(lines.slice(2)).toMatchObject([
      {reason: 'A', times: 2},
      {reason: 'B', times: 1},
    ]);
  });

  test('are logged once for each reason, and count the rest', async () => {
    const started = await startServer({tls: tlsFilesOf(ours)});
    for (let i = 0; i < 20; i++) expect(await refusedBy(started.port, {})).toMatch(/VERIFY|ISSUER/);
    for (let i = 0; i < 20; i++) {
      const garbage = await Peer.connect(started.port);
      garbage.socket.write(Uint8Array.of(0x16, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9));
      await until(() => isGone(garbage), 'the connection to end');
      await garbage.close();
    }
    const failures = said(started, 'tls_handshake_failed');
    expect(failures.length).toBeGreaterThanOrEqual(1);
    expect(failures.length).toBeLessThanOrEqual(3);
    expect(new Set(failures.map(each => each['reason'])).size).toBe(failures.length);
    const peer = await Peer.open(started.port, '', TRUST);
    await peer.close();
  });

  test('to complete in time are ended, however they drip', async () => {
    const started = await startServer({tls: tlsFilesOf(ours), limits: {helloTimeoutMs: 150}});
    const silent = await Peer.connect(started.port);
    const dripping = await Peer.connect(started.port);
    // The beginning of a record that is never complete, byte by byte, so that there is always news.
    const record = Buffer.concat([Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3]), Buffer.alloc(16_384)]);
    let at = 0;
    const drip = setInterval(() => dripping.socket.write(record.subarray(at, ++at)), 5);
    try {
      await until(() => isGone(silent) && isGone(dripping), 'both to be closed');
    } finally {
      clearInterval(drip);
    }
    await until(() => said(started, 'tls_handshake_failed').some(each => each['reason'] === 'timeout'), 'the log');
    const secure = await Peer.connect(started.port, TRUST);
    expect((await secure.error()).code).toBe(CONNECTION_ERROR.BAD_MAGIC);
    await secure.close();
  });
});

describe('the files', () => {
  test.each([
    ['a missing certificate', (files: TlsFiles) => ({...files, cert: `${files.cert}.absent`}), /certificate .*absent/],
    ['a missing key', (files: TlsFiles) => ({...files, key: `${files.key}.absent`}), /key .*absent/],
    ['a key for a certificate', (files: TlsFiles) => ({...files, cert: files.key}), /cannot be used/],
    [
      'the key of another certificate',
      (files: TlsFiles) => ({...files, key: tlsFilesOf(selfSigned({commonName: 'x'})).key}),
      /cannot be used/,
    ],
    ['a client CA that is none', (files: TlsFiles) => ({...files, clientCa: files.key}), /cannot be used/],
  ])('%s is refused at the start, with its name and nothing of the key', async (_what, change, message) => {
    const dir = tempDir();
    const files = change(tlsFilesOf(ours, null, dir));
    const failure: unknown = await startServer({tls: files, tokenFile: null}).then(
      () => null,
      (error: unknown) => error,
    );
    if ('clientCa' in files) expect(String(failure)).toMatch(/token file/);
    else expect(String(failure)).toMatch(message);
    expect(isSettingError(failure)).toBe(true);
    for (const line of ours.key.split('\n').slice(1, -2)) expect(String(failure)).not.toContain(line);
  });

  test('are read again for new connections, and a broken one changes nothing', async () => {
    const dir = tempDir();
    const started = await startServer({tls: tlsFilesOf(ours, null, dir)});
    const {server, port} = started;
    const before = await Peer.open(port, '', TRUST);
    const fingerprintOf = async (): Promise<string> => {
      const peer = await Peer.connect(port, {...TRUST, ca: [authority.cert, next.cert]});
      const {fingerprint256} = (peer.socket as TLSSocket).getPeerCertificate();
      await peer.close();
      return fingerprint256;
    };
    const next = new Authority('the next authority');
    const first = await fingerprintOf();
    writeFileSync(join(dir, 'cert.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(server.reload()).toBe(false);
    expect(said(started, 'tls_reload_failed')).toMatchObject([{reason: expect.stringContaining('cert.pem')}]);
    expect(await fingerprintOf()).toBe(first);

    tlsFilesOf(next.issue({commonName: 'server', hosts: HERE}), null, dir);
    expect(server.reload()).toBe(true);
    expect(await fingerprintOf()).not.toBe(first);
    expect(await refusedBy(port, TRUST)).toMatch(/VERIFY|ISSUER/);
    expect(await before.ask(create(1n), getResource(1n))).toMatchObject([{appliedLsn: 1n}, {type: 'resource_found'}]);
    await before.close();
  });

  test('of a certificate that has ended are served, and the log warns', async () => {
    const started = await startServer({
      tls: tlsFilesOf(authority.issue({commonName: 'server', hosts: HERE, ...EXPIRED})),
    });
    expect(said(started, 'tls')).toMatchObject([{isExpired: true, level: 40}]);
    expect(await refusedBy(started.port, TRUST)).toBe('CERT_HAS_EXPIRED');
  });
});
