// All rules in one list, and the run over them: findings in reading order, without those that an exception covers, and
// with a finding for every exception that covers nothing. A rule is added by putting it into one of the lists below;
// a test then asks for its planted violation.
import {EXCEPTIONS, type Exception} from '../repo_rules.ts';
import {DOC_RULES} from './doc_rules.ts';
import {IMPORT_RULES} from './import_rules.ts';
import type {Finding, Repo, Rule} from './model.ts';
import {PACKAGE_RULES} from './package_rules.ts';
import {PATTERN_RULES} from './pattern_rules.ts';
import {SOURCE_RULES} from './source_rules.ts';

export const RULES: readonly Rule[] = [
  ...IMPORT_RULES,
  ...PATTERN_RULES,
  ...SOURCE_RULES,
  ...DOC_RULES,
  ...PACKAGE_RULES,
];

export function runRules(repo: Repo, exceptions: readonly Exception[] = EXCEPTIONS): Finding[] {
  const used = new Set<Exception>();
  const findings = RULES.flatMap(rule => rule.check(repo)).filter(found => {
    const covering = exceptions.find(exception => covers(repo, exception, found));
    if (covering !== undefined) used.add(covering);
    return covering === undefined;
  });
  const stale = exceptions
    .filter(exception => !used.has(exception))
    .map(({rule, path}) => ({
      path,
      line: 1,
      rule: 'stale-exception',
      message: `nothing here breaks ${rule} any more: remove the exception`,
    }));
  return [...findings, ...stale].sort(byPlace);
}

export function render({path, line, rule, message}: Finding): string {
  return `${path}:${line}  ${rule}  ${message}`;
}

function covers(repo: Repo, exception: Exception, found: Finding): boolean {
  if (exception.rule !== found.rule || exception.path !== found.path) return false;
  const line = (repo.text(found.path) ?? '').split('\n')[found.line - 1] ?? '';
  return exception.line === undefined || line.includes(exception.line);
}

function byPlace(a: Finding, b: Finding): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return a.line - b.line;
}
