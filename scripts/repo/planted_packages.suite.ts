// Planted violations of the rules about packages: imports, manifests, changesets. Each with a clean neighbour.
import type {Case} from './planted.ts';

const manifest = (fields: object): string => JSON.stringify(fields, null, 2);
const published = (name: string, more: object = {}): string =>
  manifest({
    name,
    description: 'd',
    license: 'MIT',
    engines: {node: '20'},
    exports: {'.': './x.js'},
    files: ['dist'],
    ...more,
  });

export const PACKAGE_CASES: readonly Case[] = [
  {
    rule: 'imports',
    what: 'outside the allow-list, undeclared, a test tool in a source, a test from a source, a computed import',
    bad: {
      'packages/core/src/a.ts': `import {x} from 'lodash';\nimport {y} from '@allocdb/wal';\nimport fc from 'fast-check';\n`,
      'packages/node/package.json': manifest({dependencies: {'@allocdb/core': 'workspace:*'}}),
      'packages/node/src/a.ts': `import {x} from '@allocdb/core';\nimport {y} from '@allocdb/wal';\n`,
      'packages/onsale/src/a.ts': `import {x} from '@allocdb/core';\nimport {y} from '@allocdb/node';\n`,
      'packages/server/src/a.ts': `export * from './a.test.ts';\nconst m = await import(\`./\${name}.ts\`);\n`,
      'packages/stray/src/a.ts': `import {x} from '@allocdb/core';\n`,
    },
    at: [
      'packages/core/src/a.ts:1',
      'packages/core/src/a.ts:2',
      'packages/core/src/a.ts:3',
      'packages/node/src/a.ts:2',
      'packages/onsale/src/a.ts:1',
      'packages/onsale/src/a.ts:2',
      'packages/server/src/a.ts:1',
      'packages/server/src/a.ts:2',
      'packages/stray/src/a.ts:1',
    ],
    clean: {
      'packages/core/src/a.test.ts': `import {test} from 'vitest';\nimport fc from 'fast-check';\nimport {b} from './b.ts';\n`,
      'packages/core/src/b.ts': `// import {x} from 'lodash';\nconst text = "import {x} from 'lodash'";\n`,
      'packages/wal/src/a.ts': `import {crc32c} from '@node-rs/crc32';\n`,
      'packages/onsale/src/a.ts': `import {x} from '@allocdb/client';\nimport {y} from '@allocdb/wal';\n`,
      'packages/sim/src/a.ts': `import {simulate} from '@allocdb/node/testing';\n`,
    },
  },
  {
    rule: 'node-builtins',
    what: 'node:* outside the files that touch the machine, and builtins without their prefix',
    bad: {
      'packages/core/src/a.ts': `import type {Stats} from 'node:fs';\n`,
      'packages/api/src/a.ts': `const os = await import('node:os');\n`,
      'packages/node/src/engine.ts': `import {join} from 'node:path';\n`,
      'packages/sim/src/driver.ts': `import {join} from 'node:path';\n`,
      'scripts/a.ts': `import {join} from 'path';\nimport fs from 'fs/promises';\n`,
    },
    at: [
      'packages/api/src/a.ts:1',
      'packages/core/src/a.ts:1',
      'packages/node/src/engine.ts:1',
      'packages/sim/src/driver.ts:1',
      'scripts/a.ts:1',
      'scripts/a.ts:2',
    ],
    clean: {
      'packages/core/src/a.test.ts': `import {readFileSync} from 'node:fs';\n`,
      'packages/wal/src/fs/disk.ts': `import {open} from 'node:fs';\n`,
      'packages/node/src/storage/lock.ts': `import {open} from 'node:fs';\n`,
      'packages/node/src/clock.ts': `import {hrtime} from 'node:process';\n`,
      'packages/client/src/tcp_transport.ts': `import {connect} from 'node:net';\n`,
      'packages/sim/src/main.ts': `import {argv} from 'node:process';\n`,
      'packages/server/src/a.ts': `import {createServer} from 'node:net';\n`,
    },
  },
  {
    rule: 'package-path',
    what: 'another package by a path, a file that its exports do not name, a way out of the package',
    bad: {
      'packages/core/package.json': manifest({exports: {'.': {}}}),
      'packages/node/src/a.ts': `import {x} from '../../core/src/a.ts';\nimport {y} from '@allocdb/core/src/a.ts';\n`,
      'packages/sim/src/a.ts': `import {x} from '../../../scripts/a.ts';\n`,
      'scripts/a.ts': `import {x} from '../packages/core/src/a.ts';\n`,
    },
    at: ['packages/node/src/a.ts:1', 'packages/node/src/a.ts:2', 'packages/sim/src/a.ts:1', 'scripts/a.ts:1'],
    clean: {
      'packages/wal/package.json': manifest({exports: {'.': {}, './testing': {}}}),
      'packages/node/src/a/b.ts': `import {x} from '@allocdb/wal/testing';\nimport {y} from '../c.ts';\n`,
      'packages/node/test/c.test.ts': `import {x} from '../src/c.ts';\nimport d from '../package.json';\n`,
    },
  },
  {
    rule: 'import-extension',
    what: 'a relative import without the name of a file',
    bad: {'packages/core/src/a.ts': `import {b} from './b';\nexport * from './c.js';\n`},
    at: ['packages/core/src/a.ts:1', 'packages/core/src/a.ts:2'],
    clean: {'packages/core/src/a.ts': `import {b} from './b.ts';\nimport d from './d.json' with {type: 'json'};\n`},
  },
  {
    rule: 'import-cycle',
    what: 'files that need each other to load',
    bad: {
      'packages/core/src/a.ts': `import {b} from './b.ts';\n`,
      'packages/core/src/b.ts': `\nimport {c} from './c.ts';\n`,
      'packages/core/src/c.ts': `\n\nexport {a} from './a.ts';\n`,
      'packages/core/src/d.ts': `import {d} from './d.ts';\n`,
    },
    at: ['packages/core/src/c.ts:3', 'packages/core/src/d.ts:1'],
    clean: {
      'packages/core/src/a.ts': `import {b} from './b.ts';\nimport {c} from './c.ts';\n`,
      'packages/core/src/b.ts': `import type {A} from './a.ts';\nimport {c} from './c.ts';\n`,
      'packages/core/src/c.ts': `const later = () => import('./a.ts');\n`,
    },
  },
  {
    rule: 'isolated',
    what: 'the model reaching what it judges, also through a neighbour',
    bad: {
      'packages/sim/src/model/model.ts': `import type {Config} from '@allocdb/core';\nimport {x} from '../shared.ts';\n`,
      'packages/sim/src/shared.ts': `\nexport {encode as x} from '@allocdb/api';\n`,
    },
    at: ['packages/sim/src/model/model.ts:1', 'packages/sim/src/shared.ts:2'],
    clean: {
      'packages/sim/src/model/model.ts': `import {x} from '../seed.ts';\n`,
      'packages/sim/src/seed.ts': `export const x = 1;\n`,
      'packages/sim/src/oracle.ts': `import {AllocDb} from '@allocdb/core';\n`,
    },
  },
  {
    rule: 'enclosed',
    what: 'the coordinator reaching into the log, directly or over the bridge, and the log into the coordinator',
    bad: {
      'packages/wal/src/coordinator/a.ts': `import {x} from '../errors.ts';\nimport type {W} from './wal_flusher.ts';\n`,
      'packages/wal/src/read/b.ts': `\nexport {Fifo} from '../coordinator/queues.ts';\n`,
    },
    at: ['packages/wal/src/coordinator/a.ts:1', 'packages/wal/src/coordinator/a.ts:2', 'packages/wal/src/read/b.ts:2'],
    clean: {
      'packages/wal/src/coordinator/a.ts': `import {Fifo} from './queues.ts';\n`,
      'packages/wal/src/coordinator/wal_flusher.ts': `import {Wal} from '../wal.ts';\nimport {A} from './a.ts';\n`,
      'packages/wal/src/index.ts': `export {A} from './coordinator/a.ts';\nexport {W} from './coordinator/wal_flusher.ts';\n`,
      'packages/wal/src/wal.ts': `import {x} from './errors.ts';\n`,
    },
  },
  {
    rule: 'narrow-import',
    what: 'api taking the machine instead of the codecs',
    bad: {
      'packages/core/src/index.ts': `export {AllocDb} from './machine/alloc_db.ts';\nexport {RESULT} from './result.ts';\n`,
      'packages/api/src/a.ts': `import {RESULT} from '@allocdb/core';\nimport type {AllocDb} from '@allocdb/core';\nimport * as core from '@allocdb/core';\n`,
    },
    at: ['packages/api/src/a.ts:2', 'packages/api/src/a.ts:3'],
    clean: {
      'packages/core/src/index.ts': `export {decodeCommand, type Command} from './codec/command_codec.ts';\n`,
      'packages/api/src/a.ts': `import {decodeCommand, type Command} from '@allocdb/core';\n`,
    },
  },
  {
    rule: 'dependencies',
    what: 'a manifest that depends on more than the table allows',
    bad: {
      'packages/core/package.json': '{\n  "dependencies": {\n    "lodash": "catalog:"\n  }\n}\n',
      'packages/wal/package.json': '{\n  "peerDependencies": {\n    "vitest": "catalog:"\n  }\n}\n',
      'packages/stray/package.json': '{}\n',
    },
    at: ['packages/core/package.json:3', 'packages/stray/package.json:1', 'packages/wal/package.json:3'],
    clean: {
      'packages/api/package.json': manifest({
        dependencies: {'@allocdb/core': 'workspace:*', '@noble/hashes': 'catalog:'},
      }),
      'packages/core/package.json': manifest({devDependencies: {vitest: 'catalog:'}}),
    },
  },
  {
    rule: 'versions',
    what: 'a version written where the catalog should be named',
    bad: {
      'package.json': '{\n  "devDependencies": {\n    "tsx": "^4.0.0"\n  }\n}\n',
      'packages/node/package.json': '{\n  "dependencies": {\n    "@allocdb/core": "0.1.0"\n  }\n}\n',
    },
    at: ['package.json:3', 'packages/node/package.json:3'],
    clean: {
      'packages/server/package.json': manifest({dependencies: {commander: 'catalog:', '@allocdb/node': 'workspace:*'}}),
    },
  },
  {
    rule: 'manifest',
    what: 'a published package that lacks a field, its README or ships its tests',
    bad: {
      'packages/core/package.json': published('@allocdb/core', {license: ''}),
      'packages/wal/package.json': published('@allocdb/log', {files: ['src']}),
      'packages/wal/README.md': '',
      'packages/wal/src/a.suite.ts': '',
      'packages/sim/package.json': manifest({name: '@allocdb/sim'}),
    },
    at: [
      'packages/core/package.json:2',
      'packages/core/package.json:4',
      'packages/sim/package.json:1',
      'packages/wal/package.json:2',
      'packages/wal/package.json:11',
    ],
    clean: {
      'packages/core/package.json': published('@allocdb/core', {files: ['src', '!src/**/*.test.ts']}),
      'packages/core/README.md': '',
      'packages/core/src/a.test.ts': '',
      'packages/sim/package.json': manifest({name: '@allocdb/sim', private: true}),
    },
  },
  {
    rule: 'changeset',
    what: 'a published package changed without a word to its users',
    bad: {
      '.changeset/old.md': `---\n"@allocdb/core": patch\n"@allocdb/sim": patch\n---\nx\n`,
      'packages/core/CHANGELOG.md': '',
      'packages/core/src/a.ts': '',
      'packages/wal/src/a.ts': '',
    },
    since: ['packages/core/src/a.ts', 'packages/wal/src/a.ts', 'packages/sim/src/a.ts', 'packages/node/src/a.test.ts'],
    at: ['.changeset/old.md:3', 'packages/core/src/a.ts:1', 'packages/wal/src/a.ts:1'],
    clean: {
      '.changeset/first.md': `---\n"@allocdb/wal": minor\n---\nNot released yet: one pending changeset is enough.\n`,
      '.changeset/new.md': `---\n'@allocdb/core': patch\n---\nx\n`,
      'packages/core/CHANGELOG.md': '',
    },
  },
];
