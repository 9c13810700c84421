/**
 * Settings: what each text means, which source goes before which, what is refused and how it is said. The table is data, so
 * most of these hold for every setting there is and every one to come.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {DEFAULT_CHECKPOINT} from '@allocdb/node';
import {DEFAULT_CONNECTION_LIMITS} from '@allocdb/server';
import {InvalidArgumentError} from 'commander';
import fc from 'fast-check';
import {afterAll, describe, expect, test} from 'vitest';
import {CommandFailure, EXIT} from '../src/exit.ts';
import {flagOf, keyOf, SETTING_NAMES, SETTINGS, type SettingName, variableOf} from '../src/settings.ts';
import {checkTogether} from '../src/settings_checks.ts';
import {distanceOf, nearestTo} from '../src/settings_nearest.ts';
import {settingsJson, settingsText} from '../src/settings_print.ts';
import {collectSettings, type EffectiveSettings, type SettingTexts} from '../src/settings_sources.ts';

const DIR = mkdtempSync(join(tmpdir(), 'allocdb-settings-'));
afterAll(() => rmSync(DIR, {recursive: true, force: true}));

let files = 0;

function fileWith(content: unknown): string {
  const file = join(DIR, `settings_${++files}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

/** A text for each setting, other than its default and than those of the other sources. */
const SAID: Readonly<Record<SettingName, readonly [file: string, env: string, flag: string]>> = {
  listen: ['127.0.0.1:1', '[::1]:2', 'localhost:3'],
  http: ['off', '127.0.0.1:5', '[::1]:0'],
  maxConnections: ['1', '2', '3'],
  maxConnectionsPerClient: ['1', '2', '3'],
  idleTimeout: ['500ms', '2h', '1d'],
  slowConsumer: ['1s', '2m', '3ms'],
  maxFrame: ['4096', '64KiB', '2MiB'],
  maxBatch: ['1', '65535', '7'],
  httpMaxBody: ['1KiB', '2MiB', '64MiB'],
  tokenFile: ['./a', '/b', 'c d'],
  anonymousRole: ['read', 'write', 'none'],
  tlsCert: ['./a', '/b', 'c d'],
  tlsKey: ['./a', '/b', 'c d'],
  tlsClientCa: ['./a', '/b', 'c d'],
  httpTls: ['on', 'off', 'on'],
  config: ['./a', '/b', 'c d'],
  slotMs: ['1', '2', '3600000'],
  trustClientSlots: ['true', 'false', 'true'],
  checkpointEveryMib: ['1', '2', '3'],
  checkpointMibPerSecond: ['1', '2', '3'],
  retainLogMib: ['0', '2', '3'],
  backupDir: ['./a', '/b', 'c d'],
  logLevel: ['debug', 'warn', 'fatal'],
  logFormat: ['json', 'pretty', 'json'],
  drain: ['1s', '2m', '3h'],
};

function failureOf(action: () => unknown): CommandFailure {
  try {
    action();
  } catch (error) {
    if (error instanceof CommandFailure) return error;
    throw error;
  }
  return expect.unreachable('it was accepted');
}

describe('names', () => {
  test('of one setting are one word in three spellings', () => {
    expect(flagOf('maxConnectionsPerClient')).toBe('--max-connections-per-client');
    expect(variableOf('maxConnectionsPerClient')).toBe('ALLOCDB_MAX_CONNECTIONS_PER_CLIENT');
    expect(keyOf('maxConnectionsPerClient')).toBe('max_connections_per_client');
  });

  test('are different, and there is help for each', () => {
    expect(new Set(SETTING_NAMES.map(variableOf)).size).toBe(SETTING_NAMES.length);
    for (const name of SETTING_NAMES) expect(SETTINGS[name].help, name).toMatch(/^\S.{10,}[^.]$/);
  });
});

describe('every setting', () => {
  test.each(SETTING_NAMES)('%s: flag before environment before file before default', name => {
    const [fileText, envText, flagText] = SAID[name];
    const file = fileWith({[keyOf(name)]: fileText});
    const env = {[variableOf(name)]: envText};
    const origins = [
      collectSettings({}, undefined, {}),
      collectSettings({}, file, {}),
      collectSettings({}, file, env),
      collectSettings({[name]: flagText}, file, env),
    ].map(({origins: {[name]: origin}}) => origin);
    expect(origins).toEqual([
      {text: SETTINGS[name].default, source: 'default'},
      {text: fileText, source: 'file'},
      {text: envText, source: 'env'},
      {text: flagText, source: 'flag'},
    ]);
    const {values} = collectSettings({[name]: flagText}, file, env);
    expect(values[name]).toEqual(SETTINGS[name].parse(flagText));
  });

  test.each(SETTING_NAMES)('%s: what cannot be read is refused by the name it has there', name => {
    // A path cannot have a zero byte; nothing else can have one either.
    const bad = '\0';
    expect(() => SETTINGS[name].parse(bad)).toThrow(InvalidArgumentError);
    const inFile = failureOf(() => collectSettings({}, fileWith({[keyOf(name)]: bad}), {}));
    expect([inFile.exitCode, inFile.message]).toEqual([EXIT.FAILURE, expect.stringContaining(keyOf(name))]);
    const inEnv = failureOf(() => collectSettings({}, undefined, {[variableOf(name)]: bad}));
    expect([inEnv.exitCode, inEnv.message]).toEqual([EXIT.USAGE, expect.stringContaining(variableOf(name))]);
  });
});

describe('defaults', () => {
  const {values} = collectSettings({}, undefined, {});

  test('are those of the library', () => {
    expect(values).toMatchObject({
      maxFrame: DEFAULT_CONNECTION_LIMITS.maxFrameBytes,
      maxBatch: DEFAULT_CONNECTION_LIMITS.maxBatch,
      slowConsumer: DEFAULT_CONNECTION_LIMITS.slowConsumerMs,
      idleTimeout: DEFAULT_CONNECTION_LIMITS.idleMs,
      checkpointEveryMib: DEFAULT_CHECKPOINT.everyLogBytes / 2 ** 20,
      checkpointMibPerSecond: DEFAULT_CHECKPOINT.bytesPerSecond / 2 ** 20,
    });
  });

  test('go together, and let nobody in from elsewhere', () => {
    checkTogether(values);
    expect([values.listen, values.http]).toEqual([
      {host: '127.0.0.1', port: 7433},
      {host: '127.0.0.1', port: 7480},
    ]);
  });
});

describe('texts', () => {
  const read = (name: SettingName, text: string): unknown =>
    collectSettings({[name]: text}, undefined, {}).values[name];

  test.each([
    ['drain', '1500ms', 1500],
    ['drain', '2m', 120_000],
    ['maxFrame', '64KiB', 65_536],
    ['maxFrame', '5000', 5000],
    ['http', 'off', null],
    ['http', '[::]:80', {host: '::', port: 80}],
    ['httpTls', 'off', false],
    ['trustClientSlots', 'true', true],
    ['anonymousRole', 'none', 'none'],
  ] as const)('%s %s', (name, text, value) => {
    expect(read(name, text)).toEqual(value);
  });

  test.each([
    ['drain', '5'],
    ['drain', '0s'],
    ['drain', '25d'],
    ['maxFrame', '1mb'],
    ['maxFrame', '4095'],
    ['maxFrame', '65MiB'],
    ['maxConnections', '1e3'],
    ['maxConnections', '0'],
    ['http', 'on'],
    ['listen', 'off'],
    ['anonymousRole', 'admin'],
    ['trustClientSlots', 'yes'],
    ['logLevel', 'INFO'],
  ] as const)('%s %s is refused', (name, text) => {
    expect(() => SETTINGS[name].parse(text)).toThrow(InvalidArgumentError);
  });

  test('a token where its file belongs is refused and not repeated', () => {
    const token = `allocdb_${'x'.repeat(43)}`;
    const failure = failureOf(() => collectSettings({}, undefined, {ALLOCDB_TOKEN_FILE: token}));
    expect(failure.message).toContain('ALLOCDB_TOKEN_FILE');
    expect(failure.message).not.toContain(token);
  });
});

describe('the settings file', () => {
  test('takes strings, numbers and switches; null is not set', () => {
    const file = fileWith({max_connections: 7, trust_client_slots: true, http_tls: false, drain: '1s', config: null});
    const {values, origins} = collectSettings({}, file, {});
    expect(values).toMatchObject({
      maxConnections: 7,
      trustClientSlots: true,
      httpTls: false,
      drain: 1000,
      config: null,
    });
    expect(origins.config.source).toBe('default');
  });

  test('is named by a flag, or else by a variable', () => {
    const [one, other] = [fileWith({drain: '1s'}), fileWith({drain: '2s'})];
    expect(collectSettings({}, one, {ALLOCDB_SETTINGS: other})).toMatchObject({file: one, values: {drain: 1000}});
    expect(collectSettings({}, undefined, {ALLOCDB_SETTINGS: other})).toMatchObject({file: other});
    expect(collectSettings({}, undefined, {ALLOCDB_SETTINGS: ''}).file).toBeNull();
  });

  test('every unknown key is an error that names the nearest one', () => {
    const file = fileWith({max_conections: 5, slotms: 1, listen: '127.0.0.1:0', frobnicate: 1, 'max-frame': 1});
    const {exitCode, message} = failureOf(() => collectSettings({}, file, {}));
    expect(exitCode).toBe(EXIT.FAILURE);
    expect(message).toContain(file);
    expect(message).toContain('max_conections: there is no such setting; the nearest is max_connections');
    expect(message).toContain('slotms: there is no such setting; the nearest is slot_ms');
    expect(message).toContain('max-frame: there is no such setting; the nearest is max_frame');
    expect(message).toMatch(/frobnicate: there is no such setting$/m);
    expect(message).not.toContain('listen:');
  });

  test('every value that cannot be used is said at once', () => {
    const {message} = failureOf(() => collectSettings({}, fileWith({drain: '5', max_batch: 0, http: 'x'}), {}));
    for (const key of ['drain', 'max_batch', 'http']) expect(message).toMatch(new RegExp(`^ {2}${key} must be`, 'm'));
    expect(failureOf(() => collectSettings({}, fileWith({drain: ['5s']}), {})).message).toContain('drain: must be a');
  });

  test.each([
    ['not JSON', '{"drain":', 'not JSON'],
    ['an array', '[]', 'one object'],
    ['a string', '"x"', 'one object'],
  ])('%s', (_what, content, said) => {
    expect(failureOf(() => collectSettings({}, fileWith(content), {})).message).toContain(said);
  });

  test('that is not there', () => {
    const {exitCode, message} = failureOf(() => collectSettings({}, join(DIR, 'absent.json'), {}));
    expect([exitCode, message]).toEqual([EXIT.FAILURE, expect.stringContaining('absent.json')]);
  });
});

describe('the environment', () => {
  test('an empty variable is not set', () => {
    expect(collectSettings({}, undefined, {ALLOCDB_DRAIN: ''}).origins.drain.source).toBe('default');
  });

  test('every variable that cannot be used is said at once', () => {
    const {message} = failureOf(() => collectSettings({}, undefined, {ALLOCDB_DRAIN: '5', ALLOCDB_MAX_BATCH: '0'}));
    expect(message.split('\n')).toHaveLength(2);
  });

  test('what looks like a setting and is none is told, but not what belongs to others', () => {
    const {ignored} = collectSettings({}, undefined, {
      ALLOCDB_MAX_CONECTIONS: '5',
      ALLOCDB_URL: 'x',
      ALLOCDB_TOKEN: 'secret',
      ALLOCDB_PORT: 'tcp://10.0.0.1:7433',
      ALLOCDB_PORT_7433_TCP: 'x',
      ALLOCDB_SERVICE_HOST: 'x',
      ALLOCDB_XYZZY: '1',
      PATH: 'x',
    });
    expect(ignored).toEqual([
      {variable: 'ALLOCDB_MAX_CONECTIONS', nearest: 'ALLOCDB_MAX_CONNECTIONS'},
      {variable: 'ALLOCDB_XYZZY', nearest: null},
    ]);
  });
});

describe('together', () => {
  const check = (texts: SettingTexts): string => {
    const {values} = collectSettings(texts, undefined, {});
    const failure = failureOf(() => checkTogether(values));
    expect(failure.exitCode).toBe(EXIT.USAGE);
    return failure.message;
  };
  const isFine = (texts: SettingTexts): void => checkTogether(collectSettings(texts, undefined, {}).values);

  test.each(['0.0.0.0:7433', '[::]:7433', '192.0.2.1:7433', 'db.example:7433'])(
    '%s is not listened on before somebody says who is let in',
    address => {
      expect(check({listen: address})).toContain(`${address} can be reached from other machines`);
      expect(check({http: address, listen: '127.0.0.1:0'})).toContain(address);
      isFine({listen: address, http: address.replace('7433', '1'), tokenFile: 'tokens'});
      isFine({listen: address, anonymousRole: 'read'});
      isFine({listen: address, anonymousRole: 'none'});
    },
  );

  test.each(['127.0.0.1:0', '127.9.9.9:1', 'localhost:1', '[::1]:1'])('%s is', address => {
    isFine({listen: address, http: 'off'});
    isFine({http: address});
  });

  test('what belongs together, and what excludes the other', () => {
    const all = check({tlsKey: 'k', tlsClientCa: 'c', httpTls: 'on', listen: '127.0.0.1:7480'});
    expect(all.split('\n')).toEqual([
      '--tls-key needs --tls-cert',
      '--tls-client-ca needs --tls-cert and --tls-key',
      '--tls-client-ca needs --token-file, where a line cert:<common name> says what a certificate may do',
      '--http-tls on needs --tls-cert and --tls-key',
      '--listen and --http are both 127.0.0.1:7480',
    ]);
    expect(check({tlsCert: 'c'})).toBe('--tls-cert needs --tls-key');
    expect(check({tokenFile: 't', anonymousRole: 'read'})).toContain('exclude each other');
    isFine({tokenFile: 't', anonymousRole: 'none', tlsCert: 'c', tlsKey: 'k', tlsClientCa: 'a', httpTls: 'on'});
    isFine({listen: '127.0.0.1:0', http: '127.0.0.1:0'});
  });
});

describe('what is printed', () => {
  const {file, ...some}: EffectiveSettings = collectSettings({drain: '9s'}, undefined, {ALLOCDB_HTTP: 'off'});

  test('is every setting with its value and source', () => {
    const lines = settingsText({file, ...some}).split('\n');
    expect(lines).toHaveLength(SETTING_NAMES.length);
    expect(lines).toContainEqual(expect.stringMatching(/^drain = 9s +# flag$/));
    expect(lines).toContainEqual(expect.stringMatching(/^http = off +# env$/));
    expect(lines).toContainEqual(expect.stringMatching(/^token_file = \(none\) +# default$/));
  });

  test('is a settings file with the same meaning', () => {
    const texts = fc.record(
      Object.fromEntries(SETTING_NAMES.map(name => [name, fc.constantFrom(...SAID[name])])) as Record<
        SettingName,
        fc.Arbitrary<string>
      >,
      {requiredKeys: []},
    );
    fc.assert(
      fc.property(texts, given => {
        const first = collectSettings(given as SettingTexts, undefined, {});
        const {settings} = settingsJson(first) as {settings: Record<string, {value: string | null}>};
        const content = Object.fromEntries(Object.entries(settings).map(([key, {value}]) => [key, value]));
        expect(collectSettings({}, fileWith(content), {}).values).toEqual(first.values);
      }),
      {numRuns: 30},
    );
  });
});

test('the nearest name is that with the fewest changes, and none when nothing is near', () => {
  expect(nearestTo('listne', ['listen', 'drain'])).toBe('listen');
  expect(nearestTo('zzzzzz', ['listen', 'drain'])).toBeNull();
  fc.assert(
    fc.property(fc.string({maxLength: 12}), fc.string({maxLength: 12}), fc.string({maxLength: 12}), (a, b, c) => {
      expect(distanceOf(a, a)).toBe(0);
      expect(distanceOf(a, b)).toBe(distanceOf(b, a));
      expect(distanceOf(a, c)).toBeLessThanOrEqual(distanceOf(a, b) + distanceOf(b, c));
      expect(distanceOf(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
    }),
  );
});
