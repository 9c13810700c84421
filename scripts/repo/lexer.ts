// Splits TypeScript text into what runs and what is only said, so that a rule on code never fires on a comment or a
// string. Two views of the same length as the text come out: `code`, where comments and the insides of strings,
// templates and regular expressions are blank, and `comments`, where everything else is. Offsets agree in all three.
// It knows tokens, not grammar: whether a slash divides or opens a regular expression is read off the token before it.

export interface Literal {
  /** Offset of the opening quote. */
  readonly start: number;
  /** Offset just after the closing quote. */
  readonly end: number;
  readonly value: string;
}

export interface Lexed {
  readonly text: string;
  readonly code: string;
  readonly comments: string;
  /** Quoted strings and templates without substitutions, in order. */
  readonly literals: readonly Literal[];
}

const OPERAND_KEYWORDS =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|instanceof|await|yield|else|do|extends)$/;

export function lex(text: string): Lexed {
  const code = text.split('');
  const comments = text.replace(/[^\n]/g, ' ').split('');
  const literals: Literal[] = [];
  const braces: number[] = [];
  let depth = 0;
  let at = 0;

  const blank = (from: number, to: number): void => {
    for (let i = from; i < to; i += 1) if (code[i] !== '\n') code[i] = ' ';
  };

  const comment = (end: number): void => {
    blank(at, end);
    for (let i = at; i < end; i += 1) comments[i] = text[i] ?? '';
    at = end;
  };

  const quoted = (quote: string): void => {
    const end = endOfQuoted(text, at, quote);
    blank(at + 1, end - 1);
    literals.push({start: at, end, value: text.slice(at + 1, end - 1)});
    at = end;
  };

  // Reads template text from `at` (just after a backtick or a closing brace) up to the next substitution or the end.
  const template = (open: number): void => {
    const from = at;
    while (at < text.length) {
      if (text[at] === '\\') at += 2;
      else if (text[at] === '`') {
        blank(from, at);
        at += 1;
        if (open >= 0) literals.push({start: open, end: at, value: text.slice(from, at - 1)});
        return;
      } else if (text.startsWith('${', at)) {
        blank(from, at);
        braces.push(depth);
        depth += 1;
        at += 2;
        return;
      } else at += 1;
    }
    blank(from, text.length);
  };

  if (text.startsWith('#!')) comment(endOfLine(text, 0));
  while (at < text.length) {
    const char = text[at] ?? '';
    if (text.startsWith('//', at)) comment(endOfLine(text, at));
    else if (text.startsWith('/*', at)) {
      const close = text.indexOf('*/', at + 2);
      comment(close < 0 ? text.length : close + 2);
    } else if (char === "'" || char === '"') quoted(char);
    else if (char === '`') {
      at += 1;
      template(at - 1);
    } else if (char === '/' && opensRegex(code, at)) {
      const end = endOfRegex(text, at);
      blank(at + 1, end - 1);
      at = end;
    } else if (char === '{') {
      depth += 1;
      at += 1;
    } else if (char === '}') {
      depth -= 1;
      at += 1;
      if (braces.at(-1) === depth) {
        braces.pop();
        template(-1);
      }
    } else at += 1;
  }
  return {text, code: code.join(''), comments: comments.join(''), literals};
}

/** Line of an offset, counted from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  for (let i = from + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === quote || text[i] === '\n') return i + 1;
  }
  return text.length;
}

function endOfRegex(text: string, from: number): number {
  let inClass = false;
  for (let i = from + 1; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '\n') return i;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) return i + 1;
  }
  return text.length;
}

// An expression ends in a word, a number, a quote or a closing bracket; after anything else a slash opens a regular
// expression. A closing brace ends a block far more often than an operand.
function opensRegex(code: readonly string[], at: number): boolean {
  let end = at;
  while (end > 0 && /\s/.test(code[end - 1] ?? '')) end -= 1;
  if (end === 0) return true;
  if (!/[\w$)\]'"`]/.test(code[end - 1] ?? '')) return true;
  return OPERAND_KEYWORDS.test(code.slice(Math.max(0, end - 12), end).join(''));
}
