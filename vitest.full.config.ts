// The full tests: what needs servers, programs or rights that an ordinary machine has not got, and takes longer. `pnpm test:full` installs
// them and runs this; `npm test` does not. Otherwise as vitest.config.ts: from sources, one project.
import {defineConfig} from 'vitest/config';

// Without 'import': Node would hand an ES module to a CommonJS package that requires a package with both forms.
const conditions = ['@allocdb/source', 'node', 'module', 'default'];

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
