// Rules about documents: every one can be found from docs/README.md, and no relative link is dead, in any Markdown
// file of the repository. A link must lead to a file that git knows or would add, not to one that merely lies on this
// disk. Links to the web are not followed.
import {posix} from 'node:path';
import {anchorsOf, linksOf} from './markdown.ts';
import {type Finding, finding, type Repo, type Rule} from './model.ts';

const START = 'docs/README.md';

export const DOC_RULES: readonly Rule[] = [
  {
    name: 'docs-reachable',
    about: `every document under docs/ is linked from ${START}, directly or through another`,
    check: checkReachable,
  },
  {
    name: 'links',
    about: 'relative links of Markdown files lead to a file of the repository, and their anchors to a heading in it',
    check: repo => repo.files.filter(path => path.endsWith('.md')).flatMap(path => checkLinks(repo, path)),
  },
];

interface Target {
  readonly path: string;
  readonly anchor: string;
}

function targetOf(from: string, link: string): Target | null {
  if (/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(link)) return null;
  const [file = '', anchor = ''] = link.split('#');
  const path = file === '' ? from : posix.normalize(posix.join(posix.dirname(from), decodeURI(file)));
  return {path: path.replace(/\/$/, ''), anchor};
}

function checkReachable(repo: Repo): Finding[] {
  const reached = new Set([START]);
  for (const path of reached) {
    for (const link of linksOf(repo.has(path) ? (repo.text(path) ?? '') : '')) {
      const target = targetOf(path, link.target)?.path;
      if (target?.endsWith('.md') && repo.has(target)) reached.add(target);
    }
  }
  return repo.files
    .filter(path => path.startsWith('docs/') && path.endsWith('.md') && (path === START ? false : !reached.has(path)))
    .map(path => ({path, line: 1, rule: 'docs-reachable', message: `no link leads here from ${START}`}));
}

function checkLinks(repo: Repo, path: string): Finding[] {
  return linksOf(repo.text(path) ?? '').flatMap(link => {
    const target = targetOf(path, link.target);
    if (target === null) return [];
    const problem = problemWith(repo, target);
    return problem === null ? [] : [finding(repo, 'links', path, link.offset, `${link.target}: ${problem}`)];
  });
}

function problemWith(repo: Repo, {path, anchor}: Target): string | null {
  if (path.startsWith('..')) return 'leaves the repository';
  if (path.startsWith('/')) return 'not relative';
  if (!repo.has(path)) {
    const isDirectory = path === '.' || repo.files.some(file => file.startsWith(`${path}/`));
    return isDirectory ? null : 'no such file';
  }
  if (anchor === '' || !path.endsWith('.md')) return null;
  return anchorsOf(repo.text(path) ?? '').has(anchor) ? null : `no heading #${anchor}`;
}
