/**
 * Runs one line of the repl: a session of its own on the repl's connection, so that nothing of a line is left for the next
 * but the connection, and what it has seen of ids.
 */
import type {Client} from '@allocdb/client';
import {EXIT, fail} from '../exit.ts';
import type {Interrupt} from '../interrupt.ts';
import {ONLINE_COMMANDS} from '../online_commands.ts';
import type {Output} from '../output.ts';
import {run} from '../program.ts';
import {report} from '../report.ts';
import {Session} from '../session.ts';
import {splitWords} from '../words.ts';
import {SeenIds} from './complete_line.ts';

export class LineRunner {
  readonly output: Output;
  /** For completion. */
  readonly seen: SeenIds = new SeenIds();
  readonly #client: Client;
  readonly #json: boolean;

  constructor(client: Client, output: Output) {
    this.#client = client;
    this.output = output;
    this.#json = output.json;
    output.onLine = line => this.seen.note(line);
  }

  /** A session on the repl's connection. */
  sessionOf(interrupt: Interrupt): Session {
    const {output} = this;
    return new Session({output, interrupt, client: this.#client, invocation: '', json: this.#json});
  }

  /** Runs a line and returns its exit code; an empty line is fine. Never throws. */
  async run(line: string, interrupt: Interrupt): Promise<number> {
    this.seen.note(line);
    const session = this.sessionOf(interrupt);
    const words = splitWords(line);
    if (words === null) return unreadable(session);
    return words.length === 0 ? EXIT.OK : run(words, session, ONLINE_COMMANDS);
  }
}

/** True for a line that ends the repl. */
export function isEnd(line: string): boolean {
  return /^\s*(?:exit|quit)\s*$/.test(line);
}

function unreadable(session: Session): number {
  session.output.json = session.json;
  try {
    return fail(EXIT.USAGE, 'a quote is not closed, or a backslash stands at the end of the line');
  } catch (error) {
    return report(error, session);
  }
}
