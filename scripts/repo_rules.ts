// The guardrails as data: which package may import what, which words and constructs are forbidden where, how long a
// file may be, and the exceptions with their reasons. The checks that read this live in repo/; each rule has a test in
// repo/*.test.ts. To allow something a rule forbids, add an entry to EXCEPTIONS: an entry that no longer
// matches anything is itself reported, so the list cannot outlive its reasons.
// Paths are prefixes from the repository's root: 'packages/wal/src/fs/' is a directory, 'a/b.ts' one file.

export interface PackageRule {
  readonly published: boolean;
  /** Workspace packages it may import and depend on. */
  readonly workspace: readonly string[];
  /** Registry packages it may import and depend on. */
  readonly external: readonly string[];
  /** What its sources import goes into a bundle, and so need not be installed with it: declared for development will do. */
  readonly bundled?: boolean;
  /** Files that may import node:*; the package's own prefix means all of it. */
  readonly node: readonly string[];
  /** What its tests may import on top of that (and of vitest, fast-check and node:*). */
  readonly tests?: readonly string[];
}

export const PACKAGES: Readonly<Record<string, PackageRule>> = {
  core: {published: true, workspace: [], external: [], node: []},
  wal: {
    published: true,
    workspace: [],
    external: ['@node-rs/crc32'],
    node: ['packages/wal/src/fs/'],
    tests: ['@msgpack/msgpack', '@allocdb/campaign'],
  },
  api: {published: true, workspace: ['@allocdb/core'], external: ['@noble/hashes'], node: []},
  node: {
    published: true,
    workspace: ['@allocdb/core', '@allocdb/wal', '@allocdb/api'],
    external: [],
    node: ['packages/node/src/storage/', 'packages/node/src/clock.ts'],
  },
  client: {
    published: true,
    workspace: ['@allocdb/api'],
    external: [],
    node: ['packages/client/src/tcp'],
  },
  server: {
    published: true,
    workspace: ['@allocdb/console', '@allocdb/node', '@allocdb/api'],
    external: [
      '@fastify/static',
      '@fastify/swagger',
      '@fastify/type-provider-typebox',
      'fastify',
      'pino',
      'prom-client',
      'typebox',
    ],
    node: ['packages/server/'],
    tests: ['@allocdb/client', '@allocdb/sim', '@allocdb/campaign', 'playwright-core'],
  },
  cli: {
    published: true,
    bundled: true,
    workspace: ['@allocdb/server', '@allocdb/node', '@allocdb/client', '@allocdb/api', '@allocdb/console'],
    // Its own first; then what the packages in its bundle take from outside, and the tool that makes it.
    external: [
      'cli-progress',
      'commander',
      '@fastify/static',
      '@fastify/swagger',
      '@noble/hashes',
      '@node-rs/crc32',
      'fastify',
      'pino',
      'prom-client',
      'typebox',
      'vite',
    ],
    node: ['packages/cli/'],
  },
  bench: {
    published: true,
    workspace: ['@allocdb/core', '@allocdb/wal', '@allocdb/node', '@allocdb/client'],
    external: ['fastify', 'typebox'],
    node: ['packages/bench/'],
  },
  sim: {
    published: false,
    workspace: ['@allocdb/core', '@allocdb/wal', '@allocdb/node', '@allocdb/api'],
    external: [],
    node: ['packages/sim/src/main.ts', 'packages/sim/src/vectors.ts'],
    tests: ['@allocdb/campaign'],
  },
  onsale: {
    published: false,
    workspace: ['@allocdb/client', '@allocdb/api', '@allocdb/wal'],
    external: [],
    node: ['packages/onsale/'],
  },
  peers: {
    published: false,
    workspace: ['@allocdb/bench', '@allocdb/core'],
    external: ['better-sqlite3'],
    node: ['packages/peers/'],
  },
  console: {
    published: true,
    bundled: true,
    workspace: [],
    external: ['uplot', 'vite'],
    node: [],
  },
  examples: {
    published: false,
    workspace: ['@allocdb/client'],
    external: ['pg'],
    node: ['packages/examples/'],
    tests: ['@allocdb/peers', '@allocdb/server'],
  },
  campaign: {published: false, workspace: [], external: [], node: []},
};

/** Test tools: in tests and suites only, never in what is published. */
export const TEST_TOOLS: readonly string[] = ['vitest', 'fast-check'];

export interface NarrowImport {
  /** Files the restriction holds for. */
  readonly under: string;
  readonly target: string;
  /** Files of the target whose exports may be taken through its index. */
  readonly from: readonly string[];
}

/** The codecs a client installs see commands and their bytes, not the machine that runs them. */
export const NARROW_IMPORTS: readonly NarrowImport[] = [
  {
    under: 'packages/api/src/',
    target: '@allocdb/core',
    from: [
      'packages/core/src/codec/',
      'packages/core/src/command.ts',
      'packages/core/src/result.ts',
      'packages/core/src/words.ts',
    ],
  },
];

export interface Isolation {
  readonly under: string;
  readonly never: readonly string[];
  readonly why: string;
}

/** Files that must not reach these packages, not even through another file of their own package. */
export const ISOLATED: readonly Isolation[] = [
  {
    under: 'packages/sim/src/model/',
    never: ['@allocdb/core', '@allocdb/api', '@allocdb/node', '@allocdb/wal'],
    why: 'the model is written independently of what it judges',
  },
];

export interface Enclosure {
  /** Files that stand for themselves within `of`. */
  readonly under: string;
  readonly of: string;
  /** Files under it that may import from the rest, and so count as the rest. */
  readonly bridges: readonly string[];
  /** Files of the rest that may import from within. */
  readonly entrances: readonly string[];
  readonly why: string;
}

/** Parts of a package that could be packages of their own: no import in, none out. */
export const ENCLOSED: readonly Enclosure[] = [
  {
    under: 'packages/wal/src/coordinator/',
    of: 'packages/wal/src/',
    bridges: ['packages/wal/src/coordinator/wal_flusher.ts'],
    entrances: ['packages/wal/src/index.ts'],
    why: 'log and coordinator are used without each other',
  },
];

export interface PatternRule {
  readonly rule: string;
  readonly about: string;
  readonly under: readonly string[];
  readonly except?: readonly string[];
  /** Whether tests and suites are held to it too. */
  readonly tests: boolean;
  /** code: comments and strings do not count; comments: only they do; prose: Markdown outside code; text: everything. */
  readonly where: 'code' | 'comments' | 'prose' | 'text';
  /** Each expression with what to say; flags are added by the check. */
  readonly forbid: readonly (readonly [RegExp, string])[];
}

const PURE = 'is not deterministic, or not allowed on the apply path';

export const PATTERNS: readonly PatternRule[] = [
  {
    rule: 'core-pure',
    about: 'core: no clock, randomness, locale, hash-ordered or weak collections, async, catch, output or globals',
    under: ['packages/core/src/'],
    tests: false,
    where: 'code',
    forbid: [
      [/\bDate\b/, `Date ${PURE}`],
      [/\bMath\s*\.\s*random\b/, `Math.random ${PURE}`],
      [
        /\bMath\s*\.\s*(?:a?(?:sin|cos|tan)h?|atan2|exp|expm1|log|log2|log10|log1p|pow|cbrt|hypot)\b/,
        'this Math function may differ in the last bit between engines',
      ],
      [/\b(?:async|await|Promise|queueMicrotask)\b/, 'core is synchronous'],
      [/\b(?:setTimeout|setInterval|setImmediate|performance|process|Buffer|crypto|fetch)\b/, `this global ${PURE}`],
      [/\b(?:WeakRef|WeakMap|WeakSet|FinalizationRegistry)\b/, 'weak references show when memory is collected'],
      [/\b(?:Intl|toLocale\w+|localeCompare)\b/, `the locale ${PURE}`],
      [/\b(?:Map|Set)\b/, 'tables are typed arrays with a fixed capacity'],
      [/\bJSON\b/, 'bytes are written by the codecs'],
      [/\.(?:sort|toSorted)\s*\(\s*\)/, 'sort needs a comparator'],
      [/\bcatch\b/, 'core throws only for what cannot happen, and never catches'],
      [/\b(?:console|globalThis|SharedArrayBuffer|Atomics)\b/, `this global ${PURE}`],
      [/\b(?:eval|Function)\s*\(/, 'no code from strings'],
      [/\bimport\s*(?:\.\s*meta\b|\()/, 'core loads nothing at run time'],
      [
        /(?<!function )\bassert\([^;{`]*`/,
        'the message of an assert is a literal: it must cost nothing until it fails',
      ],
    ],
  },
  {
    rule: 'apply-path',
    about: 'core: what runs for each command is written so that it is folded and inlined (docs/style.md says why)',
    under: ['packages/core/src/machine/', 'packages/core/src/table/', 'packages/core/src/fingerprint.ts'],
    tests: false,
    where: 'code',
    forbid: [
      [
        /\b(?:const|let)\s*\[[^\]]*\]\s*=\s*\[/,
        'two statements: an array that is taken apart is too long to be inlined',
      ],
      [
        /(?<![\w.])(?<!typeof )(?:RE(?:SERVATION|SOURCE)(?:_STATE)?|OPERATION|REG|RESULT|COMMAND|OVERFLOW|LOOKUP)\.[A-Z]/,
        'take it into a constant of the file, which V8 folds: const {X} = NAME;',
      ],
    ],
  },
  {
    rule: 'logical-time',
    about: 'wal, api, node and sim read clock and randomness only in the files that may import node:*',
    under: ['packages/wal/src/', 'packages/api/src/', 'packages/node/src/', 'packages/sim/src/'],
    except: [
      'packages/wal/src/fs/',
      'packages/node/src/storage/',
      'packages/node/src/clock.ts',
      'packages/sim/src/main.ts',
      'packages/sim/src/vectors.ts',
    ],
    tests: false,
    where: 'code',
    forbid: [
      [/\bDate\b/, 'take the slot or a clock as an argument'],
      [/\bMath\s*\.\s*random\b/, 'take a seeded source as an argument'],
      [/\bperformance\s*\.\s*(?:now|timeOrigin)\b/, 'take a clock as an argument'],
      [/\bhrtime\b/, 'take a clock as an argument'],
    ],
  },
  {
    rule: 'loading',
    about: 'modules are loaded by import statements, which the allow-lists can see',
    under: ['core', 'wal', 'api', 'node', 'client', 'sim'].map(name => `packages/${name}/src/`),
    tests: false,
    where: 'code',
    forbid: [[/\b(?:createRequire|getBuiltinModule)\b/, 'hides an import from the allow-lists']],
  },
  {
    rule: 'wal-neutral',
    about: 'the log carries bytes: it does not know what a reservation or a resource is',
    under: ['packages/wal/'],
    tests: true,
    where: 'text',
    forbid: [[/reservation|resource/i, 'the log knows records, not what is in them']],
  },
  {
    rule: 'leftovers',
    about: 'nothing half-done: no markers, focused tests, breakpoints or switched-off types',
    under: [''],
    tests: true,
    where: 'code',
    forbid: [
      [/\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.only\b/, 'a focused test hides all others'],
      [/\bdebugger\b/, 'breakpoint'],
      [/\bas\s+any\b/, 'use unknown and narrow it'],
    ],
  },
  {
    rule: 'leftovers',
    about: 'nothing half-done: no markers, focused tests, breakpoints or switched-off types',
    under: [''],
    tests: true,
    where: 'comments',
    forbid: [
      [/\b(?:FIXME|TODO|XXX)\b/, 'do it, or write down the decision not to'],
      [/@ts-(?:ignore|nocheck)\b/, 'the compiler is the first guard'],
    ],
  },
  {
    rule: 'leftovers',
    about: 'nothing half-done: no markers, focused tests, breakpoints or switched-off types',
    under: [''],
    tests: true,
    where: 'prose',
    forbid: [[/\b(?:FIXME|TODO)\b/, 'do it, or write down the decision not to']],
  },
  {
    rule: 'default-export',
    about: 'named exports only, except where a tool asks for a default',
    under: [''],
    tests: true,
    where: 'code',
    forbid: [[/\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/, 'export it by name']],
  },
  {
    rule: 'machine-path',
    about: 'no path of one machine in a tracked file',
    under: [''],
    tests: true,
    where: 'text',
    forbid: [[/(?<![\w.~}-])\/(?:work|root|home|Users)\/[\w.-]/, 'a path of one machine']],
  },
  {
    rule: 'registry-host',
    about: 'no address of a package registry in a tracked file: that is the setting of whoever installs',
    under: [''],
    tests: true,
    where: 'text',
    forbid: [
      [
        /\b(?:registry|npm|artifactory|nexus|verdaccio)\.(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|sh|cloud|internal|local|lan|corp)\b/i,
        'a registry host',
      ],
      [/https?:\/\/[^\s"')]+\.tgz\b/i, 'an archive address'],
      [/^\s*(?:@[\w-]+:)?registry\s*=/im, 'a registry setting'],
    ],
  },
];

/** Files of tools that ask for a default export. */
export const CONFIG_FILES: RegExp = /\.config\.(?:ts|mts|js|mjs)$/;

export interface SizeLimit {
  readonly match: RegExp;
  readonly lines: number;
}

/** The first that matches decides. */
export const SIZE_LIMITS: readonly SizeLimit[] = [
  {match: /^docs\/status\.md$/, lines: 220},
  {match: /\.(?:test|suite)\.ts$|^packages\/[^/]+\/test\/.*\.ts$/, lines: 450},
  {match: /^packages\/(?:core|wal)\/src\/.*\.ts$/, lines: 250},
  {match: /\.(?:ts|mts|js|mjs)$/, lines: 400},
];

export const HEADER_LINES = 3;

/** Fields a published package's manifest must have. */
export const MANIFEST_FIELDS: readonly string[] = ['name', 'description', 'license', 'files', 'exports', 'engines'];

export interface Exception {
  readonly rule: string;
  readonly path: string;
  /** Part of the offending line, so that the exception follows it and covers nothing else; left out, the whole file. */
  readonly line?: string;
  readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [];
