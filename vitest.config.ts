// One vitest for the whole repository. Tests run from sources: every workspace package resolves through its
// "@allocdb/source" export. Only the command and the programs that tests start run what was built (pnpm build, part of
// npm test). Each package is a project of its own (vitest run --project @allocdb/core); "extends" hands it these settings,
// which a bare directory would not get.
import {existsSync, readdirSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {configDefaults, defineConfig} from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const packages = readdirSync(at('packages')).filter(name => existsSync(at(`packages/${name}/package.json`)));
const projects = packages.map(name => ({name: `@allocdb/${name}`, root: at(`packages/${name}`)}));
projects.push({name: 'scripts', root: at('scripts')});

/** Tests that replace a module, or ask the process for its memory or what was compiled: in one that ran no other file. */
const ALONE = [
  'packages/api/test/frame_splitter.test.ts',
  'packages/client/test/feed_ending.test.ts',
  'packages/node/test/warm_up.test.ts',
  'packages/server/test/access_constant_time.test.ts',
  'packages/server/test/feed.test.ts',
];

const conditions = ['@allocdb/source', 'node', 'import', 'module', 'default'];

export default defineConfig({
  resolve: {conditions},
  ssr: {resolve: {conditions}},
  test: {
    // One more than there are cores: tests of whole processes wait for these more than they compute.
    maxWorkers: availableParallelism() + 1,
    // Ends what hangs. A machine that is busy with other things may take many times what an idle one does.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: {poll: {timeout: 60_000}},
    projects: [
      ...projects.map(({name, root}) => ({
        extends: true as const,
        root,
        // The files of a package share the processes that run them: each imports the sources once, not once per file.
        test: {
          name,
          isolate: false,
          exclude: [...configDefaults.exclude, ...ALONE.map(path => relative(root, at(path)))],
        },
      })),
      {extends: true as const, test: {name: 'alone', include: ALONE}},
    ],
  },
});
