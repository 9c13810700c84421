// Rules that are a list of forbidden expressions: where they look and what they say is data in repo_rules.ts. Each is
// matched against one view of the file, so that a word in a comment does not break a rule about code. Several entries
// may share a name: they are one rule that looks in several places.
import {CONFIG_FILES, PATTERNS, type PatternRule} from '../repo_rules.ts';
import {proseOf} from './markdown.ts';
import {type Finding, finding, isSource, isTest, type Repo, type Rule, startsWithAny} from './model.ts';

export const PATTERN_RULES: readonly Rule[] = [...new Set(PATTERNS.map(pattern => pattern.rule))].map(name => ({
  name,
  about: PATTERNS.find(pattern => pattern.rule === name)?.about ?? '',
  check: repo => PATTERNS.filter(pattern => pattern.rule === name).flatMap(pattern => checkPattern(repo, pattern)),
}));

function checkPattern(repo: Repo, pattern: PatternRule): Finding[] {
  return repo.files
    .filter(path => startsWithAny(path, pattern.under) && !startsWithAny(path, pattern.except ?? []))
    .filter(path => pattern.tests || !isTest(path))
    .filter(path => pattern.rule !== 'default-export' || !CONFIG_FILES.test(path))
    .flatMap(path => {
      const view = viewOf(repo, path, pattern.where);
      return view === null
        ? []
        : pattern.forbid.flatMap(([regex, message]) => matches(repo, path, view, pattern, regex, message));
    });
}

function matches(
  repo: Repo,
  path: string,
  view: string,
  {rule}: PatternRule,
  regex: RegExp,
  message: string,
): Finding[] {
  const all = new RegExp(regex.source, `${regex.flags}g`);
  return [...view.matchAll(all)].map(match => {
    const quote = (repo.text(path) ?? '')
      .slice(match.index, match.index + match[0].length)
      .trim()
      .replace(/\s+/g, ' ');
    return finding(repo, rule, path, match.index, `${quote.slice(0, 40)}: ${message}`);
  });
}

function viewOf(repo: Repo, path: string, where: PatternRule['where']): string | null {
  if (where === 'text') return repo.text(path);
  if (where === 'prose') return path.endsWith('.md') ? proseOf(repo.text(path) ?? '') : null;
  return isSource(path) ? repo.lexed(path)[where] : null;
}
