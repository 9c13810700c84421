import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const BUYERS = 800;

let dir = '';
let map = '';

beforeAll(() => {
  const built = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/onsale'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stdout);
  dir = mkdtempSync(join(tmpdir(), 'onsale-demo-'));
  map = join(dir, 'map.csv');
  const hall = readFileSync(new URL('../data/hall.csv', import.meta.url), 'utf8').split('\n');
  writeFileSync(map, `${hall.slice(0, 1001).join('\n')}\n`);
});
afterAll(() => rmSync(dir, {recursive: true, force: true}));

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly words: string;
}

async function run(args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [main, ...args], {
    env: {...process.env, TMPDIR: dir},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>(resolve => child.once('exit', resolve));
  const [out, words, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return {code, out, words};
}

describe('the demo', () => {
  it('sells a small hall across a kill, finds nothing wrong and leaves nothing behind', async () => {
    const small = ['--seats', map, '--buyers', String(BUYERS), '--clients', '2', '--seed', '3'];
    const {code, out, words} = await run([...small, '--kills', 'unanswered', '--unanswered', '30']);
    expect(words).toBe('');
    expect(out).toMatch(/SIGKILL 1 with requests unanswered: \d+ requests were unanswered/);
    expect(out).toMatch(/seats +\d+ sold \+ \d+ held \+ \d+ free = 1,000/);
    expect(out).toMatch(/\n0 violations\n$/);
    expect(out).not.toContain('FAILED');
    expect(code).toBe(0);
    expect(readdirSync(dir)).toEqual(['map.csv']);
  });

  it('refuses a malformed seat map, naming the line', async () => {
    const file = join(dir, 'bad.csv');
    writeFileSync(file, 'section,row,seat,tier\nA,1,1,x\nA,1,1,x\n');
    const {code, out, words} = await run(['--seats', file]);
    expect([code, out]).toEqual([1, '']);
    expect(words).toBe(`${file}:3: section A, row 1, seat 1 stands in line 2 already\n`);
    rmSync(file);
  });

  it('refuses a missing seat map and a wrong flag', async () => {
    const missing = await run(['--seats', join(dir, 'none.csv')]);
    expect(missing.code).toBe(1);
    expect(missing.words).toContain('none.csv');
    const wrong = await run(['--buyer', '7']);
    expect(wrong.code).toBe(64);
    expect(wrong.words).toContain('usage: npm run demo');
  });
});
