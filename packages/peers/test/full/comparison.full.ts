/**
 * The comparison as a command, from end to end and as short as it goes: AllocDB's own server and engine beside whatever
 * peers are installed. Nothing is asserted about speed: it runs, every answer is as expected, nothing is left behind.
 */
import {spawn} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {PEER_NAMES} from '../../src/comparison.ts';
import {absenceText, isInstalled} from '../../src/installed.ts';
import {testDirectory} from '../directory.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ROWS = {redis: /^Redis +64 /m, postgres: /^PostgreSQL batched +64 /m, sqlite: /^SQLite +64 /m};

async function run(args: readonly string[]): Promise<{code: number | null; out: string; words: string}> {
  const child = spawn(process.execPath, ['--conditions=@allocdb/source', '--import', 'tsx', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
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
  const short = ['--seconds', '0.3', '--warm-up', '0.1', '--repeat', '1', '--outstanding', '64'];
  const {code, out, words} = await run([...short, '--dir', data.path, '--json', json]);
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
