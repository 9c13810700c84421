/**
 * One life of the real server, from its start to its SIGKILL: what it has logged, whether it listens, whether it is
 * writing a checkpoint, and whether it holds its directory, which is when recovery begins.
 */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {type CommandEnd, type LogEvent, startCommand, startScript, withDeadline} from '../command.ts';

const LISTEN_MS = 60_000;
const POLL_MS = 1;

const SMALL_SERVER = fileURLToPath(new URL('kill_small_server.ts', import.meta.url));

export interface KillServerOptions {
  readonly dir: string;
  readonly configFile: string;
  readonly slotMs: number;
  readonly mibPerSecond: number;
  /** Whether it is the program whose log is cut (`kill_small_server.ts`), or the command. */
  readonly cutsLog: boolean;
}

export class KillServer {
  readonly events: LogEvent[] = [];
  readonly ended: Promise<CommandEnd>;
  hasEnded: boolean = false;
  readonly #dir: string;
  readonly #child: ReturnType<typeof startCommand>;
  readonly #listening: Promise<number>;
  #text: string = '';

  constructor(options: KillServerOptions) {
    this.#dir = options.dir;
    const child = options.cutsLog ? startSmall(options) : startServe(options);
    this.#child = child;
    this.ended = new Promise(resolve => {
      child.once('close', (code, signal) => {
        this.hasEnded = true;
        resolve({code, signal});
      });
    });
    this.#listening = new Promise((resolve, reject) => {
      let rest = '';
      child.stderr.on('data', (chunk: Buffer) => {
        this.#text += chunk;
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines.filter(each => each.startsWith('{'))) {
          const event = JSON.parse(line) as LogEvent;
          this.events.push(event);
          if (event.event === 'listening') resolve(Number(event['port']));
        }
      });
      child.once('close', code => reject(new Error(`the server ended with ${code}: ${this.#text}`)));
    });
    // Nobody may be waiting for it when it is killed during its recovery.
    this.#listening.catch(() => undefined);
  }

  /** Its port, once it listens; rejects with what it said when it ends before. */
  listening(): Promise<number> {
    return withDeadline(this.#listening, 'the server to listen', LISTEN_MS);
  }

  get listens(): boolean {
    return this.events.some(({event}) => event === 'listening');
  }

  /** True while the last checkpoint that it has told of was begun and has not ended. */
  get isInCheckpoint(): boolean {
    return this.events.findLast(({event}) => event.startsWith('checkpoint_'))?.event === 'checkpoint_started';
  }

  /** True once it has told of a finished checkpoint. */
  get hasCheckpointed(): boolean {
    return this.events.some(({event}) => event === 'checkpoint_finished');
  }

  /** Resolves when it holds its directory: from now on it recovers, until it listens. False where it ended before. */
  async recovering(): Promise<boolean> {
    while (!this.hasEnded && !this.listens) {
      if (this.#holdsLock()) return true;
      await new Promise(resolve => setTimeout(resolve, POLL_MS));
    }
    return !this.hasEnded;
  }

  /** Ends it as a crash would, now; resolves when it is gone and all that it said was read. */
  kill(): Promise<CommandEnd> {
    this.#child.kill('SIGKILL');
    return withDeadline(this.ended, 'the server to be gone');
  }

  /** Asks it to stop in order. */
  stop(): Promise<CommandEnd> {
    this.#child.kill('SIGTERM');
    return withDeadline(this.ended, 'the server to stop');
  }

  #holdsLock(): boolean {
    try {
      return readFileSync(join(this.#dir, 'LOCK'), 'utf8').trim() === String(this.#child.pid);
    } catch {
      return false;
    }
  }
}

function startServe({dir, configFile, slotMs, mibPerSecond}: KillServerOptions): ReturnType<typeof startCommand> {
  return startCommand([
    'serve',
    dir,
    ...['--listen', '127.0.0.1:0', '--http', 'off', '--config', configFile, '--slot-ms', String(slotMs)],
    ...['--checkpoint-every-mib', '1', '--checkpoint-mib-per-second', String(mibPerSecond)],
  ]);
}

function startSmall({dir, configFile, slotMs, mibPerSecond}: KillServerOptions): ReturnType<typeof startCommand> {
  return startScript(SMALL_SERVER, [dir, configFile, String(slotMs), String(mibPerSecond)]);
}
