/**
 * A backup of real files is verified on a thread of its own, where the package is built; that it is done in turns of the
 * event loop where no thread can be had is what the other tests see, which run from the sources.
 */
import {spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterAll, expect, test} from 'vitest';

const PROGRAM = fileURLToPath(new URL('directory_thread_program.ts', import.meta.url));
const BUILT = fileURLToPath(new URL('../dist/storage/verify_worker.js', import.meta.url));
const TIMEOUT_MS = 240_000;

const root = mkdtempSync(join(tmpdir(), 'allocdb-thread-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

test(
  'a backup is verified on a thread, which ends with the signal',
  () => {
    if (!existsSync(BUILT)) throw new Error('the package is not built: run "pnpm exec tsc -b packages/node"');
    const dirs = ['data', 'first', 'second', 'third'].map(name => join(root, name));
    const {stdout, stderr, status} = spawnSync(process.execPath, ['--import', 'tsx', PROGRAM, ...dirs], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    expect([status, stderr]).toEqual([0, '']);
    const said = JSON.parse(stdout);
    expect(said).toMatchObject({threads: 3, problems: [], givenUp: 'enough', failed: 'not listening'});
    expect(said.lsn).toBe(said.reported);
    expect(BigInt(said.snapshotLsn)).toBe(BigInt(said.lsn) - 12n);
    expect(said.verified.done).toBe(said.verified.total);
    expect(said.left).toEqual(['data', 'first']);
  },
  TIMEOUT_MS,
);
