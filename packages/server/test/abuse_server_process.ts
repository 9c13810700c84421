/**
 * The process of `abuse_server.ts` as whoever abuses it sees it: its ports, its memory, what it counts, whether it lives.
 */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {DatabaseLimits} from '@allocdb/node';
import type {HttpLimits} from '../src/http/index.ts';
import type {ConnectionLimits} from '../src/net/connection_host.ts';
import {type CommandEnd, type LogEvent, startScript, tempDir, withDeadline} from './command.ts';

const LISTEN_MS = 60_000;
/** As the installed command has it, and what `liveBytes` needs. */
const NODE_FLAGS = ['--max-semi-space-size=1', '--expose-gc'];
const PROGRAM = fileURLToPath(new URL('abuse_server.ts', import.meta.url));
/** Lines of its log that are kept. */
const KEPT_LINES = 50;

/** What the program is given. */
export interface AbuseServerOptions {
  readonly dir: string;
  readonly slotMs: number;
  readonly capacities: DatabaseLimits;
  readonly maxConnections: number;
  readonly tokenFile?: string;
  readonly limits?: Partial<ConnectionLimits>;
  readonly httpLimits?: Partial<HttpLimits>;
}

/** Room for what abusers create, so that nobody is refused for want of it. */
export const ROOMY: DatabaseLimits = {
  maxResources: 400_000,
  maxReservations: 200_000,
  maxOperations: 1_000_000,
  maxTtlSlots: 5000,
  operationWindowSlots: 500,
};

export class AbuseServer {
  readonly pid: number;
  readonly port: number;
  readonly httpPort: number;
  /** The last lines of its log. */
  readonly lines: readonly string[];
  readonly #child: ReturnType<typeof startScript>;
  #end: CommandEnd | null = null;
  #onLiveBytes: (bytes: number) => void = () => undefined;

  static async start(options: Omit<AbuseServerOptions, 'dir'>): Promise<AbuseServer> {
    const args = JSON.stringify({...options, dir: join(tempDir(), 'data')});
    const child = startScript(PROGRAM, [args], NODE_FLAGS);
    const lines: string[] = [];
    const listening = new Promise<LogEvent>((resolve, reject) => {
      createInterface({input: child.stderr}).on('line', line => {
        if (lines.push(line) > KEPT_LINES) lines.shift();
        if (!line.startsWith('{')) return;
        const event = JSON.parse(line) as LogEvent;
        if (event.event === 'listening') resolve(event);
      });
      child.once('close', code => reject(new Error(`the server ended with ${code}: ${lines.join('\n')}`)));
    });
    return new AbuseServer(child, await withDeadline(listening, 'the server to listen', LISTEN_MS), lines);
  }

  private constructor(child: ReturnType<typeof startScript>, listening: LogEvent, lines: readonly string[]) {
    this.#child = child;
    this.lines = lines;
    this.pid = Number(listening['pid']);
    this.port = Number(listening['port']);
    this.httpPort = Number((listening['http'] as {port: number}).port);
    child.once('close', (code, signal) => {
      this.#end = {code, signal};
    });
    createInterface({input: child.stderr}).on('line', line => {
      if (line.startsWith('{"event":"live_bytes"')) this.#onLiveBytes(Number((JSON.parse(line) as LogEvent)['bytes']));
    });
  }

  /** How it ended; null while it lives. */
  get end(): CommandEnd | null {
    return this.#end;
  }

  /** Bytes of memory that the process holds at present. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Bytes that are still needed when all garbage was collected: what grows here grows without an end. */
  liveBytes(): Promise<number> {
    const told = new Promise<number>(resolve => {
      this.#onLiveBytes = resolve;
    });
    this.#child.kill('SIGUSR2');
    return withDeadline(told, 'the server to say what it needs', LISTEN_MS);
  }

  /** Stops it in order. */
  async stop(): Promise<CommandEnd> {
    if (this.#end !== null) return this.#end;
    const end = new Promise<CommandEnd>(resolve => {
      this.#child.once('close', (code, signal) => resolve({code, signal}));
    });
    this.#child.kill('SIGTERM');
    return withDeadline(end, 'the server to stop');
  }
}

/** What a server tells of its connections, by transport and reason. */
interface Told {
  /** Connections of both ports, but for the one by which it was asked. */
  readonly count: number;
  /** Those that have ended out of order, by the reason. */
  readonly ends: Readonly<Record<string, number>>;
}

/** Asks a server for its metrics. */
export async function connectionsAt(httpPort: number, token: string = ''): Promise<Told> {
  const headers = {connection: 'close', ...(token === '' ? {} : {authorization: `Bearer ${token}`})};
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`, {headers});
  const text = await response.text();
  const counts = [...text.matchAll(/^allocdb_connections\{[^}]*\} (\d+)$/gm)].map(([, count]) => Number(count));
  if (counts.length === 0) throw new Error(`the metrics do not say how many connections there are: ${text}`);
  const ends: Record<string, number> = {};
  for (const [, reason = '', count] of text.matchAll(
    /^allocdb_connection_errors_total\{.*reason="(\w+)".*\} (\d+)$/gm,
  )) {
    ends[reason] = (ends[reason] ?? 0) + Number(count);
  }
  return {count: counts.reduce((sum, count) => sum + count, 0) - 1, ends};
}
