/**
 * The built `allocdb` command as tests use it: run to its end, driven while it runs, and served in the background. What a
 * test starts is killed by `cleanUp`, what it makes is removed. The machine may be slow: nothing here waits for a time.
 */
import {type ChildProcess, type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {vi} from 'vitest';

export const MAIN: string = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** The directory that holds the command as it is installed. */
export const BIN: string = fileURLToPath(new URL('../bin', import.meta.url));

/** How long a test may take that starts processes on a busy machine; what goes wrong is seen at once all the same. */
const PATIENCE_MS = 240_000;
vi.setConfig({testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS});
/** For `expect.poll`. */
export const PATIENTLY: {readonly timeout: number} = {timeout: PATIENCE_MS};

const children = new Set<ChildProcess>();
const directories = new Set<string>();

/** A directory of its own for a test, removed by `cleanUp`. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'allocdb-cli-'));
  directories.add(dir);
  return dir;
}

/** Writes a file of a test and returns its path. */
export function tempFile(name: string, text: string): string {
  const path = join(tempDir(), name);
  writeFileSync(path, text);
  return path;
}

/** Kills what still runs and removes what was made. */
export async function cleanUp(): Promise<void> {
  const ends = [...children].map(child => new Promise(resolve => child.once('close', resolve)));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ends);
  for (const dir of directories) rmSync(dir, {recursive: true, force: true});
  directories.clear();
}

/** How a command is started. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** What a finished command left behind. */
export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command while it runs. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams;
  stdout: string = '';
  stderr: string = '';
  readonly ended: Promise<Result>;

  constructor(program: string, args: readonly string[], {env = {}, cwd}: Omit<RunOptions, 'input'> = {}) {
    const own = Object.entries(process.env).filter(
      ([name]) => !name.startsWith('ALLOCDB_') && name !== 'XDG_STATE_HOME',
    );
    const child = spawn(program, args, {cwd, env: {...Object.fromEntries(own), ...env}});
    this.child = child;
    children.add(child);
    // A process that ends early closes its input; what matters is how it ended.
    child.stdin.on('error', () => undefined);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', code => {
        children.delete(child);
        resolve({code, stdout: this.stdout, stderr: this.stderr});
      });
    });
  }
}

/** Starts the command. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  if (!existsSync(MAIN)) throw new Error('the allocdb command is not built: run "pnpm exec tsc -b packages/cli"');
  return new Running(process.execPath, [MAIN, ...args], options);
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const running = start(args, options);
  running.child.stdin.end(options.input ?? '');
  return running.ended;
}

/** Runs a line of a shell in which `allocdb` is the installed command. */
export async function shell(line: string, options: RunOptions = {}): Promise<Result> {
  const path = `${BIN}:${process.env['PATH'] ?? ''}`;
  const running = new Running('bash', ['-c', line], {...options, env: {PATH: path, ...options.env}});
  running.child.stdin.end(options.input ?? '');
  return running.ended;
}

/** `allocdb serve` in the background. */
export class Server {
  readonly port: number;
  readonly dir: string;
  readonly #running: Running;

  private constructor(running: Running, dir: string, port: number) {
    this.#running = running;
    this.dir = dir;
    this.port = port;
  }

  get url(): string {
    return `allocdb://127.0.0.1:${this.port}`;
  }

  /** Starts it on a free port; resolves when it listens. */
  static async start(dir: string = join(tempDir(), 'data'), ...flags: readonly string[]): Promise<Server> {
    if (!existsSync(dir)) await mustRun(['init', dir, ...SMALL]);
    const running = start(['serve', dir, '--listen', '127.0.0.1:0', '--http', 'off', ...SLOT, ...flags]);
    const port = await new Promise<number>((resolve, reject) => {
      running.child.stderr.on('data', () => {
        const match = /"event":"listening",.*"port":(\d+)/.exec(running.stderr);
        if (match !== null) resolve(Number(match[1]));
      });
      running.ended.then(({code, stderr}) => reject(new Error(`serve ended with ${code}: ${stderr}`)), reject);
    });
    return new Server(running, dir, port);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#running.child.kill('SIGKILL');
    await this.#running.ended;
  }

  /** What a command needs to find it, and to wait as long as a slow machine takes. */
  get flags(): readonly string[] {
    return ['--url', this.url, '--timeout', '60s'];
  }

  /** Runs a command on it. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run([...args, '--timeout', '60s'], {...options, env: {ALLOCDB_URL: this.url, ...options.env}});
  }
}

/** Slots of an hour, so that a slow test is still in the first one: nothing expires, retires or is forgotten. */
const SLOT: readonly string[] = ['--slot-ms', '3600000'];
const SMALL: readonly string[] = [
  ...['--max-resources', '20000', '--max-reservations', '1000', '--max-operations', '60000', '--max-hold', '40000h'],
  ...SLOT,
];

async function mustRun(args: readonly string[]): Promise<void> {
  const {code, stderr} = await run(args);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
}

/** The one JSON object that a text is. */
export function objectOf(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}
