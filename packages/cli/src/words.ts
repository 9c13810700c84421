/**
 * A line as words and words as a line, by the rules that a shell has for quotes and backslashes: so that what the command
 * line prints to be repeated can be pasted into either, and a line of the repl reads like one of a shell. Nothing is
 * expanded: no variables, no patterns.
 */

/** The words of a line; null when a quote is not closed or a backslash stands at the end. */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (char === ' ' || char === '\t') {
      if (word !== null) words.push(word);
      word = null;
    } else if (char === '#' && word === null) {
      return words;
    } else if (char === "'" || char === '"') {
      const quoted = quotedFrom(line, at);
      if (quoted === null) return null;
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else if (char === '\\') {
      at++;
      if (at === line.length) return null;
      word = (word ?? '') + line[at];
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

/** What stands in the quotes that open at `start`, and where they close. */
function quotedFrom(line: string, start: number): {text: string; end: number} | null {
  const quote = line[start];
  let text = '';
  for (let at = start + 1; at < line.length; at++) {
    const char = line[at] as string;
    if (char === quote) return {text, end: at};
    const next = line[at + 1];
    if (quote === '"' && char === '\\' && (next === '"' || next === '\\')) {
      text += next;
      at++;
    } else {
      text += char;
    }
  }
  return null;
}

/** A line of which the words are these. */
export function joinWords(words: readonly string[]): string {
  return words.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
