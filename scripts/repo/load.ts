// Reads the repository for the rules: the files git knows plus those it would add, and what changed since the base.
// The base is the merge base with origin/main or, where there is no such ref, the last version tag. A copy without
// git (an unpacked archive) is walked instead, and has no base.
import {spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {createRepo, type Repo} from './model.ts';

const NOT_SOURCE = new Set(['.git', 'node_modules', 'dist', '.tsbuild', '.turbo', 'coverage', 'data']);

export function loadRepo(root: string): Repo {
  const listed = git(root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  const paths = (listed === null ? walk(root, '') : split(listed)).filter(path => isFile(join(root, path)));
  return createRepo([...new Set(paths)], path => readText(join(root, path)), {since: changedPaths(root)});
}

function changedPaths(root: string): string[] | null {
  const base = findBase(root);
  if (base === null) return null;
  const edited = git(root, 'diff', '--name-only', '-z', base);
  const added = git(root, 'ls-files', '-z', '--others', '--exclude-standard');
  return edited === null || added === null ? null : [...split(edited), ...split(added)];
}

function findBase(root: string): string | null {
  if (git(root, 'rev-parse', '--verify', '--quiet', 'origin/main') !== null) {
    const base = git(root, 'merge-base', 'HEAD', 'origin/main');
    if (base !== null) return base.trim();
  }
  const tags = git(root, 'tag', '--merged', 'HEAD', '--sort=-creatordate', '--list', 'v[0-9]*', '@allocdb/*@[0-9]*');
  return tags?.split('\n')[0]?.trim() || null;
}

function git(root: string, ...args: string[]): string | null {
  const result = spawnSync('git', args, {cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024});
  return result.status === 0 ? result.stdout : null;
}

function split(output: string): string[] {
  return output.split('\0').filter(path => path !== '');
}

function walk(root: string, dir: string): string[] {
  return readdirSync(join(root, dir), {withFileTypes: true}).flatMap(entry => {
    if (NOT_SOURCE.has(entry.name)) return [];
    const path = dir === '' ? entry.name : `${dir}/${entry.name}`;
    return entry.isDirectory() ? walk(root, path) : [path];
  });
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function readText(path: string): string | null {
  const bytes = readFileSync(path);
  return bytes.subarray(0, 8192).includes(0) ? null : bytes.toString('utf8');
}
