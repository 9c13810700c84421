/**
 * What is said of peers that are not there, how the installer's failure is seen, and that PostgreSQL's programs are taken
 * from one installation.
 */
import {chmodSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {absenceText, installPeers} from '../src/installed.ts';
import {findPostgres} from '../src/postgres/postgres_server.ts';
import {testDirectory} from './directory.ts';

/** A directory with these programs, each of which exits with a status. */
function directoryWith(name: string, programs: Readonly<Record<string, number>>): string {
  const {path, remove} = testDirectory();
  onTestFinished(remove);
  const dir = join(path, name);
  mkdirSync(dir);
  for (const [program, status] of Object.entries(programs)) {
    writeFileSync(join(dir, program), `#!/bin/sh\nexit ${status}\n`);
    chmodSync(join(dir, program), 0o755);
  }
  return dir;
}

test('what is absent is named with the command that installs it', () => {
  for (const name of ['redis', 'postgres', 'sqlite'] as const) {
    expect(absenceText(name)).toMatch(
      /is not installed: `pnpm bench:peers --install`, or .*install_peers\.sh, does it$/,
    );
  }
  const root = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(root.scripts['bench:peers']).not.toContain('install');
});

test('an installer that fails, or is not there, is a failure of the run', () => {
  const dir = directoryWith('scripts', {good: 0, bad: 3});
  expect(installPeers(join(dir, 'good'))).toEqual([]);
  expect(installPeers(join(dir, 'bad'))).toEqual([expect.stringMatching(/^--install: .* ended with 3/)]);
  expect(installPeers(join(dir, 'nowhere'))).toEqual([expect.stringContaining('ENOENT')]);
});

test('the programs of PostgreSQL are of one directory', () => {
  const client = directoryWith('client', {postgres: 0});
  const tools = directoryWith('tools', {initdb: 0});
  const server = directoryWith('server', {postgres: 0, initdb: 0});
  expect(findPostgres([])).toBeNull();
  expect(findPostgres([client, tools])).toBeNull();
  expect(findPostgres([client, tools, server])).toEqual({
    postgres: join(server, 'postgres'),
    initdb: join(server, 'initdb'),
  });
});
