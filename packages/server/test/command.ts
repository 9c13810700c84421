/**
 * The built `allocdb` command as tests use it: run to its end, served in the background, or fed through its pipes. The
 * only place that knows where the command lies. Every process started here is killed by `cleanUp`, every directory made
 * here is removed; a test file calls it after each test.
 */
import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** Where tsx is found. */
const PACKAGE_DIR = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const READY_MS = 120_000;
const END_MS = 120_000;

const children = new Set<ChildProcessWithoutNullStreams>();
const directories = new Set<string>();

/** A directory of its own for a test, removed by `cleanUp`. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'allocdb-server-'));
  directories.add(dir);
  return dir;
}

/** Writes a file of a test and returns its path. */
export function tempFile(name: string, text: string | Uint8Array): string {
  const path = join(tempDir(), name);
  writeFileSync(path, text);
  return path;
}

/** Kills what still runs and removes what was made. */
export async function cleanUp(): Promise<void> {
  const ends = [...children].map(child => endOf(child));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ends);
  for (const dir of directories) rmSync(dir, {recursive: true, force: true});
  directories.clear();
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** The command as it is installed. */
export const INSTALLED_COMMAND: string = fileURLToPath(new URL('../../cli/bin/allocdb', import.meta.url));

/** Starts the command with its three pipes. */
export function startCommand(args: readonly string[]): ChildProcessWithoutNullStreams {
  if (!existsSync(COMMAND)) {
    throw new Error('the allocdb command is not built: run "pnpm build" (npm test does)');
  }
  return startProgram([COMMAND, ...args]);
}

/** Starts node, or another one, with these arguments, as {@link startCommand} does. */
export function startProgram(
  args: readonly string[],
  cwd?: string,
  node: string = process.execPath,
): ChildProcessWithoutNullStreams {
  const child = spawn(node, args, {cwd, stdio: ['pipe', 'pipe', 'pipe']});
  children.add(child);
  child.once('close', () => children.delete(child));
  // A process that ends early closes its input; what matters is its exit code and what it said.
  child.stdin.on('error', () => undefined);
  return child;
}

/**
 * Starts a program of the tests that is written in TypeScript. What it imports by a package's name is what was built, like
 * the command: a whole server from sources takes a second and a half of a processor to load.
 */
export function startScript(
  program: string,
  args: readonly string[],
  nodeArgs: readonly string[] = [],
): ChildProcessWithoutNullStreams {
  return startProgram([...nodeArgs, '--import', 'tsx', program, ...args], PACKAGE_DIR);
}

/** How a process ended. */
export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<CommandEnd> {
  if (!children.has(child)) return Promise.resolve({code: child.exitCode, signal: child.signalCode});
  return new Promise(resolve => child.once('close', (code, signal) => resolve({code, signal})));
}

/** What a finished command left behind. */
export interface CommandResult extends CommandEnd {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs the command to its end, with `input` on its stdin. */
export async function runCommand(
  args: readonly string[],
  input: Uint8Array = new Uint8Array(0),
): Promise<CommandResult> {
  const child = startCommand(args);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.end(input);
  const end = await withDeadline(endOf(child), `allocdb ${args.join(' ')} to end`);
  return {...end, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString()};
}

/** One line of the server's log. */
export interface LogEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** `allocdb serve` in the background. */
export class ServeProcess {
  readonly pid: number;
  readonly port: number;
  readonly events: LogEvent[];
  readonly #child: ChildProcessWithoutNullStreams;

  private constructor(child: ChildProcessWithoutNullStreams, events: LogEvent[], listening: LogEvent) {
    this.#child = child;
    this.events = events;
    this.pid = Number(listening['pid']);
    this.port = Number(listening['port']);
  }

  /** Starts it on a free port of the loopback address; resolves when it listens, rejects with what it said if it ends. */
  static async start(dir: string, ...flags: string[]): Promise<ServeProcess> {
    const child = startCommand(['serve', dir, '--listen', '127.0.0.1:0', '--http', 'off', ...flags]);
    const events: LogEvent[] = [];
    let text = '';
    let rest = '';
    const listening = new Promise<LogEvent>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        text += chunk;
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines.filter(each => each.startsWith('{'))) {
          const event = JSON.parse(line) as LogEvent;
          events.push(event);
          if (event.event === 'listening') resolve(event);
        }
      });
      child.once('close', code => reject(new Error(`serve ended with ${code}: ${text}`)));
    });
    return new ServeProcess(child, events, await withDeadline(listening, 'the server to listen', READY_MS));
  }

  /** Ends it as a crash would; resolves when it is gone. */
  async kill(): Promise<CommandEnd> {
    return this.signal('SIGKILL');
  }

  /** Sends a signal and waits for the end. */
  async signal(signal: NodeJS.Signals): Promise<CommandEnd> {
    this.#child.kill(signal);
    return withDeadline(endOf(this.#child), 'the server to end');
  }

  /** Resolves once the server has logged such an event. */
  async logged(name: string): Promise<LogEvent> {
    return until(() => this.events.find(event => event.event === name), `the event ${name}`);
  }

  /** Bytes of memory that the process holds at present. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }
}

/** Waits until `probe` gives something, and returns it. */
export async function until<Value>(probe: () => Value | undefined | false, what: string): Promise<Value> {
  const deadline = Date.now() + END_MS;
  for (;;) {
    const value = probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(5);
  }
}

/** Resolves after so many milliseconds. */
export async function pause(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms));
}

/** The same promise, rejecting when it takes too long. */
export async function withDeadline<Value>(promise: Promise<Value>, what: string, ms: number = END_MS): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** SHA-256 of every file below a directory by relative path, but for LOCK: to show that nothing was touched. */
export function fingerprintOf(dir: string): Record<string, string> {
  const names = readdirSync(dir, {recursive: true, encoding: 'utf8'}).sort();
  return Object.fromEntries(
    names
      .filter(name => name !== 'LOCK' && statSync(join(dir, name)).isFile())
      .map(name => [
        name,
        createHash('sha256')
          .update(readFileSync(join(dir, name)))
          .digest('hex'),
      ]),
  );
}
