// Just enough Markdown for the rules about documents: prose without code, the links in it, and the anchors that the
// headings make. Blanking keeps offsets, so a finding's line is the document's line. Indented code blocks are not
// recognised: we fence ours.

export interface Link {
  readonly target: string;
  readonly offset: number;
}

const CODE =
  /^(?<indent> *)(?<fence>`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ *\k<fence>[`~]*[^\S\n]*$|$(?![\s\S]))|<!--[\s\S]*?-->|(?<tick>`+)(?!`)[\s\S]*?(?<!`)\k<tick>(?!`)/gm;

/** The text with code blocks, code spans and comments blanked. */
export function proseOf(markdown: string): string {
  return markdown.replace(CODE, code => code.replace(/[^\n]/g, ' '));
}

export function linksOf(markdown: string): Link[] {
  const prose = proseOf(markdown);
  const forms = [
    /\]\(\s*<?(?<target>[^)\s>]+)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/g,
    /^ {0,3}\[[^\]]+\]:\s*<?(?<target>[^\s>]+)/gm,
    /<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)="(?<target>[^"\s]+)/g,
  ];
  return forms
    .flatMap(form => [...prose.matchAll(form)])
    .map(match => ({target: match.groups?.['target'] ?? '', offset: match.index}));
}

/** The anchors of a document: one for each heading, numbered where headings repeat, and explicit ids. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const withoutBlocks = markdown.replace(CODE, code => (code.includes('\n') ? code.replace(/[^\n]/g, ' ') : code));
  for (const match of withoutBlocks.matchAll(/^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$/gm)) {
    const slug = slugOf(match[1] ?? '');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n += 1) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  for (const match of withoutBlocks.matchAll(/\b(?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? '');
  return anchors;
}

function slugOf(heading: string): string {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]+>/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}
