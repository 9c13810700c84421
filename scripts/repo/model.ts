// What a rule sees: the repository's files as text, nothing of git or the disk. A rule is a function from this to
// findings, so its test plants a violation in a handful of strings. Reading and lexing happen once per file.
// What counts as a source or a test is decided here, once for all rules.
import {type Import, importsOf} from './imports.ts';
import {type Lexed, lex, lineAt} from './lexer.ts';

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

export interface Changes {
  /** Paths that differ from the base: edited, added, deleted or untracked. Null where there is no base to compare with. */
  readonly since: readonly string[] | null;
}

export interface Rule {
  readonly name: string;
  readonly about: string;
  check(repo: Repo): Finding[];
}

export interface Manifest {
  readonly name?: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface Repo {
  readonly files: readonly string[];
  readonly changes: Changes;
  has(path: string): boolean;
  /** The file's text, or null where it is not text. */
  text(path: string): string | null;
  lexed(path: string): Lexed;
  imports(path: string): readonly Import[];
  manifest(path: string): Manifest | null;
}

export function createRepo(
  paths: readonly string[],
  read: (path: string) => string | null,
  changes: Changes = {since: null},
): Repo {
  const files = [...paths].sort((a, b) => (a < b ? -1 : 1));
  const known = new Set(files);
  const text = memo(read);
  const lexed = memo(path => lex(text(path) ?? ''));
  return {
    files,
    changes,
    has: path => known.has(path),
    text,
    lexed,
    imports: memo(path => importsOf(lexed(path))),
    manifest: memo(path => (known.has(path) ? parseManifest(text(path) ?? '') : null)),
  };
}

export function finding(repo: Repo, rule: string, path: string, offset: number, message: string): Finding {
  return {path, line: lineAt(repo.text(path) ?? '', offset), rule, message};
}

/** Line where a text first stands in a file; 1 where it does not. */
export function lineOf(repo: Repo, path: string, what: string): number {
  const text = repo.text(path) ?? '';
  const offset = text.indexOf(what);
  return offset < 0 ? 1 : lineAt(text, offset);
}

/** Line of a field in a manifest, for a message about it. */
export function fieldLine(repo: Repo, path: string, field: string): number {
  return lineOf(repo, path, `"${field}"`);
}

export function isSource(path: string): boolean {
  return /\.(?:ts|mts|cts|js|mjs|cjs|tsx)$/.test(path);
}

/** Tests, shared suites, examples and what only they use: never published, so allowed to import more. */
export function isTest(path: string): boolean {
  return /\.(?:test|suite)\.ts$/.test(path) || /^packages\/[^/]+\/(?:test|examples)\//.test(path);
}

/** 'core' for 'packages/core/src/x.ts'; null outside packages. */
export function packageDir(path: string): string | null {
  return /^packages\/([^/]+)\//.exec(path)?.[1] ?? null;
}

export function startsWithAny(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some(prefix => path.startsWith(prefix));
}

function memo<T>(make: (path: string) => T): (path: string) => T {
  const made = new Map<string, T>();
  return path => {
    const known = made.get(path);
    if (known !== undefined) return known;
    const value = make(path);
    made.set(path, value);
    return value;
  };
}

function parseManifest(text: string): Manifest | null {
  try {
    return JSON.parse(text) as Manifest;
  } catch {
    return null;
  }
}
