// The lexer and what is read off its views: imports, Markdown links, anchors. The cases are those where a simple search
// would take a comment for code, a string for an import, or a division for a regular expression.
import {describe, expect, test} from 'vitest';
import {importsOf, packageOf} from './imports.ts';
import {lex, lineAt} from './lexer.ts';
import {anchorsOf, linksOf, proseOf} from './markdown.ts';

const squeezed = (text: string): string => lex(text).code.replace(/ +/g, ' ');

describe('lex', () => {
  test.each([
    ['a line comment', 'a; // b\nc;', 'a; \nc;'],
    ['a block comment over lines', 'a /* b\nc */ d', 'a \n d'],
    ['comment marks in a string', "'/* x' + y // z", "' ' + y "],
    ['an escaped quote', "'a\\'b' + c", "' ' + c"],
    ['a template with code in it', '`a ${b + `c ${d}`} e` + f', '` ${b + ` ${d}`} ` + f'],
    ['an object in a template', '`a ${f({b: 1})} c` + d', '` ${f({b: 1})} ` + d'],
    ['a regular expression', 'x = /a\\/"b[/]c/g.test(y)', 'x = / /g.test(y)'],
    ['a regular expression after return', 'return /"/.test(y)', 'return / /.test(y)'],
    ['divisions', '(a) / b / c; d[0] / 2 / "x"', '(a) / b / c; d[0] / 2 / " "'],
    ['a shebang', '#!/usr/bin/env node\na', ' \na'],
  ])('blanks %s', (_, text, code) => {
    expect(squeezed(text)).toBe(code);
    expect(lex(text).code).toHaveLength(text.length);
    expect(lex(text).comments).toHaveLength(text.length);
  });

  test('keeps comments in a view of their own', () => {
    expect(
      lex("a('// no'); // yes\n/* too */")
        .comments.trim()
        .split(/\s{2,}|\n/),
    ).toEqual(['// yes', '/* too */']);
  });

  test('survives text that never closes', () => {
    for (const text of ["'", '"a', '`a ${', '`a ${b', '/*', '/a', '}', '${'])
      expect(lex(text).code).toHaveLength(text.length);
  });

  test('counts lines from 1', () => {
    expect([0, 1, 2, 3].map(offset => lineAt('a\n\nb', offset))).toEqual([1, 1, 2, 3]);
  });
});

describe('importsOf', () => {
  const of = (text: string): unknown[] =>
    importsOf(lex(text)).map(({specifier, eager, names}) => [specifier, eager, names.join()]);

  test.each([
    [`import {a, type B, c as d} from './x.ts';`, './x.ts', true, 'a,B,c'],
    [`import type {A} from 'x';`, 'x', false, 'A'],
    [`import * as x from 'x';`, 'x', true, '*'],
    [`import x, {y} from 'x';`, 'x', true, 'default,y'],
    [`import type from 'x';`, 'x', true, 'default'],
    [`export * from 'x';`, 'x', true, '*'],
    [`export type {A} from 'x';`, 'x', false, 'A'],
    [`import 'x';`, 'x', true, ''],
    [`const x = await import('x');`, 'x', false, ''],
    [`let x: import('x').Y;`, 'x', false, ''],
    ['require("x")', 'x', false, ''],
    ['import(`./${name}.ts`)', '', false, ''],
    ['import {\n  a, // the first\n  b,\n} from "x";', 'x', true, 'a,b'],
  ])('%s', (text, ...expected) => {
    expect(of(text)).toEqual([expected]);
  });

  test('sees no import where there is none', () => {
    expect(of(`// import 'x';\nconst a = "import 'x'";\nexport const from = 'x';\nimport.meta.url;`)).toEqual([]);
  });

  test('finds every import of a file, in order', () => {
    const text = `import 'a';\nexport interface B {}\nimport {c} from 'c';\nimport type {D} from 'd';\n`;
    expect(of(text)).toEqual([
      ['a', true, ''],
      ['c', true, 'c'],
      ['d', false, 'D'],
    ]);
  });

  test('names the package of a specifier', () => {
    expect(['@a/b/c', '@a/b', 'a/b', 'a'].map(packageOf)).toEqual(['@a/b', '@a/b', 'a', 'a']);
  });
});

describe('markdown', () => {
  test('links are found in every form, with their offsets', () => {
    const text =
      '[![x](a.png)](b.md "t")\n[c]: c.md\n<a href="d.md">d</a>\n`[e](e.md)`\n```\n[f](f.md)\n```\n<!-- [g](g.md) -->\n';
    expect(linksOf(text).map(link => link.target)).toEqual(['a.png', 'b.md', 'c.md', 'd.md']);
    expect(linksOf(text).map(link => lineAt(text, link.offset))).toEqual([1, 1, 2, 3]);
  });

  test('an unclosed fence runs to the end', () => {
    expect(proseOf('a\n```\n[x](y)\n').trim()).toBe('a');
  });

  test('a fence of four holds a fence of three', () => {
    expect(proseOf('````\n```\nx\n```\n````\nz').trim()).toBe('z');
  });

  test('anchors follow the headings', () => {
    const text = '# A `b` & c\n## Twice\n## Twice\n### Über [x](y)\n```\n# not\n```\n<a id="here"></a>\n';
    expect([...anchorsOf(text)]).toEqual(['a-b--c', 'twice', 'twice-1', 'über-x', 'here']);
  });
});
