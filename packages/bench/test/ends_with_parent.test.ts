/**
 * Children of a parent that is killed at once: the system ends them where `setpriv` knows how, the echo by itself where it
 * does not. And that a `setpriv` which knows only its name is not believed.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {bindsToParent, endingWithParent, probeSetpriv} from '../src/ends_with_parent.ts';
import {tinyOptions} from './options.ts';

const PARENT = fileURLToPath(new URL('parent_program.ts', import.meta.url));
/** Whoever is not gone by then stays. */
const GONE_MS = 10_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Gone, but for whoever should ask after it.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function isGone(pid: number): Promise<boolean> {
  for (const endMs = Date.now() + GONE_MS; Date.now() < endMs; await delay(20)) if (!isAlive(pid)) return true;
  return false;
}

/** Starts a parent with both servers, kills it when they listen, and answers their process ids. */
async function orphans(path: string): Promise<Record<string, number>> {
  const nodeArgs = ['--conditions=@allocdb/source', '--import', 'tsx', PARENT, tinyOptions().dir];
  const parent = spawn(process.execPath, nodeArgs, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {...process.env, PATH: path},
  });
  const ended = once(parent, 'exit');
  const said = await Promise.race([once(parent.stdout, 'data'), ended.then(() => [])]);
  const pids = JSON.parse(String(said[0])) as Record<string, number>;
  onTestFinished(() => {
    for (const pid of Object.values(pids)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  for (const pid of Object.values(pids)) expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await ended;
  return pids;
}

/** A PATH on which `setpriv` is this script, or nothing. */
function pathWith(script: string | null): string {
  const dir = join(tinyOptions().dir, 'bin');
  mkdirSync(dir);
  symlinkSync(process.execPath, join(dir, 'node'));
  if (script === null) return dir;
  writeFileSync(join(dir, 'setpriv'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, 'setpriv'), 0o755);
  return dir;
}

test.skipIf(!bindsToParent())('servers end with a parent that was killed', async () => {
  const {echo, database} = await orphans(process.env['PATH'] ?? '');
  expect([await isGone(echo ?? 0), await isGone(database ?? 0)]).toEqual([true, true]);
});

test('the echo ends by itself where the system does not end it', async () => {
  const {echo} = await orphans(`${pathWith('exit 1')}${delimiter}${process.env['PATH']}`);
  expect(await isGone(echo ?? 0)).toBe(true);
});

test('a setpriv that is not there, or knows no such option, is not used', () => {
  expect(probeSetpriv(pathWith(null))).toBe(false);
  expect(probeSetpriv(pathWith('echo "unrecognized option" >&2; exit 1'))).toBe(false);
  expect(probeSetpriv(pathWith('shift 2; exec "$@"'))).toBe(true);
});

test('the command is the one that was given, with its arguments last', () => {
  const [program, args] = endingWithParent('some', ['a', 'b'], 'SIGQUIT');
  if (!bindsToParent()) expect([program, args]).toEqual(['some', ['a', 'b']]);
  else expect([program, args]).toEqual(['setpriv', ['--pdeathsig', 'QUIT', 'some', 'a', 'b']]);
});
