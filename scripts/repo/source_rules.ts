// Rules about a source file as a file: how long it is, what it is called, and that it opens by saying what it is.
// They look at paths, line counts and the first comment, never at code. The limits are data in repo_rules.ts, where
// the first entry that matches a path decides.
import {HEADER_LINES, SIZE_LIMITS} from '../repo_rules.ts';
import {type Finding, isSource, isTest, type Repo, type Rule} from './model.ts';

export const SOURCE_RULES: readonly Rule[] = [
  {
    name: 'file-size',
    about:
      'a file that outgrows its limit is two files: core and wal 250 lines, other sources 400, tests 450, status 220',
    check: repo => repo.files.flatMap(path => checkSize(repo, path)),
  },
  {
    name: 'file-name',
    about: 'files and directories of sources are snake_case; so are documents, but for README and numbered decisions',
    check: repo => repo.files.flatMap(path => checkName(path)),
  },
  {
    name: 'header',
    about: `each source file of a package opens with a comment of ${HEADER_LINES} or more lines: what it is, what it keeps, what is not here`,
    check: repo => repo.files.filter(needsHeader).flatMap(path => checkHeader(repo, path)),
  },
];

function checkSize(repo: Repo, path: string): Finding[] {
  const limit = SIZE_LIMITS.find(entry => entry.match.test(path));
  if (limit === undefined) return [];
  const lines = (repo.text(path) ?? '').replace(/\n$/, '').split('\n').length;
  if (lines <= limit.lines) return [];
  return [{path, line: limit.lines + 1, rule: 'file-size', message: `${lines} lines, limit ${limit.lines}`}];
}

const SNAKE = /^[a-z0-9]+(?:_[a-z0-9]+)*$/;
const DOCUMENT = /^(?:README|[a-z0-9]+(?:_[a-z0-9]+)*|\d{4}-[a-z0-9]+(?:[-_][a-z0-9]+)*)$/;

function checkName(path: string): Finding[] {
  const parts = path.split('/');
  const file = parts.pop() ?? '';
  const isDocument = parts[0] === 'docs' && file.endsWith('.md');
  if (!isSource(path) && !isDocument) return [];
  const stem = isDocument ? file.slice(0, -'.md'.length) : file;
  const good = isDocument ? DOCUMENT.test(stem) : stem.split('.').every(part => SNAKE.test(part));
  const bad = good ? parts.find(part => !part.startsWith('.') && !SNAKE.test(part)) : file;
  return bad === undefined ? [] : [{path, line: 1, rule: 'file-name', message: `${bad}: write it in snake_case`}];
}

function needsHeader(path: string): boolean {
  return /^(?:packages\/[^/]+\/src|scripts)\/.*\.(?:ts|mjs)$/.test(path) && !isTest(path);
}

function checkHeader(repo: Repo, path: string): Finding[] {
  const said = headerOf(repo.text(path) ?? '');
  if (said.length >= HEADER_LINES) return [];
  const message = `opens with ${said.length} lines of comment, wants ${HEADER_LINES} or more`;
  return [{path, line: 1, rule: 'header', message}];
}

function headerOf(text: string): string[] {
  const body = text.replace(/^#!.*\n/, '').trimStart();
  if (body.startsWith('/*')) return body.slice(0, body.indexOf('*/') + 2).split('\n');
  const lines = body.split('\n');
  const end = lines.findIndex(line => !line.startsWith('//'));
  return lines.slice(0, end < 0 ? lines.length : end);
}
