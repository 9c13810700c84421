// Planted violations of the rules about what is in a file, or about the file itself. Each with a clean neighbour.
// Texts that the rules would find in this very file are put together from parts.
import type {Case} from './planted.ts';

const HEADER = '// What this is.\n// What it keeps.\n// What is not here.\n';
const MACHINE_PATH = ['', 'home', 'ada', 'seats'].join('/');
const REGISTRY = ['registry', 'example', 'org'].join('.');
const lines = (count: number): string => 'x\n'.repeat(count);

export const SOURCE_CASES: readonly Case[] = [
  {
    rule: 'core-pure',
    what: 'every construct that makes a replay differ or stop',
    bad: {
      'packages/core/src/a.ts': [
        'const t = Date.now();',
        'const r = Math.random();',
        'async function f() {}',
        'let p: Promise<void>;',
        'const w = new WeakRef(x);',
        'const n = new Intl.NumberFormat();',
        'const m = new Map<string, number>();',
        'const s: Set<number> = x;',
        'const j = JSON.stringify(x);',
        'rows.sort();',
        'try { f(); } catch { g(); }',
        'console.log(x);',
        'globalThis.x = 1;',
        'const l = Math.log2(8);',
        'assert(row < count, `row ${row} in range`);',
        'a.localeCompare(b);',
        'setTimeout(f, 1);',
      ].join('\n'),
    },
    at: Array.from({length: 17}, (_, i) => `packages/core/src/a.ts:${i + 1}`),
    clean: {
      'packages/core/src/a.ts': [
        '// A Map or a Date would do; JSON and Promise too. We never catch.',
        "const text = 'Date Map Set JSON async catch console';",
        'const quoted = `Promise ${row + 1} WeakRef`;',
        'const regex = /Date|Map/;',
        'rows.sort((a, b) => a - b);',
        'const updated = Math.max(a, b); const catches = 1; const mapped = setRow(updateSet);',
        "assert(row < count, 'row in range');",
        'const ratio = a / b / c; const more = (a + b) / 2; // Date',
      ].join('\n'),
      'packages/core/src/a.test.ts': 'const model = new Map(); const t = Date.now();\n',
    },
  },
  {
    rule: 'apply-path',
    what: 'arrays taken apart and members of imported constants, where each command passes',
    bad: {
      'packages/core/src/machine/a.ts': 'const [a, b] = [x, y];\nconst row = at * RESERVATION.WORDS;\n',
      'packages/core/src/table/a.ts': 'if (state === RESOURCE_STATE.RESERVED) return RESULT.OK;\n',
    },
    at: ['packages/core/src/machine/a.ts:1', 'packages/core/src/machine/a.ts:2', 'packages/core/src/table/a.ts:1'],
    clean: {
      'packages/core/src/machine/a.ts': 'const {WORDS} = RESERVATION;\ntype Tag = typeof COMMAND.EXPIRE;\n',
      'packages/core/src/snapshot/a.ts': 'const [a, b] = [x, RESULT.OK];\n',
    },
  },
  {
    rule: 'logical-time',
    what: 'a clock or randomness where time is an argument',
    bad: {
      'packages/node/src/engine.ts': 'const now = Date.now();\n',
      'packages/wal/src/a.ts': '\nconst now = performance.now();\n',
      'packages/sim/src/driver.ts': 'const r = Math.random();\n',
    },
    at: ['packages/node/src/engine.ts:1', 'packages/sim/src/driver.ts:1', 'packages/wal/src/a.ts:2'],
    clean: {
      'packages/node/src/clock.ts': 'const now = Date.now();\n',
      'packages/sim/src/main.ts': 'const seed = Date.now();\n',
      'packages/server/src/a.ts': 'const now = Date.now();\n',
      'packages/wal/src/a.ts': '// Date.now() is the caller’s.\n',
    },
  },
  {
    rule: 'loading',
    what: 'a way around the import statements',
    bad: {'packages/node/src/a.ts': `const fs = process.getBuiltinModule('node:fs');\n`},
    at: ['packages/node/src/a.ts:1'],
    clean: {'packages/server/src/a.ts': 'const require = createRequire(import.meta.url);\n'},
  },
  {
    rule: 'wal-neutral',
    what: 'the log naming what its records mean, in code or in words',
    bad: {'packages/wal/src/a.ts': '// One record a reservation.\nconst resourceId = 1;\n'},
    at: ['packages/wal/src/a.ts:1', 'packages/wal/src/a.ts:2'],
    clean: {
      'packages/wal/src/a.ts': '// Reserved bytes are zero. A release frees the buffer.\n',
      'packages/node/src/a.ts': 'const resourceId = 1;\n',
    },
  },
  {
    rule: 'leftovers',
    what: 'markers, focused tests, breakpoints, switched-off types',
    bad: {
      'packages/core/src/a.ts': '// TODO later\nconst x = y as any;\ndebugger;\n// @ts-ignore\n/* FIXME */\n',
      'packages/core/src/a.test.ts': `test.only('x', () => {});\ndescribe.only('y', () => {});\n`,
      'docs/README.md': 'TODO: write\n',
    },
    at: [
      'docs/README.md:1',
      'packages/core/src/a.test.ts:1',
      'packages/core/src/a.test.ts:2',
      'packages/core/src/a.ts:1',
      'packages/core/src/a.ts:2',
      'packages/core/src/a.ts:3',
      'packages/core/src/a.ts:4',
      'packages/core/src/a.ts:5',
    ],
    clean: {
      'packages/core/src/a.ts': `const text = 'TODO as any debugger'; this.only(x); return only(y);\n`,
      'docs/README.md': 'No `TODO` stays.\n',
    },
  },
  {
    rule: 'default-export',
    what: 'a default export, also by renaming',
    bad: {'scripts/a.ts': 'export default 1;\n', 'scripts/b.ts': '\nexport {b as default};\n'},
    at: ['scripts/a.ts:1', 'scripts/b.ts:2'],
    clean: {
      'vitest.config.ts': 'export default {};\n',
      'scripts/a.ts': `// export default\nconst a = 'export default';\n`,
    },
  },
  {
    rule: 'machine-path',
    what: 'a path of one machine in any text file',
    bad: {'docs/README.md': `See\n${MACHINE_PATH}\n`, 'scripts/a.ts': `const a = '${MACHINE_PATH}';\n`},
    at: ['docs/README.md:2', 'scripts/a.ts:1'],
    clean: {'docs/README.md': `https://example.org${MACHINE_PATH} and ./data and ~/seats and .${MACHINE_PATH}\n`},
  },
  {
    rule: 'registry-host',
    what: 'a registry host, an archive address, a registry setting',
    bad: {
      'pnpm-lock.yaml': `a:\n  tarball: https://${REGISTRY}/x\n`,
      '.npmrc': `@allocdb:registry=somewhere\n`,
      'docs/README.md': `https://example.org/a-1${'.tgz'}\n`,
    },
    at: ['.npmrc:1', 'docs/README.md:1', 'pnpm-lock.yaml:2'],
    clean: {'packages/server/src/a.ts': 'registry.counters.submitted.add(1);\n', '.npmrc': 'fund=false\n'},
  },
  {
    rule: 'file-size',
    what: 'files over their limits',
    bad: {
      'packages/core/src/a.ts': lines(251),
      'packages/wal/src/a.ts': lines(251),
      'packages/node/src/a.ts': lines(401),
      'packages/core/src/a.test.ts': lines(451),
      'scripts/a.ts': lines(401),
      'docs/status.md': lines(221),
    },
    at: [
      'docs/status.md:221',
      'packages/core/src/a.test.ts:451',
      'packages/core/src/a.ts:251',
      'packages/node/src/a.ts:401',
      'packages/wal/src/a.ts:251',
      'scripts/a.ts:401',
    ],
    clean: {
      'packages/core/src/a.ts': lines(250),
      'packages/node/src/a.ts': lines(400),
      'packages/core/test/a.suite.ts': lines(450),
      'docs/status.md': lines(220),
      'docs/storage.md': lines(900),
    },
  },
  {
    rule: 'file-name',
    what: 'a name that is not snake_case',
    bad: {
      'packages/core/src/keyIndex.ts': '',
      'packages/core/src/key-index.ts': '',
      'packages/core/src/keyTable/a.ts': '',
      'docs/HowTo.md': '',
    },
    at: [
      'docs/HowTo.md:1',
      'packages/core/src/key-index.ts:1',
      'packages/core/src/keyIndex.ts:1',
      'packages/core/src/keyTable/a.ts:1',
    ],
    clean: {
      'packages/core/src/key_index.test.ts': '',
      'docs/decisions/0001-late-never-early.md': '',
      'docs/README.md': '',
      'CONTRIBUTING.md': '',
      'vitest.config.ts': '',
      '.github/workflows/ci.yml': '',
    },
  },
  {
    rule: 'header',
    what: 'a source that does not say what it is',
    bad: {
      'packages/core/src/a.ts': '// Short.\n// Still short.\nexport const a = 1;\n',
      'scripts/b.ts': 'export const b = 1;\n',
    },
    at: ['packages/core/src/a.ts:1', 'scripts/b.ts:1'],
    clean: {
      'packages/core/src/a.ts': HEADER,
      'packages/core/src/b.ts':
        '/**\n * What this is.\n * What it keeps.\n * What is not here.\n */\nexport const b = 1;\n',
      'packages/cli/src/main.ts': `#!/usr/bin/env node\n${HEADER}`,
      'packages/core/src/a.test.ts': 'test;\n',
    },
  },
  {
    rule: 'docs-reachable',
    what: 'a document nobody can find',
    bad: {'docs/README.md': '[a](a.md)\n', 'docs/a.md': 'x\n', 'docs/lost.md': '[a](a.md)\n'},
    at: ['docs/lost.md:1'],
    clean: {
      'docs/README.md': '[a](a.md)\n',
      'docs/a.md': '[first](decisions/0001-x.md)\n',
      'docs/decisions/0001-x.md': 'x\n',
      'packages/core/README.md': 'x\n',
    },
  },
  {
    rule: 'links',
    what: 'dead links and anchors',
    bad: {
      'README.md':
        'See [a](docs/a.md).\n\n[b]: docs/b.md\n<img src="logo.png">\n[c](CONTRIBUTING.md#no-such)\n[d](../x.md)\n',
      'CONTRIBUTING.md': '# Set up\n',
    },
    at: ['README.md:1', 'README.md:3', 'README.md:4', 'README.md:5', 'README.md:6'],
    clean: {
      'README.md':
        '# A `b` c\n[a](docs/a.md#in-short) [dir](docs) [web](https://example.org/x) [up](#a-b-c) `[x](y.md)`\n```\n[x](y.md)\n```\n',
      'docs/a.md': '## In short\n[root](../README.md)\n',
    },
  },
];
