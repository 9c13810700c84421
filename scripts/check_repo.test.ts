// Each rule against a planted violation and a clean neighbour. A rule without a case fails the first test, so no
// guardrail can be added without proof that it catches something. Repositories are a few strings in memory.
import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import {createRepo, type Repo} from './repo/model.ts';
import type {Files} from './repo/planted.ts';
import {PACKAGE_CASES} from './repo/planted_packages.suite.ts';
import {SOURCE_CASES} from './repo/planted_sources.suite.ts';
import {RULES, render, runRules} from './repo/run.ts';
import {PACKAGES} from './repo_rules.ts';

const CASES = [...PACKAGE_CASES, ...SOURCE_CASES];

function repoOf(files: Files, since: readonly string[] | null = null): Repo {
  return createRepo(Object.keys(files), path => files[path] ?? null, {since});
}

function places(rule: string, repo: Repo): string[] {
  const found = RULES.find(({name}) => name === rule)?.check(repo) ?? [];
  for (const one of found) expect(one.rule).toBe(rule);
  return [...new Set(found.map(({path, line}) => `${path}:${line}`))].sort();
}

test('every rule has a planted violation here', () => {
  expect([...new Set(CASES.map(({rule}) => rule))].sort()).toEqual(RULES.map(({name}) => name).sort());
});

describe.each(CASES)('$rule', ({rule, what, bad, at, clean, since}) => {
  test(`reports ${what}`, () => {
    expect(places(rule, repoOf(bad, since ?? null))).toEqual([...at].sort());
  });

  test('lets a clean repository pass', () => {
    const changed = since === undefined ? null : [...since, '.changeset/new.md'];
    expect(places(rule, repoOf(clean, changed))).toEqual([]);
  });
});

describe('exceptions', () => {
  const files = {
    'scripts/a.ts': '// What.\n// Keeps.\n// Not.\nconst a = b as any;\ndebugger;\n',
    '.changeset/a.md': '---\n---\n',
  };
  const exception = {rule: 'leftovers', path: 'scripts/a.ts', line: 'b as any', reason: 'shown here'};

  test('cover the line they name and nothing else', () => {
    expect(runRules(repoOf(files), []).map(render)).toEqual([
      'scripts/a.ts:4  leftovers  as any: use unknown and narrow it',
      'scripts/a.ts:5  leftovers  debugger: breakpoint',
    ]);
    expect(runRules(repoOf(files), [exception]).map(render)).toEqual([
      'scripts/a.ts:5  leftovers  debugger: breakpoint',
    ]);
  });

  test('are reported once nothing needs them', () => {
    const gone = {...exception, line: 'c as any'};
    expect(runRules(repoOf(files), [exception, gone]).map(render)).toContain(
      'scripts/a.ts:1  stale-exception  nothing here breaks leftovers any more: remove the exception',
    );
  });
});

test('the package table has no cycle', () => {
  const reach = (dir: string, trail: readonly string[]): void => {
    expect(trail).not.toContain(dir);
    for (const name of PACKAGES[dir]?.workspace ?? []) reach(name.replace('@allocdb/', ''), [...trail, dir]);
  };
  for (const dir of Object.keys(PACKAGES)) reach(dir, []);
});

test('a repository without base or changeset is asked for one', () => {
  const found = RULES.find(({name}) => name === 'changeset')?.check(repoOf({'README.md': ''}));
  expect(found?.map(render)).toEqual(['.changeset:1  changeset  neither a changeset nor a changelog']);
});

test('--rules lists every rule', () => {
  const script = fileURLToPath(new URL('check_repo.ts', import.meta.url));
  const {stdout, status} = spawnSync(process.execPath, ['--import', 'tsx', script, '--rules'], {encoding: 'utf8'});
  expect(status).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map(line => line.split(' ')[0]),
  ).toEqual(RULES.map(({name}) => name));
});
