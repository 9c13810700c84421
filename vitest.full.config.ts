// The full tests: what needs servers that an ordinary machine has not got, and takes longer. `pnpm test:full` installs
// them and runs this; `npm test` does not. Otherwise as vitest.config.ts: from sources, one project.
import {defineConfig} from 'vitest/config';

const conditions = ['@allocdb/source', 'node', 'import', 'module', 'default'];

export default defineConfig({
  resolve: {conditions},
  ssr: {resolve: {conditions}},
  test: {
    include: ['packages/*/test/full/**/*.full.ts'],
    // Servers and the disk are shared: one file after the other.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
