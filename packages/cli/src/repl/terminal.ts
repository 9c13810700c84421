/**
 * The repl on a terminal: prompt, history, completion. The prompt is on stderr, so that answers alone are on stdout.
 *
 * Lines that are typed while one runs wait. ^C ends the call that runs, or clears the line; ^D ends the repl once what was
 * typed has run. The terminal is in raw mode, so ^C is a key here and no signal.
 */
import {createInterface, type Interface} from 'node:readline';
import type {CommandTree} from '../completion/tree.ts';
import {type Interrupt, Interrupted} from '../interrupt.ts';
import {completeLine} from './complete_line.ts';
import type {HistoryFile} from './history_file.ts';
import {isEnd, type LineRunner} from './line_runner.ts';

/** What a terminal session needs. */
export interface Terminal {
  readonly runner: LineRunner;
  readonly input: NodeJS.ReadableStream;
  readonly screen: NodeJS.WritableStream;
  readonly tree: CommandTree;
  readonly history: HistoryFile;
  /** Ends the repl from outside. */
  readonly interrupt: Interrupt;
}

/** Resolves when the repl has ended. */
export async function runTerminal(terminal: Terminal): Promise<void> {
  const {runner, input, screen, tree, history, interrupt} = terminal;
  const lines = createInterface({
    input,
    output: screen,
    terminal: true,
    history: history.read().reverse(),
    removeHistoryDuplicates: true,
    prompt: 'allocdb> ',
    completer: (line: string) => completeLine(line, tree, runner.seen),
  });
  const session = new TerminalSession(lines, runner, history);
  const onInterrupt = (): void => session.end(interrupt.signal.reason);
  interrupt.signal.addEventListener('abort', onInterrupt);
  await session.ended;
  interrupt.signal.removeEventListener('abort', onInterrupt);
}

class TerminalSession {
  /** Resolves when it has ended and nothing runs. */
  readonly ended: Promise<void>;
  readonly #lines: Interface;
  readonly #runner: LineRunner;
  readonly #history: HistoryFile;
  readonly #waiting: string[] = [];
  /** Ends the line that runs; null when none does. */
  #running: AbortController | null = null;
  #closed: boolean = false;
  #resolve: () => void = () => undefined;

  constructor(lines: Interface, runner: LineRunner, history: HistoryFile) {
    this.#lines = lines;
    this.#runner = runner;
    this.#history = history;
    this.ended = new Promise(resolve => {
      this.#resolve = resolve;
    });
    lines.on('line', line => this.#onLine(line));
    lines.on('SIGINT', () => this.#onInterruptKey());
    lines.on('close', () => this.#onClose());
    lines.prompt();
  }

  /** Ends the line that runs, and the repl. */
  end(reason: unknown): void {
    this.#waiting.length = 0;
    this.#running?.abort(reason);
    this.#lines.close();
  }

  #onLine(line: string): void {
    if (line.trim() !== '') this.#history.add(line);
    this.#waiting.push(line);
    if (this.#running === null) void this.#runAll();
  }

  async #runAll(): Promise<void> {
    for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) {
      if (isEnd(line)) {
        this.#waiting.length = 0;
        this.#lines.close();
        break;
      }
      const controller = new AbortController();
      this.#running = controller;
      await this.#runner.run(line, {signal: controller.signal});
      this.#running = null;
    }
    if (this.#closed) this.#resolve();
    else this.#lines.prompt();
  }

  #onInterruptKey(): void {
    if (this.#running !== null) {
      this.#waiting.length = 0;
      this.#running.abort(new Interrupted('^C'));
      return;
    }
    // As in a shell: the line is given up, and the next one begins below it.
    this.#lines.write(null, {ctrl: true, name: 'e'});
    this.#lines.write(null, {ctrl: true, name: 'u'});
    this.#lines.prompt();
  }

  #onClose(): void {
    this.#closed = true;
    if (this.#running === null) this.#resolve();
  }
}
