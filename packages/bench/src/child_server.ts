/**
 * Servers as processes of their own: started, waited for until they listen, asked how much processor time they took, and
 * ended, whatever happens. Both kinds say on stderr, as one line of JSON, where they listen, and the real one also when
 * checkpoints begin and end.
 */
import type {ChildProcess} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {LastLines, PROGRAM_DIR, programOf, startProgram} from './child_process.ts';

/** The program of the bare durable echo. */
export const ECHO_PROGRAM: string = programOf('echo_server');
/** The built `allocdb` command: beside this package, in a workspace as in an installation. */
export const ALLOCDB_PROGRAM: string = join(PROGRAM_DIR, '../../cli/dist/main.js');

/** As the installed `allocdb` starts Node; the echo is given the same. */
const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=1'];
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
/** What the system counts processor time in, per second. */
const TICKS_PER_SECOND = 100;

/** Something that a server said on stderr, as it said it. */
export interface ServerEvent {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A server that listens. */
export interface ChildServer {
  readonly pid: number;
  readonly port: number;
  /** Processor time that it has taken, in milliseconds; null where the system does not say. */
  cpuMillis(): number | null;
  /** Ends it in order and resolves when it is gone. Rejects when it ended by itself, or with an error. */
  stop(): Promise<void>;
  /** Ends it at once; without effect when it is gone. */
  kill(): void;
}

/** How a server is started. */
export interface StartOptions {
  /** Where it leaves a CPU profile when it ends; null for none. */
  readonly profileDir?: string | null;
  /** How long it may take until it listens. */
  readonly timeoutMs?: number;
  /** Told what it says, from its start on. */
  readonly onEvent?: (event: ServerEvent) => void;
}

/** Starts `program` with `args` and resolves when it listens; rejects with its last words when it does not. */
export async function startServer(
  program: string,
  args: readonly string[],
  {profileDir = null, timeoutMs = START_TIMEOUT_MS, onEvent = () => undefined}: StartOptions = {},
): Promise<ChildServer> {
  const profiling = profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profileDir)}`];
  const child = startProgram(program, args, 'ignore', [...NODE_FLAGS, ...profiling]);
  let onPort: (port: number) => void = () => undefined;
  const words = new LastLines(child.stderr, line => {
    const event = eventOf(line);
    if (event === null) return;
    const {port} = event.fields;
    if (event.event === 'listening' && typeof port === 'number') onPort(port);
    onEvent(event);
  });
  const port = await listening(child, words, timeoutMs, whenListening => {
    onPort = whenListening;
  });
  if (child.pid === undefined) throw new Error('assertion failed: a server that listens has a process');
  return {
    pid: child.pid,
    port,
    cpuMillis: () => cpuMillisOf(child),
    stop: () => stopChild(child, words),
    kill: () => void child.kill('SIGKILL'),
  };
}

async function listening(
  child: ChildProcess,
  words: LastLines,
  timeoutMs: number,
  setOnPort: (onPort: (port: number) => void) => void,
): Promise<number> {
  let timer: NodeJS.Timeout | null = null;
  try {
    return await new Promise<number>((onPort, reject) => {
      const fail = (why: string): void => reject(new Error(`${why}\n${words.text}`));
      timer = setTimeout(() => {
        fail('the server does not listen');
        child.kill('SIGKILL');
      }, timeoutMs);
      setOnPort(onPort);
      child.once('error', reject);
      child.once('close', code => fail(`the server ended with ${code} before it listened`));
    });
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

function eventOf(line: string): ServerEvent | null {
  if (!line.startsWith('{')) return null;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null || !('event' in entry)) return null;
    return {event: String(entry.event), fields: {...entry}};
  } catch {
    return null;
  }
}

async function stopChild(child: ChildProcess, words: LastLines): Promise<void> {
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
