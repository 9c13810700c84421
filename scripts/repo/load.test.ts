// Reading a real working copy: which files count, and what has changed since which base. Each test makes a small git
// repository in a temporary directory; the last one has no git at all.
import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {loadRepo} from './load.ts';

// A copy without git is a supported one, so these tests need none where there is none.
const hasGit = spawnSync('git', ['--version']).status === 0;
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'check-repo-'));
});

afterEach(() => {
  rmSync(root, {recursive: true, force: true});
});

function write(path: string, text: string | Uint8Array = 'x\n'): void {
  mkdirSync(dirname(join(root, path)), {recursive: true});
  writeFileSync(join(root, path), text);
}

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
  const result = spawnSync('git', [...identity, ...args], {cwd: root, encoding: 'utf8'});
  expect(result.stderr === null ? '' : result.status === 0 ? '' : result.stderr).toBe('');
}

function commit(message: string): void {
  git('add', '-A');
  git('commit', '-q', '-m', message);
}

test.runIf(hasGit)(
  'files are the tracked ones and those that would be added; deleted, ignored and binary ones are not text',
  () => {
    git('init', '-q', '-b', 'main');
    write('.gitignore', 'dist/\n');
    write('gone.ts');
    commit('first');
    rmSync(join(root, 'gone.ts'));
    write('new.ts');
    write('dist/a.js');
    write('golden.bin', new Uint8Array([1, 0, 2]));
    const repo = loadRepo(root);
    expect(repo.files).toEqual(['.gitignore', 'golden.bin', 'new.ts']);
    expect(repo.text('golden.bin')).toBeNull();
    expect(repo.text('new.ts')).toBe('x\n');
    expect(repo.changes.since).toBeNull();
  },
);

test.runIf(hasGit)('changes count from the merge base with origin/main', () => {
  git('init', '-q', '-b', 'main');
  write('a.ts');
  commit('first');
  git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  write('b.ts');
  commit('second');
  write('a.ts', 'y\n');
  write('c.ts');
  expect(loadRepo(root).changes.since).toEqual(['a.ts', 'b.ts', 'c.ts']);
});

test.runIf(hasGit)('without origin/main they count from the last version tag', () => {
  git('init', '-q', '-b', 'main');
  write('a.ts');
  commit('first');
  git('tag', 'v0.1.0');
  git('tag', 'unrelated');
  write('b.ts');
  commit('second');
  expect(loadRepo(root).changes.since).toEqual(['b.ts']);
});

test('an unpacked archive is walked', () => {
  write('a.ts');
  write('packages/core/src/b.ts');
  write('node_modules/c/index.js');
  write('packages/core/dist/b.js');
  const repo = loadRepo(root);
  expect(repo.files).toEqual(['a.ts', 'packages/core/src/b.ts']);
  expect(repo.changes.since).toBeNull();
});
