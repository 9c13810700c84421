// One vitest for the whole repository. Tests run from sources: every workspace package resolves through its
// "@allocdb/source" export, so nothing has to be built first. Each package is a project of its own
// (vitest run --project @allocdb/core); "extends" hands it these settings, which a bare directory would not get.
import {existsSync, readdirSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {fileURLToPath} from 'node:url';
import {defineConfig} from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const packages = readdirSync(at('packages')).filter(name => existsSync(at(`packages/${name}/package.json`)));
const projects = packages.map(name => ({name: `@allocdb/${name}`, root: at(`packages/${name}`)}));
projects.push({name: 'scripts', root: at('scripts')});

const conditions = ['@allocdb/source', 'node', 'import', 'module', 'default'];

export default defineConfig({
  resolve: {conditions},
  ssr: {resolve: {conditions}},
  test: {
    // One more than there are cores: tests of whole processes wait for these more than they compute.
    maxWorkers: availableParallelism() + 1,
    projects: projects.map(({name, root}) => ({
      extends: true,
      root,
      test: {name, testTimeout: 60_000, hookTimeout: 60_000},
    })),
  },
});
