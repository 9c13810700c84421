// Rules about packages as they are published: what a manifest declares, where versions come from, and that a change a
// user can notice carries a changeset. The tables are data in repo_rules.ts. Whether the packed archive installs and
// imports is not checked here.
import {MANIFEST_FIELDS, PACKAGES, TEST_TOOLS} from '../repo_rules.ts';
import {type Finding, fieldLine, isTest, lineOf, type Manifest, type Repo, type Rule} from './model.ts';

export const PACKAGE_RULES: readonly Rule[] = [
  {
    name: 'dependencies',
    about: 'a manifest depends only on what the package table allows; test tools are never dependencies',
    check: repo => packageDirs(repo).flatMap(dir => checkDependencies(repo, dir)),
  },
  {
    name: 'versions',
    about: 'registry packages are named as catalog:, packages of this workspace as workspace:*',
    check: repo => manifestPaths(repo).flatMap(path => checkVersions(repo, path)),
  },
  {
    name: 'manifest',
    about: 'a published package says what it is, for which engines and under which licence, and ships no tests',
    check: repo => packageDirs(repo).flatMap(dir => checkManifest(repo, dir)),
  },
  {
    name: 'changeset',
    about: 'where the source of a published package changed, a changeset says what a user notices',
    check: checkChangesets,
  },
];

const RUNTIME = ['dependencies', 'peerDependencies', 'optionalDependencies'] as const;

function packageDirs(repo: Repo): string[] {
  return repo.files.flatMap(path => /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? []);
}

function manifestPaths(repo: Repo): string[] {
  return repo.files.filter(path => /^(?:packages\/[^/]+\/)?package\.json$/.test(path));
}

function checkDependencies(repo: Repo, dir: string): Finding[] {
  const path = `packages/${dir}/package.json`;
  const manifest = repo.manifest(path);
  const rule = PACKAGES[dir];
  const say = (field: string, message: string): Finding => {
    return {path, line: fieldLine(repo, path, field), rule: 'dependencies', message};
  };
  if (rule === undefined) return [say('name', `packages/${dir} has no entry in the package table`)];
  const allowed = [...rule.workspace, ...rule.external];
  const declared = RUNTIME.flatMap(field => Object.keys(manifest?.[field] ?? {}));
  return declared
    .filter(name => !allowed.includes(name))
    .map(name =>
      say(name, `${name}: ${TEST_TOOLS.includes(name) ? 'a test tool' : `not in the allow-list of ${dir}`}`),
    );
}

function checkVersions(repo: Repo, path: string): Finding[] {
  const manifest = repo.manifest(path);
  return [...RUNTIME, 'devDependencies' as const].flatMap(field =>
    Object.entries(manifest?.[field] ?? {})
      .filter(([name, version]) => !(name.startsWith('@allocdb/') ? /^workspace:/ : /^catalog:/).test(version))
      .map(([name, version]) => {
        const wanted = name.startsWith('@allocdb/') ? 'workspace:*' : 'catalog:';
        return {
          path,
          line: fieldLine(repo, path, name),
          rule: 'versions',
          message: `${name} ${version}: write ${wanted}`,
        };
      }),
  );
}

function checkManifest(repo: Repo, dir: string): Finding[] {
  const path = `packages/${dir}/package.json`;
  const manifest = repo.manifest(path);
  const say = (field: string, message: string): Finding[] => {
    return [{path, line: fieldLine(repo, path, field), rule: 'manifest', message}];
  };
  if (manifest === null) return say('', 'not readable as JSON');
  const published = PACKAGES[dir]?.published ?? true;
  if (published === (manifest.private === true)) {
    return say(
      'private',
      published ? 'marked private, but the package table publishes it' : 'not published: mark it private',
    );
  }
  const misnamed = manifest.name === `@allocdb/${dir}` ? [] : say('name', `its name is @allocdb/${dir}`);
  if (!published) return misnamed;
  const missing = MANIFEST_FIELDS.filter(field => isEmpty(manifest[field])).flatMap(field => say(field, `no ${field}`));
  const readme = repo.has(`packages/${dir}/README.md`) ? [] : say('name', 'no README.md beside it');
  return [...misnamed, ...missing, ...readme, ...shippedTests(repo, dir, manifest).flatMap(text => say('files', text))];
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '';
}

function shippedTests(repo: Repo, dir: string, manifest: Manifest): string[] {
  const files = manifest.files ?? [];
  if (!files.includes('src')) return [];
  const kinds = ['test', 'suite'].filter(kind =>
    repo.files.some(path => path.startsWith(`packages/${dir}/src/`) && path.endsWith(`.${kind}.ts`)),
  );
  return kinds
    .filter(kind => !files.includes(`!src/**/*.${kind}.ts`))
    .map(kind => `ships its tests: add "!src/**/*.${kind}.ts"`);
}

// A package not yet released needs one pending changeset that names it; a released one needs a changeset (or, in a
// release, a changelog) among what changed since the base.
function checkChangesets(repo: Repo): Finding[] {
  const pending = repo.files.filter(path => /^\.changeset\/(?!README)[^/]+\.md$/.test(path));
  const named = pending.map(path => ({path, packages: packagesIn(repo.text(path) ?? '')}));
  const findings = named.flatMap(({path, packages}) =>
    packages
      .filter(name => !(PACKAGES[name.replace('@allocdb/', '')]?.published ?? false))
      .map(name => ({path, line: lineOf(repo, path, name), rule: 'changeset', message: `${name} is not published`})),
  );
  const {since} = repo.changes;
  if (since === null) {
    const any = pending.length > 0 || repo.files.some(path => path.endsWith('CHANGELOG.md'));
    const message = 'neither a changeset nor a changelog';
    return any ? findings : [...findings, {path: '.changeset', line: 1, rule: 'changeset', message}];
  }
  const changed = new Set(since);
  for (const [dir, {published}] of Object.entries(PACKAGES)) {
    const source = since.find(path => path.startsWith(`packages/${dir}/src/`) && !isTest(path));
    const changelog = `packages/${dir}/CHANGELOG.md`;
    if (!published || source === undefined || changed.has(changelog)) continue;
    const counts = named.filter(({path}) => changed.has(path) || !repo.has(changelog));
    if (counts.some(({packages}) => packages.includes(`@allocdb/${dir}`))) continue;
    findings.push({
      path: source,
      line: 1,
      rule: 'changeset',
      message: `@allocdb/${dir} changed: add a changeset that names it`,
    });
  }
  return findings;
}

function packagesIn(changeset: string): string[] {
  const front = /^---\n([\s\S]*?)\n?---/.exec(changeset)?.[1] ?? '';
  return [...front.matchAll(/^\s*["']?(@?[\w./-]+?)["']?\s*:/gm)].map(match => match[1] ?? '');
}
