/**
 * Processes that this one starts: how a program of this package is run from sources as from what was built, and that none
 * outlives its parent, whatever ends it (`ends_with_parent.ts`). A program that measures in a process of its own prints one
 * line of JSON.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {endingWithParent} from './ends_with_parent.ts';

/** Where this package's programs are. */
export const PROGRAM_DIR: string = dirname(fileURLToPath(import.meta.url));
/** Where this package runs from its sources, so do the programs that it starts, through tsx. */
const extension: string = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
/** What a program in TypeScript needs. Other packages are those that were built: loading all of their sources takes a second. */
const LOADER: readonly string[] = ['--import', 'tsx'];
const LINES_KEPT = 20;

const running: Set<ChildProcess> = new Set();
process.once('exit', killChildren);

/** Path of a program of this package, by its name without extension. */
export function programOf(name: string): string {
  return join(PROGRAM_DIR, `${name}.${extension}`);
}

/** Ends every process that was started here and still runs, at once. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a program in Node. Its standard input stays open, and empty, as long as this process lives. */
export function startProgram(
  program: string,
  args: readonly string[],
  stdout: 'ignore' | 'pipe',
  nodeArgs: readonly string[] = [],
): ChildProcess {
  const [command, all] = endingWithParent(process.execPath, [
    ...(program.endsWith('.ts') ? LOADER : []),
    ...nodeArgs,
    program,
    ...args,
  ]);
  const child = spawn(command, all, {cwd: PROGRAM_DIR, stdio: ['pipe', stdout, 'pipe']});
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** The last lines of a stream of text, each handed on as it comes. */
export class LastLines {
  readonly #onLine: (line: string) => void;
  readonly #lines: string[] = [];
  #rest: string = '';

  constructor(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void) {
    this.#onLine = onLine;
    stream?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
  }

  get text(): string {
    return [...this.#lines, this.#rest].join('\n').trim();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#onLine(line);
      this.#lines.push(line);
      if (this.#lines.length > LINES_KEPT) this.#lines.shift();
    }
  }
}

/** How a program that measures is run. */
export interface MeasureOptions {
  readonly nodeArgs?: readonly string[];
  /** Takes what the program says on stderr, a line each. */
  readonly progress?: (line: string) => void;
}

/**
 * Runs a program of this package and resolves with the object that it printed. Rejects with its last words when it fails
 * or prints anything else.
 */
export async function runMeasurement(
  name: string,
  args: readonly string[],
  {nodeArgs = [], progress = () => undefined}: MeasureOptions = {},
): Promise<Record<string, unknown>> {
  const child = startProgram(programOf(name), args, 'pipe', nodeArgs);
  const words = new LastLines(child.stderr, progress);
  let out = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${name} ended with ${code}\n${words.text}`);
  const found: unknown = JSON.parse(out);
  if (typeof found !== 'object' || found === null) throw new Error(`${name} printed no object`);
  return {...found};
}

/** A number that a program printed. Throws Error where there is none. */
export function numberIn(found: Record<string, unknown>, name: string): number {
  const value = found[name];
  if (typeof value === 'number') return value;
  throw new Error(`the program did not report ${name}`);
}

/** Numbers that a program printed. Throws Error where there are none. */
export function numbersIn(found: Record<string, unknown>, name: string): number[] {
  const value: unknown = found[name];
  if (Array.isArray(value) && value.every(each => typeof each === 'number')) return value;
  throw new Error(`the program did not report ${name}`);
}
