/**
 * Servers as processes of their own: started, waited for until they listen, asked how much processor time they took, and
 * ended, whatever happens. Both kinds say on stderr, as one line of JSON, where they listen.
 *
 * Where this package runs from sources, so do the servers, through tsx.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const fromSources: boolean = import.meta.url.endsWith('.ts');
const extension = fromSources ? 'ts' : 'js';

/** The program of the bare durable echo. */
export const ECHO_PROGRAM: string = join(here, `echo_server.${extension}`);
/** The `allocdb` command: beside this package, in a workspace as in an installation. */
export const ALLOCDB_PROGRAM: string = join(here, `../../server/${fromSources ? 'src' : 'dist'}/main.${extension}`);

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const STDERR_LINES_KEPT = 20;
/** What the system counts processor time in, per second. */
const TICKS_PER_SECOND = 100;

/** A server that listens. */
export interface ChildServer {
  readonly port: number;
  /** Processor time that it has taken, in milliseconds; null where the system does not say. */
  cpuMillis(): number | null;
  /** Ends it in order and resolves when it is gone. Rejects when it ended by itself, or with an error. */
  stop(): Promise<void>;
  /** Ends it at once; without effect when it is gone. */
  kill(): void;
}

/**
 * Starts `program` with `args` and resolves when it listens; rejects with its last words when it does not. With a
 * `profileDir` it leaves a CPU profile there when it ends.
 */
export async function startServer(
  program: string,
  args: readonly string[],
  profileDir: string | null = null,
): Promise<ChildServer> {
  const profiling = profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profileDir)}`];
  const loader = fromSources ? ['--conditions=@allocdb/source', '--import', 'tsx'] : [];
  const child = spawn(process.execPath, [...loader, ...profiling, program, ...args], {
    cwd: here,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  const words = new LastWords(child);
  const port = await words.listening();
  return {
    port,
    cpuMillis: () => cpuMillisOf(child),
    stop: () => stopChild(child, words),
    kill: killWithUs,
  };
}

/** The lines that a child writes to stderr: the one that names its port, and the last ones for error messages. */
class LastWords {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #rest: string = '';
  #onPort: (port: number) => void = () => undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
  }

  get text(): string {
    return [...this.#lines, this.#rest].join('\n').trim();
  }

  async listening(): Promise<number> {
    let timer: NodeJS.Timeout | null = null;
    try {
      return await new Promise<number>((resolve, reject) => {
        const fail = (why: string): void => reject(new Error(`${why}\n${this.text}`));
        timer = setTimeout(() => {
          fail('the server does not listen');
          this.#child.kill('SIGKILL');
        }, START_TIMEOUT_MS);
        this.#onPort = resolve;
        this.#child.once('error', reject);
        this.#child.once('close', code => fail(`the server ended with ${code} before it listened`));
      });
    } finally {
      if (timer !== null) clearTimeout(timer);
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const port = portOf(line);
      if (port !== null) this.#onPort(port);
      this.#lines.push(line);
      if (this.#lines.length > STDERR_LINES_KEPT) this.#lines.shift();
    }
  }
}

function portOf(line: string): number | null {
  if (!line.startsWith('{')) return null;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null || !('event' in entry) || !('port' in entry)) return null;
    return entry.event === 'listening' && typeof entry.port === 'number' ? entry.port : null;
  } catch {
    return null;
  }
}

async function stopChild(child: ChildProcess, words: LastWords): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`the server ended by itself\n${words.text}`);
  }
  const ended = new Promise<number | null>(resolve => child.once('close', code => resolve(code)));
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill('SIGTERM');
  const code = await ended;
  clearTimeout(force);
  if (code !== 0) throw new Error(`the server ended with ${code}\n${words.text}`);
}

function cpuMillisOf(child: ChildProcess): number | null {
  try {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}
