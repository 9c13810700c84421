/**
 * `init` and `token`: what they make, what they say about it, and what they refuse.
 */
import {existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {configToJson, parseConfig} from '@allocdb/node';
import {defaultConfig} from '@allocdb/server';
import {afterAll, describe, expect, test} from 'vitest';
import {cleanUp, objectOf, run, Server, tempDir, tempFile} from './command.ts';
import {runHere} from './in_process.ts';

afterAll(cleanUp);

describe('init', () => {
  test('makes a directory of these sizes, says what they mean, and a server takes it', async () => {
    const dir = join(tempDir(), 'data');
    const sizes = ['--max-resources', '5000', '--max-reservations', '600', '--max-operations', '7000'];
    const more = ['--max-bundle-size', '8', '--max-hold', '20m', '--remember', '30s', '--shard', '3'];
    const {code, stdout, stderr} = await runHere(['init', dir, ...sizes, ...more, '--slot-ms', '3600000']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')).toEqual([
      `initialized  dir=${JSON.stringify(dir)} slotMs=3600000 lsn=0`,
      '  capacity: 5,000 resources, 600 reservations, bundles to 8, holds to 3600 s',
      expect.stringMatching(/^ {2}retries: an operation is remembered for 3600 s; 7,000 of them /),
      expect.stringMatching(/^ {2}memory: tables take \d+ MiB/),
      '',
    ]);
    const server = await Server.start(dir);
    expect(await runHere(['get', 'name:a', '--json', ...server.flags])).toMatchObject({code: 2});
    await server.kill();
    expect((await run(['verify', dir])).code).toBe(0);
  });

  test('with --json: the whole configuration, as a file takes it', async () => {
    const dir = join(tempDir(), 'data');
    const config = JSON.stringify(configToJson(defaultConfig(100)));
    const {code, stdout} = await runHere(['init', dir, '--config', tempFile('config.json', config), '--json']);
    const answer = objectOf(stdout);
    expect([code, answer['result'], answer['lsn'], answer['slotMs']]).toEqual([0, 'initialized', '0', 100]);
    expect(parseConfig(JSON.stringify(answer['config']))).toEqual(defaultConfig(100));
    expect(answer['memoryBytes']).toBeGreaterThan(100 << 20);
    expect(answer['means']).toHaveLength(3);
  });

  test('an empty directory is taken; one that holds anything is refused and left alone', async () => {
    const dir = tempDir();
    const small = ['--max-resources', '10', '--max-reservations', '10', '--max-operations', '10'];
    expect((await runHere(['init', dir, ...small])).code).toBe(0);
    const before = readdirSync(dir, {recursive: true});
    expect(await runHere(['init', dir, ...small])).toEqual({
      code: 1,
      stdout: '',
      stderr: `allocdb: not_empty: ${dir} holds a database already; nothing was changed\n`,
    });
    expect(readdirSync(dir, {recursive: true})).toEqual(before);
    const other = tempDir();
    mkdirSync(join(other, 'thesis'));
    expect(await runHere(['init', other, ...small])).toEqual({
      code: 1,
      stdout: '',
      stderr: `allocdb: not_empty: ${other} is not empty: thesis; nothing was changed\n`,
    });
    expect(readdirSync(other)).toEqual(['thesis']);
  });

  test('sizes that cannot be are refused, all at once, and nothing is made', async () => {
    const dir = join(tempDir(), 'data');
    const sizes = ['--max-resources', '10', '--max-bundle-size', '11', '--max-operations', '4294967295'];
    const {code, stdout, stderr} = await runHere(['init', dir, ...sizes]);
    expect([code, stdout, existsSync(dir)]).toEqual([1, '', false]);
    expect(stderr).toContain('core.max_bundle_size');
    expect(stderr).toContain('core.max_operations');
  });

  test('a place where nothing can be made', async () => {
    const file = tempFile('file', '');
    const {code, stderr} = await runHere([
      'init',
      join(file, 'data'),
      '--max-resources',
      '10',
      '--max-operations',
      '10',
    ]);
    expect([code, stderr.includes(file), stderr.includes('    at ')]).toEqual([1, true, false]);
  });
});

describe('token', () => {
  test('the token goes to stdout, the line for the file to stderr, and no two are alike', async () => {
    const first = await runHere(['token', 'shop', '--role', 'write', '--rate', '50', '--expires', '90d']);
    expect([first.code, first.stdout]).toEqual([0, expect.stringMatching(/^allocdb_[\w-]{43}\n$/)]);
    const line = /^shop write sha256:[0-9a-f]{64} rate=50 expires=(\d{4}-\d\d-\d\dT[\d:.]+Z)\n$/.exec(first.stderr);
    const days = (Date.parse(String(line?.[1])) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89);
    expect(days).toBeLessThanOrEqual(90);
    const second = await runHere(['token', 'shop', '--role', 'write']);
    expect(second.stderr).toMatch(/^shop write sha256:[0-9a-f]{64}\n$/);
    expect(second.stdout).not.toBe(first.stdout);
  });

  test('with --json: both in one object', async () => {
    const {code, stdout, stderr} = await runHere(['token', 'ci.bot', '--role', 'operate', '--json']);
    expect([code, stderr, objectOf(stdout)]).toEqual([
      0,
      '',
      {
        name: 'ci.bot',
        role: 'operate',
        token: expect.stringMatching(/^allocdb_/),
        line: expect.stringMatching(/^ci\.bot operate sha256:[0-9a-f]{64}$/),
      },
    ]);
  });

  test('a moment that no file takes', async () => {
    const {code, stderr} = await runHere(['token', 'shop', '--role', 'read', '--expires', '99999999d']);
    expect([code, stderr]).toEqual([64, 'allocdb: --expires is too far away\n']);
  });
});

test('a configuration that cannot be read is named', async () => {
  const file = tempFile('config.json', '{');
  const dir = join(tempDir(), 'data');
  const {code, stderr} = await runHere(['init', dir, '--config', file]);
  expect([code, stderr.includes(file), existsSync(dir)]).toEqual([1, true, false]);
  writeFileSync(file, '{}');
  const json = await runHere(['init', dir, '--config', file, '--json']);
  expect([json.code, objectOf(json.stderr)]).toMatchObject([1, {error: {code: 'invalid_config'}}]);
});
