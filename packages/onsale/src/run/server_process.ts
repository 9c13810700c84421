/**
 * The real server as a process: started on a data directory, known by what it logs, killed or stopped. One object is one
 * life of the server; the next one starts on what this one left.
 */
import {type ChildProcessByStdio, spawn} from 'node:child_process';
import {appendFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import {STARTUP_KIND_NAMES} from '@allocdb/api';
import {DemoFailure} from './failure.ts';

export interface ServerOptions {
  readonly dataDir: string;
  readonly configFile: string;
  /** What the server logs is appended here. */
  readonly logFile: string;
  readonly slotMs: number;
  readonly checkpointEveryMib: number;
  readonly checkpointMibPerSecond: number;
}

/** How a server came up. */
export interface Recovery {
  readonly startupKind: string;
  readonly replayedRecords: number;
  /** By its own clock, from opening the directory to being ready. */
  readonly recoveryMs: number;
  /** By ours, from starting the process to its listening. */
  readonly startMs: number;
  /** Bytes of an unfinished write that opening cut off. */
  readonly cutBytes: number;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const START_TIMEOUT_MS = 30_000;
/** As the installed command has it. */
const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=1'];

export class ServerProcess {
  readonly #child: ChildProcessByStdio<null, null, Readable>;
  readonly #logFile: string;
  readonly exited: Promise<Exit>;
  port: number = 0;
  recovery: Recovery = {startupKind: '', replayedRecords: 0, recoveryMs: 0, startMs: 0, cutBytes: 0};
  /** The lsn of the checkpoint that is being written, or null. */
  checkpoint: string | null = null;
  checkpointsFinished: number = 0;
  hasEnded: boolean = false;

  private constructor(options: ServerOptions) {
    const flags = [
      ['--listen', '127.0.0.1:0'],
      ['--http', 'off'],
      ['--config', options.configFile],
      ['--slot-ms', String(options.slotMs)],
      ['--checkpoint-every-mib', String(options.checkpointEveryMib)],
      ['--checkpoint-mib-per-second', String(options.checkpointMibPerSecond)],
    ].flat();
    this.#logFile = options.logFile;
    this.#child = spawn(process.execPath, [...NODE_FLAGS, serverMain(), 'serve', options.dataDir, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => resolve({code, signal}));
    });
    running.add(this);
    const ended = (): void => {
      this.hasEnded = true;
      running.delete(this);
    };
    this.exited.then(ended, ended);
  }

  /** Starts a server and resolves when it listens; rejects with its own words when it does not. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    await server.#listening();
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends it as a crash would: now, in whatever it is doing. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Asks it to end and resolves with how it did. */
  async stop(): Promise<Exit> {
    this.#child.kill('SIGTERM');
    return this.exited;
  }

  async #listening(): Promise<void> {
    const started = performance.now();
    const words: string[] = [];
    const port = await new Promise<number>((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new DemoFailure(`the server ${why}: ${words.join('\n') || 'no word'}`));
      const timer = setTimeout(() => fail(`did not listen within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
      this.exited.then(
        ({code, signal}) => fail(`ended with ${signal ?? code}`),
        (error: unknown) => reject(error),
      );
      createInterface(this.#child.stderr).on('line', line => {
        appendFileSync(this.#logFile, `${line}\n`);
        const event = parseEvent(line);
        if (event === null) words.push(line);
        else if (event['event'] === 'listening') {
          clearTimeout(timer);
          this.#noteRecovery(event, performance.now() - started);
          resolve(Number(event['port']));
        } else this.#noteEvent(event);
      });
    });
    this.port = port;
  }

  #noteRecovery(event: Record<string, unknown>, startMs: number): void {
    const facts = (event['recovery'] ?? {}) as Record<string, unknown>;
    this.recovery = {
      startupKind: STARTUP_KIND_NAMES[Number(facts['startupKind'])] ?? String(facts['startupKind']),
      replayedRecords: Number(facts['replayedRecords']),
      recoveryMs: Number(event['recoveryMs']),
      startMs,
      cutBytes: Number(facts['cutBytes']),
    };
  }

  #noteEvent(event: Record<string, unknown>): void {
    if (event['event'] === 'checkpoint_started') this.checkpoint = String(event['lsn']);
    else if (event['event'] === 'checkpoint_finished') {
      this.checkpoint = null;
      this.checkpointsFinished++;
    }
  }
}

const running: Set<ServerProcess> = new Set();

/** Ends every server that still runs; for the end of the demo, whatever brought it. */
export function killServers(): void {
  for (const server of running) server.kill();
}

/** What the server says of a data directory that no server uses. */
export async function verifyDirectory(dataDir: string): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [serverMain(), 'verify', dataDir, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, words, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    }),
  ]);
  return parseEvent(out) ?? {ok: false, problems: [`exit ${code}`, words.trim()]};
}

function serverMain(): string {
  return fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));
}

function parseEvent(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
