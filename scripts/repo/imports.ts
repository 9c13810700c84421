// Finds what a source file imports: static imports, re-exports, dynamic imports, require and import.meta.resolve.
// Works on the lexer's code view, so an import in a comment or a string is none. A dynamic import whose specifier is
// not a literal cannot be checked against an allow-list; it is reported with an empty specifier.
import {posix} from 'node:path';
import type {Lexed, Literal} from './lexer.ts';

export interface Import {
  readonly specifier: string;
  readonly offset: number;
  /** Loaded before the importing file runs; not so a type import (erased) or a dynamic one (later). */
  readonly eager: boolean;
  /** The names taken, before any `as`; `*` for the whole module, nothing for a side-effect or dynamic import. */
  readonly names: readonly string[];
}

const STATIC =
  /\b(?:import|export)\s+(type\b(?!\s+from\b|\s*,))?((?:(?!\b(?:import|export)\b)[\w\s{},*$])*?)\bfrom\s*(?=['"])/g;
const SIDE_EFFECT = /\bimport\s*(?=['"])/g;
const CALL = /(?<![\w$.])(?:import|require|import\.meta\.resolve)\s*\(\s*/g;

export function importsOf(lexed: Lexed): Import[] {
  const literalAt = new Map<number, Literal>(lexed.literals.map(literal => [literal.start, literal]));
  const found: Import[] = [];

  const add = (match: RegExpExecArray, eager: boolean, names: readonly string[]): void => {
    const specifier = literalAt.get(match.index + match[0].length)?.value ?? '';
    found.push({specifier, offset: match.index, eager, names});
  };

  for (const match of lexed.code.matchAll(STATIC)) add(match, match[1] === undefined, namesIn(match[2] ?? ''));
  for (const match of lexed.code.matchAll(SIDE_EFFECT)) add(match, true, []);
  for (const match of lexed.code.matchAll(CALL)) add(match, false, []);
  return found.sort((a, b) => a.offset - b.offset);
}

/** The file a relative specifier means, as a path from the repository's root. */
export function resolveRelative(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

/** '@scope/name/sub/path' → '@scope/name'; 'name/sub' → 'name'. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function namesIn(clause: string): string[] {
  const names: string[] = [];
  const braces = /\{([^}]*)\}/.exec(clause);
  if (clause.includes('*')) names.push('*');
  const outside = clause.replace(/\{[^}]*\}/, '').replace(/\*\s*(?:as\s+[\w$]+)?/, '');
  if (/[\w$]/.test(outside)) names.push('default');
  for (const part of (braces?.[1] ?? '').split(',')) {
    const name = part
      .trim()
      .replace(/^type\s+/, '')
      .split(/\s/)[0];
    if (name) names.push(name);
  }
  return names;
}
