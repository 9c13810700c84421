/**
 * The lines that were typed into the repl, kept from session to session in a file that only its owner can read. It lies
 * where the XDG rules put state: below XDG_STATE_HOME, or ~/.local/state. Tokens are never part of a line.
 *
 * A history that cannot be kept is no reason not to work: it is then of this session only.
 */
import {appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {dirname, isAbsolute, join} from 'node:path';

const LINES_MAX = 1000;
const OWNER_ONLY = 0o600;

/** Where the file lies. The rules say that a relative path in the variable does not count. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  const state = env['XDG_STATE_HOME'];
  const base = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state');
  return join(base, 'allocdb', 'repl_history');
}

export class HistoryFile {
  readonly #path: string;
  /** What keeps the history from being written, null when it is. */
  problem: string | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** The last lines, oldest first. Makes the file the owner's own, and cuts it when it has grown to twice its length. */
  read(): string[] {
    try {
      mkdirSync(dirname(this.#path), {recursive: true, mode: 0o700});
      const all = linesOf(this.#path);
      const lines = all.slice(-LINES_MAX);
      // Seldom, because another session may be adding lines meanwhile.
      if (all.length > 2 * LINES_MAX) writeFileSync(this.#path, lines.map(line => `${line}\n`).join(''));
      else appendFileSync(this.#path, '', {mode: OWNER_ONLY});
      chmodSync(this.#path, OWNER_ONLY);
      return lines;
    } catch (error) {
      this.problem = (error as Error).message;
      return [];
    }
  }

  /** Adds a line. */
  add(line: string): void {
    if (this.problem !== null) return;
    try {
      appendFileSync(this.#path, `${line}\n`, {mode: OWNER_ONLY});
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter(line => line !== '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
