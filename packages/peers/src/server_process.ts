/**
 * The peers' servers as processes: which user they run as, how they are started, waited for and ended, and that none is
 * left behind. Where `setpriv` can, the system ends a server whose parent has died by whatever cause.
 *
 * Nothing that runs on the machine already is used or touched: ports and directories are our own. A port that was free may
 * be somebody else's by the time our server wants it, so each peer asks whom it has reached before it changes anything.
 */
import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {accessSync, chownSync, closeSync, constants, mkdirSync, openSync, readFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {delimiter, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {endingWithParent} from '@allocdb/bench';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
const LAST_WORDS_BYTES = 2000;

const running: Set<ServerProcess> = new Set();
process.once('exit', killServers);

/** Ends every server that was started here and still runs, at once. */
export function killServers(): void {
  for (const server of running) server.kill();
}

/** Numbers of a user of this system. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Path of a program on PATH or in one of the other directories; null where there is none. */
export function findProgram(name: string, otherDirs: readonly string[] = []): string | null {
  for (const dir of [...(process.env['PATH'] ?? '').split(delimiter), ...otherDirs]) {
    const path = programIn(dir, name);
    if (path !== null) return path;
  }
  return null;
}

/** Path of a program in a directory; null where it is not there. */
export function programIn(dir: string, name: string): string | null {
  const path = join(dir, name);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return null;
  }
}

/** What a program says about its version, its first line. */
export function versionOf(program: string): string {
  return execFileSync(program, ['--version'], {encoding: 'utf8'}).split('\n')[0]?.trim() ?? '';
}

/** The user that a server runs as which refuses root; null to run it as ourselves. Throws Error where there is none. */
export function unprivilegedUser(): User | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = users.find(line => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return {uid: Number(fields[2]), gid: Number(fields[3])};
  }
  throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody');
}

/** A directory of that user's. */
export function makeDirectory(dir: string, user: User | null): void {
  mkdirSync(dir, {mode: 0o700});
  if (user !== null) chownSync(dir, user.uid, user.gid);
}

/** A port that nobody listens on, as of now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** How a server is started and ended. */
export interface ServerOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly user: User | null;
  /** File that takes what it says. */
  readonly logFile: string;
  /** Ends it in order. */
  readonly stopSignal: NodeJS.Signals;
  /** Ends it at once, with the processes that it has started itself. */
  readonly killSignal: NodeJS.Signals;
}

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #options: ServerOptions;
  readonly #gone: Promise<void>;
  #failure: Error | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
    const {program, args, user, logFile} = options;
    const log = openSync(logFile, 'a');
    const [command, all] = endingWithParent(program, args, options.killSignal);
    this.#child = spawn(command, all, {cwd: '/', stdio: ['ignore', log, log], ...user});
    closeSync(log);
    running.add(this);
    this.#gone = new Promise(resolve => {
      const gone = (): void => {
        running.delete(this);
        resolve();
      };
      this.#child.once('error', error => {
        this.#failure = error;
        gone();
      });
      this.#child.once('exit', gone);
    });
  }

  /** Its process id; 0 where it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return running.has(this);
  }

  /** Tries until `attempt` succeeds, and resolves with its value. Rejects when the server ends first, or takes too long. */
  async whenReady<T>(attempt: () => Promise<T>): Promise<T> {
    const endMs = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        // Whoever has its port instead may never answer.
        return await Promise.race([attempt(), this.#gone.then(() => Promise.reject(new Error('it is gone')))]);
      } catch (error) {
        if (!this.isRunning) throw new Error(`${this.#options.program} ended: ${this.#lastWords()}`, {cause: error});
        if (Date.now() > endMs) throw new Error(`${this.#options.program}: ${this.#lastWords()}`, {cause: error});
      }
      await delay(POLL_MS);
    }
  }

  /** Ends it in order and resolves when it is gone. Rejects when it had ended by itself. */
  async stop(): Promise<void> {
    if (!this.isRunning) throw new Error(`${this.#options.program} ended by itself: ${this.#lastWords()}`);
    this.#child.kill(this.#options.stopSignal);
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#gone;
    clearTimeout(force);
  }

  /** Ends it at once; without effect when it is gone. */
  kill(): void {
    this.#child.kill(this.#options.killSignal);
  }

  #lastWords(): string {
    if (this.#failure !== null) return this.#failure.message;
    const words = readFileSync(this.#options.logFile, 'utf8').trim();
    return words === '' ? 'it said nothing' : `it said\n${words.slice(-LAST_WORDS_BYTES)}`;
  }
}
