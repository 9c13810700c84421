/**
 * The HTTP port by TLS: what is served is what is served without it, by no version that is too old, and with another
 * certificate from one connection to the next.
 */
import {Agent, request} from 'node:https';
import {connect, type TLSSocket} from 'node:tls';
import {afterEach, describe, expect, test} from 'vitest';
import {Authority, HERE, type Issued, selfSigned} from './certificates.ts';
import {until, withDeadline} from './command.ts';
import {type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {RawHttp, requestText} from './http_raw.ts';

afterEach(stopHttp);

const authority = new Authority('the authority of these tests');
const ours = authority.issue({commonName: 'server', hosts: HERE});

interface Secure {
  readonly status: number;
  readonly body: string;
  readonly peer: string;
}

function askSecurely(http: HttpTest, method: string, path: string, body: string, agent: Agent): Promise<Secure> {
  return new Promise((resolve, reject) => {
    const headers = {'content-type': 'application/json', 'content-length': Buffer.byteLength(body)};
    const sent = request({host: '127.0.0.1', port: http.port, method, path, agent, headers}, response => {
      const chunks: Buffer[] = [];
      const peer = String((response.socket as TLSSocket).getPeerCertificate().subject?.CN);
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve({status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), peer});
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const agentOf = (keepAlive: boolean): Agent =>
  new Agent({ca: authority.cert, servername: 'localhost', keepAlive, maxSockets: 1});

function versionOf(http: HttpTest, version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({
      port: http.port,
      host: '127.0.0.1',
      ca: authority.cert,
      servername: 'localhost',
      minVersion: version,
      maxVersion: version,
      // This side's library would not even offer the old one.
      ...(version === 'TLSv1.1' ? {ciphers: 'DEFAULT:@SECLEVEL=0'} : {}),
    });
    socket.once('secureConnect', () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('a port with a certificate', () => {
  test('serves commands and reads, on a connection that is kept', async () => {
    const http = await startHttp({tls: ours});
    const agent = agentOf(true);
    const created = await askSecurely(http, 'POST', '/v1/resources', JSON.stringify({id: id(1)}), agent);
    expect(created.status).toBe(201);
    for (let i = 0; i < 20; i++) {
      const read = await askSecurely(http, 'GET', `/v1/resources/${id(1)}`, '', agent);
      expect(JSON.parse(read.body)).toMatchObject({id: id(1)});
    }
    expect(http.http.connectionCount).toBe(1);
    agent.destroy();
    await until(() => http.http.connectionCount === 0, 'the connection to be gone');
  });

  test('speaks TLS 1.2 and 1.3 and nothing older', async () => {
    const http = await startHttp({tls: ours});
    expect(await versionOf(http, 'TLSv1.3')).toBe('TLSv1.3');
    expect(await versionOf(http, 'TLSv1.2')).toBe('TLSv1.2');
    expect(await versionOf(http, 'TLSv1.1')).toMatch(/PROTOCOL_VERSION/);
    await until(() => http.events.some(({event}) => event === 'tls_handshake_failed'), 'the failure to be logged');
  });

  test('ends a connection without TLS, and goes on', async () => {
    const http = await startHttp({tls: ours});
    const raw = await RawHttp.open(http.port);
    raw.write(requestText('GET /livez'));
    await raw.closed();
    expect(raw.responses).toEqual([]);
    const agent = agentOf(false);
    expect((await askSecurely(http, 'GET', '/livez', '', agent)).status).toBe(200);
  });

  test('takes another one for connections to come', async () => {
    const http = await startHttp({tls: ours});
    const kept = agentOf(true);
    expect((await askSecurely(http, 'GET', '/livez', '', kept)).peer).toBe('server');
    const renewed: Issued = authority.issue({commonName: 'renewed', hosts: HERE});
    http.http.setTls(renewed);
    expect((await askSecurely(http, 'GET', '/livez', '', agentOf(false))).peer).toBe('renewed');
    expect((await askSecurely(http, 'GET', '/livez', '', kept)).peer).toBe('server');
    kept.destroy();
    expect(() => http.http.setTls({cert: renewed.cert, key: selfSigned({commonName: 'x'}).key})).toThrow();
    expect((await askSecurely(http, 'GET', '/livez', '', agentOf(false))).peer).toBe('renewed');
  });

  test('cannot be made of one that is none, nor be given one where there was none', async () => {
    await expect(startHttp({tls: {cert: 'nonsense', key: ours.key}})).rejects.toThrow();
    const http = await startHttp();
    expect(() => http.http.setTls(ours)).toThrow('without TLS');
  });
});

describe('a handshake', () => {
  test('that fails is counted, whatever the log keeps back', async () => {
    const http = await startHttp({tls: ours});
    for (let i = 0; i < 3; i++) {
      const raw = await RawHttp.open(http.port);
      raw.write(requestText('GET /livez'));
      await raw.closed();
    }
    await until(() => http.ends.length === 3, 'three failures to be counted');
    expect(new Set(http.ends)).toEqual(new Set(['tls_handshake']));
  });

  test('that never ends shuts nobody out, however many there are', async () => {
    const http = await startHttp({tls: ours, limits: {maxConnections: 20, headerTimeoutMs: 600_000}});
    const strangers = await Promise.all(Array.from({length: 200}, () => RawHttp.open(http.port)));
    for (let i = 0; i < 5; i++) {
      expect((await askSecurely(http, 'GET', '/v1/resources', '', agentOf(false))).status).toBe(200);
    }
    expect(http.ends).toContain('tls_handshake');
    for (const raw of strangers) raw.destroy();
  });

  test('that never ends is ended, however often a byte of it comes', async () => {
    const http = await startHttp({tls: ours, limits: {headerTimeoutMs: 300, requestTimeoutMs: 300}});
    const raw = await RawHttp.open(http.port);
    raw.write('\x16\x03\x01\x02\x00\x01\x00\x01\x00\x03\x03');
    const drip = setInterval(() => raw.write('\x00'), 5);
    try {
      await raw.closed();
    } finally {
      clearInterval(drip);
    }
    const failed = http.events.find(({event}) => event === 'tls_handshake_failed');
    expect(failed).toMatchObject({reason: 'timeout'});
  });
});

test('a handshake that does not go on keeps the port from stopping no longer than from anything else', async () => {
  const http = await startHttp({tls: ours, limits: {headerTimeoutMs: 600_000, requestTimeoutMs: 600_000}});
  const silent = await RawHttp.open(http.port);
  await withDeadline(http.http.stop(1000), 'the port to stop');
  await silent.closed();
  expect(http.ends).toEqual([]);
});
