/**
 * A reader of changes in a process of its own (`feed_tail_program.ts`), as whoever started it sees it: it reads from some lsn
 * on, is told how far it has to come, and reports; or it has stopped reading, and is killed in the end.
 */
import type {ChildProcess} from 'node:child_process';
import {LastLines, numberIn, programOf, startProgram} from './child_process.ts';

/** What a reader has read. */
export interface TailReport {
  /** The first lsn that it asked for, and the last one that it got: all of them came, in order. */
  readonly first: number;
  readonly last: number;
  readonly changes: number;
  /** Changes that it had not read yet when it was told where they end, and how long it had been reading by then. */
  readonly behind: number;
  readonly millis: number;
  /** Processor time until it had read everything. */
  readonly cpuMillis: number;
}

export class FeedTail {
  readonly #child: ChildProcess;
  readonly #words: LastLines;
  readonly #following: Promise<void>;
  #out: string = '';

  /** Starts a reader and resolves when it has subscribed. Rejects with its last words when it fails. */
  static async start(port: number, way: 'read' | 'stall'): Promise<FeedTail> {
    const tail = new FeedTail(port, way);
    try {
      await Promise.race([tail.#following, tail.#ended().then(() => tail.#fail())]);
      return tail;
    } catch (error) {
      tail.kill();
      throw error;
    }
  }

  private constructor(port: number, way: 'read' | 'stall') {
    const child = startProgram(programOf('feed_tail_program'), [String(port), way], 'pipe');
    let onFollowing: () => void = () => undefined;
    this.#following = new Promise(resolve => {
      onFollowing = resolve;
    });
    this.#words = new LastLines(child.stderr, line => {
      if (line.startsWith('{"event":"following"')) onFollowing();
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    this.#child = child;
  }

  /** Lets it read on to this lsn, which is the last one, and resolves with its report. Rejects with its last words. */
  async readTo(lsn: number): Promise<TailReport> {
    const ended = this.#ended();
    this.#child.stdin?.write(`${lsn}\n`);
    if ((await ended) !== 0) return this.#fail();
    const found = JSON.parse(this.#out) as Record<string, unknown>;
    return {
      first: numberIn(found, 'first'),
      last: numberIn(found, 'last'),
      changes: numberIn(found, 'changes'),
      behind: numberIn(found, 'behind'),
      millis: numberIn(found, 'millis'),
      cpuMillis: numberIn(found, 'cpuMillis'),
    };
  }

  /** Ends it at once; without effect when it is gone. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Resolves with its exit code; null for a signal. */
  #ended(): Promise<number | null> {
    const {exitCode, signalCode} = this.#child;
    if (exitCode !== null || signalCode !== null) return Promise.resolve(exitCode);
    return new Promise((resolve, reject) => {
      this.#child.once('close', resolve);
      this.#child.once('error', reject);
      // A pipe that broke says so by an error of its own; that the reader has ended tells more.
      this.#child.stdin?.on('error', () => undefined);
    });
  }

  #fail(): never {
    throw new Error(`the reader of changes ended\n${this.#words.text}`);
  }
}
