/**
 * The bundle that is published: what it imports from others is what the manifest has installed with it, no more and no less.
 * Needs the built command, as all tests of it do.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {isBuiltin} from 'node:module';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';

const PACKAGE = new URL('../', import.meta.url);
const IMPORT = /^(?:import|export)\b[^'"]*?['"]([^'"]+)['"]|\bimport\(["']([^"']+)["']\)/gm;
/** Found by its manifest's path, not imported: its files are served. */
const SERVED = '@allocdb/console';

test('imports exactly what is installed with it', () => {
  const manifest = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const chunks = readdirSync(fileURLToPath(new URL('dist', PACKAGE))).filter(name => name.endsWith('.js'));
  const imported = chunks.flatMap(name => {
    const text = readFileSync(new URL(`dist/${name}`, PACKAGE), 'utf8');
    return [...text.matchAll(IMPORT)].map(([, from, lazily]) => from ?? lazily ?? '');
  });
  const packages = imported
    .filter(name => !name.startsWith('.') && !isBuiltin(name))
    .map(name => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
  expect([...new Set([...packages, SERVED])].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  expect(readFileSync(new URL('dist/verify_worker.js', PACKAGE), 'utf8')).toContain('workerData');
});
