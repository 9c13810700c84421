/**
 * The comparison as a command, from end to end and as short as it goes: AllocDB's own server and engine beside whatever
 * peers are installed. Nothing is asserted about speed: it runs, every answer is as expected, nothing is left behind.
 */
import {spawn} from 'node:child_process';
import {chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {PEER_NAMES} from '../../src/comparison.ts';
import {absenceText, isInstalled} from '../../src/installed.ts';
import {testDirectory} from '../directory.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ROWS = {redis: /^Redis +64 /m, postgres: /^PostgreSQL batched +64 /m, sqlite: /^SQLite +64 /m};

const NODE_ARGS: readonly string[] = ['--conditions=@allocdb/source', '--import', 'tsx', MAIN];
const SHORT: readonly string[] = ['--seconds', '0.3', '--warm-up', '0.1', '--repeat', '1', '--outstanding', '64'];

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly words: string;
}

async function run(args: readonly string[], path: string = process.env['PATH'] ?? ''): Promise<Ended> {
  const child = spawn(process.execPath, [...NODE_ARGS, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {...process.env, PATH: path},
  });
  const exited = new Promise<number | null>(resolve => child.once('exit', resolve));
  const [out, words] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return {code: await exited, out, words};
}

test('everything that is installed is compared, and nothing is left', async () => {
  const directory = testDirectory();
  onTestFinished(() => directory.remove());
  const json = join(directory.path, 'peers.json');
  const data = testDirectory();
  onTestFinished(() => data.remove());
  const {code, out, words} = await run([...SHORT, '--dir', data.path, '--json', json]);
  const installed = await Promise.all(PEER_NAMES.map(isInstalled));
  if (/is in memory/.test(words)) {
    expect(code).toBe(1);
    return;
  }
  PEER_NAMES.forEach((name, i) => {
    if (installed[i]) expect(out).toMatch(ROWS[name]);
    else expect(out).toContain(`FAILED: ${absenceText(name)}`);
  });
  expect([out, code]).toEqual([out, installed.every(is => is) ? 0 : 1]);
  expect(readdirSync(data.path)).toEqual([]);
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({scenarios: [{name: 'peers'}]});
});

function dataDirectory(): string {
  const data = testDirectory();
  onTestFinished(() => data.remove());
  return data.path;
}

test('a server that does not start costs no other table, and is named, in the JSON too', async () => {
  const [data, bin] = [dataDirectory(), join(dataDirectory(), 'bin')];
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'redis-server'),
    '#!/bin/sh\n[ "$1" = --version ] && echo v=0 && exit 0\necho no, thanks\nexit 1\n',
  );
  chmodSync(join(bin, 'redis-server'), 0o755);
  const json = join(bin, 'peers.json');
  const only = ['--only', 'redis', '--only', 'sqlite', '--dir', data, '--json', json];
  const {code, out, words} = await run([...SHORT, ...only], `${bin}${delimiter}${process.env['PATH']}`);
  expect(code).toBe(1);
  if (/is in memory/.test(words)) return;
  expect(out).toMatch(/FAILED: Redis, 64 outstanding, run 1 of 1: .*redis-server ended: it said\nno, thanks/);
  if (await isInstalled('sqlite')) expect(out).toMatch(ROWS.sqlite);
  const {scenarios} = JSON.parse(readFileSync(json, 'utf8')) as {scenarios: {failures: string[]; tables: object[]}[]};
  expect(scenarios[0]?.tables).toHaveLength(2);
  expect(scenarios[0]?.failures.join()).toContain('Redis, 64 outstanding');
  expect(readdirSync(data)).toEqual([]);
});

test.skipIf(!(await isInstalled('redis')))('an interrupt ends AllocDB too, and leaves nothing', async () => {
  const data = dataDirectory();
  const args = ['--only', 'redis', '--outstanding', '64', '--seconds', '60', '--dir', data];
  const child = spawn(process.execPath, [...NODE_ARGS, ...args], {stdio: 'ignore'});
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
  const isLoaded = (): boolean =>
    readdirSync(data, {recursive: true}).some(name => String(name).endsWith(join('allocdb', 'data', 'LOCK')));
  while (child.exitCode === null && !isLoaded()) await delay(20);
  child.kill('SIGTERM');
  expect(await ended).toBe(1);
  await delay(200);
  expect(readdirSync(data)).toEqual([]);
});
