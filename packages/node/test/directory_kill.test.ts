/**
 * Real processes that are killed in the middle of an operation on real directories: what the source holds stays, what was
 * being written is nothing, or marked as unfinished, or whole.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {cpSync, existsSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {digestOf} from '@allocdb/core';
import {nodeFileIo} from '@allocdb/wal';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {verifyDirectory} from '../src/index.ts';
import {populate, SMALL} from './directory_support.ts';
import {CONFIG, openErrorOf, openOn} from './support.ts';

const PROGRAM = fileURLToPath(new URL('directory_program.ts', import.meta.url));
/** A process takes its time to begin on a busy machine. */
const TIMEOUT_MS = 240_000;

const root = mkdtempSync(join(tmpdir(), 'allocdb-kill-'));
const original = join(root, 'original');
let lsn = 0n;
let digest = 0n;

beforeAll(async () => {
  const engine = openOn(nodeFileIo, {...SMALL, dir: original, config: CONFIG});
  await populate(engine, 11, 200);
  [lsn, digest] = [engine.durableLsn ?? 0n, digestOf(engine.db)];
  engine.closeNow();
});
afterAll(() => rmSync(root, {recursive: true, force: true}));

/** Runs the program until it says a line that begins so, and kills it there; '' for its end. Returns what it said. */
async function run(action: string, dir: string, to: string, killAt: string): Promise<string[]> {
  const nodeArgs = ['--conditions=@allocdb/source', '--import', 'tsx', PROGRAM, action, dir, to, killAt];
  const child = spawn(process.execPath, nodeArgs, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    if (killAt !== '' && parts.some(line => line.startsWith(killAt))) child.kill('SIGKILL');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(killAt === '' ? 0 : null);
  return lines;
}

function copyOf(name: string): string {
  const dir = join(root, name);
  cpSync(original, dir, {recursive: true});
  return dir;
}

function stateOf(dir: string): 'nothing' | 'unfinished' | 'whole' {
  if (!existsSync(dir)) return 'nothing';
  const names = readdirSync(dir).filter(name => name !== 'LOCK');
  if (names.length === 0) return 'nothing';
  if (!names.includes('UNFINISHED')) return 'whole';
  expect(openErrorOf(() => openOn(nodeFileIo, {...SMALL, dir})).code).toBe('unfinished');
  expect(openErrorOf(() => verifyDirectory(dir)).code).toBe('unfinished');
  return 'unfinished';
}

test.each(['copy 0', 'verify', 'done'])(
  'a backup under load, killed at "%s"',
  async killAt => {
    const dir = copyOf(`backup ${killAt}`);
    const to = join(root, `backup of ${killAt}`);
    const lines = await run('backup', dir, to, killAt);
    const acknowledged = lines.filter(line => line.startsWith('acknowledged')).map(line => BigInt(line.slice(13)));
    const source = verifyDirectory(dir);
    expect(source.problems).toEqual([]);
    expect(source.lsn).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? 0n);
    expect(stateOf(to)).toBe(killAt === 'done' ? 'whole' : 'unfinished');
    if (killAt !== 'done') return;
    const said = BigInt(lines.find(line => line.startsWith('done'))?.slice(5) ?? '0');
    expect(said).toBeGreaterThanOrEqual(lsn);
    expect(verifyDirectory(to)).toMatchObject({problems: [], lsn: said});
  },
  TIMEOUT_MS,
);

test.each(['copy', 'verify', ''])(
  'a restore, killed at "%s"',
  async killAt => {
    const to = join(root, `restored ${killAt}`);
    await run('restore', original, to, killAt);
    expect(stateOf(to)).toBe(killAt === '' ? 'whole' : 'unfinished');
    expect(verifyDirectory(original)).toMatchObject({problems: [], lsn, digest});
    if (killAt === '') expect(verifyDirectory(to)).toMatchObject({problems: [], lsn, digest});
  },
  TIMEOUT_MS,
);

test.each(['verify', 'copy', 'done'])(
  'a reconfiguration, killed at "%s"',
  async killAt => {
    const dir = copyOf(`reconfigured ${killAt}`);
    await run('reconfigure', dir, '', killAt);
    const engine = openOn(nodeFileIo, {...SMALL, dir, config: null});
    expect(engine.config.core.maxResources).toBe(killAt === 'done' ? 1000 : 64);
    expect([engine.durableLsn, digestOf(engine.db)]).toEqual([lsn, digest]);
    engine.closeNow();
    expect(verifyDirectory(dir).problems).toEqual([]);
    expect(readdirSync(dir).filter(name => name.startsWith('after'))).toEqual([]);
  },
  TIMEOUT_MS,
);
