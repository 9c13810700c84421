/**
 * A server as a process: what signals do to it, what becomes of it when something was thrown that nobody has caught, and
 * that everything it logs in a life is in the closed set of events, at its level.
 */
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {configOfLimits, configToJson} from '@allocdb/node';
import {afterEach, describe, expect, test, vi} from 'vitest';
import {LOG_EVENTS, LOG_LEVELS} from '../src/ops/log_events.ts';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, type LogEvent, runCommand, ServeProcess, startProgram, tempDir, tempFile, until} from './command.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS, repeated} from './requests.ts';

const HTTP = ['--http', '127.0.0.1:0'];
const MAIN = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

afterEach(async () => {
  vi.unstubAllEnvs();
  await cleanUp();
});

function configFile(): string {
  const limits = {maxResources: 100_000, maxReservations: 1000, maxOperations: 200_000, maxTtlSlots: 10_000};
  return tempFile('config.json', JSON.stringify(configToJson(configOfLimits(limits, 100))));
}

function serve(...flags: string[]): Promise<ServeProcess> {
  return ServeProcess.start(tempDir(), '--config', configFile(), ...HTTP, ...flags);
}

/** The level of each event as pino writes it. */
const LEVEL_NUMBERS = {debug: 20, info: 30, warn: 40, error: 50, fatal: 60} as const;

function expectKnown(events: readonly LogEvent[]): void {
  for (const {event, level} of events) {
    const levels = LOG_LEVELS.filter(each => LOG_EVENTS[each].some(name => name === event));
    expect(
      levels.map(each => LEVEL_NUMBERS[each]),
      event,
    ).toContain(level);
  }
}

test('everything that is logged in a life is in the closed set, at its level', async () => {
  vi.stubEnv('ALLOCDB_MAX_CONECTIONS', '5');
  const tokens = new TokenFile({name: 'worker', role: 'write'});
  const {token: first} = {token: tokens.tokenOf('worker')};
  const flags = ['--token-file', tokens.path, '--checkpoint-every-mib', '1', '--log-level', 'debug'];
  const server = await serve(...flags);
  await (await Peer.open(server.port, 'wrong').catch(() => null))?.close();
  const peer = await Peer.open(server.port, first);
  for (let from = 1n; from < 40_000n; from += 4000n) await peer.ask(createMany(from, 4000));
  await server.logged('checkpoint_finished');
  writeFileSync(tokens.path, 'no token file');
  process.kill(server.pid, 'SIGHUP');
  await server.logged('access_reload_failed');
  tokens.write({name: 'worker', role: 'read'});
  process.kill(server.pid, 'SIGHUP');
  await server.logged('access_reloaded');
  expect(await server.signal('SIGTERM')).toEqual({code: 0, signal: null});
  expectKnown(server.events);
  expect(new Set(server.events.map(({event}) => event))).toEqual(
    new Set([
      'environment_ignored',
      'opening',
      'access',
      'listening',
      'config',
      'connection_ended',
      'checkpoint_started',
      'checkpoint_finished',
      'access_reload_failed',
      'access_reloaded',
      'reload_finished',
      'stopping',
      'stopped',
    ]),
  );
  const text = JSON.stringify(server.events);
  for (const secret of tokens.secrets()) expect(text).not.toContain(secret);
  expect(server.events.find(({event}) => event === 'environment_ignored')).toMatchObject({
    variable: 'ALLOCDB_MAX_CONECTIONS',
    nearest: 'ALLOCDB_MAX_CONNECTIONS',
  });
});

describe('settings', () => {
  test('of the environment and of a file hold, and the level of the log with them', async () => {
    vi.stubEnv('ALLOCDB_SETTINGS', tempFile('settings.json', '{"max_connections": 1, "log_level": "debug"}'));
    vi.stubEnv('ALLOCDB_LOG_LEVEL', 'warn');
    const child = await ServeProcess.start(tempDir(), '--config', configFile(), ...HTTP, '--log-level', 'info');
    const [one, two] = [await Peer.open(child.port), await Peer.connect(child.port)];
    expect((await two.error()).text).toContain('at most 1 ');
    await one.close();
  });

  test('are printed with their sources, and nothing is started or created', async () => {
    vi.stubEnv('ALLOCDB_DRAIN', '9s');
    vi.stubEnv('ALLOCDB_TRUST_CLIENT_SLOTS', 'true');
    const dir = join(tempDir(), 'data');
    const flags = ['--print-config', '--json', '--max-batch', '7', '--no-trust-client-slots'];
    const {code, stdout, stderr} = await runCommand(['serve', dir, ...flags]);
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      settings: {
        drain: {value: '9s', source: 'env'},
        max_batch: {value: '7', source: 'flag'},
        trust_client_slots: {value: 'false', source: 'flag'},
        listen: {value: '127.0.0.1:7433', source: 'default'},
      },
    });
    expect(existsSync(dir)).toBe(false);
  });

  test('that would let everybody in from elsewhere start nothing', async () => {
    const dir = join(tempDir(), 'data');
    const {code, stderr} = await runCommand(['serve', dir, '--listen', '0.0.0.0:0', '--http', 'off']);
    expect([code, stderr]).toEqual([64, expect.stringContaining('--token-file')]);
    expect(existsSync(dir)).toBe(false);
  });
});

describe('SIGHUP', () => {
  test('lets in who is in the token file now, and keeps to the old one when the new one is wrong', async () => {
    const tokens = new TokenFile({name: 'one', role: 'write'});
    const server = await serve('--token-file', tokens.path);
    tokens.write({name: 'one', role: 'write'}, {name: 'two', role: 'read'});
    await expect(Peer.open(server.port, tokens.tokenOf('two'))).rejects.toThrow();
    process.kill(server.pid, 'SIGHUP');
    expect(await server.logged('reload_finished')).toMatchObject({level: 30, ok: true});
    await (await Peer.open(server.port, tokens.tokenOf('two'))).close();
    writeFileSync(tokens.path, 'one write sha256:short');
    process.kill(server.pid, 'SIGHUP');
    const failed = await until(() => server.events.find(({ok}) => ok === false), 'the reload to fail');
    expect(failed).toMatchObject({event: 'reload_finished', level: 50});
    await (await Peer.open(server.port, tokens.tokenOf('one'))).close();
    expect(await server.signal('SIGTERM')).toEqual({code: 0, signal: null});
  });
});

describe('a signal to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s, and again while connections end: at once, with 1', async signal => {
    const server = await serve('--drain', '1h', '--slow-consumer', '1h');
    const greedy = await Peer.open(server.port);
    greedy.socket.pause();
    greedy.socket.write(repeated(GET_METRICS, 200_000));
    const other = await Peer.open(server.port);
    await other.ask(create(1n));
    process.kill(server.pid, signal);
    await server.logged('stopping');
    expect((await other.error()).text).toContain('shutting down');
    expect(await server.signal(signal)).toEqual({code: 1, signal: null});
    expect(server.events.some(({event}) => event === 'stopped')).toBe(false);
    await Promise.all([greedy.close(), other.close()]);
  });
});

describe('what nobody has caught', () => {
  test.each([
    [
      'an exception',
      "setImmediate(() => { throw Object.assign(new Error('planted'), {code: 'EPLANTED'}); })",
      'EPLANTED',
    ],
    ['a rejection', "Promise.reject(new Error('planted'))", 'internal'],
  ])('%s: one fatal line, and exit 1', async (_what, fault, code) => {
    const preload = tempFile('fault.mjs', `process.once('SIGUSR2', () => { ${fault}; });\n`);
    const dir = tempDir();
    const flags = ['serve', dir, '--listen', '127.0.0.1:0', ...HTTP, '--config', configFile()];
    const child = startProgram(['--import', preload, MAIN, ...flags]);
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    const ended = new Promise(resolve => child.once('close', resolve));
    await until(() => text.includes('"listening"'), 'the server to listen');
    child.kill('SIGUSR2');
    expect(await ended).toBe(1);
    const events = text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as LogEvent);
    expect(events.at(-1)).toMatchObject({event: 'fatal', level: 60, code, reason: expect.stringContaining('planted')});
    expectKnown(events);
    // As after a crash: nothing that was answered is lost, and nothing is in the way of the next start.
    const again = await ServeProcess.start(dir, ...HTTP);
    expect(await again.signal('SIGTERM')).toEqual({code: 0, signal: null});
  });
});
