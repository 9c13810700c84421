// Rules about imports: each package against its allow-list, node:* only where a package touches the machine, no way
// into another package but its exports, no file that needs itself to load. The lists are data in repo_rules.ts.
// Specifiers are read off the tokens; nothing is resolved through node_modules.
import {builtinModules} from 'node:module';
import {
  ENCLOSED,
  type Enclosure,
  ISOLATED,
  type Isolation,
  NARROW_IMPORTS,
  type NarrowImport,
  PACKAGES,
  TEST_TOOLS,
} from '../repo_rules.ts';
import {type Import, packageOf, resolveRelative} from './imports.ts';
import {type Finding, finding, isSource, isTest, packageDir, type Repo, type Rule, startsWithAny} from './model.ts';

export const IMPORT_RULES: readonly Rule[] = [
  {
    name: 'imports',
    about: 'a package imports only what its allow-list names and its manifest declares',
    check: repo => eachImport(repo, checkAllowed),
  },
  {
    name: 'node-builtins',
    about: 'node:* only in the files that touch disk, socket, clock or command line',
    check: repo => eachImport(repo, checkBuiltin),
  },
  {
    name: 'package-path',
    about: 'another package is reached by its name and exports, never by a path into its files',
    check: repo => eachImport(repo, checkPath),
  },
  {
    name: 'import-extension',
    about: 'relative imports name the file: .ts, or .json and .mjs where it is one',
    check: repo => eachImport(repo, checkExtension),
  },
  {
    name: 'import-cycle',
    about: 'no file needs itself to load; type imports are erased and do not count',
    check: checkCycles,
  },
  {
    name: 'isolated',
    about: 'the simulator’s model reaches no package it judges, directly or through a neighbour',
    check: repo => ISOLATED.flatMap(isolation => checkIsolated(repo, isolation)),
  },
  {
    name: 'enclosed',
    about: 'the coordinator and the log import nothing of each other, but for one bridge and the index',
    check: repo => ENCLOSED.flatMap(enclosure => checkEnclosed(repo, enclosure)),
  },
  {
    name: 'narrow-import',
    about: 'api takes from core only its commands, codes and codecs',
    check: repo => NARROW_IMPORTS.flatMap(narrow => checkNarrow(repo, narrow)),
  },
];

interface Use {
  readonly repo: Repo;
  readonly path: string;
  readonly dir: string | null;
  readonly used: Import;
}

function eachImport(repo: Repo, check: (use: Use) => Finding[]): Finding[] {
  return repo.files
    .filter(isSource)
    .flatMap(path => repo.imports(path).flatMap(used => check({repo, path, dir: packageDir(path), used})));
}

const isRelative = (specifier: string): boolean => /^\.{1,2}(?:\/|$)/.test(specifier);
const isBuiltin = (specifier: string): boolean =>
  specifier.startsWith('node:') || builtinModules.includes(packageOf(specifier));

function checkAllowed({repo, path, dir, used}: Use): Finding[] {
  const {specifier, offset} = used;
  if (dir === null || isBuiltin(specifier)) return [];
  const say = (message: string): Finding[] => [finding(repo, 'imports', path, offset, message)];
  const rule = PACKAGES[dir];
  if (rule === undefined) return say(`packages/${dir} has no entry in the package table`);
  if (specifier === '') return say('a dynamic import must name its module as a literal');
  if (isRelative(specifier)) {
    const intoTest = !isTest(path) && isTest(resolveRelative(path, specifier));
    return intoTest ? say(`${specifier}: a source does not import a test`) : [];
  }
  const name = packageOf(specifier);
  if (name === `@allocdb/${dir}`) return [];
  const allowed = [
    ...rule.workspace,
    ...rule.external,
    ...(isTest(path) ? [...TEST_TOOLS, ...(rule.tests ?? [])] : []),
  ];
  if (!allowed.includes(name))
    return say(`${specifier}: not in the allow-list of ${dir}${isTest(path) ? ' tests' : ''}`);
  return isDeclared(repo, dir, path, name) ? [] : say(`${name}: not declared in packages/${dir}/package.json`);
}

function isDeclared(repo: Repo, dir: string, path: string, name: string): boolean {
  if (TEST_TOOLS.includes(name)) return true;
  const manifest = repo.manifest(`packages/${dir}/package.json`);
  if (manifest === null) return true;
  const dev = isTest(path) || PACKAGES[dir]?.bundled === true ? manifest.devDependencies : undefined;
  return name in {...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies, ...dev};
}

function checkBuiltin({repo, path, dir, used}: Use): Finding[] {
  const {specifier, offset} = used;
  if (!isBuiltin(specifier)) return [];
  const say = (message: string): Finding[] => [finding(repo, 'node-builtins', path, offset, message)];
  if (!specifier.startsWith('node:')) return say(`${specifier}: write node:${specifier}`);
  if (dir === null || isTest(path)) return [];
  const files = PACKAGES[dir]?.node ?? [];
  if (startsWithAny(path, files)) return [];
  return say(`${specifier}: in ${dir} only ${files.length === 0 ? 'tests may' : files.join(', ')}`);
}

function checkPath({repo, path, dir, used}: Use): Finding[] {
  const {specifier, offset} = used;
  const say = (message: string): Finding[] => [finding(repo, 'package-path', path, offset, `${specifier}: ${message}`)];
  if (specifier.startsWith('/') || specifier.startsWith('file:')) return say('an absolute path');
  if (isRelative(specifier)) {
    const target = packageDir(`${resolveRelative(path, specifier)}/`);
    if (target !== null && target !== dir) return say(`import @allocdb/${target} by its name`);
    return dir !== null && target === null ? say('leaves the package') : [];
  }
  const target = /^@allocdb\/([^/]+)(?:\/(.+))?$/.exec(specifier);
  if (target?.[2] === undefined) return [];
  const manifest = repo.manifest(`packages/${target[1]}/package.json`);
  if (manifest === null || `./${target[2]}` in (manifest.exports ?? {})) return [];
  return say('not among the exports of that package');
}

function checkExtension({repo, path, used}: Use): Finding[] {
  const {specifier, offset} = used;
  if (!path.endsWith('.ts') || !isRelative(specifier) || /\.(?:ts|mts|json|mjs)$/.test(specifier)) return [];
  return [finding(repo, 'import-extension', path, offset, `${specifier}: name the file with its .ts`)];
}

function eagerEdges(repo: Repo, path: string): {target: string; used: Import}[] {
  return repo
    .imports(path)
    .filter(used => used.eager && isRelative(used.specifier))
    .map(used => ({target: resolveRelative(path, used.specifier), used}))
    .filter(({target}) => repo.has(target));
}

// Depth first; an edge back to a file still on the path closes a cycle. One finding a cycle, at the closing import.
function checkCycles(repo: Repo): Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    for (const {target, used} of eagerEdges(repo, path)) {
      const start = trail.indexOf(target);
      if (start >= 0) {
        const cycle = [...trail.slice(start), target].map(file => file.split('/').pop());
        findings.push(finding(repo, 'import-cycle', path, used.offset, cycle.join(' → ')));
      } else if (!done.has(target)) visit(target, [...trail, target]);
    }
    done.add(path);
  };
  for (const path of repo.files.filter(isSource)) if (!done.has(path)) visit(path, [path]);
  return findings;
}

function checkIsolated(repo: Repo, {under, never, why}: Isolation): Finding[] {
  const reached = new Set(repo.files.filter(path => path.startsWith(under) && isSource(path) && !isTest(path)));
  const findings: Finding[] = [];
  for (const path of reached) {
    for (const used of repo.imports(path)) {
      if (never.includes(packageOf(used.specifier))) {
        findings.push(finding(repo, 'isolated', path, used.offset, `${used.specifier}: reached from ${under}; ${why}`));
      }
      const target = isRelative(used.specifier) ? resolveRelative(path, used.specifier) : '';
      if (repo.has(target)) reached.add(target);
    }
  }
  return findings;
}

function checkEnclosed(repo: Repo, {under, of, bridges, entrances, why}: Enclosure): Finding[] {
  const isWithin = (path: string): boolean => path.startsWith(under) && !bridges.includes(path);
  return repo.files
    .filter(path => path.startsWith(of) && isSource(path) && !isTest(path))
    .filter(path => !bridges.includes(path) && !entrances.includes(path))
    .flatMap(path => repo.imports(path).map(used => ({path, used, target: resolveRelative(path, used.specifier)})))
    .filter(({used, target}) => isRelative(used.specifier) && target.startsWith(of))
    .filter(({path, target}) => isWithin(path) !== isWithin(target))
    .map(({path, used}) => finding(repo, 'enclosed', path, used.offset, `${used.specifier}: crosses ${under}; ${why}`));
}

function checkNarrow(repo: Repo, {under, target, from}: NarrowImport): Finding[] {
  const index = `packages/${target.split('/')[1]}/src/index.ts`;
  const home = new Map<string, string>();
  for (const used of repo.has(index) ? repo.imports(index) : []) {
    for (const name of used.names) home.set(name, resolveRelative(index, used.specifier));
  }
  return repo.files
    .filter(path => path.startsWith(under) && isSource(path) && !isTest(path))
    .flatMap(path => repo.imports(path).map(used => ({path, used})))
    .filter(({used}) => packageOf(used.specifier) === target)
    .flatMap(({path, used}) =>
      used.names
        .filter(name => name === '*' || (home.has(name) && !startsWithAny(home.get(name) ?? '', from)))
        .map(name => {
          const what = name === '*' ? 'all of it' : `${name} of ${home.get(name)}`;
          return finding(repo, 'narrow-import', path, used.offset, `${target}: takes ${what}`);
        }),
    );
}
